"""Which backends and speech engines can work here and now, asked side by side and not for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from avatar_core.backend import Health
from avatar_core.errors import AvatarError, EnvironmentFault, InputError
from avatar_core.secrets import scrub

if TYPE_CHECKING:
    from avatar_core.plugins import Plugins
    from avatar_core.registry import Description
    from avatar_core.settings import LoadedSettings

CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Probe:
    """One backend or engine: who brought it, and what its own check says."""

    name: str
    summary: str
    owner: str
    ok: bool
    message: str
    advice: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        names = ("name", "summary", "owner", "ok", "message", "advice")
        return {**{name: getattr(self, name) for name in names}, "details": dict(self.details)}


def probe_backends(
    plugins: Plugins, loaded: LoadedSettings, seconds: float = CHECK_SECONDS
) -> list[Probe]:
    """Ask every avatar backend, with the options that the settings give it."""
    from avatar_core.backend_options import backend_options

    def check(name: str) -> Health:
        registry = plugins.backends
        options = backend_options(registry, name, loaded.settings, places=loaded.places)
        backend = registry.load(name)(options)
        try:
            return backend.check()
        finally:
            backend.close()

    return _probe(plugins.backends.describe(), check, seconds)


def probe_engines(plugins: Plugins, seconds: float = CHECK_SECONDS) -> list[Probe]:
    """Ask every speech engine."""

    def check(name: str) -> Health:
        engine = plugins.engines.load(name)()
        try:
            return engine.check()
        finally:
            engine.close()

    return _probe(plugins.engines.describe(), check, seconds)


def _probe(
    entries: tuple[Description, ...], check: Callable[[str], Health], seconds: float
) -> list[Probe]:
    answers: dict[str, Health] = {}

    def ask(name: str) -> None:
        answers[name] = _contained(check, name)

    # Daemons: one that hangs for ever must not keep the program from ending.
    threads = [threading.Thread(target=ask, args=(entry.name,), daemon=True) for entry in entries]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = Health(False, f"It did not answer within {seconds:g} s.", "Check the network.")
    return [_as_probe(entry, answers.get(entry.name, late)) for entry in entries]


def _contained(check: Callable[[str], Health], name: str) -> Health:
    try:
        health: object = check(name)
        if not isinstance(health, Health):
            raise TypeError(f"check returned {type(health).__name__} instead of Health")
        return health
    except InputError as failure:
        return Health(False, str(failure))
    except (AvatarError, EnvironmentFault) as failure:
        return Health(False, str(failure.message), failure.advice)
    except (Exception, SystemExit) as failure:
        what = f"Its check failed: {type(failure).__name__}: {failure}"
        return Health(False, what, "Report it to its author.")


def _as_probe(entry: Description, health: Health) -> Probe:
    return Probe(
        entry.name,
        entry.summary,
        str(entry.owner),
        health.ok,
        scrub(str(health.message)),
        health.advice and scrub(health.advice),
        {name: scrub(str(value)) for name, value in health.details.items()},
    )
