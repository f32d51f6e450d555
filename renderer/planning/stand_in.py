"""What stands in for the world while a film is rehearsed: nothing is asked, sent or written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from avatar_core.backend import (
    FREE,
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Cost,
    Health,
    Job,
)
from avatar_core.cancel import CancelToken
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Category
from avatar_core.journal import JobRecord, Journal
from avatar_core.rung import ClipCache, Rung

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Share:
    """A scene's part of a job that it shares with the scenes ``others`` (in words): of what the
    backend ``rung`` takes for it, ``price`` (None: not known beforehand)."""

    rung: str
    price: Cost | None
    others: str


class StandIn(AvatarBackend):
    """Declares what a backend declares, asks it for its price once, and pretends the rest.

    ``delivers`` False: what is asked is noted and refused, which costs nothing. ``paid`` is the
    price of the job of an earlier run, if there is one; ``share`` is asked for no other price.
    """

    name: ClassVar[str] = "stand_in"

    def __init__(
        self, name: str, backend: AvatarBackend, paid: Cost = FREE, share: Share | None = None
    ) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]
        self.capabilities = backend.capabilities  # type: ignore[misc]
        self.delivers = False
        self.asked = False
        self.resumes = False
        self.is_priced = False
        self._backend = backend
        self._paid = paid
        self._share = share
        self._quote: object = None
        self._answered = False

    @property
    def price(self) -> Cost | None:
        """What a new clip costs, None where that is not known beforehand."""
        if isinstance(self._quote, Cost):
            return self._quote
        return None if self.capabilities.costs_money else FREE

    def check(self) -> Health:
        return Health(True, "not asked")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        self.asked = True
        self.resumes = job.remote_id is not None
        if not self.delivers:
            raise AvatarError(Category.INVALID_INPUT, "It is only rehearsed.")
        cost = self._paid if self.resumes else self.price or FREE
        path, fps = job.work_dir / "clip", float(request.fps)
        return AvatarClip(path, request.size, fps, request.duration, self.name, cost=cost)

    def estimate(self, request: AvatarRequest) -> Cost | None:
        if not self.is_priced:
            # Before the answer: one that hangs is waited for once.
            self.is_priced = True
            share = self._share
            self._quote = self._backend.estimate(request) if share is None else share.price
            self._answered = True
        if not self._answered:
            raise AvatarError(Category.BACKEND_BUG, "It gave no price.")
        return self._quote  # type: ignore[return-value]

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        """A lost order is taken for found, where the backend has a way to look for it."""
        if type(self._backend).find is AvatarBackend.find:
            return super().find(request, reference)
        return reference


class StandInRung:
    """A rung whose backend is only constructed, when its turn comes, and stood in for.

    ``record`` is the remote job that an earlier run has left, ``share`` the scene's part of a job
    with others.
    """

    def __init__(
        self, rung: Rung, record: JobRecord | None = None, share: Share | None = None
    ) -> None:
        self.backend: StandIn | None = None
        self.rung = replace(rung, open=self._open)
        self.record = record
        self.share = share if share is not None and share.rung == rung.name else None
        self._open_real = rung.open

    def _open(self) -> StandIn:
        if self.backend is None:
            paid = self.record.cost if self.record else FREE
            self.backend = StandIn(self.rung.name, self._open_real(), paid, self.share)
        return self.backend


class ScratchClips:
    """The clips that are there, and those that the rehearsal pretends to have made."""

    def __init__(self, real: ClipCache) -> None:
        self._real = real
        self._pretended: dict[str, AvatarClip] = {}

    def find(self, key: str) -> AvatarClip | None:
        return self._pretended.get(key) or self._real.find(key)

    def keep(self, key: str, clip: AvatarClip) -> AvatarClip:
        self._pretended[key] = clip
        return clip


class ScratchJournal:
    """The jobs that are there; what the rehearsal writes lasts until `clear`."""

    def __init__(self, real: Journal) -> None:
        self._real = real
        self._parts: dict[str, JobRecord] = {}
        self._changed: dict[str, JobRecord | None] = {}

    def find(self, key: str) -> JobRecord | None:
        if key in self._changed:
            return self._changed[key]
        return self._parts.get(key) or self._real.find(key)

    def divide(self, record: JobRecord) -> None:
        """A scene's part of a job that is there and that it shares with others."""
        self._parts[record.key] = record

    def write(self, record: JobRecord) -> None:
        self._changed[record.key] = record

    def forget(self, key: str) -> None:
        self._changed[key] = None

    def clear(self) -> None:
        """Back to what is really there."""
        self._changed.clear()


class PretendedTime:
    """Waiting takes no time and is counted; work is really run, and really left when it hangs."""

    def __init__(self) -> None:
        self._now = 0.0
        self._real = SystemClock()

    def __call__(self) -> float:
        return self._now

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float, cancel: CancelToken | None = None) -> None:
        if cancel is not None:
            cancel.check()
        self._now += max(0.0, seconds)

    def call(
        self,
        work: Callable[[], T],
        seconds: float | None,
        cancel: CancelToken | None = None,
        *,
        at_once: bool = False,
    ) -> T:
        return self._real.call(work, seconds, cancel, at_once=at_once)
