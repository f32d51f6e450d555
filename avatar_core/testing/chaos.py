"""A backend made unreliable on purpose: seeded shares of every failure, outages, hangs."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from avatar_core.backend import (
    FREE,
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Cost,
    Health,
    Job,
)
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError, Category
from avatar_core.testing import media
from avatar_core.testing.steps import wait_for_ever

Fate = Literal["delivered", "failed", "hang", "truncated", "black", "outage", "quota"]
Rates = Mapping[Category, float]
Latency = tuple[float, float] | Callable[[random.Random, AvatarRequest], float]


@dataclass(slots=True)
class Happening:
    """What one call of `generate` came to; ``number`` counts them from 1.

    ``at`` and ``ended`` are readings of the clock, ``ended`` None while the call goes on.
    ``fate`` is what was drawn for it; ``complete`` is False where the call was cut off before.
    ``cost`` is what was billed, for a failure too.
    """

    number: int
    key: str
    at: float
    fate: Fate = "delivered"
    category: Category | None = None
    ended: float | None = None
    complete: bool = False
    cost: Cost = FREE


@dataclass(frozen=True, slots=True)
class _Draw:
    """The dice of one call: they depend on the seed and the call's number alone."""

    fate: float
    moment: float
    billed: float
    rest: random.Random

    @classmethod
    def of(cls, seed: int | str, number: int) -> _Draw:
        dice = random.Random(f"{seed}/{number}")
        return cls(dice.random(), dice.random(), dice.random(), dice)


