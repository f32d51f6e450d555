"""Scenes that fell back are made again at the end of a film, as long as that wins something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import Capabilities, Cost
from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, Category
from avatar_core.second_try import FRUITLESS_ROUNDS, MOST_TRIES, second_tries
from avatar_core.testing import ScriptedBackend, VirtualClock, deliver, fail
from avatar_core.trail import Outcome
from support_policy import Stage, calls


class Film:
    """Scenes of one stage, and what became of each so far."""

    def __init__(self, stage: Stage, colab: ScriptedBackend, count: int) -> None:
        self.stage = stage
        self.colab = colab
        self.outcomes: dict[str, Outcome] = {}
        self.rounds: list[list[str]] = []
        self.waits: list[float] = []
        self.make([f"s{n + 1}" for n in range(count)])

    def make(self, scenes: Sequence[str]) -> None:
        for scene in scenes:
            before = self.outcomes[scene].trail if scene in self.outcomes else ()
            outcome = self.stage.scene(scene)
            self.outcomes[scene] = replace(outcome, trail=(*before, *outcome.trail))

    def try_again(self, cancel: CancelToken | None = None) -> None:
        def again(scenes: Sequence[str]) -> None:
            self.rounds.append(list(scenes))
            self.make(scenes)

        policy, token = self.stage.policy, cancel or CancelToken()
        second_tries(policy, lambda: dict(self.outcomes), again, token, self.waits.append)

    @property
    def animated(self) -> int:
        return sum(not outcome.degraded for outcome in self.outcomes.values())


def film_of(folder: Path, count: int, *steps: Any, capabilities: Any = None, **policy: Any) -> Film:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", *steps, clock=clock, capabilities=capabilities)
    return Film(Stage(folder, colab, clock=clock, **policy), colab, count)


LOST = fail(Category.CONNECTIVITY, "the tunnel is gone")


def test_what_fell_while_the_backend_was_away_is_made_when_it_is_back(tmp_path: Path) -> None:
    film = film_of(tmp_path, 5, deliver(), LOST, LOST, LOST, deliver())
    assert film.animated == 1
    film.try_again()
    assert film.animated == 5
    assert film.waits == [pytest.approx(15)]


def test_a_film_in_which_nothing_fell_waits_for_nothing(tmp_path: Path) -> None:
    film = film_of(tmp_path, 3, deliver())
    film.try_again()
    assert (film.rounds, film.waits) == ([], [])


def test_a_backend_that_never_delivered_gets_one_more_round_and_no_more(tmp_path: Path) -> None:
    film = film_of(tmp_path, 30, LOST)
    film.try_again()
    assert len(film.rounds) == 1
    assert calls(film.colab) == 4


def test_one_that_has_delivered_gets_a_few_rounds_without_a_win(tmp_path: Path) -> None:
    film = film_of(tmp_path, 10, deliver(), LOST)
    film.try_again()
    assert len(film.rounds) == FRUITLESS_ROUNDS
    assert film.waits == pytest.approx([15, 30, 60])


def test_a_long_pause_is_not_waited_for(tmp_path: Path) -> None:
    pause = fail(Category.RATE_LIMIT, "slow down", retry_after=900)
    film = film_of(tmp_path, 3, deliver(), pause, deliver())
    began = film.stage.clock()
    film.try_again()
    assert (film.rounds, film.stage.clock()) == ([], began)


def test_a_scene_that_can_never_be_made_does_not_cost_a_call_for_every_win(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    asked: list[str] = []

    def step(turn: Any) -> Any:
        asked.append(turn.request.key)
        # The first scene never succeeds, the others fail twice and then do.
        if "s1" in turn.request.key or asked.count(turn.request.key) <= 2:
            return fail(Category.BAD_OUTPUT)(turn)
        return deliver()(turn)

    colab = ScriptedBackend("colab", step, clock=clock)
    film = Film(Stage(tmp_path, colab, clock=clock, breaker={"failures": 1000}), colab, 6)
    film.try_again()
    assert film.animated == 5
    assert len([key for key in asked if "s1" in key]) <= 2 * (1 + MOST_TRIES)


def test_after_the_films_time_nothing_is_tried_again(tmp_path: Path) -> None:
    slow = fail(Category.SERVER, seconds=40)
    film = film_of(tmp_path, 2, slow, deliver(), deadline={"film": 60, "scene": 60})
    film.stage.clock.advance(60)
    film.try_again()
    assert film.rounds == []


def test_what_was_billed_is_not_paid_for_again(tmp_path: Path) -> None:
    paid = Capabilities(costs_money=True)
    billed = fail(Category.BAD_OUTPUT, "black", billed=True)
    film = film_of(tmp_path, 1, billed, deliver(cost=Cost(Decimal(1))), capabilities=paid)
    film.try_again()
    assert calls(film.colab) == 1


def test_ctrl_c_ends_the_waiting(tmp_path: Path) -> None:
    film, token = film_of(tmp_path, 3, deliver(), LOST), CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        film.try_again(token)
    assert film.rounds == []
