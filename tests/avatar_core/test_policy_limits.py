"""Limits: how many attempts at once and a minute, in which order, and what waiting costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import AvatarClip, Capabilities
from avatar_core.cancel import CancelToken
from avatar_core.clock import SystemClock
from avatar_core.errors import Cancelled, Category
from avatar_core.policy.limits import Limiter
from avatar_core.testing import ScriptedBackend, VirtualClock, deliver, fail
from avatar_core.testing.steps import Turn
from support_policy import Stage, calls, spans


class Gauge:
    """How many are inside at once, and how many there were at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self.now -= 1


def gauged(gauge: Gauge, together: int) -> Callable[[Turn], AvatarClip]:
    """Nobody ends before ``together`` of them were at work at once."""
    full = threading.Event()

    def step(turn: Turn) -> AvatarClip:
        with gauge:
            if gauge.now >= together:
                full.set()
            assert full.wait(60)
            # Whoever should not be let in has a moment to get in.
            time.sleep(0.01)
            return deliver()(turn)

    return step


def many(stage: Stage, count: int, threads: int = 8) -> list[str]:
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda n: stage.scene(f"s{n}").clip.backend, range(count)))


@pytest.mark.parametrize(
    ("declared", "told", "most"), [(2, None, 2), (None, 3, 3), (2, 5, 2), (5, 2, 2), (0, None, 1)]
)
def test_no_more_attempts_run_at_once_than_the_backend_and_the_user_allow(
    tmp_path: Path, declared: int | None, told: int | None, most: int
) -> None:
    gauge = Gauge()
    local = ScriptedBackend(
        "puppet", gauged(gauge, most), capabilities=Capabilities(concurrency=declared)
    )
    policies = {"puppet": {"concurrency": told}} if told else {}
    stage = Stage(tmp_path, local, clock=SystemClock(), policies=policies)
    assert many(stage, 16) == ["puppet"] * 16
    assert gauge.most == most


@pytest.mark.parametrize("trait", ["needs_network", "costs_money"])
def test_a_service_is_tried_by_one_scene_before_it_is_used_by_many(
    tmp_path: Path, trait: str
) -> None:
    gauge, ended, two_at_work = Gauge(), threading.Event(), threading.Event()

    def story(turn: Turn) -> AvatarClip:
        with gauge:
            assert turn.number == 1 or ended.is_set()
            if turn.number == 1:
                time.sleep(0.05)
            elif gauge.now > 1:
                two_at_work.set()
            assert turn.number == 1 or two_at_work.wait(60)
            ended.set()
            return deliver()(turn)

    service = ScriptedBackend("did", story, capabilities=Capabilities(**{trait: True}))
    assert many(Stage(tmp_path, service, clock=SystemClock()), 16) == ["did"] * 16
    assert gauge.most > 1


@given(
    per_minute=st.sampled_from([0.5, 1, 1.5, 2, 3, 7.9, 30]),
    pauses=st.lists(st.floats(0, 100), min_size=1, max_size=40),
    start=st.floats(0, 1e6),
)
def test_no_window_of_a_minute_holds_more_starts_than_allowed(
    per_minute: float, pauses: list[float], start: float
) -> None:
    clock = VirtualClock(start)
    limiter, starts = Limiter(clock, per_minute=per_minute), []
    for pause in pauses:
        clock.advance(pause)
        assert limiter.acquire(float("inf"), CancelToken()) is None
        starts.append(clock())
        limiter.release()
    allowed = max(1, int(per_minute))
    window = 60.0 * allowed / per_minute
    for first, later in zip(starts, starts[allowed:], strict=False):
        # Two readings of a float clock may differ by its last digit.
        assert later - first >= window - 1e-6


def test_a_rate_that_is_not_reached_makes_nobody_wait() -> None:
    clock = VirtualClock()
    limiter = Limiter(clock, per_minute=5)
    for _ in range(50):
        assert limiter.acquire(clock(), CancelToken()) is None
        limiter.release()
        clock.advance(12.001)


def test_who_came_first_is_served_first() -> None:
    limiter, order = Limiter(SystemClock(), concurrency=1), []
    limiter.acquire(float("inf"), CancelToken())

    def wait(number: int) -> None:
        assert limiter.acquire(float("inf"), CancelToken()) is None
        order.append(number)
        limiter.release()

    with ThreadPoolExecutor(8) as pool:
        for number in range(8):
            pool.submit(wait, number)
            while limiter_queue(limiter) <= number:
                time.sleep(0.001)
        limiter.release()
    assert order == list(range(8))


def limiter_queue(limiter: Limiter) -> int:
    return len(limiter._queue)


