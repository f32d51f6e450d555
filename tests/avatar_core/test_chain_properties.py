"""Whatever the backends do and the policy says, some things hold: random films in virtual time."""

from __future__ import annotations

import itertools
import math
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.attempt import GRACE_SECONDS
from avatar_core.backend import FREE, AvatarClip, Capabilities, Cost, Health
from avatar_core.chain import ChainError, Outcome
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Cancelled, Category, EnvironmentFault
from avatar_core.journal import MemoryJournal
from avatar_core.policy.ladder import MOST_STEPS
from avatar_core.testing import (
    RemoteJobs,
    ScriptedBackend,
    VirtualClock,
    bad_clip,
    crash,
    deliver,
    fail,
    hang,
    remote,
)
from avatar_core.testing.steps import Step, Turn
from support_policy import MemoryClips, Stage, calls, of, spans

CHECK_SECONDS = 5.0
STOP_SECONDS = 5.0
PRICES = (None, FREE, Cost(Decimal("0.3")), Cost(Decimal("1.1")))


@dataclass
class Ledger:
    """What a sync paid service has charged, kept apart from everything under test."""

    paid: Decimal = Decimal(0)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def charge(self, cost: Cost) -> None:
        with self.lock:
            self.paid += cost.amount


def story(word: str, seconds: float, cost: Cost, ledger: Ledger) -> Step:
    """A step that also keeps the books."""
    steps: dict[str, Step] = {
        "deliver": deliver(seconds, cost),
        "black": bad_clip("black", seconds, cost),
        "hang": hang(),
        "crash": crash(ZeroDivisionError("a bug"), seconds),
        "lacking": crash(EnvironmentFault("no GPU"), seconds),
        "cancelled elsewhere": crash(Cancelled("on its page"), seconds),
        "pause": fail(Category.RATE_LIMIT, retry_after=seconds * 7),
        "billed": fail(Category.SERVER, seconds=seconds, billed=True),
    }
    if word not in steps:
        return fail(Category(word), seconds=seconds)
    if word in ("deliver", "black", "billed"):
        return _charged(steps[word], cost, ledger)
    return steps[word]


def _charged(step: Step, cost: Cost, ledger: Ledger) -> Step:
    def charged(turn: Turn) -> AvatarClip:
        try:
            clip = step(turn)
        except AvatarError:
            ledger.charge(cost)
            raise
        ledger.charge(cost)
        return clip

    return charged


WORDS = st.sampled_from([
    "deliver", "deliver", "deliver", "black", "hang", "crash", "lacking", "cancelled elsewhere",
    "pause", "billed", *(c.value for c in Category),
])  # fmt: skip
STORIES = st.lists(st.tuples(WORDS, st.floats(0, 200)), min_size=1, max_size=6)
HEALTHS = st.lists(
    st.sampled_from(["well", "well", "well", "ill", "hangs", "crashes", "auth"]),
    min_size=1, max_size=4,
)  # fmt: skip
BACKENDS = st.fixed_dictionaries({
    "story": STORIES,
    "health": HEALTHS,
    "price": st.sampled_from(PRICES),
    "costs_money": st.booleans(),
    "needs_network": st.booleans(),
    "ladder": st.integers(0, 3),
    "max_seconds": st.sampled_from([None, None, None, 0.5]),
})  # fmt: skip
POLICIES = st.fixed_dictionaries({
    "retry": st.fixed_dictionaries({
        "attempts": st.integers(1, 4), "delay": st.floats(0, 10), "max_delay": st.floats(1, 60),
    }),
    "deadline": st.fixed_dictionaries({
        "attempt": st.floats(0.5, 150), "scene": st.floats(0.5, 400),
        "reserve": st.floats(0.1, 60), "film": st.none() | st.floats(1, 3000),
    }),
    "breaker": st.fixed_dictionaries({
        "failures": st.integers(1, 4), "cool_down": st.floats(1, 100),
        "slow": st.none() | st.floats(1, 100),
    }),
    "budget": st.fixed_dictionaries({
        "max_cost": st.none() | st.decimals(0, 4, places=1),
        "allow_unknown_price": st.none() | st.booleans(),
    }),
    "affinity": st.sampled_from(["scene", "scene", "film"]),
    "policies": st.just({}) | st.fixed_dictionaries({
        "b0": st.fixed_dictionaries({"per_minute": st.sampled_from([1, 2, 10])}),
    }),
})  # fmt: skip


