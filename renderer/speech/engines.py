"""Which engines may speak a scene, in which order, and why one is left out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from avatar_core.errors import EnvironmentFault, InputError
from avatar_core.speech import SpeechEngine

log = logging.getLogger(__name__)

RECORDINGS = "file"
# An exit asked for by an engine is that engine's failure.
_BUGS = (Exception, SystemExit)
_REPORT = "Report it to its author, or choose another engine."


class EngineSource(Protocol):
    """Where engines come from; `avatar_core.registry.Registry` is one."""

    def names(self) -> Sequence[str]:
        """The names of all registered engines; imports nothing."""
        ...

    def load(self, name: str) -> type[SpeechEngine]:
        """The class called ``name``."""
        ...


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an engine cannot speak a scene, and what to do about it."""

    message: str
    advice: str | None = None


class Engines:
    """The engines of one renderer, made when they are first used and kept; for any thread."""

    def __init__(self, source: EngineSource) -> None:
        self._source = source
        self._made: dict[str, SpeechEngine] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> SpeechEngine:
        """The engine called ``name``; raises what the registry raises."""
        with self._lock:
            if name not in self._made:
                self._made[name] = _made(name, self._source.load(name))
            return self._made[name]

    def order(self, named: Sequence[str], language: str) -> tuple[str, ...]:
        """The engines to try: those the user named, then what else works on this machine.

        An online engine gets the text only if the user named it. The more specialised engine
        comes first: a voice made for one language before a collection of a hundred.
        """
        others = [
            name
            for name in self._source.names()
            if name not in named and name != RECORDINGS and self._works_here(name, language)
        ]
        return (*named, *sorted(others, key=self._breadth))

    def obstacle(self, name: str, language: str) -> Reason | None:
        """Why this engine need not be asked at all; None if it can be."""
        try:
            engine = self.get(name)
        except EnvironmentFault as fault:
            return Reason(fault.message, fault.advice)
        if not speaks(engine, language):
            known = ", ".join(sorted(engine.languages)[:8])
            more = " and others" if len(engine.languages) > 8 else ""
            return Reason(f"{name} does not speak {language} (it speaks {known}{more}).")
        try:
            health = engine.check()
            return None if health.ok else Reason(health.message, health.advice)
        except _BUGS as failure:
            return Reason(f"The check of {name} failed: {_told(failure)}.", _REPORT)

    def close(self) -> None:
        """Release all engines; safe to call twice."""
        with self._lock:
            made, self._made = list(self._made.values()), {}
        for engine in made:
            try:
                engine.close()
            except _BUGS as failure:
                log.warning("The engine %s could not be closed: %s", engine.name, _told(failure))

    def _works_here(self, name: str, language: str) -> bool:
        try:
            engine = self.get(name)
        except (InputError, EnvironmentFault):
            # Broken, but nobody asked for it: the list of engines tells what is wrong with it.
            return False
        return not engine.needs_network and speaks(engine, language)

    def _breadth(self, name: str) -> float:
        return len(self.get(name).languages) or float("inf")


def _made(name: str, engine: type[SpeechEngine]) -> SpeechEngine:
    try:
        return engine()
    except (InputError, EnvironmentFault):
        raise
    except _BUGS as failure:
        raise EnvironmentFault(
            f"The speech engine {name} cannot be started: {_told(failure)}.", advice=_REPORT
        ) from failure


def _told(failure: BaseException) -> str:
    return f"{type(failure).__name__}: {failure}".rstrip(": ")


def speaks(engine: SpeechEngine, language: str) -> bool:
    """Whether ``language`` (BCP-47) is among the engine's."""
    primary = language.replace("_", "-").split("-")[0].lower()
    return not engine.languages or primary in engine.languages
