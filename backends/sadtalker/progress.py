"""How far an engine is, read from its progress bars as they are printed.

The bars are those of tqdm: ``Face Renderer::  76%|###  | 22/29 [00:04<00:01, 6.26it/s]``. Other
versions leave the drawn bar out, and some descriptions end in a colon of their own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backends.sadtalker.engine import EngineNews, Stage

_BAR = r"^\s*(?P<name>{names}):{{1,2}}\s*\d+%\s*(?:\|[^|]*\|)?\s*(?P<done>\d+)/(?P<total>\d+)"
_ANY_BAR = re.compile(r"^\s*(?P<name>[^|%]{1,80}?):{1,2}\s*\d+%\s*(?:\|[^|]*\|)?\s*\d+/\d+")
_NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class _Place:
    """A bar's own part of the whole: where it begins and how much it is, of 1."""

    stage: int
    start: float
    share: float


class Progress:
    """Follows one run. What it tells never falls, though bars may start again: the enhancer's
    does after a failure that it hides, the face's does for every reference video. Nor does the
    stage: the two streams of a program may be read in another order than it wrote to them."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self._bars, self._starts = _places(self._stages)
        names = "|".join(re.escape(name) for name in self._bars) or _NEVER
        self._pattern = re.compile(_BAR.format(names=names))
        self._lines = [re.compile(stage.line or _NEVER) for stage in self._stages]
        self._stage = 0
        self._best = 0.0
        self._told: EngineNews | None = None

    @property
    def stage(self) -> str:
        """The name of the latest stage reached, "" for an engine that declares none."""
        return self._stages[self._stage].name if self._stages else ""

    def first(self) -> EngineNews:
        """What to tell before anything was printed."""
        return EngineNews(self.stage, 0.0, self._stages[0].says if self._stages else "at work")

    def feed(self, line: str) -> EngineNews | None:
        """What ``line`` says, None where that is nothing new."""
        if match := self._pattern.match(line):
            done, total = int(match["done"]), int(match["total"])
            place = self._bars[match["name"]]
            part = min(1.0, done / total) if total else 1.0
            detail = f", {done} of {total}" if total > 1 else ""
            return self._at(place.stage, place.start + place.share * part, detail)
        for number, pattern in enumerate(self._lines):
            if pattern.search(line):
                return self._at(number, self._starts[number], "")
        return None

    def _at(self, stage: int, fraction: float, detail: str) -> EngineNews | None:
        if stage < self._stage:
            return None
        self._stage = stage
        self._best = max(self._best, fraction)
        news = EngineNews(self.stage, self._best, self._stages[stage].says + detail)
        if news == self._told:
            return None
        self._told = news
        return news


def bar_of(line: str) -> str | None:
    """The name of the progress bar that ``line`` is an update of, whoever's it is."""
    match = _ANY_BAR.match(line)
    return match["name"].strip() if match else None


def _places(stages: Sequence[Stage]) -> tuple[dict[str, _Place], list[float]]:
    """Where every bar and every stage begins, with the whole counted as 1."""
    whole = sum(stage.weight for stage in stages) or 1.0
    bars: dict[str, _Place] = {}
    starts: list[float] = []
    done = 0.0
    for number, stage in enumerate(stages):
        starts.append(done)
        share = stage.weight / whole
        for index, name in enumerate(stage.bars):
            piece = share / len(stage.bars)
            bars[name] = _Place(number, done + index * piece, piece)
        done += share
    return bars, starts
