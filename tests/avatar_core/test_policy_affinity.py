"""One look for the whole film, and the scenes that are worth a second try."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from avatar_core.errors import Category
from avatar_core.second_try import better_in, stands_out
from avatar_core.testing import ScriptedBackend, VirtualClock, deliver, fail
from support_policy import MemoryClips, Stage, calls


def failing_at(call: int, category: Category = Category.UNSUPPORTED) -> list[Any]:
    return [*[deliver()] * (call - 1), fail(category, "no face"), deliver()]


def test_each_scene_begins_at_the_preferred_backend(tmp_path: Path) -> None:
    colab = ScriptedBackend("colab", *failing_at(2))
    outcomes = Stage(tmp_path, colab, ScriptedBackend("puppet")).scenes(4)
    assert [o.clip.backend for o in outcomes] == ["colab", "puppet", "colab", "colab"]


def test_with_one_look_the_film_stays_where_a_scene_fell_to(tmp_path: Path) -> None:
    colab, puppet = ScriptedBackend("colab", *failing_at(2)), ScriptedBackend("puppet")
    stage = Stage(tmp_path, colab, puppet, affinity="film")
    outcomes = stage.scenes(4)
    assert [o.clip.backend for o in outcomes] == ["colab", "puppet", "puppet", "puppet"]
    assert calls(colab) == 2
    entry = outcomes[3].trail[0]
    assert entry.skipped and not entry.passing
    assert entry.message == (
        "the whole film keeps one look (affinity = film), and s1 fell back to puppet"
    )
    assert [stands_out(outcome, stage.policy) for outcome in outcomes] == [True, *[False] * 3]


def test_a_film_may_fall_more_than_once_and_earlier_scenes_are_made_again(tmp_path: Path) -> None:
    colab, puppet = (
        ScriptedBackend("colab", *failing_at(2)),
        ScriptedBackend("puppet", *failing_at(2)),
    )
    stage = Stage(tmp_path, colab, puppet, affinity="film")
    outcomes = {f"s{n}": stage.scene(f"s{n}") for n in range(4)}
    assert [o.clip.backend for o in outcomes.values()] == ["colab", "puppet", "static", "static"]
    for _ in range(3):
        for name, outcome in list(outcomes.items()):
            if stands_out(outcome, stage.policy):
                outcomes[name] = stage.scene(name)
    assert {o.clip.backend for o in outcomes.values()} == {"static"}


def test_one_look_holds_for_kept_clips_too(tmp_path: Path) -> None:
    cache = MemoryClips()
    Stage(tmp_path, ScriptedBackend("colab"), cache=cache).scenes(2)
    colab = ScriptedBackend("colab", fail(Category.UNSUPPORTED))
    stage = Stage(tmp_path, colab, cache=cache, affinity="film")
    stage.scene("new")
    assert stage.scene("s1").clip.backend == "static"


def test_the_last_rung_is_used_whatever_the_look(tmp_path: Path) -> None:
    stage = Stage(tmp_path, affinity="film")
    stage.policy.look.fell("s1", ["static"], "nothing")
    assert stage.scene().clip.backend == "static"


@pytest.mark.parametrize("category", Category)
def test_a_second_try_is_made_where_the_reason_may_have_passed(
    tmp_path: Path, category: Category
) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", fail(category), fail(category), deliver(), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock)
    outcome = stage.scene()
    passing = {Category.RATE_LIMIT, Category.TIMEOUT, Category.CONNECTIVITY, Category.SERVER}
    may = better_in(outcome, stage.policy) < math.inf
    assert may == (category in passing | {Category.BAD_OUTPUT})


def test_what_is_left_alone_is_worth_another_try_when_its_breaker_lets_it_through(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", fail(Category.CONNECTIVITY), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock)
    outcomes = stage.scenes(4)
    waits = {better_in(outcome, stage.policy) for outcome in outcomes}
    assert waits == {stage.policy.breaker("colab").opens_in} != {0.0}
    clock.advance(16)
    assert {better_in(outcome, stage.policy) for outcome in outcomes} == {0.0}


def test_neither_a_good_clip_nor_a_closed_rung_nor_one_look_is_worth_another_try(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    good = Stage(tmp_path, ScriptedBackend("colab"))
    assert better_in(good.scene(), good.policy) == math.inf
    closing = ScriptedBackend(
        "colab", fail(Category.CONNECTIVITY), fail(Category.AUTH), clock=clock
    )
    closed = Stage(tmp_path, closing, clock=clock)
    assert better_in(closed.scene(), closed.policy) == math.inf
    film = Stage(tmp_path, ScriptedBackend("colab", fail(Category.SERVER)), affinity="film")
    assert better_in(film.scene(), film.policy) == math.inf


def test_a_scene_passed_over_for_want_of_time_is_worth_another_try(tmp_path: Path) -> None:
    clock = VirtualClock()
    stories = fail(Category.SERVER, seconds=50), fail(Category.SERVER)
    slow = ScriptedBackend("slow", *stories, clock=clock)
    colab = ScriptedBackend("colab", deliver(), clock=clock)
    stage = Stage(tmp_path, slow, colab, clock=clock, deadline={"scene": 60}, retry={"attempts": 1})
    outcome = stage.scene()
    assert (outcome.clip.backend, calls(colab)) == ("static", 0)
    assert better_in(outcome, stage.policy) == 0
    assert stage.scene().clip.backend == "colab"
