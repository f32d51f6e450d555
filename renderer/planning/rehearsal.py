"""A film's presenters rehearsed: the real engine with its real gates, and stand-ins for backends.

Nothing that decides is written a second time here. What `FallbackChain` and `RungRun` do with the
stand-ins is what they would do in a render in which every backend that is asked delivers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from avatar_core.attempt import contained
from avatar_core.backend import FREE, AvatarClip, AvatarRequest, Capabilities, Cost
from avatar_core.cancel import CancelToken
from avatar_core.chain import ChainError, FallbackChain, Outcome, Rung
from avatar_core.errors import AvatarError, EnvironmentFault
from avatar_core.journal import JobRecord, MemoryJournal
from avatar_core.policy.settings import BudgetSettings, PolicySettings
from avatar_core.policy.state import Policy
from avatar_core.rung_run import RungRun, Tools
from avatar_core.scene_run import SceneRun
from avatar_core.second_try import stands_out
from avatar_core.settings import Settings
from renderer.clip_cache import StoredClips
from renderer.film import Film
from renderer.journal import StoredJournal
from renderer.planning.plan import State
from renderer.planning.prices import add_up
from renderer.planning.stand_in import (
    PretendedTime,
    ScratchClips,
    ScratchJournal,
    Share,
    StandInRung,
)
from renderer.presenting import count_what_is_spent, policy_for, upload_fence
from renderer.shared_jobs.forming import Part, SharedJob, shared_jobs
from renderer.shared_jobs.notes import SharedNotes
from renderer.store import Store


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one rung when its turn comes.

    ``price`` is for a new clip, whatever the verdict (None: unknown); ``priced`` False: nothing
    would ever be ordered here. ``can`` is None where the backend was not even looked at.
    """

    rung: str
    state: State
    reason: str = ""
    advice: str | None = None
    price: Cost | None = FREE
    priced: bool = False
    paid: Cost = FREE
    can: Capabilities | None = None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """``verdicts`` end at the first rung that cannot fail; ``failure`` is why nobody delivers."""

    verdicts: tuple[Verdict, ...]
    outcome: Outcome | None
    failure: str | None = None

    @property
    def chosen(self) -> Verdict | None:
        """The rung that delivers."""
        if self.outcome is None:
            return None
        name = self.outcome.trail[-1].backend
        return next((verdict for verdict in self.verdicts if verdict.rung == name), None)

    @property
    def costs(self) -> tuple[Cost, ...]:
        """What this pass pays; what was ordered by an earlier run is not among it."""
        trail = self.outcome.trail if self.outcome else ()
        return add_up(entry.cost for entry in trail if not entry.resumed)