def healths(words: list[str], clock: VirtualClock) -> list[Any]:
    def hangs() -> Health:
        clock.sleep(math.inf)
        raise AssertionError

    known: dict[str, Any] = {
        "well": Health(ok=True, message="ready"),
        "ill": Health(ok=False, message="asleep"),
        "hangs": hangs,
        "crashes": ValueError("a bug"),
        "auth": AvatarError(Category.AUTH, "wrong key"),
    }
    return [known[word] for word in words]


def backend_of(
    number: int, plan: dict[str, Any], clock: VirtualClock, ledger: Ledger
) -> ScriptedBackend:
    paid = plan["costs_money"]
    price = plan["price"] if paid else FREE
    return ScriptedBackend(
        f"b{number}",
        *(story(word, seconds, price or FREE, ledger) for word, seconds in plan["story"]),
        clock=clock,
        health=healths(plan["health"], clock),
        ladder=tuple("abcd"[: plan["ladder"]]),
        price=price if paid else None,
        capabilities=Capabilities(
            costs_money=paid,
            needs_network=plan["needs_network"],
            max_seconds=plan["max_seconds"],
        ),
    )


@dataclass
class Film:
    """A film that was made, and everything that is known of how."""

    stage: Stage
    backends: list[ScriptedBackend]
    outcomes: list[Outcome]
    began: list[float]
    ledger: Ledger
    policy: dict[str, Any]


def make_film(
    folder: Path, plans: list[dict[str, Any]], policy: dict[str, Any], scenes: int, gap: float
) -> Film:
    clock, ledger = VirtualClock(1000.0), Ledger()
    backends = [backend_of(n, plan, clock, ledger) for n, plan in enumerate(plans)]
    stage = Stage(folder, *backends, clock=clock, journal=MemoryJournal(), **policy)
    outcomes, began = [], []
    for number in range(scenes):
        began.append(clock())
        outcomes.append(stage.scene(f"s{number}"))
        clock.advance(gap)
    return Film(stage, backends, outcomes, began, ledger, policy)


films = given(
    plans=st.lists(BACKENDS, max_size=4),
    policy=POLICIES,
    scenes=st.integers(1, 5),
    gap=st.sampled_from([0.0, 3.0, 40.0]),
)
quick = settings(deadline=None, max_examples=60)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@quick
@films
def test_every_scene_is_delivered_and_its_trail_tells_the_whole_story(
    folder: Path, plans: Any, policy: Any, scenes: int, gap: float
) -> None:
    film = make_film(folder, plans, policy, scenes, gap)
    names = [rung.name for rung in film.stage.chain.rungs]
    for outcome in film.outcomes:
        trail, winner = outcome.trail, outcome.clip.backend
        assert outcome.clip.path.exists()
        # One entry at least for each rung up to the winner, in the order of the rungs.
        order = list(dict.fromkeys(entry.backend for entry in trail))
        assert order == names[: names.index(winner) + 1]
        assert [names.index(e.backend) for e in trail] == sorted(
            names.index(e.backend) for e in trail
        )
        assert [entry.delivered for entry in trail] == [False] * (len(trail) - 1) + [True]
        assert outcome.degraded == (winner != names[0])
        for before, after in itertools.pairwise(trail):
            assert before.started <= after.started
            assert before.started + before.seconds <= after.started + 1e-6
        for entry in trail:
            assert entry.started >= 0 and entry.seconds >= 0
            assert entry.message
            assert (entry.category is None) == (entry.delivered or entry.skipped)
            assert entry.advice or entry.category is None
    assert [entry for outcome in film.outcomes for entry in outcome.trail] == film.stage.heard


