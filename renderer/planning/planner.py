"""From a film to its plan: lengths, a rehearsal of every presenter, prices, times and origins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from avatar_core.backend import FREE, AvatarRequest, Capabilities, Cost
from avatar_core.chain import Rung
from avatar_core.pool import BackendPool
from avatar_core.settings import LoadedSettings
from renderer.film import Film, FilmScene, Presenter
from renderer.planning.narrations import ExpectedNarration, ExpectedNarrations
from renderer.planning.origins import settings_of
from renderer.planning.paces import Pace, Paces
from renderer.planning.plan import (
    NO_TIME,
    Plan,
    RungPlan,
    ScenePlan,
    Span,
)
from renderer.planning.prices import add_up, most_of
from renderer.planning.rehearsal import Rehearsal, Rehearsed, Verdict
from renderer.planning.sendings import sendings_of
from renderer.planning.times import Lane, Work, span_of, time_of_all
from renderer.planning.warnings import warnings_of
from renderer.presenter_request import presenter_request
from renderer.presenting import policy_for
from renderer.production import in_script, scene_lengths
from renderer.shared_jobs.forming import part_of
from renderer.store import FileHashes, Store
from renderer.timeline import lay_out


@dataclass(frozen=True, slots=True)
class Part:
    """A scene of the film, its narration, and what its backends would be asked."""

    scene: FilmScene
    expected: ExpectedNarration
    request: AvatarRequest | None
    rungs: tuple[Rung, ...]


@dataclass(slots=True)
class Passes:
    """How often a scene was rehearsed: more than once where it is made again."""

    part: Part
    done: list[Rehearsed]


class Planner:
    """Plans films; needs no network, starts nothing and makes nothing."""

    def __init__(
        self,
        loaded: LoadedSettings,
        pool: BackendPool,
        narrations: ExpectedNarrations,
        store: Store,
        hashes: FileHashes,
        workers: int,
    ) -> None:
        self._loaded = loaded
        self._pool = pool
        self._narrations = narrations
        self._store = store
        self._hashes = hashes
        self._workers = workers
        self._paces = Paces(store)
        self._known_paces: dict[str, Pace | None] = {}

    def expectations(self, film: Film) -> list[ExpectedNarration]:
        """How long each scene will be heard; raises `InputError`."""
        found = []
        for scene in film.scenes:
            with in_script(film, scene):
                found.append(self._narrations.of(scene))
        return found

    def plan(self, film: Film, expected: Sequence[ExpectedNarration] | None = None) -> Plan:
        """What a render of ``film`` would do now; raises `InputError`."""
        heard = self.expectations(film) if expected is None else expected
        parts = [self._part(film, *one) for one in zip(film.scenes, heard, strict=True)]
        with self._store.work_dir() as work:
            rehearsal = Rehearsal(film, self._loaded.settings, self._store, work)
            counted = _count(parts, rehearsal)
            rehearsal.form_jobs(
                part_of(part.scene.id, part.rungs, part.request)
                for part in parts
                if part.request is not None
            )
            passes = _rehearsed(parts, rehearsal)
        return self._told(film, passes, counted)

    def _part(self, film: Film, scene: FilmScene, expected: ExpectedNarration) -> Part:
        narration, presenter = expected.narration, scene.presenter

        def hash_of(path: Path) -> str:
            # What is not there yet has no content; what makes it stands for it, so that two
            # scenes that will sound alike are found to be alike.
            is_to_come = path == narration.path and not expected.stored
            return f"to come: {expected.key}" if is_to_come else self._hashes(path)

        request = presenter_request(film, scene, narration, hash_of)
        if request is None or presenter is None:
            return Part(scene, expected, None, ())
        return Part(scene, expected, request, self._rungs(presenter))

    def _rungs(self, presenter: Presenter) -> tuple[Rung, ...]:
        return self._pool.rungs(presenter.backends, presenter.options)

    def _told(self, film: Film, passes: Sequence[Passes], counted: dict[str, Decimal]) -> Plan:
        policy = policy_for(film, self._loaded.settings)
        narrations = [one.part.expected.narration for one in passes]
        timeline = lay_out(scene_lengths(film, narrations), film.fps)
        scenes = tuple(
            self._scene(one, timing.frames / film.fps)
            for one, timing in zip(passes, timeline.scenes, strict=True)
        )
        time, untimed, declared = self._time(passes)
        budget, currency = policy.budget.max_cost, policy.budget.currency
        plan = Plan(
            title=film.title,
            scenes=scenes,
            seconds=timeline.seconds,
            costs=add_up(cost for scene in scenes for cost in scene.costs),
            fetched=add_up(_fetched(scenes)),
            most=most_of(_quotes(passes), policy, counted),
            budget=None if budget is None else Cost(budget, currency),
            counted=Cost(sum(counted.values(), Decimal(0)), currency),
            time=time,
            untimed=untimed,
            declared=declared,
            workers=self._workers,
            sendings=sendings_of(scenes, [one.part.expected.online for one in passes]),
            settings=settings_of(film, self._loaded, _names(passes)),
            warnings=(),
        )
        return replace(plan, warnings=warnings_of(plan, film, policy))

    def _scene(self, one: Passes, seconds: float) -> ScenePlan:
        part, last = one.part, one.done[-1] if one.done else None
        scene, expected = part.scene, part.expected
        chosen = last.chosen if last else None
        return ScenePlan(
            id=scene.id,
            line=scene.line,
            seconds=seconds,
            narration=expected.narration.seconds,
            exact=expected.exact,
            voice=expected.engine,
            speaks=not expected.stored,
            presenter=scene.presenter.name if part.rungs and scene.presenter else None,
            rungs=tuple(self._rung(verdict, part, chosen) for verdict in _verdicts(last)),
            costs=add_up(cost for done in one.done for cost in done.costs),
            unpriced=any(_is_unpriced(done.chosen) for done in one.done),
            remade=len(one.done) > 1,
            failure=last.failure if last else None,
        )

    def _rung(self, verdict: Verdict, part: Part, chosen: Verdict | None) -> RungPlan:
        can = verdict.can or Capabilities()
        seconds = None
        if verdict.state != "skip":
            pace = self._pace(verdict)
            seconds = span_of(verdict.state, part.expected.narration.seconds, pace)
        return RungPlan(
            backend=verdict.rung,
            state=verdict.state,
            chosen=verdict is chosen,
            reason=verdict.reason,
            advice=verdict.advice,
            price=verdict.price if verdict.state == "make" else FREE,
            paid=verdict.paid,
            seconds=seconds,
            uploads=can.uploads,
            needs_network=can.needs_network,
            limit=can.attempt_seconds,
        )

    def _pace(self, verdict: Verdict) -> Pace | None:
        name = verdict.rung
        if name not in self._known_paces:
            self._known_paces[name] = self._paces.of(name)
        measured = self._known_paces[name]
        if measured is not None:
            return measured
        declared = verdict.can.pace if verdict.can else None
        return None if declared is None else Pace.declared(declared)

    def _time(self, passes: Sequence[Passes]) -> tuple[Span, tuple[str, ...], tuple[str, ...]]:
        """The time of everything that is made; the backends of which nobody knows it, and those
        of which only their authors do."""
        works, lanes, untimed, declared = [], {}, list[str](), list[str]()
        for verdict, part in _in_order(passes):
            if verdict.state == "made":
                continue
            pace = self._pace(verdict)
            span = span_of(verdict.state, part.expected.narration.seconds, pace)
            if span is None or pace is None:
                untimed.append(verdict.rung)
                continue
            if not pace.measured:
                declared.append(verdict.rung)
            lanes[verdict.rung] = self._lane(verdict)
            works.append(Work(verdict.rung, span))
        time = time_of_all(works, self._workers, lanes) if works else NO_TIME
        return time, tuple(dict.fromkeys(untimed)), tuple(dict.fromkeys(declared))

    def _lane(self, verdict: Verdict) -> Lane:
        can, own = verdict.can or Capabilities(), self._loaded.settings.policy.of(verdict.rung)
        allowed = [most for most in (own.concurrency, can.concurrency) if most is not None]
        is_remote = can.needs_network or can.costs_money
        return Lane(min(allowed, default=None), own.per_minute, is_remote)


def _count(parts: Sequence[Part], rehearsal: Rehearsal) -> dict[str, Decimal]:
    """What clips of earlier renders have used of the budget, by backend."""
    counted: dict[str, Decimal] = {}
    for part in parts:
        if part.request is None:
            continue
        before = rehearsal.policy.budget.spent.amount
        name = rehearsal.count_what_is_made(part.rungs, part.request)
        used = rehearsal.policy.budget.spent.amount - before
        if name is not None and used:
            counted[name] = counted.get(name, Decimal(0)) + used
    return counted


def _rehearsed(parts: Sequence[Part], rehearsal: Rehearsal) -> list[Passes]:
    """Every scene in the film's order, then those again that stand out of its look."""
    passes = [Passes(part, []) for part in parts]
    for one in passes:
        _rehearse(one, rehearsal)
    while again := [p for p in passes if p.done and rehearsal.stands_out(p.done[-1].outcome)]:
        for one in again:
            _rehearse(one, rehearsal)
    return passes


