"""Loads plugins one by one; one that is broken is listed with its reason and harms nobody."""

from __future__ import annotations

import importlib.metadata
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pluggy

from avatar_core import hookspecs
from avatar_core.nearest import did_you_mean, nearest
from avatar_core.registry import Entry, Owner, Registry, make_entry

if TYPE_CHECKING:
    from avatar_core.backend import AvatarBackend
    from avatar_core.events import Event, EventBus
    from avatar_core.speech import SpeechEngine

log = logging.getLogger(__name__)

GROUP = "avatar_core"
OWN_DISTRIBUTION = "avatar-core"


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin that works; ``manager`` holds this plugin alone, so that it is called alone."""

    name: str
    distribution: str | None
    version: str | None
    manager: pluggy.PluginManager = field(repr=False, compare=False)

    @property
    def builtin(self) -> bool:
        return self.distribution == OWN_DISTRIBUTION


@dataclass(frozen=True, slots=True)
class FailedPlugin:
    """A plugin that does not work, and why, in a sentence."""

    name: str
    distribution: str | None
    reason: str

    def __str__(self) -> str:
        whose = f" of {self.distribution}" if self.distribution else ""
        return f"The plugin {self.name!r}{whose} does not work: {self.reason}"


class Plugins:
    """What was loaded. ``restricted`` says that AVATAR_PLUGINS left some out.

    Whatever a plugin raises is its own failure, an exit as well; Ctrl-C alone is the user's.
    """

    def __init__(self, *, restricted: bool = False) -> None:
        from avatar_core.backend import AvatarBackend
        from avatar_core.speech import SpeechEngine

        self.loaded: list[LoadedPlugin] = []
        self.failed: list[FailedPlugin] = []
        self.restricted = restricted
        self.backends: Registry[AvatarBackend] = Registry("avatar backend", AvatarBackend)  # type: ignore[type-abstract]
        self.engines: Registry[SpeechEngine] = Registry("speech engine", SpeechEngine)  # type: ignore[type-abstract]
        self._silenced: set[int] = set()
        self._bus: EventBus | None = None

    @property
    def complete(self) -> bool:
        """True when every installed plugin is loaded, so that an unknown name is a mistake."""
        return not self.failed and not self.restricted

    def add_commands(self, cli: Any) -> None:
        """Let each plugin add its commands to the typer application ``cli``."""
        from avatar_core.plugin_commands import commands_of, take_over

        for plugin in list(self.loaded):
            try:
                take_over(commands_of(plugin.manager), cli)
            except KeyboardInterrupt:
                raise
            except BaseException as failure:
                self._fail(plugin.name, plugin.distribution, "register_commands", failure)

    def deliver(self, event: Event) -> None:
        """Hand ``event`` to every plugin; one that fails is listed and gets no more events."""
        for plugin in self.loaded:
            if id(plugin) in self._silenced:
                continue
            try:
                plugin.manager.hook.on_event(event=event)
            except KeyboardInterrupt:
                raise
            except BaseException as failure:
                self._silenced.add(id(plugin))
                self._fail(plugin.name, plugin.distribution, "on_event", failure)
                self._tell(self.failed[-1], event)

    def announce(self, bus: EventBus) -> None:
        """Tell ``bus`` of every failure so far, and of those to come."""
        self._bus = bus
        for failed in self.failed:
            bus.emit(_warning(failed))
        bus.listen(self.deliver)

    def _tell(self, failed: FailedPlugin, during: Event) -> None:
        # Nothing follows a render's last event.
        if self._bus is not None and during.event not in ("finished", "failed"):
            self._bus.emit(_warning(failed))

    def load(self, entry_point: EntryPoint) -> None:
        """Load one plugin: it is taken over whole or not at all."""
        distribution = _distribution(entry_point)
        try:
            manager = _manager(entry_point.load())
            owner = Owner(entry_point.name, distribution)
            backends = _collect(manager.hook.register_avatar_backends, owner)
            engines = _collect(manager.hook.register_speech_engines, owner)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:
            self._fail(entry_point.name, distribution, None, failure)
            return
        for entry in backends:
            self.backends.add(entry)
        for entry in engines:
            self.engines.add(entry)
        version = entry_point.dist.version if entry_point.dist else None
        self.loaded.append(LoadedPlugin(entry_point.name, distribution, version, manager))

    def miss(self, name: str, known: Iterable[str]) -> None:
        """Note that AVATAR_PLUGINS names a plugin that is not installed."""
        reason = f"AVATAR_PLUGINS names it, but it is not installed. {did_you_mean(name, known)}"
        self.failed.append(FailedPlugin(name, None, reason))

    def _fail(
        self, name: str, distribution: str | None, hook: str | None, failure: BaseException
    ) -> None:
        reason = _reason(failure)
        if hook is not None:
            reason = f"its {hook} failed: {reason}"
        self.failed.append(FailedPlugin(name, distribution, reason))
        log.debug("plugin %s failed", name, exc_info=failure)


def load_plugins(
    bus: EventBus | None = None,
    *,
    only: str | None = None,
    entry_points: Callable[[], Iterable[EntryPoint]] | None = None,
) -> Plugins:
    """Load the plugins of the entry point group ``avatar_core``, built-ins included.

    ``only`` is a comma list of entry point names, by default ``AVATAR_PLUGINS``; empty means
    all. With a ``bus`` the plugins hear its events, and each failure is a warning on it.
    """
    chosen = os.environ.get("AVATAR_PLUGINS", "") if only is None else only
    wanted = [name.strip() for name in chosen.split(",") if name.strip()]
    found = sorted(
        (entry_points or _installed)(),
        key=lambda e: (_distribution(e) != OWN_DISTRIBUTION, e.name, _distribution(e) or ""),
    )
    plugins = Plugins(restricted=bool(wanted))
    for entry_point in found:
        if not wanted or entry_point.name in wanted:
            plugins.load(entry_point)
    known = {entry_point.name for entry_point in found}
    for name in wanted:
        if name not in known:
            plugins.miss(name, known)
    _announce(plugins, bus)
    return plugins


def _announce(plugins: Plugins, bus: EventBus | None) -> None:
    if bus is None:
        for failed in plugins.failed:
            log.warning("%s", failed)
        return
    plugins.announce(bus)


def _warning(failed: FailedPlugin) -> Event:
    from avatar_core.events import Warned

    return Warned(message=str(failed), advice="See avatar doctor for all plugins.")


def _installed() -> Iterable[EntryPoint]:
    return importlib.metadata.entry_points(group=GROUP)


def _distribution(entry_point: EntryPoint) -> str | None:
    return entry_point.dist.name if entry_point.dist else None


def _manager(plugin: object) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    known = {name for name in vars(hookspecs) if hasattr(getattr(manager.hook, name, None), "spec")}
    manager.register(plugin)
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if caller.spec is None:
            close = nearest(caller.name, known)
            hint = f"did you mean {close}?" if close else f"known: {', '.join(sorted(known))}."
            raise ValueError(f"there is no hook {caller.name}; {hint}")
    if not callers:
        raise ValueError("it implements no hook: mark its functions with avatar_core.hookimpl")
    return manager


def _collect(hook: pluggy.HookCaller, owner: Owner) -> list[Entry]:
    """What the plugin registers; nothing counts before the whole plugin has proved sound."""
    entries: dict[str, Entry] = {}

    def register(name: str, target: type | str, summary: str = "") -> None:
        if name in entries:
            raise ValueError(f"it registers {name!r} twice")
        entries[name] = make_entry(name, target, summary, owner)

    hook(register=register)
    return list(entries.values())


def _reason(failure: BaseException) -> str:
    if isinstance(failure, SystemExit):
        return f"it asked the program to exit (status {failure.code})"
    if isinstance(failure, pluggy.PluginValidationError):
        # Pluggy's text spans lines and shows a repr of the module; its last line says why.
        return " ".join(str(failure).split())
    return f"{type(failure).__name__}: {failure}"
