"""How many attempts of one backend run at once, and how many begin within a minute."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable

from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock

_WINDOW_SECONDS = 60.0
_POLL_SECONDS = 0.05


class Limiter:
    """First come, first served; waiting can be cancelled and ends at the caller's deadline.

    ``alone`` is asked each time: while it holds, one attempt runs at a time whatever the limit,
    so that a backend that is down is not found out by many scenes at once.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        concurrency: int | None = None,
        per_minute: float | None = None,
        alone: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._concurrency = math.inf if concurrency is None else concurrency
        # Less than one a minute is one in a longer window.
        self._starts_allowed = None if per_minute is None else max(1, math.floor(per_minute))
        self._window = _WINDOW_SECONDS if per_minute is None else self._spread(per_minute)
        self._alone = alone
        self._lock = threading.Lock()
        self._queue: deque[object] = deque()
        self._running = 0
        self._starts: deque[float] = deque()
        self._held_until = -math.inf

    def hold(self, seconds: float) -> None:
        """Let nobody begin for ``seconds``: the backend asked for a pause."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def acquire(
        self,
        until: float,
        cancel: CancelToken,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> str | None:
        """Wait for a turn; then None, and `release` must follow. A sentence where the turn does
        not come before ``until``, a reading of the clock.

        ``on_wait`` hears that it is waited, and how long at least (in seconds).
        """
        ticket, told = object(), False
        with self._lock:
            self._queue.append(ticket)
        try:
            while True:
                with self._lock:
                    wait = self._wait(ticket)
                    if wait <= 0:
                        self._begin()
                        return None
                left = until - self._clock()
                if left <= 0 or wait > left:
                    return "its turn does not come in the time that the scene has left"
                if not told or wait > _POLL_SECONDS:
                    told = True
                    on_wait(wait)
                self._clock.sleep(wait, cancel)
        finally:
            with self._lock:
                self._queue.remove(ticket)

    def release(self) -> None:
        """The attempt is over."""
        with self._lock:
            self._running -= 1

    def _begin(self) -> None:
        self._running += 1
        if self._starts_allowed is not None:
            self._starts.append(self._clock())

    def _wait(self, ticket: object) -> float:
        """Seconds until it is worth looking again; 0 when it is this ticket's turn."""
        held = self._held_until - self._clock()
        if held > 0:
            return held
        most = 1 if self._alone() else self._concurrency
        if self._queue[0] is not ticket or self._running >= most:
            return _POLL_SECONDS
        if self._starts_allowed is None or len(self._starts) < self._starts_allowed:
            return 0.0
        wait = self._starts[0] + self._window - self._clock()
        if wait <= 0:
            self._starts.popleft()
        return max(0.0, wait)

    def _spread(self, per_minute: float) -> float:
        return _WINDOW_SECONDS * max(1, math.floor(per_minute)) / per_minute
