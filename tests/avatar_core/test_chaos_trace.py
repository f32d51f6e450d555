"""The chaos benchmark's traces, cut to a hundred scenes, and the observers that judge them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from avatar_core.policy.breaker import Breaker
from avatar_core.policy.settings import BreakerSettings
from avatar_core.testing import VirtualClock

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import _chaos_judges as judge
from _chaos_baseline import first_script, router_like
from _chaos_films import CHAIN_A, CHAIN_B, MAX_COST, Film, our_settings, ours
from _chaos_results import GOALS, measure
from _chaos_trace import Trace
from _report import _holds

SCENES = 100


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_cut_of_every_trace_reaches_every_goal(seed: int) -> None:
    metrics = measure(seed, SCENES).metrics
    missed = {
        goal: metrics[metric]
        for goal, (metric, sign, limit) in GOALS.items()
        if not _holds(metrics[metric], sign, limit)
    }
    assert missed == {}


def test_the_same_seed_tells_the_same_film() -> None:
    assert measure(7, 40) == measure(7, 40)


def test_the_nth_call_has_the_same_fate_whoever_makes_it() -> None:
    trace = Trace("B", 3, SCENES)
    films = [first_script(trace, "crop"), router_like(trace, CHAIN_B), ours(trace, CHAIN_B)]
    bad = [{name for name in film.world.bad if _number(name) <= 60} for film in films]
    # Without the enhancer no call crashes before its clip can be bad: those are all of them.
    assert bad[1] <= bad[0]
    assert bad[2] <= bad[0]


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("breaches", lambda film: judge.breaches(film.world, "colab", our_settings())),
        ("closed rung", lambda film: judge.breaches(film.world, "did", our_settings())),
        ("payments", lambda film: judge.paid_twice(film.world)),
        ("budget", lambda film: judge.orders_beyond(film.world, MAX_COST)),
        ("contacts", lambda film: _over(film, judge.dead_contacts, judge.contacts_allowed)),
        ("seconds", lambda film: _over(film, judge.dead_seconds, judge.seconds_allowed)),
        ("trail", judge.calls_not_in_trail),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_observer_notices_what_a_policy_without_rules_does(
    name: str, look: Callable[[Film], object]
) -> None:
    # A whole film's outage and quota: a router's defaults break every one of these rules in it.
    assert look(router_like(Trace("A", 1, 600), CHAIN_A)), name


def test_scenes_that_the_tunnel_s_loss_touches_are_told_from_the_others() -> None:
    film = ours(Trace("B", 2, SCENES), CHAIN_B)
    start, end = film.world.trace.outage
    inside = set(range(SCENES)) - set(judge.outside_outage(film))
    assert inside
    for shown in film.scenes:
        assert (shown.index in inside) == (shown.began < end and shown.ended > start)


def test_a_long_silence_does_not_lengthen_the_pause_after_a_call_that_fails() -> None:
    clock = VirtualClock()
    breaker = Breaker(BreakerSettings(failures=1, cool_down=15, max_cool_down=600), clock)
    breaker.failed("no answer", called=False)
    for _ in range(12):
        clock.advance(60)
        assert breaker.admit().probe
        breaker.failed("no answer", probe=True, called=False)
    clock.advance(60)
    assert breaker.admit().probe
    breaker.failed("it is back, and this call went wrong", probe=True)
    assert breaker.refusal()
    clock.advance(15)
    assert breaker.refusal() is None


def _over(film: Film, found: Callable[..., float], allowed: Callable[..., float]) -> bool:
    return found(film.world) > allowed(film.world, our_settings())


def _number(clip: str) -> int:
    return int(Path(clip).stem.rpartition("-")[2])
