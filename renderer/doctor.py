"""Looks over everything a render needs, by trying it: the findings, not how they are shown."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from avatar_core.errors import EnvironmentFault, InputError, InputErrors
from avatar_core.pages import see

if TYPE_CHECKING:
    from avatar_core.plugins import Plugins
    from avatar_core.settings import LoadedSettings
    from renderer.health import Probe

State = Literal["ok", "warning", "broken"]
# A minute of 1080x1920 film with all that is kept of it takes some tens of megabytes.
LITTLE_SPACE = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. ``broken`` means that no film can be made with it as it is."""

    group: str
    name: str
    state: State
    message: str
    advice: str | None = None
    details: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        names = ("group", "name", "state", "message", "advice", "details")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, and the settings with their secrets masked and where each came from."""

    findings: tuple[Finding, ...]
    settings: dict[str, Any]
    origins: dict[str, str]

    @property
    def broken(self) -> bool:
        return any(finding.state == "broken" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": not self.broken,
            "findings": [finding.to_json() for finding in self.findings],
            "settings": self.settings,
            "origins": self.origins,
        }


def diagnose(config: Path | None = None, plugins: Plugins | None = None) -> Diagnosis:
    """Try everything. Never raises for what it finds: a wrong setting is a finding too."""
    from avatar_core.plugins import load_plugins
    from avatar_core.settings import load_settings

    found = plugins if plugins is not None else load_plugins()
    findings = [*_ffmpeg()]
    try:
        loaded = load_settings(config=config)
    except InputError as mistake:
        findings += [*_cache(None), *_engines(found), *_failed_plugins(found)]
        findings += _mistakes(mistake)
        return Diagnosis(tuple(findings), {}, {})
    findings += [*_cache(loaded.settings.cache_dir), *_engines(found)]
    findings += [*_backends(found, loaded), *_failed_plugins(found), *_names(found, loaded)]
    return Diagnosis(tuple(findings), loaded.settings.masked(), dict(loaded.origins))


def _ffmpeg() -> Iterator[Finding]:
    from renderer import ffmpeg_trials as trials

    tries: dict[str, Callable[[], str]] = {
        "ffmpeg": trials.version,
        "encoders": trials.encoders,
        "cut-outs": trials.cut_outs,
        "filters": trials.filters,
        "captions": trials.vietnamese_captions,
    }
    for name, attempt in tries.items():
        try:
            yield Finding("ffmpeg", name, "ok", attempt())
        except EnvironmentFault as fault:
            # Only who asks for a cut-out needs one.
            state: State = "warning" if name == "cut-outs" else "broken"
            yield Finding("ffmpeg", name, state, fault.message, fault.advice)
            if name == "ffmpeg":
                return


def _cache(chosen: Path | None) -> Iterator[Finding]:
    from renderer.store import Store, default_cache_dir

    folder = chosen or default_cache_dir()
    try:
        with Store(folder).work_dir() as work:
            (work / "try").write_bytes(b"written")
    except (EnvironmentFault, OSError) as fault:
        advice = getattr(fault, "advice", None) or "Choose another with AVATAR_CACHE_DIR."
        message = getattr(fault, "message", None) or f"{folder} cannot be written: {fault}"
        yield Finding("cache", "folder", "broken", message, advice)
        return
    free = shutil.disk_usage(folder).free
    room = f"{folder}: {free / 1024**3:.1f} GiB free"
    if free < LITTLE_SPACE:
        advice = "Free some space, or choose another folder with AVATAR_CACHE_DIR."
        yield Finding("cache", "folder", "warning", room, advice)
    else:
        yield Finding("cache", "folder", "ok", room)


def _engines(plugins: Plugins) -> Iterator[Finding]:
    from renderer.health import probe_engines

    probes = probe_engines(plugins)
    yield from _probed("speech", probes)
    # `file` reads recordings, it speaks no text.
    if not any(probe.ok for probe in probes if probe.name != "file"):
        yield Finding("speech", "any engine", "broken", "No speech engine works.", _INSTALL_AGAIN)


def _backends(plugins: Plugins, loaded: LoadedSettings) -> Iterator[Finding]:
    from renderer.health import probe_backends

    # The last rung of every chain: without it a film may fail where it should fall back.
    probes = probe_backends(plugins, loaded)
    yield from _probed("avatar", probes, essential="static")
    if not any(probe.name == "static" for probe in probes):
        yield Finding("avatar", "static", "broken", "It is not installed.", _INSTALL_AGAIN)


def _names(plugins: Plugins, loaded: LoadedSettings) -> Iterator[Finding]:
    """Every render begins with this: a name that does not exist would end it."""
    from avatar_core.backend_options import check_settings
    from avatar_core.settings_idle import idle_settings

    try:
        check_settings(loaded, plugins.backends, plugins.engines, complete=plugins.complete)
    except InputError as mistake:
        yield from _mistakes(mistake)
    for sentence in idle_settings(loaded):
        yield Finding("settings", "no effect", "warning", sentence)


def _mistakes(mistake: InputError) -> Iterator[Finding]:
    for one in mistake.mistakes if isinstance(mistake, InputErrors) else (mistake,):
        yield Finding("settings", one.key or "settings", "broken", str(one))


_INSTALL_AGAIN = f"Install the package again. {see('install#updating')}"


def _probed(group: str, probes: list[Probe], essential: str | None = None) -> Iterator[Finding]:
    for probe in probes:
        bad: State = "broken" if probe.name == essential else "warning"
        state: State = "ok" if probe.ok else bad
        details = dict(probe.details)
        yield Finding(group, probe.name, state, probe.message, probe.advice, details)


def _failed_plugins(plugins: Plugins) -> Iterator[Finding]:
    for failed in plugins.failed:
        advice = "Update or uninstall it, or name the plugins to load in AVATAR_PLUGINS."
        yield Finding("plugins", failed.name, "warning", failed.reason, advice)
