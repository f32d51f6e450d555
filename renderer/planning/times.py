"""How long presenters take, one and all: from paces, and from who works side by side."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from renderer.planning.paces import Pace
from renderer.planning.plan import NO_TIME, Span, State

_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Lane:
    """How many clips of a backend are made at once, and how many begin within a minute; None: any
    number. ``proves``: the first is waited for before the others begin, see `Limiter`."""

    concurrency: int | None = None
    per_minute: float | None = None
    proves: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """One clip that is to be made."""

    backend: str
    span: Span


def span_of(state: State, narration: float, pace: Pace | None) -> Span | None:
    """Seconds for a clip of ``narration`` seconds; None where nobody knows."""
    if state == "made":
        return NO_TIME
    if pace is None:
        return None
    span = Span(pace.usual * narration, pace.quick * narration, pace.slow * narration)
    # A job that waits may be ready, or hardly begun.
    return Span(0.0, 0.0, span.most) if state == "fetch" else span


def time_of_all(works: Sequence[Work], workers: int, lanes: Mapping[str, Lane]) -> Span:
    """How long all of them take with so many ``workers``, in their order."""

    def end(seconds: Callable[[Span], float]) -> float:
        line = _Line(workers, lanes)
        for work in works:
            line.add(work.backend, seconds(work.span))
        return line.end

    return Span(end(lambda s: s.usual), end(lambda s: s.least), end(lambda s: s.most))


@dataclass(slots=True)
class _Line:
    """Scenes are taken by the next free worker, which waits for its backend's turn."""

    workers: int
    lanes: Mapping[str, Lane]
    end: float = 0.0
    _free: list[float] = field(default_factory=list)
    _busy: dict[str, list[float]] = field(default_factory=dict)
    _starts: dict[str, list[float]] = field(default_factory=dict)
    _proven: dict[str, float] = field(default_factory=dict)

    def add(self, backend: str, seconds: float) -> None:
        free = heapq.heappop(self._free) if len(self._free) >= self.workers else 0.0
        start = self._start(backend, free)
        done = start + seconds
        heapq.heappush(self._busy.setdefault(backend, []), done)
        heapq.heappush(self._free, done)
        self._starts.setdefault(backend, []).append(start)
        self._proven.setdefault(backend, done)
        self.end = max(self.end, done)

    def _start(self, backend: str, free: float) -> float:
        lane, busy = self.lanes.get(backend, Lane()), self._busy.get(backend, [])
        start = max(free, self._proven.get(backend, 0.0)) if lane.proves else free
        if lane.concurrency is not None and len(busy) >= lane.concurrency:
            start = max(start, heapq.heappop(busy))
        if lane.per_minute is not None:
            together = max(1, math.floor(lane.per_minute))
            before = self._starts.get(backend, [])
            if len(before) >= together:
                start = max(start, before[-together] + _MINUTE * together / lane.per_minute)
        return start