@quick
@films
def test_no_backend_is_called_more_often_than_allowed(
    folder: Path, plans: Any, policy: Any, scenes: int, gap: float
) -> None:
    film = make_film(folder, plans, policy, scenes, gap)
    attempts = policy["retry"]["attempts"]
    for backend, plan in zip(film.backends, plans, strict=True):
        steps = min(MOST_STEPS, max(0, plan["ladder"] - 1)) if attempts > 1 else 0
        told = 0
        for outcome in film.outcomes:
            numbers = [e.attempt for e in of(outcome, backend.name) if e.attempt]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= attempts * (steps + 1)
            told += len(numbers)
        assert calls(backend) == told
        if plan["max_seconds"] is not None:
            assert (calls(backend), backend.checks) == (0, 0)


@quick
@films
def test_no_attempt_begins_too_late_or_runs_past_its_time(
    folder: Path, plans: Any, policy: Any, scenes: int, gap: float
) -> None:
    film = make_film(folder, plans, policy, scenes, gap)
    limits = policy["deadline"]
    scene, reserve = limits["scene"], min(limits["reserve"], limits["scene"] / 2)
    film_end = math.inf
    if limits["film"] is not None:
        film_end = 1000 + limits["film"] - min(limits["reserve"], limits["film"] / 2)
    ends = [*film.began[1:], math.inf]
    for backend in film.backends:
        for at, end in spans(backend):
            number = next(n for n, until in enumerate(ends) if at < until or until == math.inf)
            last_call = min(film.began[number] + scene - reserve, film_end)
            assert at < last_call
            assert end - at <= limits["attempt"] + GRACE_SECONDS + 1e-6
            assert end <= last_call + GRACE_SECONDS + 1e-6
    for began, outcome in zip(film.began, film.outcomes, strict=True):
        last = outcome.trail[-1]
        if last.backend == "static":
            # What is begun in time may still be asked for its health, and asked to stop.
            late = GRACE_SECONDS + CHECK_SECONDS * 3 + STOP_SECONDS
            assert last.started <= max(0.0, min(scene - reserve, film_end - began)) + late


@quick
@films
def test_money_told_is_money_spent_and_within_the_budget(
    folder: Path, plans: Any, policy: Any, scenes: int, gap: float
) -> None:
    film = make_film(folder, plans, policy, scenes, gap)
    told = sum((cost.amount for outcome in film.outcomes for cost in outcome.costs), Decimal(0))
    # A failure that was billed is told with its estimate: where there is none, with nothing.
    assert told == film.ledger.paid == film.stage.policy.budget.spent.amount
    budget = policy["budget"]
    if budget["max_cost"] is not None:
        assert told <= budget["max_cost"]
        for backend, plan in zip(film.backends, plans, strict=True):
            if plan["costs_money"] and plan["price"] is None and not budget["allow_unknown_price"]:
                assert calls(backend) == 0


@quick
@films
def test_an_open_breaker_and_a_closed_rung_are_not_called(
    folder: Path, plans: Any, policy: Any, scenes: int, gap: float
) -> None:
    film = make_film(folder, plans, policy, scenes, gap)
    counting = {Category.RATE_LIMIT, Category.TIMEOUT, Category.CONNECTIVITY, Category.SERVER,
                Category.BAD_OUTPUT, Category.BACKEND_BUG}  # fmt: skip
    breaker = policy["breaker"]
    for backend in film.backends:
        entries = [
            (began + e.started + e.seconds, e)
            for began, outcome in zip(film.began, film.outcomes, strict=True)
            for e in of(outcome, backend.name)
            if not e.skipped
        ]
        row, open_until, closed = 0, -math.inf, False
        for end, entry in entries:
            assert not closed
            begun = end - entry.seconds
            if entry.attempt:
                assert begun >= open_until - 1e-6
            slow = entry.delivered and breaker["slow"] is not None
            late = slow and entry.seconds > breaker["slow"]
            if entry.category in counting or late:
                row += 1 if entry.attempt else 0
                if row >= breaker["failures"] and entry.attempt:
                    open_until = begun + breaker["cool_down"] * 0.999
            elif entry.delivered:
                row = 0
            elif entry.category in (Category.INVALID_INPUT, Category.UNSUPPORTED):
                # Closes a half-open breaker, and is no failure and no success else.
                row = 0 if row >= breaker["failures"] else row
            closed = closed or (entry.category in (Category.AUTH, Category.QUOTA))


