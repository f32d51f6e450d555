"""Independent observers of a film: they read what the doubles noted, and never ask the engine.

The rules are restated here from the documentation of the settings, as plainly as they can be, so
that a fault of the engine's own book-keeping is seen and not repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from _chaos_films import Film, Shown
from _chaos_services import World, clip_name
from avatar_core.errors import AvatarError, Category
from avatar_core.policy.settings import PolicySettings
from avatar_core.testing import Call
from avatar_core.trail import TrailEntry

STILL = "static"
# What the doubles raise, and a call that never came back; the rest says nothing of a backend.
COUNTING = {
    *(Category.RATE_LIMIT, Category.TIMEOUT, Category.CONNECTIVITY, Category.SERVER),
    *(Category.BAD_OUTPUT, Category.BACKEND_BUG),
}
CLOSING = {Category.AUTH, Category.QUOTA}
# A trial that failed at the free health check is repeated at least this often.
CHECKS_APART = 60.0
# How long after its limit a call may be cut off, and what floating point may add.
GRACE, EXACT = 0.2, 1e-6


def animated(scenes: Sequence[Shown]) -> float:
    """The share of scenes in which somebody moves."""
    return sum(shown.backend not in (None, STILL) for shown in scenes) / max(1, len(scenes))


def outside_outage(film: Film) -> list[int]:
    """The scenes whose presenter was made wholly before or after the outage; one that comes
    while a policy still has to notice its end is outside."""
    start, end = film.world.trace.outage
    return [s.index for s in film.scenes if s.ended <= start or s.began >= end]


def verdict(world: World, backend: str, call: Call, number: int) -> Category | None:
    """What was wrong with a call as seen from the far side; None where nothing was."""
    failure = call.failure
    if isinstance(failure, AvatarError):
        return failure.category
    if failure is not None:
        # Whatever else got out: cut off by the caller's limit, or a bug.
        return Category.BACKEND_BUG if isinstance(failure, Exception) else Category.TIMEOUT
    return Category.BAD_OUTPUT if clip_name(backend, number) in world.bad else None


def contacts(world: World, backend: str) -> list[tuple[Call, Category | None]]:
    """Health checks and calls in their order; the cancelling of a job is always allowed."""
    found, number = [], 0
    for call in world.backends[backend].calls:
        number += call.what == "generate"
        if call.what in ("check", "generate"):
            # A clip is judged after its call; a check delivers none.
            count = number if call.what == "generate" else 0
            found.append((call, verdict(world, backend, call, count)))
    return found


def breaches(world: World, backend: str, settings: PolicySettings) -> list[str]:
    """Contacts while the backend was to be left alone: its breaker open, its rung closed for the
    run, or a pause that it asked for not over."""
    rules = settings.breaker
    failures, openings = 0, Counter[str]()
    open_until: float | None = None
    not_before, closed, found = 0.0, False, []
    for call, wrong in contacts(world, backend):
        ended = call.ended if call.ended is not None else call.at
        if closed or call.at < max(not_before, open_until or 0.0) - EXACT:
            found.append(f"{backend}: {call.what} at {call.at:.1f} s")
        if wrong is None:
            if call.what == "generate":
                failures, openings, open_until = 0, Counter[str](), None
            continue
        closed = closed or wrong in CLOSING
        if isinstance(call.failure, AvatarError) and call.failure.retry_after is not None:
            not_before = ended + call.failure.retry_after
        failures += wrong in COUNTING
        if wrong in COUNTING and (open_until is not None or failures >= rules.failures):
            most = rules.max_cool_down if call.what == "generate" else CHECKS_APART
            open_until = ended + min(most, rules.cool_down * 2 ** openings[call.what])
            openings[call.what] += 1
    return found


def paid_twice(world: World) -> list[str]:
    """The scenes for which the service's ledger has more than one payment."""
    paid = Counter(job.key for job in world.service.jobs if job.cost.amount)
    return [key for key, times in paid.items() if times > 1]


