"""What a backend was found unable to do in this run, so that no scene tries it again."""

from __future__ import annotations

import threading

from avatar_core.attempt import contained
from avatar_core.backend import AvatarBackend, AvatarRequest
from avatar_core.errors import AvatarError, EnvironmentFault

MOST_STEPS = 8


class Ladder:
    """The steps down of one backend (`AvatarBackend.safer`), remembered by the errors that led
    to them: asked again with these, the backend lowers any other scene's request as well."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: list[AvatarError] = []

    def lowered(self, backend: AvatarBackend, request: AvatarRequest) -> tuple[AvatarRequest, int]:
        """``request`` after the steps taken so far, and how many they are."""
        with self._lock:
            errors = list(self._errors)
        for error in errors:
            request = _safer(backend, request, error) or request
        return request, len(errors)

    def step(
        self, backend: AvatarBackend, request: AvatarRequest, level: int, error: AvatarError
    ) -> tuple[AvatarRequest, int] | None:
        """One step below ``request``, which stands at ``level``; None where there is none.

        Two scenes that fail at the same level at the same time take one step, not two.
        """
        lower = _safer(backend, request, error)
        if lower is None or level >= MOST_STEPS:
            return None
        with self._lock:
            if len(self._errors) == level:
                self._errors.append(error)
        return lower, level + 1


def _safer(
    backend: AvatarBackend, request: AvatarRequest, error: AvatarError
) -> AvatarRequest | None:
    try:
        with contained(backend.name):
            lower: object = backend.safer(request, error)
    except (AvatarError, EnvironmentFault):
        return None
    return lower if isinstance(lower, AvatarRequest) and lower != request else None