@quick
@given(
    steps=st.lists(
        st.sampled_from(["good", "good", "lost", "slow", "dies", "billed", "half"]), min_size=1,
        max_size=8,
    ),
    attempts=st.integers(1, 3),
    finds=st.booleans(),
    most=st.none() | st.decimals("0.5", 4, places=1),
    scenes=st.integers(1, 4),
)  # fmt: skip
def test_no_scene_is_paid_twice(
    folder: Path, steps: list[str], attempts: int, finds: bool, most: Decimal | None, scenes: int
) -> None:
    clock, price = VirtualClock(), Cost(Decimal("0.5"))
    died = AvatarError(Category.SERVER, "It crashed.", billed=True)
    stories: dict[str, Step] = {
        "good": remote(20, cost=price),
        "lost": remote(20, cost=price, lost=True),
        "slow": remote(90, cost=price),
        "dies": _death,
        "billed": remote(5, cost=price, fails=died),
        "half": _half(price),
    }
    backend = ScriptedBackend(
        "did", *(stories[word] for word in steps), clock=clock, price=price,
        capabilities=Capabilities(costs_money=True, needs_network=True),
        service=(service := RemoteJobs()) if finds else None,
    )  # fmt: skip
    service = backend.service
    journal, cache = MemoryJournal(), MemoryClips()
    stage = Stage(
        folder, backend, clock=clock, journal=journal, cache=cache,
        retry={"attempts": attempts}, deadline={"attempt": 60},
        budget={"max_cost": most}, breaker={"failures": 100},
    )  # fmt: skip
    outcomes = [stage.scene(f"s{n}") for n in range(scenes)]
    outcomes += [stage.scene(f"s{n}") for n, o in enumerate(list(outcomes)) if o.degraded]
    for number in range(scenes):
        assert service.paid(f"s{number}").amount <= price.amount
    told = sum((cost.amount for o in outcomes for cost in o.costs), Decimal(0))
    assert told == service.paid().amount == stage.policy.budget.spent.amount
    assert most is None or told <= most
    assert len(backend.cancels) == len(set(backend.cancels))


def _death(turn: Turn) -> AvatarClip:
    """Its own job dies before it is charged; one that it goes on with was charged already."""
    charged = turn.job.remote_id is not None
    died = AvatarError(Category.SERVER, "The worker crashed.", billed=charged)
    return remote(5, fails=died)(turn)


def _half(price: Cost) -> Step:
    def half(turn: Turn) -> AvatarClip:
        remote(20, cost=price)(turn)
        return bad_clip("truncated", cost=price)(turn)

    return half


@settings(deadline=None, max_examples=8)
@given(
    words=st.lists(
        st.sampled_from(["deliver", "server", "timeout", "black", "unsupported"]),
        min_size=1, max_size=12,
    ),
    most=st.decimals("0.3", 3, places=1),
)  # fmt: skip
def test_under_threads_nothing_is_overspent_and_every_scene_delivered(
    folder: Path, words: list[str], most: Decimal
) -> None:
    price, ledger = Cost(Decimal("0.3")), Ledger()
    backend = ScriptedBackend(
        "b0",
        *(story(word, 0.0, price, ledger) for word in words),
        price=price,
        capabilities=Capabilities(costs_money=True),
    )
    stage = Stage(
        folder, backend, clock=SystemClock(),
        retry={"delay": 0}, breaker={"cool_down": 0.01}, budget={"max_cost": most},
    )  # fmt: skip
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: stage.scene(f"s{n}"), range(16)))
    told = sum((cost.amount for o in outcomes for cost in o.costs), Decimal(0))
    assert told == ledger.paid == stage.policy.budget.spent.amount <= most


