"""How much time a scene's backends have, with a reserve for the last one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from avatar_core.policy.settings import DeadlineSettings


@dataclass(frozen=True, slots=True)
class SceneDeadline:
    """``end`` is a reading of ``clock``; infinite where nothing is limited."""

    clock: Callable[[], float]
    end: float
    reserve: float

    @property
    def left(self) -> float:
        """Seconds left for all rungs but the last; never negative, perhaps infinite."""
        return max(0.0, self.end - self.reserve - self.clock())


class FilmDeadline:
    """The time of a whole film; each scene begins its own within it."""

    def __init__(self, settings: DeadlineSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._end = math.inf if settings.film is None else clock() + settings.film

    def scene(self) -> SceneDeadline:
        """A scene's time begins now."""
        own = math.inf if self._settings.scene is None else self._clock() + self._settings.scene
        # Where the limit is shorter than the reserve, half of it is still for the backends.
        end = min(own, self._end)
        reserve = min(self._settings.reserve, max(0.0, end - self._clock()) / 2)
        return SceneDeadline(self._clock, end, reserve)