def payments(world: World) -> int:
    return sum(bool(job.cost.amount) for job in world.service.jobs)


def spent(world: World) -> Decimal:
    return world.service.paid().amount


def orders_beyond(world: World, most: Decimal) -> int:
    """Orders sent although the ledger left no room for them."""
    total, beyond = Decimal(0), 0
    for job in world.service.jobs:
        total += job.cost.amount
        beyond += total > most
    return beyond


def dead_contacts(world: World) -> int:
    """Contacts that began while the backend was dead: the tunnel lost, the quota used up (after
    the one refusal from which that is known)."""
    colab = sum(world.lost_at(call.at) for call, _ in contacts(world, "colab"))
    return colab + max(0, len(_refused(world)) - 1)


def dead_seconds(world: World) -> float:
    """Seconds inside contacts with a dead backend: of one that was under way when the tunnel was
    lost, the rest; of one that was refused for want of quota, all."""
    start, _ = world.trace.outage
    total = 0.0
    for call, wrong in contacts(world, "colab"):
        ended = call.ended if call.ended is not None else call.at
        if world.lost_at(call.at):
            total += ended - call.at
        elif call.at < start < ended and wrong is not None:
            total += ended - start
    return total + sum((call.ended or call.at) - call.at for call in _refused(world)[1:])


def _refused(world: World) -> list[Call]:
    """Calls that the empty account answered."""
    return [call for call, wrong in contacts(world, "did") if wrong is Category.QUOTA]


def contacts_allowed(world: World, settings: PolicySettings) -> int:
    """As many failures as open the breaker, then one trial after each cool-down that fits into
    the outage."""
    start, end = world.trace.outage
    rules = settings.breaker
    allowed, passed, pause = rules.failures, 0.0, rules.cool_down
    while passed + pause <= end - start:
        passed, allowed = passed + pause, allowed + 1
        pause = min(pause * 2, CHECKS_APART)
    return allowed


def seconds_allowed(world: World, settings: PolicySettings) -> float:
    """One call that no check could warn of, up to its limit; the other contacts are checks."""
    deadline = settings.deadline
    return deadline.attempt + GRACE + contacts_allowed(world, settings) * deadline.check


def calls_not_in_trail(film: Film) -> int:
    """By how many calls the trails and the doubles differ, over all backends."""
    told = Counter(e.backend for o in film.outcomes.values() for e in o.trail if e.attempt)
    asked = {name: len(b.of("generate")) for name, b in film.world.backends.items()}
    return sum(abs(told[name] - count) for name, count in asked.items())


def longest_scene(film: Film) -> float:
    """Seconds between the beginning of a presenter and its end."""
    return max(shown.ended - shown.began for shown in film.scenes)


def contacts_after(world: World, moment: float) -> int:
    """Contacts with any backend but the last that begin, or end, after ``moment``. The reserve is
    not asked for here: of a scene's last seconds half is for the backends."""
    return sum(
        call.at > moment + EXACT or (call.ended or call.at) > moment + GRACE + EXACT
        for name in world.backends
        if name != STILL
        for call, _ in contacts(world, name)
    )


def told_apart(film: Film, other: Film, until: float) -> int:
    """How many scenes that ended before ``until`` differ between two films."""
    pairs = zip(film.scenes, other.scenes, strict=True)
    return sum(a != b for a, b in pairs if a.ended <= until)


def reasons(film: Film) -> Counter[str]:
    """Why scenes outside the outage did not move at the first try: the last word of each rung."""
    found: Counter[str] = Counter()
    outside = set(outside_outage(film))
    for shown in film.scenes:
        if shown.index in outside and shown.backend == STILL:
            last = {e.backend: e for e in film.first[shown.index].trail if e.backend != STILL}
            found[" and ".join(_in_short(entry) for entry in last.values())] += 1
    return found


def _in_short(entry: TrailEntry) -> str:
    return str(entry.category) if entry.category else "left alone" if entry.skipped else "?"
