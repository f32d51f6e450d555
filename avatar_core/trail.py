"""What a fallback chain tried for one clip, rung by rung, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from avatar_core.backend import FREE, AvatarClip, Cost
from avatar_core.errors import AvatarError, Category


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One attempt at a rung, or why there was none.

    ``category`` is None when it delivered or was skipped. ``started`` is in seconds since the
    chain began. ``cost`` is what it cost now: a cached clip costs nothing, a failed attempt may
    have been billed. ``attempt`` counts the calls of this rung from 1 and is 0 where it was not
    called; ``step`` is how many steps below its first ambition it was asked (see
    `AvatarBackend.safer`); ``resumed`` says that it went on with a job of an earlier attempt;
    ``passing`` that the same rung may well deliver later.
    """

    backend: str
    category: Category | None
    message: str
    advice: str | None
    started: float
    seconds: float
    cost: Cost = FREE
    skipped: bool = False
    cached: bool = False
    resumed: bool = False
    attempt: int = 0
    step: int = 0
    passing: bool = False

    @property
    def delivered(self) -> bool:
        return self.category is None and not self.skipped


@dataclass(frozen=True, slots=True)
class Outcome:
    """The clip and its trail. ``degraded`` says that another rung than the first made it,
    ``cached`` that it was made earlier."""

    clip: AvatarClip
    trail: tuple[TrailEntry, ...]
    degraded: bool
    cached: bool

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What this clip cost now, failed attempts included: one sum for each currency."""
        sums: dict[str, Cost] = {}
        for entry in self.trail:
            if entry.cost.amount:
                currency = entry.cost.currency
                sums[currency] = sums.get(currency, Cost(currency=currency)) + entry.cost
        return tuple(sums.values())


class ChainError(AvatarError):
    """No rung delivered, not even the last; ``trail`` has every rung's reason."""

    def __init__(self, trail: Sequence[TrailEntry]) -> None:
        failures = [entry for entry in trail if entry.category is not None]
        last = failures[-1] if failures else None
        reasons = "; ".join(f"{entry.backend}: {entry.message}" for entry in trail)
        super().__init__(
            last.category if last and last.category else Category.UNSUPPORTED,
            f"No avatar backend delivered a clip ({reasons})",
            advice=last.advice if last else None,
        )
        self.trail = tuple(trail)
