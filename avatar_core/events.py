"""What happens during a render, told to anyone who listens; a broken listener harms nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events; ``event`` is the name that JSON lines carry."""

    event: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The event as JSON-ready values, its name first."""
        return {"event": self.event, **{k: _plain(v) for k, v in asdict(self).items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderStarted(Event):
    """A film was read and understood; ``stages`` are a scene's stages in their order."""

    event: ClassVar[str] = "started"
    title: str
    scenes: tuple[str, ...]
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress(Event):
    """How far a stage is (0-1). ``scene`` is None for a stage of the whole film."""

    event: ClassVar[str] = "progress"
    scene: str | None
    stage: str
    fraction: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded(Event):
    """A rung of a fallback chain was tried or skipped; ``category`` is None when it succeeded.

    ``started`` is in seconds since the scene's chain began; ``attempt`` counts the calls of this
    rung and is 0 where it was not called; ``step`` is how far its ambition was lowered;
    ``passing`` says that the same rung may well deliver later.
    """

    event: ClassVar[str] = "attempt"
    scene: str
    kind: str
    backend: str
    category: str | None
    message: str
    advice: str | None
    seconds: float
    skipped: bool = False
    cached: bool = False
    resumed: bool = False
    started: float = 0.0
    attempt: int = 0
    step: int = 0
    passing: bool = False
    cost: float = 0.0
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFinished(Event):
    """A scene's segment is ready."""

    event: ClassVar[str] = "scene"
    id: str
    backend: str | None
    degraded: bool
    cached: bool
    seconds: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(Event):
    """Something a user should know that stops nothing."""

    event: ClassVar[str] = "warning"
    message: str
    scene: str | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFinished(Event):
    """The film is ready: the last event of a render that succeeded."""

    event: ClassVar[str] = "finished"
    path: str
    degraded: bool
    cost: float
    currency: str
    seconds: float
    scenes: tuple[dict[str, Any], ...] = ()
    captions: tuple[str, ...] = ()
    loudness: float | None = None
    report: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFailed(Event):
    """The render ended without a film: its last event; what had finished is kept.

    ``kind`` is "input", "environment", "backend", "cancelled" or "bug".
    """

    event: ClassVar[str] = "failed"
    kind: str
    message: str
    advice: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class EventBus:
    """Hands each event to every listener, one event at a time, whatever a listener does."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)
        self._lock = threading.RLock()
        self._reported: set[int] = set()

    def listen(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        with self._lock:
            for listener in self._listeners:
                self._call(listener, event)

    def _call(self, listener: Listener, event: Event) -> None:
        try:
            listener(event)
        except Exception:
            # Once is enough: a listener that fails, fails on every frame.
            if id(listener) not in self._reported:
                self._reported.add(id(listener))
                log.exception("an event listener failed and is ignored from now on when it fails")
