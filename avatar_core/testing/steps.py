"""What a scripted backend does when it is asked: one small maker for each kind of story."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from avatar_core.backend import FREE, AvatarClip, AvatarRequest, Cost, Job
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.testing import media
from avatar_core.testing.media import ClipKind

if TYPE_CHECKING:
    from avatar_core.testing.scripted import ScriptedBackend

_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of `ScriptedBackend.generate`; ``number`` counts them from 1."""

    backend: ScriptedBackend
    request: AvatarRequest
    job: Job
    clock: Clock
    number: int

    @property
    def ambition(self) -> str:
        """Where on the backend's ladder the request stands; empty for a backend without one."""
        return self.backend.ambition(self.request)

    def path(self) -> Path:
        return self.job.work_dir / "clip.mp4"


Step = Callable[[Turn], AvatarClip]


def deliver(seconds: float = 0.0, cost: Cost = FREE, *, real: bool = False) -> Step:
    """A sound clip after ``seconds`` of work.

    Its file is a fake of a few bytes unless ``real``: chains that get one are made with
    ``validate=accept_any`` (or `judge_fakes`).
    """

    def step(turn: Turn) -> AvatarClip:
        turn.clock.sleep(seconds, turn.job.cancel)
        return _clip(turn, "moving", cost, real)

    return step


def bad_clip(
    kind: ClipKind, seconds: float = 0.0, cost: Cost = FREE, *, real: bool = False
) -> Step:
    """A clip that is ``black``, ``short``, ``truncated`` or ``html``, said to be a good one."""

    def step(turn: Turn) -> AvatarClip:
        turn.clock.sleep(seconds, turn.job.cancel)
        return _clip(turn, kind, cost, real)

    return step


def fail(
    category: Category, message: str = "told to fail", *, seconds: float = 0.0, **details: Any
) -> Step:
    """`AvatarError` after ``seconds``; ``details`` are its keyword arguments (`AvatarError`)."""

    def step(turn: Turn) -> AvatarClip:
        turn.clock.sleep(seconds, turn.job.cancel)
        raise AvatarError(category, message, **details)

    return step


def crash(failure: BaseException | type[BaseException], seconds: float = 0.0) -> Step:
    """An exception that no backend should let out."""

    def step(turn: Turn) -> AvatarClip:
        turn.clock.sleep(seconds, turn.job.cancel)
        raise failure

    return step


def hang() -> Step:
    """Never comes back by itself: in virtual time the attempt's limit ends it, in real time the
    cancellation of its job."""

    def step(turn: Turn) -> AvatarClip:
        wait_for_ever(turn.clock, turn.job)

    return step


def wait_for_ever(clock: Clock, job: Job) -> NoReturn:
    """Hang until the attempt's limit (virtual time) or its cancellation (real time)."""
    # The computer's clock cannot be asked to wait for ever; any number of moments will do.
    moment = _LOOK_SECONDS if isinstance(clock, SystemClock) else math.inf
    while not job.cancelled:
        clock.sleep(moment, job.cancel)
    raise Cancelled("cancelled")


def by_ambition(steps: dict[str, Step], otherwise: Step | None = None) -> Step:
    """Another step for each rung of the backend's ladder; ``otherwise`` for those not named."""
    rest = otherwise or deliver()

    def step(turn: Turn) -> AvatarClip:
        return steps.get(turn.ambition, rest)(turn)

    return step


def remote(
    seconds: float = 10.0,
    *,
    every: float = 1.0,
    cost: Cost = FREE,
    lost: bool = False,
    fails: AvatarError | None = None,
    real: bool = False,
) -> Step:
    """Order a job of the backend's service, ask for it ``every`` second, deliver its clip.

    It keeps the contract of `Job`: order, remote id, then waiting; a resumed job is waited for
    and never ordered again. ``lost`` loses the answer to an order that arrived. ``fails`` is how
    the job ends, after which it is dead.
    """

    def step(turn: Turn) -> AvatarClip:
        if turn.job.remote_id is None:
            reference = turn.job.order()
            service = turn.backend.service
            name = service.create(turn.request, reference, turn.clock, seconds, cost)
            if lost:
                raise AvatarError(Category.CONNECTIVITY, "The answer got lost.", unanswered=True)
            turn.job.remote_id = name
        _wait(turn, every)
        if fails is not None:
            turn.job.remote_id = None
            raise fails
        return _clip(turn, "moving", cost, real)

    return step


def _wait(turn: Turn, every: float) -> None:
    name = turn.job.remote_id or ""
    while True:
        found = turn.backend.service.get(name)
        if found is None or found.cancelled:
            turn.job.remote_id = None
            raise AvatarError(Category.SERVER, f"The service no longer knows the job {name}.")
        if found.state(turn.clock()) == "done":
            return
        turn.job.progress(0.5, f"{name} is running")
        if turn.clock is turn.job.clock:
            turn.job.wait(every)
        else:
            turn.clock.sleep(every, turn.job.cancel)


def _clip(turn: Turn, kind: ClipKind, cost: Cost, real: bool) -> AvatarClip:
    asked, path = turn.request, turn.path()
    if real:
        media.clip(path, asked.duration, asked.size, asked.fps, kind)
    else:
        media.fake_clip(path, asked.duration, kind)
    return AvatarClip(
        path, asked.size, float(asked.fps), asked.duration, turn.backend.name, cost=cost
    )