def _rehearse(one: Passes, rehearsal: Rehearsal) -> None:
    part = one.part
    if part.request is not None:
        one.done.append(rehearsal.scene(part.scene.id, part.rungs, part.request))


def _verdicts(last: Rehearsed | None) -> tuple[Verdict, ...]:
    return last.verdicts if last else ()


def _in_order(passes: Sequence[Passes]) -> Iterator[tuple[Verdict, Part]]:
    """Who delivers, scene by scene, then who delivers what is made again."""
    rounds = max((len(one.done) for one in passes), default=0)
    for number in range(rounds):
        for one in passes:
            chosen = one.done[number].chosen if number < len(one.done) else None
            if chosen is not None:
                yield chosen, one.part


def _quotes(passes: Sequence[Passes]) -> Iterator[tuple[str, Cost | None]]:
    """What every rung might bill for every scene; each is paid at most once for a scene."""
    for one in passes:
        asked = {v.rung: v.price for done in one.done for v in done.verdicts if v.priced}
        yield from asked.items()


def _fetched(scenes: Sequence[ScenePlan]) -> Iterator[Cost]:
    for scene in scenes:
        if scene.chosen is not None and scene.chosen.state == "fetch":
            yield scene.chosen.paid


def _is_unpriced(chosen: Verdict | None) -> bool:
    return chosen is not None and chosen.state == "make" and chosen.price is None


def _names(passes: Sequence[Passes]) -> set[str]:
    return {rung.name for one in passes for rung in one.part.rungs}
