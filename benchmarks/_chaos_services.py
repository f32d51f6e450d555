"""The four backends of the trace: doubles that follow the story and note who called them when."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn

from _chaos_trace import (
    COLAB_SECONDS,
    COMPOSING_SECONDS,
    DID_JOB,
    DID_ORDER,
    DID_SECONDS,
    DID_WATCH,
    ENHANCER_CRASHES,
    PUPPET,
    PUPPET_SECONDS,
    SILENT,
    STATIC_SECONDS,
    Trace,
    fate,
    price,
)
from avatar_core.backend import FREE, AvatarClip, AvatarRequest, Capabilities, Cost, Health
from avatar_core.errors import AvatarError, Category
from avatar_core.testing import RemoteJobs, ScriptedBackend, Turn, VirtualClock

AMBITIONS = ("full+gfpgan", "full+RestoreFormer", "crop")
POLL_SECONDS = 2.0
CHECK_SECONDS = 0.3
BAD_CLIPS = ("truncated", "black")


@dataclass(slots=True)
class World:
    """One film's services under one trace. ``bad`` are the names of the clips that are no good;
    ``scene`` is the furthest that the film has come. No file is written for a clip."""

    trace: Trace
    clock: VirtualClock = field(default_factory=VirtualClock)
    scene: int = 0
    bad: set[str] = field(default_factory=set)
    service: RemoteJobs = field(default_factory=RemoteJobs)
    backends: dict[str, ScriptedBackend] = field(default_factory=dict)

    def __post_init__(self) -> None:
        colab, did = Colab(self), Did(self)
        remote = Capabilities(needs_network=True, uploads=True, concurrency=1)
        paid = Capabilities(needs_network=True, uploads=True, costs_money=True)
        still = Capabilities(animates=False)
        clock = self.clock
        made = [
            ScriptedBackend("colab", colab, clock=clock, capabilities=remote,
                            health=colab.check, ladder=AMBITIONS),
            ScriptedBackend("did", did, clock=clock, capabilities=paid, health=did.check,
                            price=price, service=self.service),
            ScriptedBackend("puppet", Puppet(self), clock=clock),
            ScriptedBackend("static", Static(self), clock=clock, capabilities=still),
        ]  # fmt: skip
        self.backends = {backend.name: backend for backend in made}

    @property
    def quota_is_used_up(self) -> bool:
        return self.scene >= self.trace.quota_scene

    def lost_at(self, moment: float) -> bool:
        """Whether the tunnel is lost at that moment."""
        start, end = self.trace.outage
        return start <= moment < end

    def compose(self) -> None:
        """What comes between two presenters."""
        self.clock.sleep(COMPOSING_SECONDS)

    def clip(self, turn: Turn, kind: str = "", cost: Cost = FREE) -> AvatarClip:
        """What a backend hands over; ``kind`` names what is wrong with it."""
        name, asked = clip_name(turn.backend.name, turn.number), turn.request
        if kind in BAD_CLIPS:
            self.bad.add(name)
        path = turn.job.work_dir / name
        return AvatarClip(path, asked.size, asked.fps, asked.duration, turn.backend.name, cost=cost)

    def judge(self, clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
        """A `Validate` that knows which clips are bad, and decodes nothing."""
        del request
        if clip.path.name in self.bad:
            raise AvatarError(Category.BAD_OUTPUT, "The clip cannot be used.")
        return clip


def clip_name(backend: str, number: int) -> str:
    """What the clip of a backend's ``number``-th call is called."""
    return f"{backend}-{number}.mp4"


class _Service:
    """What all doubles share: their place in the story."""

    name: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world = world
        self._checks = 0

    def fated(self, turn: Turn) -> random.Random:
        """The source of this call's fate."""
        return self.world.trace.chance(self.name, turn.number)

    def wait(self, seconds: float) -> None:
        self.world.clock.sleep(seconds)

    def hang(self) -> NoReturn:
        """Nothing comes back until the caller's own limit."""
        self.wait(math.inf)
        raise AssertionError("it came back")

    def check(self) -> Health:
        self.wait(CHECK_SECONDS)
        return Health(ok=True, message="ready")