class Rehearsal:
    """One film, scene by scene in its order; ``work`` is a folder for what is pretended."""

    def __init__(self, film: Film, settings: Settings, store: Store, work: Path) -> None:
        self._film = film
        self._settings = settings
        self._work = work
        self._clips = ScratchClips(StoredClips(store))
        self._journal = ScratchJournal(StoredJournal(store))
        self._notes = SharedNotes(store)
        clock = PretendedTime()
        policy = _without_waiting(policy_for(film, settings))
        self.policy = Policy(policy, clock=clock, journal=self._journal)
        self._tools = Tools(self.policy, _accept, self._clips, self._fence)
        # For prices of what the budget or the journal would keep from being asked for one.
        no_limit = PolicySettings(budget=BudgetSettings(allow_unknown_price=True))
        no_policy = Policy(no_limit, clock=clock, journal=MemoryJournal())
        self._asking = Tools(no_policy, _accept, None, self._fence)
        self._shares: dict[str, Share] = {}

    def count_what_is_made(self, rungs: Sequence[Rung], request: AvatarRequest) -> str | None:
        """As a render does before its first scene; returns whose clip it is, if there is one."""
        return count_what_is_spent(rungs, request, self._clips, self.policy)

    def form_jobs(self, parts: Iterable[Part]) -> None:
        """Find out which scenes share a job, as a render does before its first scene."""
        for job in shared_jobs(parts, self._clips, self._journal, self._notes.all()):
            whole = self._clips.find(job.key or "")
            if whole is not None:
                # A render that died has left it uncut.
                for part, cost in zip(job.parts, job.shares(whole.cost), strict=True):
                    self._clips.keep(part.key or "", replace(whole, cost=cost))
                continue
            price = _price_of(job)
            prices = [None] * len(job.parts) if price is None else job.shares(price)
            for part, share in zip(job.parts, prices, strict=True):
                if part in job.wanted:
                    self._shares[part.scene] = Share(job.rung.name, share, job.others(part.scene))
            self._divide(job)

    def _divide(self, job: SharedJob) -> None:
        """What an earlier render has ordered for them all waits for each of them."""
        record = self._journal.find(job.key or "")
        if record is None:
            return
        for part, cost in zip(job.parts, job.shares(record.cost), strict=True):
            self._journal.divide(replace(record, key=part.key or "", cost=cost))
            self.policy.foresee(job.rung.name, part.key or "", cost)

    def scene(self, name: str, rungs: Sequence[Rung], request: AvatarRequest) -> Rehearsed:
        """What would become of every rung, and then of the scene."""
        doubles = self._doubles(name, rungs, request)
        chain = FallbackChain(
            [double.rung for double in doubles],
            policy=self.policy,
            validate=_accept,
            cache=self._clips,
            skip=self._fence,
        )
        known = {double.rung.name: double for double in doubles}
        verdicts = self._verdicts([known[rung.name] for rung in chain.rungs], request, name)
        self._journal.clear()
        for double in doubles:
            if double.backend is not None:
                double.backend.delivers = True
        try:
            outcome = chain.run(request, self._work, scene=name)
        except (ChainError, EnvironmentFault) as failure:
            return Rehearsed(verdicts, None, failure.message)
        finally:
            self._journal.clear()
        return Rehearsed(verdicts, outcome)

    def stands_out(self, outcome: Outcome | None) -> bool:
        """Whether the scene would be made again for the film to keep one look."""
        if outcome is None or not self._settings.redo_earlier:
            return False
        return stands_out(outcome, self.policy)

    def _doubles(
        self, name: str, rungs: Sequence[Rung], request: AvatarRequest
    ) -> list[StandInRung]:
        keys = [_key(rung, request) for rung in rungs]
        records = [None if key is None else self._journal.find(key) for key in keys]
        share = self._shares.get(name)
        return [StandInRung(*known, share) for known in zip(rungs, records, strict=True)]

    def _verdicts(
        self, doubles: Sequence[StandInRung], request: AvatarRequest, name: str
    ) -> tuple[Verdict, ...]:
        verdicts: list[Verdict] = []
        for double in doubles:
            is_last = double is doubles[-1]
            verdicts.append(self._verdict(double, request, name, is_last=is_last))
            if verdicts[-1].state == "made":
                break
        return tuple(verdicts)

    def _verdict(
        self, double: StandInRung, request: AvatarRequest, name: str, *, is_last: bool
    ) -> Verdict:
        run = self._scene_run(request, name, self.policy)
        rung = double.rung
        try:
            RungRun(self._tools, run, rung, is_last=is_last).run()
        except EnvironmentFault as fault:
            return Verdict(rung.name, "skip", fault.message, fault.advice)
        story = run.trail[-1]
        if story.cached:
            clip = self._clips.find(_key(rung, request) or "")
            return Verdict(rung.name, "made", "made earlier", paid=clip.cost if clip else FREE)
        verdict = Verdict(rung.name, "skip", story.message, story.advice)
        if double.backend is not None and double.backend.asked:
            verdict = _asked(double)
        return self._with_price(verdict, double, request, name)

    def _with_price(
        self, verdict: Verdict, double: StandInRung, request: AvatarRequest, name: str
    ) -> Verdict:
        """Ask for the price also where the policy kept the backend from being asked."""
        if double.backend is None or not double.backend.is_priced:
            run = self._scene_run(request, name, self._asking.policy)
            RungRun(self._asking, run, double.rung, is_last=False).run()
        backend = double.backend
        if backend is None or not isinstance(backend.capabilities, Capabilities):
            return verdict
        return replace(
            verdict,
            price=backend.price,
            priced=backend.is_priced and backend.price != FREE,
            can=backend.capabilities,
        )

    def _scene_run(self, request: AvatarRequest, name: str, policy: Policy) -> SceneRun:
        return SceneRun(
            request,
            self._work,
            CancelToken(),
            lambda fraction, message: None,
            policy.scene(),
            lambda entry: None,
            policy.clock(),
            name,
        )

    def _fence(self, rung: Rung, request: AvatarRequest) -> str | None:
        del request
        return upload_fence(rung, self._film, self._settings)


def _asked(double: StandInRung) -> Verdict:
    record = double.record
    if record is None or double.backend is None or not double.backend.resumes:
        with_others = f"one job with {double.share.others}" if double.share else ""
        return Verdict(double.rung.name, "make", with_others)
    return Verdict(double.rung.name, "fetch", _what_waits(record), paid=record.cost)


def _price_of(job: SharedJob) -> Cost | None:
    try:
        with contained(job.rung.name):
            return job.rung.open().estimate(job.request)
    except (AvatarError, EnvironmentFault):
        return None


def _key(rung: Rung, request: AvatarRequest) -> str | None:
    return rung.key(replace(request, options=rung.options))


def _without_waiting(policy: PolicySettings) -> PolicySettings:
    """How long turns are waited for is a matter of time, which is foretold apart."""
    patient = {n: own.model_copy(update={"per_minute": None}) for n, own in policy.policies.items()}
    return policy.model_copy(update={"policies": patient})


def _accept(clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
    del request
    return clip


def _what_waits(record: JobRecord) -> str:
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(record.at))
    if record.remote_id is None:
        return f"an order of {when} got no answer: it is looked for before another is sent"
    if record.state == "cancelled":
        return f"a job of {when} was asked to stop: what it made is fetched if it is there"
    return f"a job of {when} waits to be fetched"
