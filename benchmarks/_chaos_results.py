"""One seed's story under every policy: the numbers, and the goals that they are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import _chaos_judges as judge
from _chaos_baseline import first_script, router_like
from _chaos_films import CHAIN_A, CHAIN_B, MAX_COST, Film, Shown, our_settings, ours
from _chaos_services import AMBITIONS
from _chaos_trace import COLAB_HARSH, Trace

Goals = Mapping[str, tuple[str, str, float]]

# What must hold for a film of any length.
ALWAYS: Goals = {
    f"{name}: {what}": (f"{name.lower()}_{metric}", sign, limit)
    for name in "ABC"
    for what, (metric, sign, limit) in {
        "every scene is delivered": ("delivered", ">=", 1.0),
        "no call against a breaker, a pause or a closed rung": ("breaches", "<=", 0),
        "no order beyond the budget": ("orders_beyond_budget", "<=", 0),
        "no scene is paid twice": ("scenes_paid_twice", "<=", 0),
        "no contact with a dead backend beyond the threshold": ("dead_contacts_over", "<=", 0),
        "no second with a dead backend beyond the threshold": ("dead_seconds_over", "<=", 0),
        "every call is in the trail, and no other": ("calls_not_in_trail", "<=", 0),
        "no scene takes longer than its deadline": ("seconds_over_scene_deadline", "<=", 0),
    }.items()
} | {
    "film deadline: every scene is delivered": ("deadline_delivered", ">=", 1.0),
    "film deadline: nobody but the last rung is asked after it": ("deadline_late", "<=", 0),
    "film deadline: until then the film is the same": ("deadline_unlike", "<=", 0),
}
# What must hold for a whole film.
SHARES: Goals = {
    "A: 99 % of the scenes are animated": ("a_animated", ">=", 0.99),
    "B: 97 % of those outside the outage are animated": ("b_outside", ">=", 0.97),
    "C: 97 % of those outside the outage are animated": ("c_outside", ">=", 0.97),
}
GOALS: Goals = {**ALWAYS, **SHARES}


@dataclass(frozen=True, slots=True)
class Row:
    """One policy's film in numbers; shares are 0-1, ``wasted`` are minutes with the dead."""

    delivered: float
    animated: float
    outside: float
    calls: int
    hours: float
    wasted: float
    payments: int
    spent: float
    paid_twice: int


@dataclass(slots=True)
class Result:
    """One seed: rows by trace and policy, metrics for the goals, and why scenes stood still."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    still: dict[str, dict[str, int]] = field(default_factory=dict)


def measure(seed: int, scenes: int = 1000) -> Result:
    """Every trace under every policy."""
    result = Result()
    for name, chain, rates in (
        ("A", CHAIN_A, None),
        ("B", CHAIN_B, None),
        ("C", CHAIN_B, COLAB_HARSH),
    ):
        trace = Trace(name, seed, scenes)
        if rates is not None:
            trace = Trace(name, seed, scenes, rates)
        film = ours(trace, chain)
        first = {f"first script, {name}": first_script(trace, name) for name in AMBITIONS[::2]}
        router = router_like(trace, chain)
        result.rows[name] = {
            "ours, first try": row(film, film.scenes),
            "ours": row(film, film.second, film.second_seconds),
            "router-like": row(router, router.scenes),
            **{policy: row(other, other.scenes) for policy, other in first.items()},
        }
        result.metrics |= _numbers(name.lower(), film, result.rows[name])
        result.still[name] = dict(judge.reasons(film))
        if name == "A":
            result.metrics |= _with_film_deadline(trace, film)
    return result


def row(film: Film, scenes: Sequence[Shown], seconds: float | None = None) -> Row:
    """``scenes`` are those of the first or of the second try, which was over at ``seconds``."""
    world, outside = film.world, set(judge.outside_outage(film))
    return Row(
        delivered=sum(s.backend is not None for s in scenes) / len(scenes),
        animated=judge.animated(scenes),
        outside=judge.animated([s for s in scenes if s.index in outside]),
        calls=film.calls if seconds is None else film.second_calls,
        hours=(film.seconds if seconds is None else seconds) / 3600,
        wasted=judge.dead_seconds(world) / 60,
        payments=judge.payments(world),
        spent=float(judge.spent(world)),
        paid_twice=len(judge.paid_twice(world)),
    )


def _numbers(name: str, film: Film, rows: Mapping[str, Row]) -> dict[str, float]:
    settings, world, mine = our_settings(), film.world, rows["ours"]
    others = [r.animated for policy, r in rows.items() if policy.startswith("first script")]
    longest = settings.deadline.scene or 0.0
    found = {
        "delivered": mine.delivered,
        "animated": mine.animated,
        "animated_first_try": rows["ours, first try"].animated,
        "outside": mine.outside,
        "outside_first_try": rows["ours, first try"].outside,
        "more_than_first_script": mine.animated - max(others),
        "breaches": sum(len(judge.breaches(world, b, settings)) for b in CHAIN_A[:-1]),
        "orders_beyond_budget": judge.orders_beyond(world, MAX_COST),
        "scenes_paid_twice": mine.paid_twice,
        "dead_contacts": judge.dead_contacts(world),
        "dead_contacts_over": judge.dead_contacts(world) - judge.contacts_allowed(world, settings),
        "dead_seconds": judge.dead_seconds(world),
        "dead_seconds_over": judge.dead_seconds(world) - judge.seconds_allowed(world, settings),
        "calls_not_in_trail": judge.calls_not_in_trail(film),
        "seconds_over_scene_deadline": judge.longest_scene(film) - longest,
        "hours": mine.hours,
        "calls": mine.calls,
    }
    return {f"{name}_{key}": round(float(value), 4) for key, value in found.items()}


def _with_film_deadline(trace: Trace, plain: Film) -> dict[str, float]:
    """The same film with half the time that it takes."""
    end = plain.seconds / 2
    settings = our_settings(end)
    film = ours(trace, CHAIN_A, settings, second_try=False)
    rules = settings.deadline
    return {
        "deadline_delivered": row(film, film.scenes).delivered,
        "deadline_late": judge.contacts_after(film.world, end),
        "deadline_unlike": judge.told_apart(plain, film, end - (rules.scene or 0.0)),
        "deadline_animated": judge.animated(film.scenes),
    }
