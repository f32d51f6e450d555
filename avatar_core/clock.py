"""Time as the policy sees it: read, slept through, and held against work that does not end."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Cancelled, Category

T = TypeVar("T")

_POLL_SECONDS = 0.02
# What cleans up after itself when it is told to stop gets this long to do so.
_STOP_SECONDS = 3.0


class Overrun(AvatarError):
    """Work that had not ended in its time; it was left behind."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Category.TIMEOUT, f"It did not come back within {round(seconds, 2):g} s.")
        self.seconds = seconds


class Clock(Protocol):
    """Where all waiting goes through, so that tests and simulations need not wait.

    `SystemClock` is the real one; `avatar_core.testing.VirtualClock` runs hours in no time.
    """

    def __call__(self) -> float:
        """Seconds that only ever grow; their zero means nothing."""

    def wall(self) -> float:
        """Seconds since 1970 (UTC), as calendars count them."""

    def sleep(self, seconds: float, cancel: CancelToken | None = None) -> None:
        """Wait; raises `Cancelled` as soon as ``cancel`` is set."""

    def call(
        self,
        work: Callable[[], T],
        seconds: float | None,
        cancel: CancelToken | None = None,
        *,
        at_once: bool = False,
    ) -> T:
        """What ``work`` returns or raises, `Overrun` if it takes longer than ``seconds``.

        Work that overruns is left behind in a thread of its own, as Python can stop no thread. So
        is work that nothing depends on (``at_once``) as soon as ``cancel`` is set; other work is
        given a moment to end by itself.
        """


class SystemClock:
    """The computer's own clock. Work that is cancelled has ``grace`` seconds to end by itself."""

    def __init__(self, grace: float = _STOP_SECONDS) -> None:
        self._grace = grace

    def __call__(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float, cancel: CancelToken | None = None) -> None:
        token = cancel or CancelToken()
        # More than this the system refuses to wait; it is about 292 years.
        token.wait(min(threading.TIMEOUT_MAX, max(0.0, seconds)))
        token.check()

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
        end, stopping = self() + seconds, None
        task = _Task(work)
        while not task.done.wait(min(_POLL_SECONDS, max(0.0, end - self()))):
            now = self()
            if cancel is not None and cancel.cancelled:
                stopping = now if stopping is None else stopping
                if at_once or now - stopping >= self._grace:
                    raise Cancelled("cancelled")
            elif now >= end:
                raise Overrun(seconds)
        return task.result()


class _Task(Generic[T]):
    """Work in a daemon thread: one that hangs must not keep the program from ending."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.done = threading.Event()
        self._work = work
        self._results: list[T] = []
        self._failure: BaseException | None = None
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._run,), name="timed-call", daemon=True
        ).start()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as failure:
            self._failure = failure
        finally:
            self.done.set()

    def result(self) -> T:
        if self._failure is not None:
            raise self._failure
        return self._results[0]
