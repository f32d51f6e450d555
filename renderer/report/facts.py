"""What the page shows, as values: a row for each scene with everything that was tried for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from avatar_core.backend import FREE, Cost
from avatar_core.trail import TrailEntry
from renderer.result import RenderResult, SceneResult
from renderer.speech.narration import SpeechAttempt

Kind = Literal["voice", "presenter"]


class Ending(StrEnum):
    """How an attempt ended. Cached and resumed ones delivered as well, but not by new work."""

    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"
    CACHED = "cached"
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt of a backend or a voice. ``begin`` is in seconds since the scene's first attempt
    of this kind; ``call`` counts the calls of one rung from 1 and is 0 where it was not called;
    ``passing`` says that the same one may well deliver later."""

    kind: Kind
    name: str
    ending: Ending
    category: str | None
    message: str
    advice: str | None
    begin: float
    seconds: float
    cost: Cost = FREE
    call: int = 0
    step: int = 0
    resumed: bool = False
    passing: bool = False

    @property
    def end(self) -> float:
        return self.begin + self.seconds

    @property
    def left_behind(self) -> bool:
        """Whether another attempt had to follow."""
        return self.ending in (Ending.FAILED, Ending.SKIPPED)


@dataclass(frozen=True, slots=True)
class Row:
    """One scene. ``start`` and ``seconds`` are its place in the film; ``voice`` is None where
    nobody speaks, ``presenter`` where nobody is seen."""

    number: int
    id: str
    start: float
    seconds: float
    degraded: bool
    cached: bool
    costs: tuple[Cost, ...]
    presenter: str | None
    voice: str | None
    presenter_tries: tuple[Try, ...]
    voice_tries: tuple[Try, ...]
    warnings: tuple[str, ...]

    @property
    def tries(self) -> tuple[Try, ...]:
        """Everything that was tried, in the order in which a scene is made: the voice first."""
        return self.voice_tries + self.presenter_tries

    @property
    def middle(self) -> float:
        """Seconds of the film."""
        return self.start + self.seconds / 2

    def instead_of(self, kind: Kind) -> str | None:
        """Who was asked first and did not deliver, None where the first one did."""
        tries, made = (
            (self.voice_tries, self.voice)
            if kind == "voice"
            else (self.presenter_tries, self.presenter)
        )
        first = tries[0].name if tries else made
        return first if self.degraded and first != made else None


def rows_of(result: RenderResult) -> tuple[Row, ...]:
    """The film's scenes in their order."""
    return tuple(_row(number, scene) for number, scene in enumerate(result.scenes, start=1))


def longest(rows: Sequence[Row]) -> float:
    """How long the slowest scene's attempts took, in seconds: the scale of all time bars."""
    return max((one.end for row in rows for one in row.tries), default=0.0)


def _row(number: int, scene: SceneResult) -> Row:
    spoke = (a.engine for a in scene.speech_trail if a.category is None and not a.skipped)
    return Row(
        number=number,
        id=scene.id,
        start=scene.start,
        seconds=scene.seconds,
        degraded=scene.degraded,
        cached=scene.cached,
        costs=scene.costs,
        presenter=scene.backend,
        voice=next(spoke, None),
        presenter_tries=tuple(_presenter_tries(scene.trail)),
        voice_tries=tuple(_voice_tries(scene.speech_trail)),
        warnings=scene.warnings,
    )


def _presenter_tries(trail: Sequence[TrailEntry]) -> Iterator[Try]:
    free = 0.0
    for entry in trail:
        # A chain that is gone through once more counts from zero again, but it comes later.
        begin = max(free, entry.started)
        yield Try(
            kind="presenter",
            name=entry.backend,
            ending=_ending(entry, resumed=entry.resumed),
            category=entry.category,
            message=entry.message,
            advice=entry.advice,
            begin=begin,
            seconds=max(0.0, entry.seconds),
            cost=entry.cost,
            call=entry.attempt,
            step=entry.step,
            resumed=entry.resumed,
            passing=entry.passing,
        )
        free = begin + max(0.0, entry.seconds)


def _voice_tries(trail: Sequence[SpeechAttempt]) -> Iterator[Try]:
    free = 0.0
    for attempt in trail:
        yield Try(
            kind="voice",
            name=attempt.engine,
            ending=_ending(attempt),
            category=attempt.category,
            message=attempt.message,
            advice=attempt.advice,
            # Voices are asked one after the other, without a pause.
            begin=free,
            seconds=max(0.0, attempt.seconds),
        )
        free += max(0.0, attempt.seconds)


def _ending(story: TrailEntry | SpeechAttempt, *, resumed: bool = False) -> Ending:
    if story.skipped:
        return Ending.SKIPPED
    if story.category is not None:
        return Ending.FAILED
    if story.cached:
        return Ending.CACHED
    return Ending.RESUMED if resumed else Ending.DELIVERED
