"""How much time a scene's backends have, with a reserve for the last one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from avatar_core.policy.settings import DeadlineSettings


@dataclass(frozen=True, slots=True)
class SceneDeadline:
    """``last_call`` is the reading of ``clock`` from which only the last rung is asked; infinite
    where nothing is limited."""

    clock: Callable[[], float]
    last_call: float

    @property
    def left(self) -> float:
        """Seconds left for all rungs but the last; never negative, perhaps infinite."""
        return max(0.0, self.last_call - self.clock())


class FilmDeadline:
    """The time of a whole film, which begins now; each scene begins its own within it.

    Both keep a reserve back for the last rung. Where a limit is shorter than two reserves, half
    of it is still for the backends.
    """

    def __init__(self, settings: DeadlineSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._last_call = self._without_reserve(settings.film)

    def scene(self) -> SceneDeadline:
        """A scene's time begins now."""
        own = self._without_reserve(self._settings.scene)
        return SceneDeadline(self._clock, min(own, self._last_call))

    def _without_reserve(self, seconds: float | None) -> float:
        if seconds is None:
            return math.inf
        return self._clock() + seconds - min(self._settings.reserve, seconds / 2)
