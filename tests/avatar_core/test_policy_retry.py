"""Retry: how often, after which pause, and what a service's own Retry-After means."""

from __future__ import annotations

import math
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import AvatarClip
from avatar_core.cancel import CancelToken
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.policy.retry import Backoff
from avatar_core.policy.settings import PolicySettings, RetrySettings
from avatar_core.testing import ScriptedBackend, VirtualClock, by_ambition, crash, deliver, fail
from avatar_core.testing.steps import Turn
from support_policy import Stage, calls, of, spans


@given(
    delay=st.floats(0, 1e6),
    most=st.floats(0.001, 1e6),
    retry=st.integers(1, 10_000),
    seed=st.integers(0, 99),
)
def test_a_pause_is_fully_jittered_below_its_doubling_cap(
    delay: float, most: float, retry: int, seed: int
) -> None:
    backoff = Backoff(RetrySettings(delay=delay, max_delay=most), random.Random(seed))
    assert 0 <= backoff.pause(retry) <= min(most, delay * 2.0 ** min(retry - 1, 1000))


def test_pauses_are_spread_over_the_whole_width() -> None:
    backoff = Backoff(RetrySettings(delay=2, max_delay=60), random.Random(1))
    pauses = [backoff.pause(3) for _ in range(500)]
    assert min(pauses) < 0.5 and max(pauses) > 7.5
    assert 3.5 < sum(pauses) / 500 < 4.5


@pytest.mark.parametrize("category", Category)
@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_the_calls_and_one_is_one(
    tmp_path: Path, category: Category, attempts: int
) -> None:
    colab = ScriptedBackend("colab", fail(category), clock=VirtualClock())
    stage = Stage(tmp_path, colab, retry={"attempts": attempts}, breaker={"failures": 99})
    stage.scene()
    assert calls(colab) in (1, attempts)


def test_one_backend_may_have_attempts_of_its_own(tmp_path: Path) -> None:
    one, five = (ScriptedBackend(n, fail(Category.SERVER)) for n in ("colab", "did"))
    Stage(
        tmp_path, one, five,
        retry={"attempts": 1}, policies={"did": {"attempts": 5}}, breaker={"failures": 99},
    ).scene()  # fmt: skip
    assert (calls(one), calls(five)) == (1, 5)


def test_a_short_retry_after_is_obeyed_exactly(tmp_path: Path) -> None:
    clock = VirtualClock()
    story = [fail(Category.RATE_LIMIT, retry_after=7.5, seconds=1), deliver()]
    did = ScriptedBackend("did", *story, clock=clock)
    outcome = Stage(tmp_path, did, clock=clock).scene()
    assert outcome.clip.backend == "did"
    assert spans(did) == [(0, 1), (8.5, 8.5)]


def test_a_long_retry_after_means_one_call_and_a_breaker_open_that_long(tmp_path: Path) -> None:
    clock = VirtualClock()
    did = ScriptedBackend(
        "did", fail(Category.RATE_LIMIT, "slow down", retry_after=600), deliver(), clock=clock
    )
    stage = Stage(tmp_path, did, clock=clock)
    assert clock() == 0
    for number in range(30):
        outcome = stage.scene(f"s{number}")
        assert outcome.clip.backend == "static"
        assert number == 0 or "asked for a pause of 600 s" in outcome.trail[0].message
        clock.advance(19)
    assert calls(did) == 1
    clock.advance(600 - clock())
    assert stage.scene("later").clip.backend == "did"
    assert spans(did)[1] == (600, 600)


def test_a_pause_that_is_asked_for_does_not_lower_the_ambition(tmp_path: Path) -> None:
    clock = VirtualClock()
    story = fail(Category.SERVER, "overloaded", retry_after=5)
    colab = ScriptedBackend("colab", story, deliver(), ladder=("full", "crop"), clock=clock)
    outcome = Stage(tmp_path, colab, clock=clock).scene()
    assert [entry.step for entry in outcome.trail] == [0, 0]
    assert [at for at, _ in spans(colab)] == [0, 5]


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (0, 0.0), (-30, 0.0), (-math.inf, 0.0), (0.25, 0.25), (30, 30.0), ("45", 45.0),
        (589.9, 589.9), (590, None), (1e308, None), (math.inf, None),
    ],
)  # fmt: skip
def test_a_pause_of_any_length_ends_in_a_call_or_in_the_next_rung(
    tmp_path: Path, asked: Any, waits: float | None
) -> None:
    clock = VirtualClock()
    story = fail(Category.RATE_LIMIT, retry_after=asked)
    did = ScriptedBackend("did", story, deliver(), clock=clock)
    outcome = Stage(tmp_path, did, clock=clock).scene()
    assert outcome.clip.backend == ("static" if waits is None else "did")
    assert [at for at, _ in spans(did)] == ([0.0] if waits is None else [0.0, waits])


@pytest.mark.parametrize("asked", [math.nan, "soon", object(), None])
def test_a_pause_that_is_no_number_is_as_none(tmp_path: Path, asked: Any) -> None:
    clock = VirtualClock()
    did = ScriptedBackend(
        "did", fail(Category.RATE_LIMIT, retry_after=asked), deliver(), clock=clock
    )
    assert Stage(tmp_path, did, clock=clock).scene().clip.backend == "did"
    assert 0 < spans(did)[1][0] <= 2


