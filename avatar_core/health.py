"""Health checks, remembered for a while: many scenes ask the same backend at the same time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from avatar_core.attempt import contained
from avatar_core.backend import AvatarBackend, Health
from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, Overrun, SystemClock
from avatar_core.errors import AvatarError, Category
from avatar_core.secrets import scrub

GOOD_FOR_SECONDS = 20.0
LIMIT_SECONDS = 5.0


@dataclass(slots=True)
class _Memory:
    # Held, so that no other backend gets the same identity.
    backend: AvatarBackend
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = 0.0
    result: Health | AvatarError | None = None


class HealthChecks:
    """Asks each backend at most once in ``good_for`` seconds, one thread at a time, and waits
    ``limit`` seconds for the answer."""

    def __init__(
        self,
        *,
        good_for: float = GOOD_FOR_SECONDS,
        limit: float = LIMIT_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self._good_for = good_for
        self._limit = limit
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        # By identity: a backend may say that it equals another, or that it cannot be hashed.
        self._memories: dict[int, _Memory] = {}

    def require(self, name: str, backend: AvatarBackend, *, anew: bool = False) -> None:
        """Raise `AvatarError` where the backend cannot work now; ``anew`` asks in any case."""
        failure, _ = self.ask(name, backend, anew=anew)
        if failure is not None:
            raise failure

    def ask(
        self,
        name: str,
        backend: AvatarBackend,
        *,
        anew: bool = False,
        cancel: CancelToken | None = None,
    ) -> tuple[AvatarError | None, bool]:
        """What keeps the backend from working now, if anything, and whether it was asked just
        now (and not remembered). Raises `Cancelled` as soon as ``cancel`` is set."""
        with self._lock:
            memory = self._memories.setdefault(id(backend), _Memory(backend))
        with memory.lock:
            old = memory.result is None or self._clock() - memory.at >= self._good_for
            if old or anew:
                memory.result = self._check(name, backend, cancel)
                memory.at = self._clock()
            return _failure(memory.result, backend), old or anew

    def forget(self, backend: AvatarBackend) -> None:
        """What was remembered of ``backend`` no longer holds: a call has just failed."""
        with self._lock:
            self._memories.pop(id(backend), None)

    def _check(
        self, name: str, backend: AvatarBackend, cancel: CancelToken | None
    ) -> Health | AvatarError:
        try:
            return self._clock.call(lambda: _ask(name, backend), self._limit, cancel, at_once=True)
        except Overrun:
            text = f"Its health check did not come back within {self._limit:g} s."
            return AvatarError(_category(backend), text)
        except AvatarError as failure:
            return failure


def _ask(name: str, backend: AvatarBackend) -> Health:
    with contained(name):
        health = backend.check()
        if not isinstance(health, Health):
            raise TypeError(f"check returned {type(health).__name__} instead of Health")
        advice = health.advice and scrub(health.advice)
        return replace(health, message=scrub(str(health.message)), advice=advice)


def _failure(result: Health | AvatarError | None, backend: AvatarBackend) -> AvatarError | None:
    if isinstance(result, AvatarError):
        # The same exception raised in several threads would mix their tracebacks.
        return AvatarError(
            result.category,
            result.message,
            advice=result.advice,
            retry_after=result.retry_after,
            status=result.status,
        )
    if result is None or result.ok:
        return None
    category = result.category or _category(backend)
    return AvatarError(category, result.message, advice=result.advice)


def _category(backend: AvatarBackend) -> Category:
    # Where a `Health` names none, and where nothing was answered at all.
    network = backend.capabilities.needs_network
    return Category.CONNECTIVITY if network else Category.UNSUPPORTED
