"""What a render tells its listeners, from the facts that its stages hand over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from avatar_core.events import AttemptEnded, EventBus, SceneFinished, StageProgress, Warned
from avatar_core.trail import TrailEntry
from renderer.result import SceneResult
from renderer.speech.narration import SpeechAttempt


class Telling:
    """Says what happens on the bus, in the words of `avatar_core.events`."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def warning(self, message: str, scene: str | None = None) -> None:
        self._bus.emit(Warned(message=message, scene=scene))

    def stage(self, scene: str | None, stage: str) -> Callable[[float, str], None]:
        """A function that tells how far ``stage`` is; of the whole film where ``scene`` is None."""

        def tell(fraction: float, message: str) -> None:
            self._bus.emit(
                StageProgress(scene=scene, stage=stage, fraction=fraction, message=message)
            )

        return tell

    def presenter(self, scene: str, entry: TrailEntry) -> None:
        """An attempt at a scene's presenter ended, or was left out."""
        self._bus.emit(presenter_event(scene, entry))

    def speech(self, scene: str, trail: Sequence[SpeechAttempt]) -> None:
        """What became of every voice of a scene."""
        for attempt in trail:
            self._bus.emit(speech_event(scene, attempt))

    def scene(self, result: SceneResult) -> None:
        """A scene is finished; what is odd about it comes first."""
        for warning in result.warnings:
            self.warning(warning, result.id)
        self._bus.emit(SceneFinished(**result.summary()))


def presenter_event(scene: str, entry: TrailEntry) -> AttemptEnded:
    """One entry of a chain's trail."""
    return AttemptEnded(
        scene=scene,
        kind="avatar",
        backend=entry.backend,
        category=entry.category,
        message=entry.message,
        advice=entry.advice,
        seconds=entry.seconds,
        skipped=entry.skipped,
        cached=entry.cached,
        resumed=entry.resumed,
        started=entry.started,
        attempt=entry.attempt,
        step=entry.step,
        passing=entry.passing,
        cost=float(entry.cost.amount),
        currency=entry.cost.currency,
    )


def speech_event(scene: str, attempt: SpeechAttempt) -> AttemptEnded:
    """One voice that was tried; voices cost nothing and are asked once."""
    return AttemptEnded(
        scene=scene,
        kind="speech",
        backend=attempt.engine,
        category=attempt.category,
        message=attempt.message,
        advice=attempt.advice,
        seconds=attempt.seconds,
        skipped=attempt.skipped,
        cached=attempt.cached,
        attempt=0 if attempt.skipped or attempt.cached else 1,
    )
