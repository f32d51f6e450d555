"""Clocks: the computer's own, and the one whose hours pass in no time."""

from __future__ import annotations

import contextlib
import contextvars
import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, Overrun, SystemClock
from avatar_core.errors import Cancelled, Category
from avatar_core.testing import VirtualClock

REAL = SystemClock()
# Ends only what hangs, however long the machine stands still.
AMPLE = 600.0
both = pytest.mark.parametrize("make", [SystemClock, VirtualClock])


def cancel_soon(token: CancelToken, seconds: float = 0.05) -> None:
    timer = threading.Timer(seconds, token.cancel)
    timer.daemon = True
    timer.start()


@both
def test_the_result_of_the_work_comes_back(make: Callable[[], Clock]) -> None:
    assert make().call(lambda: 42, AMPLE) == 42
    assert make().call(lambda: 42, None) == 42
    assert make().call(lambda: None, AMPLE) is None


@both
@pytest.mark.parametrize("failure", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
def test_what_the_work_raises_is_raised(make: Callable[[], Clock], failure: Any) -> None:
    def work() -> None:
        raise failure

    with pytest.raises(type(failure)) as caught:
        make().call(work, AMPLE)
    assert caught.value is failure


@both
def test_an_overrun_of_the_work_s_own_is_not_the_clock_s(make: Callable[[], Clock]) -> None:
    clock, over = make(), CancelToken()
    with pytest.raises(Overrun) as caught:
        clock.call(lambda: clock.call(lambda: clock.sleep(AMPLE, over), 0.05), AMPLE)
    over.cancel()
    assert caught.value.seconds == 0.05


def test_work_that_hangs_is_left_behind_after_its_time() -> None:
    release, began = threading.Event(), time.monotonic()
    with pytest.raises(Overrun) as caught:
        REAL.call(release.wait, 0.1)
    assert time.monotonic() - began >= 0.1
    assert caught.value.category is Category.TIMEOUT
    assert caught.value.message == "It did not come back within 0.1 s."
    release.set()


def test_work_that_is_left_behind_keeps_no_program_from_ending() -> None:
    release = threading.Event()
    with pytest.raises(Overrun):
        REAL.call(release.wait, 0.01)
    left = [t for t in threading.enumerate() if t.name == "timed-call"]
    assert all(thread.daemon for thread in left)
    release.set()


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_no_time_at_all_is_no_endless_time(seconds: float) -> None:
    release = threading.Event()
    with pytest.raises(Overrun):
        REAL.call(release.wait, seconds)
    release.set()


def test_work_that_minds_the_cancellation_ends_as_it_wants() -> None:
    token = CancelToken()
    cancel_soon(token)

    def tidy() -> str:
        token.wait(AMPLE)
        return "tidied up"

    assert SystemClock(grace=AMPLE).call(tidy, AMPLE, token) == "tidied up"


def test_a_cancelled_wait_gives_the_work_its_grace_and_no_more() -> None:
    token, release, began = CancelToken(), threading.Event(), time.monotonic()
    token.cancel()
    with pytest.raises(Cancelled):
        SystemClock(grace=0.1).call(release.wait, AMPLE, token)
    assert 0.1 <= time.monotonic() - began < AMPLE
    release.set()


def test_the_work_sees_the_context_of_its_caller() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")
    name.set("scene 3")
    assert REAL.call(name.get, AMPLE) == "scene 3"


@both
def test_a_sleep_is_ended_by_its_cancellation(make: Callable[[], Clock]) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        make().sleep(60, token)


@pytest.mark.parametrize("seconds", [1e300, math.inf, threading.TIMEOUT_MAX * 2])
def test_a_sleep_of_centuries_can_be_cancelled_as_well(seconds: float) -> None:
    token = CancelToken()
    cancel_soon(token)
    with pytest.raises(Cancelled):
        REAL.sleep(seconds, token)


@both
@pytest.mark.parametrize("seconds", [0, -5, -math.inf, math.nan])
def test_a_sleep_of_nothing_is_none(make: Callable[[], Clock], seconds: float) -> None:
    clock = make()
    before = clock()
    clock.sleep(seconds)
    assert clock() - before < 60


def test_virtual_work_is_cut_off_at_its_limit() -> None:
    clock = VirtualClock()
    with pytest.raises(Overrun):
        clock.call(lambda: clock.sleep(math.inf), 120)
    assert clock() == 120
    with pytest.raises(Overrun):
        clock.call(lambda: clock.advance(200), 120)
    assert clock() == 320


def test_the_inner_limit_ends_the_inner_work_and_the_outer_one_both() -> None:
    clock, seen = VirtualClock(), []

    def outer(inner_limit: float) -> str:
        try:
            clock.call(lambda: clock.sleep(math.inf), inner_limit)
        except Overrun as failure:
            seen.append(failure.seconds)
        clock.sleep(1)
        return "went on"

    assert clock.call(lambda: outer(5), 10) == "went on"
    assert (seen, clock()) == ([5], 6)
    with pytest.raises(Overrun) as caught:
        clock.call(lambda: outer(50), 10)
    assert (caught.value.seconds, seen, clock()) == (10, [5], 16)


def test_no_exception_handler_in_between_keeps_virtual_work_from_being_cut_off() -> None:
    clock = VirtualClock()

    def stubborn() -> None:
        while True:
            try:
                clock.sleep(7)
            except Exception:  # noqa: S112
                continue

    with pytest.raises(Overrun):
        clock.call(stubborn, 60)
    assert clock() == 60


def test_virtual_time_that_nothing_limits_is_told_instead_of_standing_still() -> None:
    with pytest.raises(RuntimeError, match="for ever"):
        VirtualClock().sleep(math.inf)


_WORK = st.recursive(
    st.floats(0, 100),
    lambda inner: st.lists(st.tuples(st.floats(0.001, 100), inner) | st.floats(0, 100), max_size=4),
    max_leaves=12,
)


@given(work=_WORK, limit=st.floats(0.001, 200))
def test_however_work_is_nested_it_ends_within_its_limit(work: Any, limit: float) -> None:
    clock = VirtualClock()

    def do(part: Any) -> None:
        if isinstance(part, float):
            clock.sleep(part)
        elif isinstance(part, tuple):
            own, inner = part
            began = clock()
            try:
                clock.call(lambda: do(inner), own)
            finally:
                assert clock() <= began + own
        else:
            for one in part:
                try:
                    do(one)
                except Overrun:
                    continue

    with contextlib.suppress(Overrun):
        clock.call(lambda: do(work), limit)
    assert clock() <= limit
