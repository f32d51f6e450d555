"""What a backend was found unable to do in this run, so that no scene tries it again."""

from __future__ import annotations

import threading

from pydantic import BaseModel

from avatar_core.attempt import contained
from avatar_core.backend import AvatarBackend, AvatarRequest
from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError, EnvironmentFault

MOST_STEPS = 8


class Ladder:
    """The steps down of one backend (`AvatarBackend.safer`), remembered by the errors that led
    to them: asked again with these, the backend lowers any other scene's request as well.

    Each question is given ``limit`` seconds; no answer means no step.
    """

    def __init__(self, clock: Clock | None = None, limit: float = 5.0) -> None:
        self._clock = clock or SystemClock()
        self._limit = limit
        self._lock = threading.Lock()
        self._errors: list[AvatarError] = []

    @property
    def depth(self) -> int:
        """How many steps down were taken so far."""
        with self._lock:
            return len(self._errors)

    def lowered(
        self, backend: AvatarBackend, request: AvatarRequest, cancel: CancelToken | None = None
    ) -> tuple[AvatarRequest, int]:
        """``request`` after the steps taken so far, and how many they are."""
        with self._lock:
            errors = list(self._errors)
        for error in errors:
            request = self._safer(backend, request, error, cancel) or request
        return request, len(errors)

    def step(
        self,
        backend: AvatarBackend,
        request: AvatarRequest,
        level: int,
        error: AvatarError,
        cancel: CancelToken | None = None,
    ) -> tuple[AvatarRequest, int] | None:
        """One step below ``request``, which stands at ``level``; None where there is none.

        Two scenes that fail at the same level at the same time take one step, not two.
        """
        lower = self._safer(backend, request, error, cancel) if level < MOST_STEPS else None
        if lower is None:
            return None
        with self._lock:
            if len(self._errors) == level:
                self._errors.append(error)
        return lower, level + 1

    def _safer(
        self,
        backend: AvatarBackend,
        request: AvatarRequest,
        error: AvatarError,
        cancel: CancelToken | None,
    ) -> AvatarRequest | None:
        try:
            return self._clock.call(
                lambda: _ask(backend, request, error), self._limit, cancel, at_once=True
            )
        except (AvatarError, EnvironmentFault):
            return None


def _ask(
    backend: AvatarBackend, request: AvatarRequest, error: AvatarError
) -> AvatarRequest | None:
    with contained(type(backend).__name__):
        lower: object = backend.safer(request, error)
        if not isinstance(lower, AvatarRequest) or not isinstance(lower.options, BaseModel):
            return None
        return lower if lower != request else None
