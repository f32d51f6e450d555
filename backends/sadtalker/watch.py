"""Watches a running engine: hears what it prints, and ends it when it hangs, loops or must stop."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from avatar_core.clock import Clock
from avatar_core.errors import Cancelled
from backends.sadtalker.engine import EngineNews, Fault, Loop
from backends.sadtalker.faults_of_ours import silent_for, too_long
from backends.sadtalker.printed import Batch, Streams, Tail
from backends.sadtalker.process import end
from backends.sadtalker.progress import Progress

_POLL_SECONDS = 0.1
_DRAIN_SECONDS = 2.0
_ERROR_LINES = 20
# The number of the error stream among the two that are read.
_ERRORS = 1


class Stop(Protocol):
    """What says that the work is not wanted any longer; `threading.Event` does."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: how long nothing may be printed, how long it may run, of how long the whole
    may take, and how long it may take to end when it is asked to."""

    silence: float
    left: float
    most: float
    grace: float


@dataclass(frozen=True, slots=True)
class Ended:
    """``status`` is the exit code (negative: the signal). ``stage`` is where it was. ``result``
    is what the last line that names a result says. ``fault`` is why it was ended by us. ``tail``
    are its last lines, ``errors`` those of its error stream alone."""

    status: int
    stage: str
    tail: tuple[str, ...]
    errors: tuple[str, ...]
    result: str | None = None
    fault: Fault | None = None


class Watch:
    """One process from its start to its end; `until_end` returns when nothing of it is left."""

    def __init__(
        self, progress: Progress, loops: Sequence[Loop], result_line: str, clock: Clock
    ) -> None:
        self._progress = progress
        self._loops = [(loop, re.compile(loop.pattern)) for loop in loops]
        self._result_line = re.compile(result_line or r"(?!)")
        self._clock = clock
        self._tail, self._errors = Tail(), Tail(_ERROR_LINES)
        self._seen: Counter[str] = Counter()
        self._result: str | None = None
        self._fault: Fault | None = None

    def until_end(
        self,
        process: subprocess.Popen[bytes],
        patience: Patience,
        tell: Callable[[EngineNews], None],
        stop: Stop,
    ) -> Ended:
        """Raises `Cancelled` when ``stop`` is set, and whatever ``tell`` raises; the process is
        gone by then."""
        assert process.stdout is not None and process.stderr is not None  # noqa: S101
        streams = Streams(process.stdout, process.stderr)
        try:
            self._listen(process, streams, patience, tell, stop)
        finally:
            if process.poll() is None or not streams.over:
                end(process, patience.grace)
            self._drain(streams)
        return Ended(
            process.wait(),
            self._progress.stage,
            self._tail.lines,
            self._errors.lines,
            self._result,
            self._fault,
        )

    def _listen(
        self,
        process: subprocess.Popen[bytes],
        streams: Streams,
        patience: Patience,
        tell: Callable[[EngineNews], None],
        stop: Stop,
    ) -> None:
        begun = heard = self._clock()
        left: float | None = None
        while self._fault is None and not streams.over:
            if stop.is_set():
                raise Cancelled("cancelled")
            batch = streams.next(_POLL_SECONDS)
            now = self._clock()
            if batch is not None:
                heard = now
                self._hear(batch, tell)
            if process.poll() is not None:
                # Something that it started may keep the pipes open, and even print.
                left = now if left is None else left
                if now - left >= patience.grace:
                    return
            self._fault = self._fault or _overdue(patience, now - begun, now - heard)
        if self._fault is None:
            self._await_exit(process, patience, begun, stop)

    def _await_exit(
        self, process: subprocess.Popen[bytes], patience: Patience, begun: float, stop: Stop
    ) -> None:
        """A program that has closed its streams may still be running."""
        while process.poll() is None and self._fault is None:
            if stop.is_set():
                raise Cancelled("cancelled")
            try:
                process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                self._fault = _overdue(patience, self._clock() - begun, 0.0)

    def _hear(self, batch: Batch, tell: Callable[[EngineNews], None]) -> None:
        for line in batch.lines:
            self._keep(batch.stream, line)
            self._look_for_loop(line)
            self._told(line, tell)
        if batch.partial:
            self._told(batch.partial, tell)

    def _told(self, line: str, tell: Callable[[EngineNews], None]) -> None:
        news = self._progress.feed(line)
        if news is not None:
            tell(news)

    def _keep(self, stream: int, line: str) -> None:
        self._tail.add(line)
        if stream == _ERRORS:
            self._errors.add(line)
        if match := self._result_line.search(line):
            self._result = match["path"].strip()

    def _look_for_loop(self, line: str) -> None:
        for loop, pattern in self._loops:
            if pattern.search(line):
                self._seen[loop.pattern] += 1
                if self._seen[loop.pattern] >= loop.times:
                    self._fault = loop.fault

    def _drain(self, streams: Streams) -> None:
        """The last words of a process that has ended."""
        end_at = self._clock() + _DRAIN_SECONDS
        while not streams.over and self._clock() < end_at:
            batch = streams.next(_POLL_SECONDS)
            if batch is None:
                break
            for line in batch.lines:
                self._keep(batch.stream, line)
        streams.leave()


def _overdue(patience: Patience, running: float, silent: float) -> Fault | None:
    if silent >= patience.silence:
        return silent_for(patience.silence)
    return too_long(patience.most) if running >= patience.left else None
