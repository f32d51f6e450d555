"""Chaos keeps its promises: the shares it was given, the same story for the same seed."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from avatar_core.backend import (
    FREE,
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
    Job,
    Size,
)
from avatar_core.clip_check import validate_clip
from avatar_core.clock import Overrun
from avatar_core.errors import AvatarError, Category
from avatar_core.testing import (
    ChaosBackend,
    Happening,
    RemoteJobs,
    ScriptedBackend,
    ScriptedOptions,
    VirtualClock,
    deliver,
    judge_fakes,
    media,
    remote,
)
from support_contract import PatientContract

REQUEST = AvatarRequest(None, Path("narration.wav"), 4.0, Size(64, 64), 30, key="scene-1")
PRICE = Cost(Decimal("0.40"))
SHARE = st.floats(0, 0.12)
RATES = st.dictionaries(st.sampled_from(Category), SHARE, max_size=5)
CALLS = 3000


def inner(**values: Any) -> ScriptedBackend:
    return ScriptedBackend("b", deliver(cost=PRICE), price=PRICE, **values)


def call(backend: AvatarBackend, clock: VirtualClock, folder: Path) -> AvatarClip | AvatarError:
    """One attempt of at most 1000 s."""
    try:
        job = Job(folder, clock=clock)
        return clock.call(lambda: backend.generate(REQUEST, job), 1000.0)
    except AvatarError as failure:
        return failure


def story(backend: ChaosBackend) -> list[tuple[object, ...]]:
    return [(e.number, e.fate, e.category, e.cost, e.complete) for e in backend.ledger]


class Recorded(AvatarBackend):
    """Costs nothing at all, so that thousands of calls can be counted."""

    name = "recorded"

    def check(self) -> Any:
        raise NotImplementedError

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        return AvatarClip(Path("clip.mp4"), request.size, 30.0, request.duration, self.name)


@settings(max_examples=15)
@given(RATES, SHARE, st.integers())
def test_shares_are_met_over_many_calls(
    rates: dict[Category, float], hang: float, seed: int
) -> None:
    clock = VirtualClock()
    backend = ChaosBackend(Recorded(), rates, hang=hang, seed=seed, clock=clock)
    for _ in range(CALLS):
        call(backend, clock, Path())
    seen = Counter(entry.category or entry.fate for entry in backend.ledger)
    for what, share in [*rates.items(), ("hang", hang)]:
        # Five standard deviations of a share of that many calls; rare ones come in lumps.
        tolerance = 5 * (share * (1 - share) / CALLS) ** 0.5 + 8 / CALLS
        assert seen[what] / CALLS == pytest.approx(share, abs=tolerance)


@given(RATES, SHARE, SHARE, st.integers() | st.text())
@settings(max_examples=20)
def test_the_same_seed_tells_the_same_story(
    rates: dict[Category, float], hang: float, billed: float, seed: int | str
) -> None:
    def told() -> list[Happening]:
        clock = VirtualClock()
        backend = ChaosBackend(
            Recorded(), rates, hang=hang, billed=billed, latency=(1, 9), seed=seed, clock=clock
        )
        for _ in range(30):
            call(backend, clock, Path())
        return backend.ledger

    assert told() == told()


def test_another_seed_tells_another_story(tmp_path: Path) -> None:
    stories = []
    for seed in range(5):
        clock = VirtualClock()
        backend = ChaosBackend(Recorded(), {Category.SERVER: 0.5}, seed=seed, clock=clock)
        for _ in range(40):
            call(backend, clock, tmp_path)
        stories.append(str(story(backend)))
    assert len(set(stories)) == 5


def test_threads_do_not_change_the_story(tmp_path: Path) -> None:
    rates = {Category.SERVER: 0.3, Category.TIMEOUT: 0.3}

    def told(threads: int) -> list[tuple[object, ...]]:
        backend = ChaosBackend(Recorded(), rates, billed=0.5, seed=7)

        def one(_: int) -> None:
            try:
                backend.generate(REQUEST, Job(tmp_path))
            except AvatarError:
                return

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(200)))
        return story(backend)

    assert told(1) == told(8)


@given(st.integers())
def test_without_shares_nothing_changes(seed: int) -> None:
    clock, source = VirtualClock(), Recorded()
    backend = ChaosBackend(source, seed=seed, clock=clock)
    for _ in range(20):
        assert backend.generate(REQUEST, Job(Path())) == source.generate(REQUEST, Job(Path()))
    assert {entry.fate for entry in backend.ledger} == {"delivered"}
    assert clock() == 0.0


class Calm(ChaosBackend):
    """Chaos that does nothing, under the contract of every backend."""

    def __init__(self, options: BaseModel | None = None) -> None:
        services = RemoteJobs()
        step = remote(0, every=0, cost=PRICE, real=True)
        paid = Capabilities(needs_network=True, uploads=True, costs_money=True)
        super().__init__(
            ScriptedBackend("b", step, capabilities=paid, service=services, options=options)
        )


class TestCalm(PatientContract):
    def make_backend(self) -> Calm:
        return Calm(ScriptedOptions())


@given(st.floats(0, 50), st.floats(0, 50))
def test_work_takes_as_long_as_it_is_told_to(low: float, more: float) -> None:
    clock = VirtualClock()
    backend = ChaosBackend(Recorded(), latency=(low, low + more), clock=clock)
    for _ in range(5):
        began = clock()
        call(backend, clock, Path())
        assert low - 1e-6 <= clock() - began <= low + more + 1e-6


def test_latency_can_depend_on_the_request(tmp_path: Path) -> None:
    def pace(dice: random.Random, request: AvatarRequest) -> float:
        return request.duration * dice.choice([3, 5])

    clock = VirtualClock()
    backend = ChaosBackend(Recorded(), latency=pace, clock=clock)
    for _ in range(20):
        call(backend, clock, tmp_path)
    spans = {round((entry.ended or 0) - entry.at) for entry in backend.ledger}
    assert spans == {12, 20}


def test_a_failure_comes_at_some_moment_of_the_work(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ChaosBackend(Recorded(), {Category.SERVER: 1.0}, latency=(10, 10), clock=clock)
    for _ in range(50):
        call(backend, clock, tmp_path)
    spans = [(entry.ended or 0) - entry.at for entry in backend.ledger]
    assert all(0 <= span <= 10 for span in spans)
    assert len(set(spans)) == 50


def test_shares_can_depend_on_the_request(tmp_path: Path) -> None:
    def rates(request: AvatarRequest) -> dict[Category, float]:
        return {Category.SERVER: 1.0 if source.ambition(request) == "full" else 0.0}

    source = inner(ladder=("full", "crop"))
    backend = ChaosBackend(source, rates)
    with pytest.raises(AvatarError) as caught:
        backend.generate(REQUEST, Job(tmp_path))
    lower = backend.safer(REQUEST, caught.value)
    assert lower is not None
    assert backend.generate(lower, Job(tmp_path)).cost == PRICE


def test_a_hang_is_cut_off_and_noted_as_incomplete(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ChaosBackend(inner(clock=clock), hang=1.0, latency=(5, 5), clock=clock)
    assert isinstance(call(backend, clock, tmp_path), Overrun)
    (entry,) = backend.ledger
    assert (entry.fate, entry.complete, entry.ended) == ("hang", False, 1000.0)
    assert entry.cost == FREE


@pytest.mark.parametrize("kind", ["black", "truncated"])
@pytest.mark.parametrize("real", [True, False])
def test_a_spoilt_clip_is_billed_and_refused(tmp_path: Path, kind: str, real: bool) -> None:
    request = media.request(tmp_path)
    source = ScriptedBackend("b", deliver(cost=PRICE, real=real))
    backend = ChaosBackend(source, **{kind: 1.0})  # type: ignore[arg-type]
    clip = backend.generate(request, Job(tmp_path))
    with pytest.raises(AvatarError) as caught:
        (validate_clip if real else judge_fakes)(clip, request)
    assert caught.value.category is Category.BAD_OUTPUT
    assert backend.spent() == PRICE


def test_an_outage_refuses_work_and_checks_and_passes(tmp_path: Path) -> None:
    clock = VirtualClock(start=50.0)
    backend = ChaosBackend(inner(), outages=[(100, 700)], clock=clock)
    assert backend.check().ok
    clock.advance(100)
    with pytest.raises(AvatarError) as caught:
        backend.check()
    assert caught.value.category is Category.CONNECTIVITY
    assert isinstance(call(backend, clock, tmp_path), AvatarError)
    assert clock() == 150.0
    clock.advance(600)
    assert backend.check().ok
    assert isinstance(call(backend, clock, tmp_path), AvatarClip)
    assert [entry.fate for entry in backend.ledger] == ["outage", "delivered"]


def test_work_in_progress_is_lost_when_an_outage_begins(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ChaosBackend(
        inner(), latency=(30, 30), outages=[(200, 300), (20, 60)], hang=1.0, clock=clock
    )
    failure = call(backend, clock, tmp_path)
    assert isinstance(failure, AvatarError) and failure.category is Category.CONNECTIVITY
    assert clock() == 20.0
    assert backend.ledger[0].fate == "outage"


@given(st.floats(0, 1))
@settings(max_examples=10)
def test_failures_that_are_billed_are_on_the_ledger(billed: float) -> None:
    clock = VirtualClock()
    backend = ChaosBackend(inner(), {Category.SERVER: 1.0}, billed=billed, clock=clock)
    told = [call(backend, clock, Path()) for _ in range(50)]
    paid = [failure for failure in told if isinstance(failure, AvatarError) and failure.billed]
    assert backend.spent().amount == PRICE.amount * len(paid)
    if billed in (0.0, 1.0):
        assert len(paid) == 50 * billed


def test_credit_runs_out_and_nothing_is_billed_after_it(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ChaosBackend(inner(), quota=3, clock=clock)
    told = [call(backend, clock, tmp_path) for _ in range(6)]
    assert [isinstance(one, AvatarClip) for one in told] == [True] * 3 + [False] * 3
    assert {one.category for one in told[3:] if isinstance(one, AvatarError)} == {Category.QUOTA}
    assert backend.spent().amount == 3 * PRICE.amount


def test_it_stands_in_for_the_backend_inside_it() -> None:
    service = RemoteJobs()
    source = inner(capabilities=Capabilities(costs_money=True, concurrency=2), service=service)
    backend = ChaosBackend(source)
    assert (backend.name, backend.capabilities) == ("b", source.capabilities)
    assert (backend.options, backend.Options) == (source.options, source.Options)
    assert backend.estimate(REQUEST) == PRICE
    assert backend.find(REQUEST, "nothing") is None
    backend.cancel("job-1")
    backend.close()
    assert (source.finds, source.cancels, source.closes) == (["nothing"], ["job-1"], 1)


@pytest.mark.parametrize(
    "shares", [{"hang": -0.1}, {"hang": 0.6, "black": 0.6}, {"rates": {Category.AUTH: 1.5}}]
)
def test_impossible_shares_are_refused_at_once(shares: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="together at most 1"):
        ChaosBackend(Recorded(), **shares)
