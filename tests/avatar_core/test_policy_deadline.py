"""Deadlines: of an attempt, a scene and a film; whoever hangs, the film goes on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.attempt import GRACE_SECONDS
from avatar_core.backend import AvatarRequest, Capabilities, Cost, Health, Size
from avatar_core.chain import FallbackChain, Rung
from avatar_core.errors import AvatarError, Category
from avatar_core.policy.deadline import FilmDeadline
from avatar_core.policy.settings import DeadlineSettings, PolicySettings
from avatar_core.policy.state import Policy
from avatar_core.testing import ScriptedBackend, VirtualClock, deliver, fail, hang, judge_fakes
from support_policy import Stage, calls, of, spans


def hanging(name: str, clock: VirtualClock, **more: Any) -> ScriptedBackend:
    return ScriptedBackend(name, hang(), clock=clock, **more)


@given(
    scene=st.none() | st.floats(0.01, 1e4),
    film=st.none() | st.floats(0.01, 1e4),
    reserve=st.floats(0.01, 1e4),
    steps=st.lists(st.floats(0, 1e4), max_size=8),
)
def test_a_scenes_time_never_exceeds_its_own_nor_the_films(
    scene: float | None, film: float | None, reserve: float, steps: list[float]
) -> None:
    clock = VirtualClock()
    deadlines = FilmDeadline(DeadlineSettings(scene=scene, film=film, reserve=reserve), clock)
    for step in steps:
        deadline = deadlines.scene()
        before = deadline.left
        assert 0 <= before <= (math.inf if scene is None else scene)
        if film is not None:
            assert before <= max(0.0, film - clock())
            assert before > 0 or clock() >= film - min(reserve, film / 2)
        clock.advance(step)
        assert 0 <= deadline.left <= before


@pytest.mark.parametrize(
    ("scene", "reserve", "left"), [(600, 10, 590), (10, 10, 5), (4, 100, 2), (21, 10, 11)]
)
def test_a_reserve_as_long_as_the_scene_leaves_half_of_it(
    scene: float, reserve: float, left: float
) -> None:
    settings = DeadlineSettings(scene=scene, reserve=reserve)
    assert FilmDeadline(settings, VirtualClock()).scene().left == left


def test_a_hanging_primary_with_a_second_to_answer_costs_hardly_more_than_that(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    primary, good = hanging("colab", clock), ScriptedBackend("did", deliver(0.05), clock=clock)
    stage = Stage(tmp_path, primary, good, clock=clock, policies={"colab": {"attempt_seconds": 1}})
    assert stage.scene().clip.backend == "did"
    assert clock() < 1.3
    assert calls(primary) == 1


def test_a_time_out_says_how_long_was_waited(tmp_path: Path) -> None:
    clock = VirtualClock()
    outcome = Stage(
        tmp_path, hanging("colab", clock), clock=clock, deadline={"attempt": 1500}
    ).scene(duration=1.0)
    entry = of(outcome, "colab")[0]
    assert entry.message == "It did not come back within 590 s."
    assert "policies.colab.attempt_seconds" in (entry.advice or "")


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        ({}, 300),
        ({"deadline": {"scene": 900}}, 300),
        ({"deadline": {"attempt": 120}}, 120),
        ({"policies": {"colab": {"attempt_seconds": 40}}}, 40),
        ({"policies": {"did": {"attempt_seconds": 40}}}, 300),
        ({"deadline": {"attempt": 50}, "policies": {"colab": {"attempt_seconds": 40}}}, 40),
    ],
)
def test_what_a_backend_declares_counts_until_the_user_says_something(
    settings: dict[str, Any], seconds: float
) -> None:
    policy = Policy(PolicySettings.model_validate(settings), clock=VirtualClock())
    slow = ScriptedBackend("colab", capabilities=Capabilities(attempt_seconds=300))
    assert policy.attempt_seconds("colab", slow) == seconds


def test_a_backend_that_declares_nothing_has_as_long_as_the_others() -> None:
    policy = Policy(clock=VirtualClock())
    assert policy.attempt_seconds("did", ScriptedBackend("did")) == 120


def test_a_call_is_given_the_time_that_its_backend_declares(tmp_path: Path) -> None:
    clock = VirtualClock()
    slow = ScriptedBackend(
        "colab", hang(), clock=clock, capabilities=Capabilities(attempt_seconds=300)
    )
    static = ScriptedBackend("static", clock=clock)
    chain = FallbackChain(
        [Rung.of(slow), Rung.of(static)], policy=Policy(clock=clock), validate=judge_fakes
    )
    request = AvatarRequest(None, tmp_path / "speech.wav", 1.0, Size(64, 64), 30)
    outcome = chain.run(request, tmp_path)
    assert outcome.trail[0].message == "It did not come back within 300 s."


def test_backends_that_hang_one_after_another_leave_the_last_its_time(tmp_path: Path) -> None:
    clock = VirtualClock()
    rungs = [hanging(name, clock) for name in ("a", "b", "c", "d", "e", "f")]
    stage = Stage(
        tmp_path, *rungs, clock=clock, deadline={"attempt": 30, "scene": 100, "reserve": 20}
    )
    outcome = stage.scene()
    assert outcome.clip.backend == "static"
    assert clock() <= 80 + GRACE_SECONDS
    assert [calls(rung) for rung in rungs] == [1, 1, 1, 0, 0, 0]
    assert "time is used up" in outcome.trail[-2].message and outcome.trail[-2].passing


def test_a_film_that_has_no_time_left_is_finished_by_the_last_rung(tmp_path: Path) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", deliver(40), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, deadline={"film": 100, "reserve": 10})
    made = [outcome.clip.backend for outcome in stage.scenes(6)]
    assert made == ["colab", "colab", "static", "static", "static", "static"]
    assert clock() <= 100
    assert all(end <= 90 + GRACE_SECONDS for _, end in spans(colab))


def slow_check(clock: VirtualClock, seconds: float) -> Any:
    def check() -> Health:
        clock.sleep(seconds)
        return Health(ok=True, message="ready")

    return check


def test_no_call_begins_after_a_check_that_used_up_the_time(tmp_path: Path) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", health=slow_check(clock, 3), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, deadline={"scene": 4, "reserve": 10})
    outcome = stage.scene()
    assert (calls(colab), colab.checks, outcome.clip.backend) == (0, 1, "static")
    assert "time is used up" in outcome.trail[0].message


def test_a_check_that_hangs_is_waited_for_five_seconds(tmp_path: Path) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", health=slow_check(clock, math.inf), clock=clock)
    outcome = Stage(tmp_path, colab, clock=clock).scene()
    assert (clock(), calls(colab)) == (5, 0)
    assert "did not come back within 5 s" in outcome.trail[0].message


class Hesitant(ScriptedBackend):
    """Hangs where nobody expects it."""

    where = ""

    def estimate(self, request: AvatarRequest) -> Cost | None:
        self._perhaps("estimate")
        return super().estimate(request)

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        self._perhaps("safer")
        return super().safer(request, error)

    def cancel(self, remote_id: str) -> None:
        self._perhaps("cancel")
        super().cancel(remote_id)

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        self._perhaps("find")
        return super().find(request, reference)

    def _perhaps(self, where: str) -> None:
        if where == self.where and self.clock is not None:
            self.clock.sleep(math.inf)


@pytest.mark.parametrize(("where", "most"), [("estimate", 5), ("safer", 5), ("cancel", 5)])
def test_a_backend_that_hangs_in_a_small_question_cannot_stop_the_chain(
    tmp_path: Path, where: str, most: float
) -> None:
    from avatar_core.testing import remote

    clock = VirtualClock()
    odd = Hesitant("odd", remote(30), fail(Category.TIMEOUT), ladder=("full", "crop"), clock=clock)
    odd.where = where
    stage = Stage(tmp_path, odd, clock=clock, deadline={"attempt": 10})
    assert stage.scene().clip.backend in ("odd", "static")
    # One attempt, its grace, and at most a few waits for an answer that does not come.
    assert clock() <= 2 * (10 + GRACE_SECONDS) + 3 * most


def test_a_search_for_a_lost_order_ends_with_the_scene(tmp_path: Path) -> None:
    from avatar_core.testing import RemoteJobs, remote

    clock = VirtualClock()
    odd = Hesitant("odd", remote(30, lost=True), clock=clock, service=RemoteJobs())
    odd.where = "find"
    stage = Stage(tmp_path, odd, clock=clock, deadline={"scene": 25, "reserve": 10})
    assert stage.scene().clip.backend == "static"
    assert clock() <= 15
    assert len(odd.service.jobs) == 1


def test_a_scene_of_no_time_at_all_is_delivered(tmp_path: Path) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, deadline={"film": 1e-9})
    stage.scene("first")
    clock.advance(1)
    outcome = stage.scene("second")
    assert outcome.clip.backend == "static"
    assert outcome.trail[0].skipped