def test_without_any_limit_a_pause_of_centuries_is_still_no_crash(tmp_path: Path) -> None:
    token = CancelToken()

    def story(turn: Turn) -> AvatarClip:
        threading.Timer(0.05, token.cancel).start()
        return fail(Category.RATE_LIMIT, retry_after=1e300)(turn)

    did = ScriptedBackend("did", story)
    stage = Stage(tmp_path, did, clock=SystemClock(), deadline={"scene": None})
    stage.policy.health.require("did", did)
    with pytest.raises(Cancelled):
        stage.scene(cancel=token)
    assert calls(did) == 1


def test_no_retry_is_begun_that_the_scene_has_no_time_for(tmp_path: Path) -> None:
    clock = VirtualClock()
    did = ScriptedBackend("did", fail(Category.SERVER, seconds=6), clock=clock)
    stage = Stage(
        tmp_path, did, clock=clock,
        retry={"attempts": 20, "delay": 4}, deadline={"scene": 40, "reserve": 10},
        breaker={"failures": 99},
    )  # fmt: skip
    assert stage.scene().clip.backend == "static"
    assert 2 <= calls(did) <= 5
    assert all(at < 30 for at, _ in spans(did))


def test_retries_end_when_the_breaker_opens(tmp_path: Path) -> None:
    clock = VirtualClock()
    did = ScriptedBackend("did", fail(Category.SERVER, "down"), clock=clock)
    stage = Stage(tmp_path, did, clock=clock, retry={"attempts": 20, "delay": 3})
    outcome = stage.scene()
    assert [entry.attempt for entry in of(outcome, "did")] == [1, 2, 3]
    # Nobody waits for a retry that the breaker would not let through.
    assert clock() == spans(did)[2][1]


def test_a_pause_that_outlasts_the_cool_down_is_still_obeyed(tmp_path: Path) -> None:
    clock = VirtualClock()
    did = ScriptedBackend("did", fail(Category.RATE_LIMIT, retry_after=40), deliver(), clock=clock)
    stage = Stage(tmp_path, did, clock=clock, breaker={"failures": 1})
    assert stage.scene().clip.backend == "did"
    assert spans(did)[1] == (40, 40)


def test_what_was_billed_is_not_asked_again_in_this_run(tmp_path: Path) -> None:
    did = ScriptedBackend("did", fail(Category.SERVER, billed=True), ladder=("full", "crop"))
    stage = Stage(tmp_path, did)
    first, again = stage.scene("s1"), stage.scene("s1")
    assert calls(did) == 1
    assert not of(first, "did")[0].passing
    assert again.trail[0].skipped and "paid for this scene already" in again.trail[0].message
    stage.scene("s2")
    assert calls(did) == 2


def test_the_wait_for_a_retry_can_be_cancelled(tmp_path: Path) -> None:
    token = CancelToken()

    class Cancelling(VirtualClock):
        def sleep(self, seconds: float, cancel: CancelToken | None = None) -> None:
            if seconds == 33:
                token.cancel()
            super().sleep(seconds, cancel)

    clock = Cancelling()
    did = ScriptedBackend("did", fail(Category.RATE_LIMIT, retry_after=33), clock=clock)
    stage = Stage(tmp_path, did, clock=clock)
    with pytest.raises(Cancelled):
        stage.scene(cancel=token)
    assert (calls(did), calls(stage.static)) == (1, 0)


@pytest.mark.parametrize(
    "odd",
    [
        AvatarError(Category.SERVER, ValueError("an exception for a text")),  # type: ignore[arg-type]
        AvatarError(Category.SERVER, None),  # type: ignore[arg-type]
        AvatarError(Category.SERVER, "fine", advice=42),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_an_error_with_values_of_another_kind_is_still_told(
    tmp_path: Path, odd: AvatarError
) -> None:
    outcome = Stage(tmp_path, ScriptedBackend("odd", crash(odd)), retry={"attempts": 1}).scene()
    assert (outcome.trail[0].category, outcome.clip.backend) == (Category.SERVER, "static")
    assert isinstance(outcome.trail[0].message, str) and isinstance(outcome.trail[0].advice, str)


def test_an_error_whose_author_forgot_its_constructor_is_a_bug_of_the_backend(
    tmp_path: Path,
) -> None:
    class Forgetful(AvatarError):
        def __init__(self, text: str) -> None:
            Exception.__init__(self, text)

    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    for failure in (Forgetful("what happened"), Unspeakable()):
        outcome = Stage(tmp_path, ScriptedBackend("odd", crash(failure))).scene()
        assert outcome.trail[0].category is Category.BACKEND_BUG
        assert outcome.clip.backend == "static"


def test_each_step_down_has_its_own_attempts(tmp_path: Path) -> None:
    story = by_ambition({"full": fail(Category.SERVER), "crop": fail(Category.SERVER)})
    colab = ScriptedBackend("colab", story, ladder=("full", "crop"), clock=VirtualClock())
    outcome = Stage(tmp_path, colab, breaker={"failures": 99}).scene()
    assert [entry.step for entry in of(outcome, "colab")] == [0, 1, 1]


def test_the_defaults_are_those_that_users_know() -> None:
    settings = PolicySettings()
    assert (settings.retry.attempts, settings.retry.delay, settings.deadline.attempt) == (2, 2, 120)