def test_one_that_gives_up_does_not_keep_those_behind_it_waiting() -> None:
    limiter, token = Limiter(SystemClock(), concurrency=1), CancelToken()
    limiter.acquire(float("inf"), CancelToken())
    ends: list[str] = []

    def cancelled() -> None:
        with pytest.raises(Cancelled):
            limiter.acquire(float("inf"), token)
        ends.append("cancelled")

    def patient() -> None:
        ends.append(str(limiter.acquire(float("inf"), CancelToken())))

    with ThreadPoolExecutor(3) as pool:
        pool.submit(cancelled)
        while limiter_queue(limiter) < 1:
            time.sleep(0.001)
        pool.submit(patient)
        while limiter_queue(limiter) < 2:
            time.sleep(0.001)
        assert limiter.acquire(SystemClock()() + 0.01, CancelToken()) is not None
        token.cancel()
        limiter.release()
    assert sorted(ends) == ["None", "cancelled"]


def test_waiting_for_a_turn_counts_against_the_deadline(tmp_path: Path) -> None:
    clock = VirtualClock()
    did = ScriptedBackend("did", deliver(1), clock=clock)
    stage = Stage(
        tmp_path, did, clock=clock,
        policies={"did": {"per_minute": 1}}, deadline={"scene": 50, "reserve": 10},
    )  # fmt: skip
    outcomes = stage.scenes(2)
    assert [outcome.clip.backend for outcome in outcomes] == ["did", "static"]
    entry = outcomes[1].trail[0]
    assert entry.skipped and entry.passing and "its turn does not come" in entry.message
    # A turn that would come too late is not waited for at all.
    assert clock() == 1


def test_a_scene_waits_for_the_rate_where_it_has_the_time(tmp_path: Path) -> None:
    clock = VirtualClock()
    did = ScriptedBackend("did", deliver(1), clock=clock)
    stage = Stage(tmp_path, did, clock=clock, policies={"did": {"per_minute": 2}})
    assert {outcome.clip.backend for outcome in stage.scenes(6)} == {"did"}
    assert [at for at, _ in spans(did)] == [0, 1, 60, 61, 120, 121]


def test_whoever_waits_for_a_turn_hears_how_long(tmp_path: Path) -> None:
    clock = VirtualClock()
    did = ScriptedBackend("did", deliver(1), clock=clock)
    stage = Stage(tmp_path, did, clock=clock, policies={"did": {"per_minute": 1}})
    stage.scene("a")
    told: list[str] = []
    stage.chain.run(stage.request("b"), tmp_path, on_progress=lambda _, text: told.append(text))
    assert told[:2] == ["waiting another 59 s for did", "asking did"]


def test_whoever_waits_for_another_scene_hears_it_once() -> None:
    clock, waits = VirtualClock(), list[float]()
    limiter = Limiter(clock, concurrency=1)
    assert limiter.acquire(float("inf"), CancelToken()) is None
    assert limiter.acquire(clock() + 0.2, CancelToken(), waits.append) is not None
    assert len(waits) == 1 and waits[0] < 1


def test_nobody_waits_for_a_turn_that_could_not_be_paid(tmp_path: Path) -> None:
    from decimal import Decimal

    from avatar_core.backend import Cost

    clock = VirtualClock()
    price = Cost(Decimal("0.5"))
    did = ScriptedBackend("did", deliver(1, cost=price), price=price, clock=clock)
    stage = Stage(
        tmp_path, did, clock=clock,
        policies={"did": {"per_minute": 1}}, budget={"max_cost": "0.5"},
    )  # fmt: skip
    stage.scenes(5)
    assert (clock(), calls(did)) == (1, 1)


def test_a_pause_that_one_scene_was_asked_for_holds_for_the_others(tmp_path: Path) -> None:
    pause = 0.4
    begun: list[float] = []

    def story(turn: Turn) -> AvatarClip:
        begun.append(time.monotonic())
        if turn.number == 1:
            return fail(Category.RATE_LIMIT, retry_after=pause)(turn)
        return deliver()(turn)

    did = ScriptedBackend("did", story, capabilities=Capabilities(concurrency=1))
    stage = Stage(tmp_path, did, clock=SystemClock())
    assert many(stage, 4, threads=4) == ["did"] * 4
    assert min(begun[1:]) - begun[0] >= pause


def test_a_hanging_first_attempt_holds_the_others_no_longer_than_their_deadline(
    tmp_path: Path,
) -> None:
    from avatar_core.testing import hang

    did = ScriptedBackend("did", hang(), capabilities=Capabilities(needs_network=True))
    stage = Stage(
        tmp_path, did, clock=SystemClock(),
        deadline={"scene": 0.5, "reserve": 0.2, "attempt": 500},
    )  # fmt: skip
    begun = time.monotonic()
    assert many(stage, 4, threads=4) == ["static"] * 4
    assert time.monotonic() - begun < 300


_STARTS = st.lists(st.sampled_from(["start", "end", "wait"]), max_size=60)


@given(what=_STARTS, most=st.integers(1, 4))
def test_a_turn_is_given_exactly_when_there_is_room(what: list[str], most: int) -> None:
    clock: Any = VirtualClock()
    limiter, running = Limiter(clock, concurrency=most), 0
    for step in what:
        if step == "start":
            refusal = limiter.acquire(clock() + 0.01, CancelToken())
            assert (refusal is None) == (running < most)
            running += refusal is None
        elif step == "end" and running:
            limiter.release()
            running -= 1
