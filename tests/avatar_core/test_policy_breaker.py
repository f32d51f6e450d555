"""The breaker: when it opens, for how long, and who finds out whether it may close."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import Capabilities, Health
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Category
from avatar_core.policy.breaker import Admission, Breaker
from avatar_core.policy.settings import BreakerSettings
from avatar_core.testing import ScriptedBackend, VirtualClock, deliver, fail
from support_policy import GIVEN, Stage, calls, spans

REMOTE = Capabilities(needs_network=True)


def breaker_of(clock: VirtualClock, **settings: Any) -> Breaker:
    return Breaker(BreakerSettings(**{**GIVEN["breaker"], **settings}), clock)


def opened(clock: VirtualClock, **settings: Any) -> Breaker:
    breaker = breaker_of(clock, **settings)
    for _ in range(settings.get("failures", 3)):
        breaker.failed("down")
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = breaker_of(VirtualClock())
    for _ in range(5):
        breaker.failed("down")
        breaker.failed("down")
        assert breaker.admit() == Admission()
        breaker.succeeded()
    for _ in range(3):
        breaker.failed("down")
    assert breaker.admit().refusal == "it is left alone for another 15 s: down"


def test_each_failed_trial_doubles_the_cool_down_up_to_its_cap_and_a_success_forgets_it() -> None:
    clock = VirtualClock()
    breaker = opened(clock, cool_down=10, max_cool_down=60)
    for cool_down in (10, 20, 40, 60, 60):
        clock.advance(cool_down - 0.01)
        assert breaker.admit().refusal is not None
        clock.advance(0.01)
        assert breaker.admit() == Admission(probe=True)
        breaker.failed("still down", probe=True)
    clock.advance(60)
    breaker.admit()
    breaker.succeeded(probe=True)
    assert breaker.admit() == Admission()
    for _ in range(3):
        breaker.failed("again")
    clock.advance(10)
    assert breaker.admit().probe


def test_asking_for_health_is_free_so_it_is_never_put_off_for_long() -> None:
    clock = VirtualClock()
    breaker = opened(clock)
    clock.advance(15)
    for _ in range(20):
        assert breaker.admit().probe
        breaker.failed("asleep", probe=True, called=False)
        clock.advance(60)
    assert breaker.admit().probe


def test_a_cool_down_of_days_does_not_overflow() -> None:
    clock = VirtualClock()
    breaker = opened(clock, cool_down=1, max_cool_down=1e5)
    for _ in range(2000):
        clock.advance(1e5)
        assert breaker.admit().probe
        breaker.failed("down", probe=True)
    assert breaker.refusal() == "it is left alone for another 100000 s: down"


def test_a_slow_success_counts_as_a_failure() -> None:
    breaker = breaker_of(VirtualClock(), slow=30)
    for _ in range(3):
        breaker.succeeded(30.0)
    assert breaker.admit().refusal is None
    for _ in range(3):
        breaker.succeeded(30.1)
    assert "more than 30 s" in str(breaker.admit().refusal)


def test_slow_calls_open_the_breaker_of_their_backend_and_still_deliver(tmp_path: Path) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", deliver(40), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, policies={"colab": {"slow": 30}})
    made = [outcome.clip.backend for outcome in stage.scenes(5)]
    assert made == ["colab"] * 3 + ["static"] * 2


def test_a_slow_health_check_does_not_make_a_quick_call_slow(tmp_path: Path) -> None:
    clock = VirtualClock()

    def check() -> Health:
        clock.sleep(4)
        return Health(ok=True, message="ready")

    colab = ScriptedBackend("colab", deliver(2), health=check, clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, breaker={"slow": 3, "failures": 1})
    for number in range(3):
        assert stage.scene(f"s{number}").clip.backend == "colab"
        clock.advance(30)


def test_the_trial_is_one_for_any_number_of_threads() -> None:
    for seed in range(20):
        clock = VirtualClock()
        breaker = opened(clock)
        clock.advance(15)
        barrier = threading.Barrier(8, timeout=60)

        def admit(_: int, breaker: Breaker = breaker, barrier: Any = barrier) -> Admission:
            barrier.wait()
            return breaker.admit()

        with ThreadPoolExecutor(8) as pool:
            admissions = list(pool.map(admit, range(8)))
        assert [a.probe for a in admissions].count(True) == 1, seed
        refused = {str(a.refusal) for a in admissions if not a.probe}
        assert refused == {"another scene is finding out whether it works again: down"}


def test_a_trial_that_found_out_nothing_can_be_taken_by_another() -> None:
    clock = VirtualClock()
    breaker = opened(clock)
    clock.advance(15)
    assert breaker.admit().probe
    assert breaker.admit().refusal
    breaker.released(probe=True)
    assert breaker.admit().probe


def test_news_of_calls_that_began_before_it_opened_do_not_disturb_the_trial() -> None:
    clock = VirtualClock()
    breaker = opened(clock)
    before = breaker.refusal()
    breaker.failed("late")
    breaker.succeeded()
    breaker.released()
    breaker.answered()
    assert breaker.refusal() == before
    clock.advance(15)
    assert breaker.admit().probe
    for late in (breaker.succeeded, breaker.answered, breaker.released):
        late()
        assert "finding out" in str(breaker.refusal())
    breaker.failed("late")
    assert "finding out" in str(breaker.refusal())
    breaker.failed("down", probe=True)
    assert breaker.refusal() == "it is left alone for another 30 s: down"


def test_a_refusal_of_one_request_shows_that_the_backend_lives() -> None:
    clock = VirtualClock()
    breaker = opened(clock)
    clock.advance(15)
    breaker.admit()
    breaker.answered(probe=True)
    assert breaker.admit() == Admission()


def test_a_pause_that_was_asked_for_is_never_cut_short() -> None:
    clock = VirtualClock()
    breaker = breaker_of(clock)
    breaker.open_for(600, "a pause of 600 s")
    breaker.open_for(5, "a pause of 5 s")
    for _ in range(9):
        breaker.failed("late")
    clock.advance(599)
    assert "a pause of 600 s" in str(breaker.admit().refusal)
    clock.advance(1)
    assert breaker.admit().probe
    breaker.open_for(100, "again")
    breaker.failed("down", probe=True)
    clock.advance(99)
    assert breaker.refusal()
    clock.advance(1)
    assert breaker.admit().probe


_NEWS = st.sampled_from(["fail", "succeed", "slow", "answer", "release", "ill", "pause", "wait"])


@given(news=st.lists(st.tuples(_NEWS, st.floats(0, 700)), max_size=60))
def test_whatever_happens_there_is_one_trial_and_every_pause_ends(
    news: list[tuple[str, float]],
) -> None:
    clock = VirtualClock()
    breaker = breaker_of(clock, slow=50)
    trial = False
    for what, seconds in news:
        admission = breaker.admit()
        assert not (trial and admission.probe)
        assert not (admission.refusal and admission.probe)
        trial = trial or admission.probe
        _happen(breaker, clock, what, seconds, probe=trial)
        trial = trial and what in ("wait", "pause")
    if trial:
        breaker.released(probe=True)
    clock.advance(700)
    assert breaker.admit().refusal is None


def _happen(breaker: Breaker, clock: VirtualClock, what: str, seconds: float, probe: bool) -> None:
    if what == "fail" or what == "ill":
        breaker.failed(what, probe=probe, called=what == "fail")
    elif what in ("succeed", "slow"):
        breaker.succeeded(99 if what == "slow" else 0, probe=probe)
    elif what == "answer":
        breaker.answered(probe=probe)
    elif what == "release":
        breaker.released(probe=probe)
    elif what == "pause":
        breaker.open_for(seconds, "asked")
    else:
        clock.advance(seconds)


@pytest.mark.parametrize("capabilities", [Capabilities(), REMOTE])
def test_a_primary_that_is_down_for_thirty_scenes_costs_as_many_calls_as_the_threshold(
    tmp_path: Path, capabilities: Capabilities
) -> None:
    down = ScriptedBackend("did", fail(Category.CONNECTIVITY), capabilities=capabilities)
    stage = Stage(tmp_path, down, ScriptedBackend("puppet"))
    assert {outcome.clip.backend for outcome in stage.scenes(30)} == {"puppet"}
    assert calls(down) == 3


def test_the_threshold_holds_for_eight_threads_as_well(tmp_path: Path) -> None:
    down = ScriptedBackend("did", fail(Category.CONNECTIVITY), capabilities=REMOTE)
    stage = Stage(tmp_path, down, clock=SystemClock(), retry={"delay": 0})
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda n: stage.scene(f"s{n}"), range(30)))
    assert {outcome.clip.backend for outcome in outcomes} == {"static"}
    assert calls(down) == 3


@pytest.mark.parametrize(
    ("failure", "most"),
    [
        (AvatarError(Category.AUTH, "wrong key"), 1),
        (AvatarError(Category.QUOTA, "no credit"), 1),
        (AvatarError(Category.RATE_LIMIT, "slow down", retry_after=1000), 1),
    ],
    ids=lambda value: getattr(value, "message", ""),
)
@pytest.mark.parametrize("threads", [1, 8])
def test_one_call_tells_all_scenes_what_no_other_call_could_change(
    tmp_path: Path, failure: AvatarError, most: int, threads: int
) -> None:
    def story(turn: Any) -> Any:
        # Long enough for the other threads to be waiting for their turn.
        threading.Event().wait(0.03)
        raise AvatarError(failure.category, failure.message, retry_after=failure.retry_after)

    did = ScriptedBackend("did", story, capabilities=REMOTE)
    stage = Stage(tmp_path, did, clock=SystemClock())
    barrier = threading.Barrier(threads, timeout=60)

    def scene(number: int) -> str:
        if number < threads:
            barrier.wait()
        return stage.scene(f"s{number}").clip.backend

    with ThreadPoolExecutor(threads) as pool:
        assert set(pool.map(scene, range(24))) == {"static"}
    assert calls(did) == most


def test_a_backend_that_comes_back_is_used_again_after_one_free_check(tmp_path: Path) -> None:
    clock = VirtualClock()
    state = {"up": False}

    def story(turn: Any) -> Any:
        step = deliver(1) if state["up"] else fail(Category.CONNECTIVITY)
        return step(turn)

    colab = ScriptedBackend(
        "colab", story, clock=clock,
        health=lambda: Health(state["up"], "as it is"), capabilities=REMOTE,
    )  # fmt: skip
    stage = Stage(tmp_path, colab, clock=clock, retry={"attempts": 1})
    state["up"] = True
    assert stage.scene("s0").clip.backend == "colab"
    state["up"] = False
    made = []
    for number in range(60):
        state["up"] = number >= 40
        made.append(stage.scene(f"t{number}").clip.backend)
        clock.advance(10)
    assert "colab" not in made[:40]
    # It is noticed within the longest pause between two checks, a minute.
    assert made[46:] == ["colab"] * 14
    # A call failed once: health was still remembered as good. After that only checks were made.
    assert len([at for at, _ in spans(colab) if 1 <= at < 401]) == 1
    assert colab.checks < 30
