"""Health checks, remembered for a while: many scenes ask the same backend at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from avatar_core.attempt import contained
from avatar_core.backend import AvatarBackend, Health
from avatar_core.errors import AvatarError, Category
from avatar_core.secrets import scrub

GOOD_FOR_SECONDS = 20.0


@dataclass(slots=True)
class _Memory:
    # Held, so that no other backend gets the same identity.
    backend: AvatarBackend
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = 0.0
    result: Health | AvatarError | None = None


class HealthChecks:
    """Asks each backend at most once in ``good_for`` seconds, one thread at a time."""

    def __init__(
        self,
        *,
        good_for: float = GOOD_FOR_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._good_for = good_for
        self._clock = clock
        self._lock = threading.Lock()
        # By identity: a backend may say that it equals another, or that it cannot be hashed.
        self._memories: dict[int, _Memory] = {}

    def require(self, name: str, backend: AvatarBackend) -> None:
        """Raise `AvatarError` where the backend cannot work now."""
        with self._lock:
            memory = self._memories.setdefault(id(backend), _Memory(backend))
        with memory.lock:
            if memory.result is None or self._clock() - memory.at >= self._good_for:
                memory.result = _ask(name, backend)
                memory.at = self._clock()
            result = memory.result
        if isinstance(result, AvatarError):
            # The same exception raised in several threads would mix their tracebacks.
            raise AvatarError(
                result.category,
                result.message,
                advice=result.advice,
                retry_after=result.retry_after,
                status=result.status,
            )
        if not result.ok:
            raise AvatarError(_category(backend), result.message, advice=result.advice)


def _ask(name: str, backend: AvatarBackend) -> Health | AvatarError:
    try:
        with contained(name):
            health = backend.check()
            if not isinstance(health, Health):
                raise TypeError(f"check returned {type(health).__name__} instead of Health")
            advice = health.advice and scrub(health.advice)
            return replace(health, message=scrub(str(health.message)), advice=advice)
    except AvatarError as failure:
        return failure


def _category(backend: AvatarBackend) -> Category:
    # A `Health` has no category; a backend that knows better raises `AvatarError` in `check`.
    network = backend.capabilities.needs_network
    return Category.CONNECTIVITY if network else Category.UNSUPPORTED