class Colab(_Service):
    """A notebook behind a tunnel, which answers with the video itself: what is lost on the way
    back has to be made again. The enhancer crashes after the rendering."""

    name = "colab"

    def __call__(self, turn: Turn) -> AvatarClip:
        source = self.fated(turn)
        wrong = fate(source, self.world.trace.colab)
        work, cut = source.uniform(*COLAB_SECONDS), source.random()
        crashes, silent = source.random() < ENHANCER_CRASHES, source.random() < SILENT
        if self.world.lost_at(self.world.clock()):
            self._unreachable(source.uniform(0.2, 3.0), silent)
        if wrong == "hang":
            self.hang()
        self._work(work * cut if wrong == "reset" else work, silent)
        if wrong == "reset":
            raise AvatarError(Category.CONNECTIVITY, "The connection was reset.")
        if crashes and turn.ambition != AMBITIONS[-1]:
            raise AvatarError(Category.SERVER, f"exit status 1 ({turn.ambition})", status=500)
        if wrong == "server":
            raise AvatarError(Category.SERVER, "No video generated", status=500)
        return self.world.clip(turn, wrong)

    def check(self) -> Health:
        self._checks += 1
        if self.world.lost_at(self.world.clock()):
            source = self.world.trace.chance("colab check", self._checks)
            self._unreachable(source.uniform(0.2, 3.0), source.random() < SILENT)
        return super().check()

    def _work(self, seconds: float, silent: bool) -> None:
        now, (start, _) = self.world.clock(), self.world.trace.outage
        if not now < start < now + seconds:
            self.wait(seconds)
            return
        self.wait(start - now)
        self._unreachable(0.0, silent)

    def _unreachable(self, seconds: float, silent: bool) -> NoReturn:
        if silent:
            self.hang()
        self.wait(seconds)
        raise AvatarError(Category.CONNECTIVITY, "The tunnel is not there.")


class Did(_Service):
    """A paid service of remote jobs. A job is paid when it is ordered, once, whoever fetches its
    clip; one that fails on the service's side is paid back."""

    name = "did"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._jobs: dict[str, str] = {}

    def __call__(self, turn: Turn) -> AvatarClip:
        source = self.fated(turn)
        order, job = fate(source, DID_ORDER), fate(source, DID_JOB)
        watch, work = fate(source, DID_WATCH), source.uniform(*DID_SECONDS)
        answer, pause, until = source.uniform(0.5, 1.5), source.uniform(5, 40), source.random()
        if turn.job.remote_id is None:
            self._order(turn, order, job, work, answer, round(pause))
        self._watch(turn, watch, until * work)
        return self._download(turn, watch, until)

    def _order(
        self, turn: Turn, wrong: str, job: str, work: float, answer: float, pause: float
    ) -> None:
        reference = turn.job.order()
        self.wait(answer)
        if self.world.quota_is_used_up:
            raise AvatarError(Category.QUOTA, "InsufficientCreditsError", status=402)
        if wrong == "rate_limit":
            raise AvatarError(
                Category.RATE_LIMIT, "Too many requests", status=429, retry_after=pause
            )
        cost = FREE if job == "failed" else price(turn.request)
        service, clock = self.world.service, self.world.clock
        name = service.create(turn.request, reference, clock, work, cost)
        self._jobs[name] = job
        if wrong == "lost":
            raise AvatarError(Category.CONNECTIVITY, "The answer got lost.", unanswered=True)
        turn.job.remote_id = name

    def _watch(self, turn: Turn, wrong: str, after: float) -> None:
        name, began = turn.job.remote_id or "", self.world.clock()
        while True:
            found = self.world.service.get(name)
            if found is None or found.cancelled:
                turn.job.remote_id = None
                raise AvatarError(Category.SERVER, f"{name} is not there any more.", billed=True)
            if found.state(self.world.clock()) == "done":
                break
            turn.job.progress(0.5)
            self.wait(POLL_SECONDS)
            if wrong in ("hang", "poll") and self.world.clock() - began >= after:
                self._lose(wrong)
        if self._jobs[name] == "failed":
            turn.job.remote_id = None
            raise AvatarError(Category.SERVER, f"{name} failed.")

    def _lose(self, wrong: str) -> NoReturn:
        if wrong == "hang":
            self.hang()
        raise AvatarError(Category.CONNECTIVITY, "The connection is dead.")

    def _download(self, turn: Turn, wrong: str, share: float) -> AvatarClip:
        self.wait(1.0 + 2.0 * share)
        if wrong == "download":
            raise AvatarError(Category.CONNECTIVITY, "The download broke off.")
        job = self._jobs[turn.job.remote_id or ""]
        return self.world.clip(turn, job or wrong, price(turn.request))


class Puppet(_Service):
    """Works on the machine itself, with a bug now and then."""

    name = "puppet"

    def __call__(self, turn: Turn) -> AvatarClip:
        self.wait(PUPPET_SECONDS)
        if fate(self.fated(turn), PUPPET):
            raise RuntimeError("a bug")
        return self.world.clip(turn)


class Static(_Service):
    """A picture that does not move: it always works."""

    name = "static"

    def __call__(self, turn: Turn) -> AvatarClip:
        self.wait(STATIC_SECONDS)
        return self.world.clip(turn)