class ChaosBackend(AvatarBackend):
    """``inner``, but each call of `generate` meets its fate first.

    ``rates`` are the shares (0-1) of calls that fail with each category, or a function of the
    request that says them. ``hang``, ``truncated`` and ``black`` are shares as well; together
    they are at most 1. ``latency`` is how many seconds the work takes: bounds, or a function of
    the call's own random source and the request. ``outages`` are spans in seconds since the
    backend was made, in which nothing answers; work in progress is lost when one begins.
    ``billed`` is the share of failures that are paid all the same, ``quota`` how many paid
    clips or failures the account has credit for.

    The same seed gives the n-th call the same fate in every run, on any number of threads.
    ``ledger`` tells what happened.
    """

    def __init__(
        self,
        inner: AvatarBackend,
        rates: Rates | Callable[[AvatarRequest], Rates] | None = None,
        *,
        latency: Latency = (0.0, 0.0),
        hang: float = 0.0,
        truncated: float = 0.0,
        black: float = 0.0,
        billed: float = 0.0,
        outages: Sequence[tuple[float, float]] = (),
        quota: int | None = None,
        seed: int | str = 0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(inner.options)
        self.name = inner.name  # type: ignore[misc]
        self.revision = inner.revision  # type: ignore[misc]
        self.capabilities = inner.capabilities  # type: ignore[misc]
        self.Options = inner.Options  # type: ignore[misc]
        self.inner = inner
        self.ledger: list[Happening] = []
        self._rates = rates or {}
        self._latency = latency
        self._shares: dict[Fate, float] = {"hang": hang, "truncated": truncated, "black": black}
        self._billed = billed
        self._quota = quota
        self._seed = seed
        self._clock = clock or SystemClock()
        began = self._clock()
        self._outages = sorted((began + start, began + end) for start, end in outages)
        self._lock = threading.Lock()
        self._require_shares(self._rates if isinstance(self._rates, Mapping) else {})

    def check(self) -> Health:
        if self._next_outage(self._clock())[0] <= self._clock():
            raise _no_answer()
        return self.inner.check()

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        entry = self._begin(request)
        try:
            clip = self._live(entry, request, job)
            entry.cost = clip.cost
            entry.complete = True
            return clip
        except AvatarError:
            entry.complete = True
            raise
        finally:
            entry.ended = self._clock()

    def estimate(self, request: AvatarRequest) -> Cost | None:
        return self.inner.estimate(request)

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        return self.inner.safer(request, error)

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        return self.inner.find(request, reference)

    def cancel(self, remote_id: str) -> None:
        self.inner.cancel(remote_id)

    def close(self) -> None:
        self.inner.close()

    def spent(self) -> Cost:
        """What was billed in all."""
        return sum((entry.cost for entry in list(self.ledger)), FREE)

    def _begin(self, request: AvatarRequest) -> Happening:
        with self._lock:
            entry = Happening(len(self.ledger) + 1, request.key, self._clock())
            self.ledger.append(entry)
            return entry

    def _live(self, entry: Happening, request: AvatarRequest, job: Job) -> AvatarClip:
        draw = _Draw.of(self._seed, entry.number)
        entry.fate, entry.category = self._fate(draw.fate, request)
        seconds = self._seconds(draw.rest, request)
        if self._quota is not None and self._used() >= self._quota:
            entry.fate, entry.category = "quota", Category.QUOTA
            raise AvatarError(Category.QUOTA, "The account has no credit left.")
        self._work(entry, seconds * (draw.moment if entry.category else 1.0), job)
        if entry.fate == "hang":
            wait_for_ever(self._clock, job)
        if entry.category is not None:
            raise self._failure(entry, entry.category, request, draw)
        return _spoilt(self.inner.generate(request, job), entry.fate, job)

    def _fate(self, drawn: float, request: AvatarRequest) -> tuple[Fate, Category | None]:
        rates = self._rates if isinstance(self._rates, Mapping) else self._rates(request)
        self._require_shares(rates)
        for category, share in rates.items():
            if drawn < share:
                return "failed", category
            drawn -= share
        for fate, share in self._shares.items():
            if drawn < share:
                return fate, None
            drawn -= share
        return "delivered", None

    def _seconds(self, dice: random.Random, request: AvatarRequest) -> float:
        if isinstance(self._latency, tuple):
            return dice.uniform(*self._latency)
        return self._latency(dice, request)

    def _work(self, entry: Happening, seconds: float, job: Job) -> None:
        """Let the time of the work pass; an outage ends it."""
        now = self._clock()
        start, _ = self._next_outage(now)
        lost = start <= now + seconds
        seconds = max(0.0, start - now) if lost else seconds
        if seconds:
            self._clock.sleep(seconds, job.cancel)
        if lost:
            entry.fate, entry.category = "outage", Category.CONNECTIVITY
            raise _no_answer()

    def _failure(
        self, entry: Happening, category: Category, request: AvatarRequest, draw: _Draw
    ) -> AvatarError:
        billed = draw.billed < self._billed
        if billed:
            entry.cost = self.inner.estimate(request) or FREE
        return AvatarError(category, f"Failed on purpose ({category}).", billed=billed)

    def _used(self) -> int:
        return sum(1 for entry in list(self.ledger) if entry.cost.amount)

    def _next_outage(self, now: float) -> tuple[float, float]:
        """The span that is on or comes next, in readings of the clock."""
        coming = ((start, end) for start, end in self._outages if end > now)
        return next(coming, (math.inf, math.inf))

    def _require_shares(self, rates: Rates) -> None:
        shares = [*rates.values(), *self._shares.values()]
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ValueError(f"the shares are at least 0 and together at most 1, not {shares}")


def _spoilt(clip: AvatarClip, fate: Fate, job: Job) -> AvatarClip:
    """The clip with another file in its place, where its fate is a bad one."""
    if fate != "black" and fate != "truncated":
        return clip
    path, source = job.work_dir / "chaos.mp4", Path(clip.path)
    if media.is_fake(source):
        media.fake_clip(path, clip.duration, fate)
    elif fate == "black":
        media.clip(path, clip.duration, clip.size, max(1, round(clip.fps)), "black")
    else:
        whole = source.read_bytes()
        path.write_bytes(whole[: len(whole) // 3])
    return replace(clip, path=path, still=False)


def _no_answer() -> AvatarError:
    return AvatarError(Category.CONNECTIVITY, "The service does not answer: an outage on purpose.")
