"""What a render gives back: the film, and for every scene who made it and what fell back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avatar_core.backend import FREE, Cost
from avatar_core.chain import TrailEntry
from avatar_core.errors import AvatarError, Cancelled, EnvironmentFault, InputError
from avatar_core.events import RenderFailed, RenderFinished
from renderer.speech.narration import SpeechAttempt

if TYPE_CHECKING:
    from moviepy import VideoFileClip


@dataclass(frozen=True, slots=True)
class SceneResult:
    """One scene of the film.

    ``backend`` made its presenter (None: nobody is seen); ``degraded`` says that a presenter or a
    voice is not the one asked for first; ``cached`` that nothing had to be made; ``seconds`` is
    the scene's length in the film and ``start`` where it begins there, in seconds; ``costs`` what
    this render paid, a sum for each currency.
    """

    id: str
    backend: str | None
    degraded: bool
    cached: bool
    seconds: float
    costs: tuple[Cost, ...] = ()
    trail: tuple[TrailEntry, ...] = ()
    speech_trail: tuple[SpeechAttempt, ...] = ()
    warnings: tuple[str, ...] = ()
    start: float = 0.0

    @property
    def cost(self) -> Cost:
        """What was paid, in the first currency there is."""
        return self.costs[0] if self.costs else FREE

    def summary(self) -> dict[str, Any]:
        """The scene as the last JSON line shows it."""
        return {
            "id": self.id,
            "backend": self.backend,
            "degraded": self.degraded,
            "cached": self.cached,
            "seconds": round(self.seconds, 3),
            "cost": float(self.cost.amount),
        }


@dataclass(frozen=True, slots=True)
class RenderResult:
    """A finished film. ``loudness`` is measured (LUFS), None for a silent film; ``report`` is the
    page about it, None where none was asked for or none could be written."""

    path: Path
    seconds: float
    scenes: tuple[SceneResult, ...]
    captions: tuple[Path, ...] = ()
    thumbnail: Path | None = None
    loudness: float | None = None
    warnings: tuple[str, ...] = field(default=())
    report: Path | None = None

    @property
    def degraded(self) -> bool:
        return any(scene.degraded for scene in self.scenes)

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What this render paid, failed attempts included: one sum for each currency."""
        sums: dict[str, Cost] = {}
        for cost in (cost for scene in self.scenes for cost in scene.costs):
            sums[cost.currency] = sums.get(cost.currency, Cost(currency=cost.currency)) + cost
        return tuple(sums.values())

    @property
    def cost(self) -> Cost:
        """What was paid, in the first currency there is."""
        return self.costs[0] if self.costs else FREE

    def clip(self) -> VideoFileClip:
        """The film as a MoviePy clip; close it after use."""
        from moviepy import VideoFileClip

        return VideoFileClip(str(self.path))

    def event(self) -> RenderFinished:
        """The last event of the render."""
        return RenderFinished(
            path=str(self.path),
            degraded=self.degraded,
            cost=float(self.cost.amount),
            currency=self.cost.currency,
            seconds=round(self.seconds, 3),
            scenes=tuple(scene.summary() for scene in self.scenes),
            captions=tuple(str(path) for path in self.captions),
            loudness=self.loudness,
            report=str(self.report) if self.report else None,
        )


_KINDS = {
    InputError: "input",
    EnvironmentFault: "environment",
    AvatarError: "backend",
    Cancelled: "cancelled",
}


def failed_event(failure: Exception) -> RenderFailed:
    """The last event of a render that ended without a film."""
    kind = next((kind for error, kind in _KINDS.items() if isinstance(failure, error)), "bug")
    return RenderFailed(
        kind=kind,
        message=str(getattr(failure, "message", failure)),
        advice=getattr(failure, "advice", None),
    )
