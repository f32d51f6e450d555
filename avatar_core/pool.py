"""The backends of one render: each opened once, on first use, and closed at the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from avatar_core.attempt import contained
from avatar_core.backend import AvatarBackend, NoOptions
from avatar_core.backend_options import backend_options
from avatar_core.chain import LAST_RUNG
from avatar_core.errors import AvatarError, EnvironmentFault, InputError
from avatar_core.registry import PluginFault, Registry
from avatar_core.rung import Rung, reads_text
from avatar_core.settings import LoadedSettings

log = logging.getLogger(__name__)


class BackendPool:
    """Makes rungs from names; safe to use from several threads.

    ``given`` are instances that the caller made: they go before the registry's classes of the
    same names, and stay open when the pool closes.
    """

    def __init__(
        self,
        registry: Registry[AvatarBackend],
        loaded: LoadedSettings,
        given: Mapping[str, AvatarBackend] | None = None,
    ) -> None:
        self._given = dict(given or {})
        self._registry = registry.overlaid({n: type(b) for n, b in self._given.items()})
        self._loaded = loaded
        self._open: dict[str, AvatarBackend] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def rung(self, name: str, scene_options: Mapping[str, Any] | None = None) -> Rung:
        """The rung of the backend ``name`` with the scene's own options.

        Raises `InputError` for an unknown name or option. A backend that is known but cannot
        be loaded makes a rung that says so when its turn comes, so that the next one is tried.
        """
        given = self._given.get(name)
        try:
            options = backend_options(
                self._registry,
                name,
                self._loaded.settings,
                scene_options,
                places=self._loaded.places,
                own=getattr(given, "options", None),
            )
            backend = given or self._registry.load(name)
        except PluginFault as failure:
            return Rung(name, _failing(failure), NoOptions())
        return Rung(name, lambda: self.open(name), options, backend.revision, reads_text(backend))

    def rungs(
        self, names: Iterable[str], scene_options: Mapping[str, Mapping[str, Any]] | None = None
    ) -> tuple[Rung, ...]:
        """Rungs for ``names`` and, after them, for `static`; options by backend name."""
        if LAST_RUNG not in self._registry:
            raise InputError(
                f"The avatar backend {LAST_RUNG!r}, the last rung of every chain, is not loaded.",
                advice=f"Add {LAST_RUNG} to AVATAR_PLUGINS, or unset that variable.",
            )
        unique = list(dict.fromkeys([*names, LAST_RUNG]))
        return tuple(self.rung(name, (scene_options or {}).get(name)) for name in unique)

    def open(self, name: str) -> AvatarBackend:
        """The backend ``name`` with the options of the settings."""
        if name in self._given:
            return self._given[name]
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        # One lock a backend: a slow start of one must not hold up the others.
        with lock:
            if name not in self._open:
                options = backend_options(
                    self._registry, name, self._loaded.settings, places=self._loaded.places
                )
                self._open[name] = self._registry.load(name)(options)
            return self._open[name]

    def close(self) -> None:
        """Close all backends; one that fails to close keeps nobody else from it."""
        with self._lock:
            backends, self._open = self._open, {}
        for name, backend in backends.items():
            try:
                with contained(name):
                    backend.close()
            except (AvatarError, EnvironmentFault) as failure:
                log.warning("The backend %s could not be closed: %s", name, failure)

    def __enter__(self) -> BackendPool:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _failing(failure: PluginFault) -> Callable[[], AvatarBackend]:
    def fail() -> AvatarBackend:
        raise failure

    return fail
