"""Why scenes fell back: one reason for all scenes that share it, failures first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from avatar_core.backend import Cost
from renderer.report.facts import Ending, Kind, Row, Try

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(slots=True)
class Reason:
    """One trouble of one backend or voice. ``fell`` are the scenes that another one had to make,
    ``overcome`` those where the same one delivered in the end."""

    kind: Kind
    name: str
    category: str | None
    advice: str | None
    passing: bool
    messages: dict[str, None] = field(default_factory=dict)
    fell: dict[Row, None] = field(default_factory=dict)
    overcome: dict[Row, None] = field(default_factory=dict)


@dataclass(slots=True)
class Total:
    """What one backend or voice did for the whole film; ``seconds`` is the time it took."""

    kind: Kind
    name: str
    endings: dict[Ending, int] = field(default_factory=dict)
    seconds: float = 0.0
    costs: dict[str, Cost] = field(default_factory=dict)

    def add(self, one: Try) -> None:
        self.endings[one.ending] = self.endings.get(one.ending, 0) + 1
        self.seconds += one.seconds
        if one.cost.amount:
            currency = one.cost.currency
            self.costs[currency] = self.costs.get(currency, Cost(currency=currency)) + one.cost


def reasons_of(rows: Iterable[Row]) -> list[Reason]:
    """Every distinct reason why an attempt failed or was left out."""
    found: dict[tuple[object, ...], Reason] = {}
    for row in rows:
        for one in row.tries:
            if one.left_behind:
                reason = found.setdefault(_alike(one), _reason(one))
                reason.messages[one.message] = None
                scenes = reason.fell if row.instead_of(one.kind) else reason.overcome
                scenes[row] = None
    # What was left out is mostly a consequence of what had failed before.
    return sorted(found.values(), key=lambda reason: (reason.category is None, -len(reason.fell)))


def totals_of(rows: Sequence[Row]) -> list[Total]:
    """Sums for every backend and voice that had anything to do with the film."""
    found: dict[tuple[Kind, str], Total] = {}
    for one in (one for row in rows for one in row.tries):
        found.setdefault((one.kind, one.name), Total(one.kind, one.name)).add(one)
    return sorted(found.values(), key=lambda total: total.kind)


def _alike(one: Try) -> tuple[object, ...]:
    # A message may hold times and prices of this scene alone. What was left out has nothing but
    # its message to tell it by.
    message = _NUMBER.sub("#", one.message) if one.ending is Ending.SKIPPED else None
    return one.kind, one.name, one.category, one.advice, one.passing, message


def _reason(one: Try) -> Reason:
    return Reason(one.kind, one.name, one.category, one.advice, one.passing)