def test_at_most_one_trial_is_under_way_whatever_the_number_of_threads(tmp_path: Path) -> None:
    inside, most, lock = [0], [0], threading.Lock()
    clock = VirtualClock()

    def check() -> Health:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.02)
        with lock:
            inside[0] -= 1
        return Health(ok=False, message="asleep")

    backend = ScriptedBackend("colab", health=check)
    # Without shared memory of health, only the breaker is left to keep it to one.
    stage = Stage(tmp_path, backend, clock=clock, breaker={"failures": 1})
    for _ in range(3):
        barrier = threading.Barrier(8, timeout=60)

        def scene(number: int, barrier: threading.Barrier = barrier) -> str:
            barrier.wait()
            return stage.scene(f"s{number}").clip.backend

        before = backend.checks
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(scene, range(8))) == {"static"}
        assert backend.checks == before + 1
        clock.advance(61)
    assert most == [1]


def test_the_final_error_has_every_rungs_reason(tmp_path: Path) -> None:
    colab = ScriptedBackend("colab", fail(Category.SERVER, "the enhancer crashed"))
    did = ScriptedBackend("did", health=AvatarError(Category.AUTH, "the key is wrong"))
    puppet = ScriptedBackend("puppet", capabilities=Capabilities(max_seconds=0.5))
    heygen, sadtalker = ScriptedBackend("heygen"), ScriptedBackend("sadtalker")
    stage = Stage(tmp_path, colab, did, puppet, heygen, sadtalker, budget={"max_cost": "1"})
    stage.static._steps = (fail(Category.INVALID_INPUT, "no picture at all"),)
    heygen.capabilities = Capabilities(costs_money=True)  # type: ignore[misc]
    stage.policy.breaker("sadtalker").open_for(60, "it asked for a pause")
    with pytest.raises(ChainError) as caught:
        stage.scene()
    for reason in (
        "colab: the enhancer crashed", "did: the key is wrong",
        "puppet: The narration lasts 1.0 s", "heygen: its price is not known beforehand",
        "sadtalker: it is left alone for another", "static: no picture at all",
    ):  # fmt: skip
        assert reason in str(caught.value), reason
    assert caught.value.category is Category.INVALID_INPUT
    assert tuple(stage.heard) == caught.value.trail


class Bare:
    """A backend that is none: it has what the contract asks of a class, and nothing else."""

    capabilities = Capabilities(costs_money=True, needs_network=True)
    options = None


@pytest.mark.parametrize("odd", [Bare(), object(), None, "colab"], ids=lambda o: type(o).__name__)
def test_what_is_no_backend_at_all_costs_its_rung_and_not_the_film(
    tmp_path: Path, odd: Any
) -> None:
    from dataclasses import replace

    stage = Stage(tmp_path, ScriptedBackend("colab"))
    first = replace(stage.chain.rungs[0], open=lambda: odd)
    stage.chain.rungs = (first, *stage.chain.rungs[1:])
    outcome = stage.scene()
    assert outcome.clip.backend == "static"
    assert outcome.trail[0].category in (Category.BACKEND_BUG, None)
    assert not outcome.trail[0].delivered


def test_a_listener_that_fails_is_our_own_bug_and_leaves_no_job_running(tmp_path: Path) -> None:
    class Broken(Exception):
        pass

    clock = VirtualClock()
    backend = ScriptedBackend("did", remote(1000), clock=clock)
    stage = Stage(tmp_path, backend, clock=clock, journal=MemoryJournal())

    def listen(entry: Any) -> None:
        raise Broken

    stage.chain._on_attempt = listen
    with pytest.raises(Broken):
        stage.scene()
    assert backend.cancels == ["job-1"]
