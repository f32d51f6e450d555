"""Time that passes only when somebody waits: hours of waiting run in milliseconds."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TypeVar

from avatar_core.cancel import CancelToken
from avatar_core.clock import Overrun

T = TypeVar("T")


class _Abandoned(BaseException):
    """Unwinds work that sleeps past its limit; no ``except Exception`` in between catches it."""

    is_virtual_time = True


class VirtualClock:
    """A `Clock` whose seconds pass by `sleep` and `advance` alone.

    `call` runs its work in the calling thread: work that sleeps past its limit is cut off there,
    at exactly that moment, which is what leaving it behind looks like from outside. Work that
    would hang says so with ``sleep(math.inf)``.
    """

    def __init__(self, start: float = 0.0, epoch: float = 1_767_225_600.0) -> None:
        self._now = start
        self._epoch = epoch - start
        self._lock = threading.RLock()
        self._limits = threading.local()

    def __call__(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._epoch + self._now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, whoever is waiting."""
        with self._lock:
            self._now += max(0.0, seconds)

    def sleep(self, seconds: float, cancel: CancelToken | None = None) -> None:
        if cancel is not None:
            cancel.check()
        with self._lock:
            end = self._now + max(0.0, seconds)
            limit = min(self._stack(), default=math.inf)
            if end > limit:
                self._now = max(self._now, limit)
                raise _Abandoned
            if math.isinf(end):
                raise RuntimeError("virtual time would stand still for ever: nothing limits it")
            self._now = end
        if cancel is not None:
            cancel.check()

    def call(
        self,
        work: Callable[[], T],
        seconds: float | None,
        cancel: CancelToken | None = None,
        *,
        at_once: bool = False,
    ) -> T:
        if at_once and cancel is not None:
            cancel.check()
        if seconds is None:
            return work()
        end = self._now + seconds
        self._stack().append(end)
        try:
            result = work()
        except _Abandoned:
            if min(self._stack()) < end:
                raise
            raise Overrun(seconds) from None
        finally:
            self._stack().pop()
        if self._now > end:
            raise Overrun(seconds)
        return result

    def _stack(self) -> list[float]:
        if not hasattr(self._limits, "stack"):
            self._limits.stack = []
        stack: list[float] = self._limits.stack
        return stack
