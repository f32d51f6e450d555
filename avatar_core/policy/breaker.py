"""The circuit breaker of one backend: one that keeps failing is left alone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from avatar_core.policy.settings import BreakerSettings

# Asking whether a backend is back costs nothing, so that is not put off for longer than this.
MOST_SECONDS_BETWEEN_CHECKS = 60.0


@dataclass(frozen=True, slots=True)
class Admission:
    """``refusal`` says in words why no call is let through. ``probe`` says that the caller holds
    the one trial of a half-open breaker: it must ask for the backend's health anew, and must end
    with `Breaker.succeeded`, `failed`, `answered` or `released` and ``probe=True``."""

    refusal: str | None = None
    probe: bool = False


class Breaker:
    """Closed while the backend works; open for a while after ``failures`` in a row; then half
    open: one caller, whatever the number of threads, tries it and decides for all.

    The cool-down doubles each time the trial fails and is forgotten by a success. Checks and
    calls have a cool-down each: however long a backend was away, the first call that fails after
    it came back is followed by a short one.
    """

    def __init__(self, settings: BreakerSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._openings = {True: 0, False: 0}
        self._open_until: float | None = None
        self._why = ""
        self._probing = False
        self._proven = False

    @property
    def unproven(self) -> bool:
        """Whether its last attempt failed or none has succeeded yet: then one at a time."""
        with self._lock:
            return not self._proven or self._failures > 0

    def refusal(self) -> str | None:
        """Why `admit` would let nothing through now; None if it would."""
        with self._lock:
            return self._refusal()

    @property
    def opens_in(self) -> float:
        """Seconds until a call is let through, 0 where one would be now."""
        with self._lock:
            return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock())

    def admit(self) -> Admission:
        """Ask to make a call."""
        with self._lock:
            refusal = self._refusal()
            if refusal is not None:
                return Admission(refusal)
            self._probing = self._open_until is not None
            return Admission(probe=self._probing)

    def succeeded(self, seconds: float = 0.0, *, probe: bool = False) -> None:
        """The call delivered; ``seconds`` is how long it took."""
        slow = self._settings.slow
        if slow is not None and seconds > slow:
            why = f"It took {seconds:.0f} s; more than {slow:g} s count as a failure."
            self.failed(why, probe=probe)
            return
        with self._lock:
            self._proven = True
            self._close(probe)

    def failed(self, why: str, *, probe: bool = False, called: bool = True) -> None:
        """The call failed in a way that counts. ``called`` is False for a failed health check."""
        with self._lock:
            if self._is_late(probe):
                return
            self._failures += 1
            if probe or self._failures >= self._settings.failures:
                self._open(why, self._cool_down(called))

    def released(self, *, probe: bool = False) -> None:
        """The call ended and says nothing about the backend's state."""
        with self._lock:
            self._probing = self._probing and not probe

    def answered(self, *, probe: bool = False) -> None:
        """The backend refused this one request, so it is alive: that closes a half-open breaker."""
        with self._lock:
            if probe:
                self._close(probe)

    def open_for(self, seconds: float, why: str) -> None:
        """Stay open for ``seconds``: the backend itself asked for that pause."""
        with self._lock:
            until = self._clock() + seconds
            if self._open_until is None or until > self._open_until:
                self._open_until, self._why = until, why

    def _close(self, probe: bool) -> None:
        if self._is_late(probe):
            return
        self._failures = 0
        self._openings = {True: 0, False: 0}
        self._open_until = None
        self._probing = False

    def _is_late(self, probe: bool) -> bool:
        """News of a call that began before the breaker opened: the probe decides, not they."""
        return self._open_until is not None and not probe

    def _open(self, why: str, seconds: float) -> None:
        # A pause that the backend asked for is never cut short.
        until = self._clock() + seconds
        self._open_until = max(until, self._open_until or until)
        self._why, self._probing = why, False

    def _cool_down(self, called: bool) -> float:
        most = self._settings.max_cool_down
        if not called:
            most = min(most, max(MOST_SECONDS_BETWEEN_CHECKS, self._settings.cool_down))
        longer: float = self._settings.cool_down * 2.0 ** min(self._openings[called], 32)
        self._openings[called] += 1
        return min(most, longer)

    def _refusal(self) -> str | None:
        if self._open_until is None:
            return None
        left = self._open_until - self._clock()
        if left > 0:
            return f"it is left alone for another {left:.0f} s: {self._why}"
        if self._probing:
            return f"another scene is finding out whether it works again: {self._why}"
        return None
