"""Stepping down: what one scene found out holds for the rest of the film."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarClip, AvatarRequest, Capabilities
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Category
from avatar_core.policy.ladder import MOST_STEPS
from avatar_core.testing import (
    RemoteJobs,
    ScriptedBackend,
    ScriptedOptions,
    VirtualClock,
    bad_clip,
    by_ambition,
    deliver,
    fail,
    hang,
    remote,
)
from avatar_core.testing.steps import Turn
from support_policy import MemoryClips, Stage, calls, of

LADDER = ("full", "restored", "crop")
CRASH = fail(Category.SERVER, "the enhancer crashed")


def colab(*steps: Any, clock: VirtualClock | None = None, **more: Any) -> ScriptedBackend:
    more.setdefault("ladder", LADDER)
    return ScriptedBackend("colab", *steps, clock=clock or VirtualClock(), **more)


def asked(backend: ScriptedBackend) -> list[str]:
    return [backend.ambition(request) for request in backend.requests]


def test_the_second_scene_does_not_repeat_the_first_ones_crash(tmp_path: Path) -> None:
    backend = colab(by_ambition({"full": CRASH, "restored": CRASH}))
    outcomes = Stage(tmp_path, backend).scenes(3)
    assert asked(backend) == ["full", "restored", "crop", "crop", "crop"]
    assert [o.clip.backend for o in outcomes] == ["colab"] * 3
    assert [entry.step for entry in outcomes[0].trail] == [0, 1, 2]
    assert [entry.step for entry in outcomes[1].trail] == [2]


def test_a_clip_made_with_less_says_so_and_is_kept_as_what_was_asked_for(tmp_path: Path) -> None:
    backend, cache = colab(by_ambition({"full": CRASH})), MemoryClips()
    stage = Stage(tmp_path, backend, cache=cache)
    first, second = stage.scene("s1"), stage.scene("s2")
    assert first.clip.warnings == ("Made by colab with ambition=restored: the enhancer crashed",)
    assert second.clip.warnings == (
        "Made by colab with ambition=restored: more than that failed in another scene",
    )
    again = stage.scene("s1")
    assert again.cached and again.clip.warnings == first.clip.warnings
    assert calls(backend) == 3


def test_one_attempt_is_one_call_and_the_step_is_for_the_scenes_to_come(tmp_path: Path) -> None:
    backend = colab(by_ambition({"full": CRASH}))
    outcomes = Stage(tmp_path, backend, retry={"attempts": 1}).scenes(2)
    assert [o.clip.backend for o in outcomes] == ["static", "colab"]
    assert asked(backend) == ["full", "restored"]


def test_two_scenes_that_fail_at_the_same_level_take_one_step(tmp_path: Path) -> None:
    both_at_work = threading.Barrier(2, timeout=60)

    def story(turn: Turn) -> AvatarClip:
        if turn.ambition == "full":
            both_at_work.wait()
            raise AvatarError(Category.SERVER, "the enhancer crashed")
        return deliver()(turn)

    backend = ScriptedBackend("colab", story, ladder=LADDER)
    stage = Stage(tmp_path, backend, clock=SystemClock())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: stage.scene(f"s{n}"), range(2)))
    assert sorted(asked(backend)) == ["full", "full", "restored", "restored"]
    assert stage.policy.ladder("colab").depth == 1


def test_a_scene_that_waited_for_its_turn_does_not_repeat_the_crash_either(tmp_path: Path) -> None:
    waiting = threading.Event()

    def story(turn: Turn) -> AvatarClip:
        waiting.wait(60)
        if turn.ambition == "full":
            raise AvatarError(Category.SERVER, "the enhancer crashed")
        return deliver()(turn)

    backend = ScriptedBackend(
        "colab", story, ladder=LADDER, capabilities=Capabilities(concurrency=1)
    )
    stage = Stage(tmp_path, backend, clock=SystemClock())
    limiter = stage.policy.limiter("colab", backend)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(stage.scene, f"s{n}") for n in range(4)]
        while len(limiter._queue) < 3:
            threading.Event().wait(0.001)
        waiting.set()
        assert {future.result().clip.backend for future in futures} == {"colab"}
    assert sorted(asked(backend)) == ["full", *["restored"] * 4]


def test_a_hanging_ambition_is_stepped_down_from(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = colab(by_ambition({"full": hang()}, deliver(5)), clock=clock)
    outcomes = Stage(tmp_path, backend, clock=clock).scenes(2)
    assert [o.clip.backend for o in outcomes] == ["colab", "colab"]
    assert asked(backend) == ["full", "restored", "restored"]
    assert clock() < 120 + 11


def test_a_free_remote_job_that_takes_too_long_is_stopped_and_asked_for_less(
    tmp_path: Path,
) -> None:
    clock, service = VirtualClock(), RemoteJobs()
    backend = colab(
        by_ambition({"full": remote(500)}, remote(20)), clock=clock, service=service,
        capabilities=Capabilities(needs_network=True),
    )  # fmt: skip
    outcomes = Stage(tmp_path, backend, clock=clock).scenes(2)
    assert [o.clip.backend for o in outcomes] == ["colab", "colab"]
    assert asked(backend) == ["full", "restored", "restored"]
    assert backend.cancels == ["job-1"]
    assert len({job.reference for job in service.jobs}) == 3


def test_a_paid_job_is_not_ordered_again_for_less(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = colab(
        by_ambition({"full": remote(500)}, remote(20)), clock=clock,
        capabilities=Capabilities(costs_money=True),
    )  # fmt: skip
    assert Stage(tmp_path, backend, clock=clock).scene().clip.backend == "static"
    assert (asked(backend), len(backend.service.jobs)) == (["full"], 1)


def test_a_bad_clip_of_a_remote_job_is_fetched_again_before_it_is_given_up(tmp_path: Path) -> None:
    def story(turn: Turn) -> AvatarClip:
        clip = remote(5)(turn)
        return bad_clip("black")(turn) if turn.ambition == "full" else clip

    clock = VirtualClock()
    backend = colab(story, clock=clock, service=RemoteJobs())
    outcome = Stage(tmp_path, backend, clock=clock).scene()
    assert asked(backend) == ["full", "full", "restored"]
    assert [entry.resumed for entry in outcome.trail] == [False, True, False]
    assert (len(backend.service.jobs), outcome.clip.backend) == (2, "colab")


class Odd(ScriptedBackend):
    """Answers the question for less with whatever it is given."""

    answer: Callable[[AvatarRequest], Any] = staticmethod(lambda request: None)

    def safer(self, request: AvatarRequest, error: AvatarError) -> Any:
        return type(self).answer(request)


def _crash(request: AvatarRequest) -> Any:
    raise SystemExit(3)


ODD_STEPS: dict[str, Callable[[AvatarRequest], Any]] = {
    "itself": lambda request: request,
    "an equal one": lambda request: replace(request),
    "a text": lambda request: "safer",
    "a crash": _crash,
    "options of another kind": lambda request: replace(request, options={"a": 1}),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", ODD_STEPS)
def test_a_step_that_is_none_is_no_step(tmp_path: Path, what: str) -> None:
    class Faulty(Odd):
        answer = staticmethod(ODD_STEPS[what])

    backend = Faulty("odd", fail(Category.SERVER), clock=VirtualClock())
    outcome = Stage(tmp_path, backend).scene()
    assert (calls(backend), outcome.clip.backend) == (2, "static")
    assert {entry.step for entry in outcome.trail} == {0}


def test_a_ladder_without_an_end_ends(tmp_path: Path) -> None:
    class Endless(Odd):
        answer = staticmethod(
            lambda request: replace(
                request,
                options=ScriptedOptions(ambition=f"{request.options.ambition}x"),  # type: ignore[attr-defined]
            )
        )

    backend = Endless("odd", fail(Category.SERVER), clock=VirtualClock())
    stage = Stage(tmp_path, backend, breaker={"failures": 1000})
    stage.scene()
    assert calls(backend) == MOST_STEPS + 2
    stage.scene("s2")
    assert calls(backend) == MOST_STEPS + 4


def test_the_breaker_ends_a_long_ladder_first(tmp_path: Path) -> None:
    backend = colab(CRASH, ladder=tuple("abcdefgh"))
    outcome = Stage(tmp_path, backend).scene()
    assert calls(backend) == 3
    assert of(outcome, "colab")[-1].skipped
