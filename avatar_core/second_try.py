"""Scenes that fell back are made again at the end of the film, as long as that wins something."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from avatar_core.cancel import CancelToken
from avatar_core.policy.state import Policy
from avatar_core.trail import Outcome

# One scene that can never be made must not be tried as often as others are won.
MOST_TRIES = 3
# A round without a win may be bad luck where the backend has delivered before in this film.
FRUITLESS_ROUNDS = 3
# Nothing else is left to do by then, so a short cool-down is worth waiting for.
MOST_WAIT_SECONDS = 60.0


def second_tries(
    policy: Policy,
    outcomes: Callable[[], Mapping[str, Outcome]],
    again: Callable[[Sequence[str]], None],
    cancel: CancelToken,
    on_wait: Callable[[float], None] = lambda seconds: None,
) -> None:
    """Call ``again`` with the scenes that may do better now, round by round.

    ``outcomes`` are the newest by scene; ``again`` makes scenes once more. Each scene's backends
    are called in at most `MOST_TRIES` rounds. ``on_wait`` hears how many seconds of a cool-down
    are waited for.
    """
    fruitless, tries = 0, Counter[str]()
    while fruitless < FRUITLESS_ROUNDS:
        now = outcomes()
        if fruitless and all(outcome.degraded for outcome in now.values()):
            return
        times = {s: better_in(now[s], policy) for s in now if tries[s] < MOST_TRIES}
        wait = min(times.values(), default=math.inf)
        if wait > MOST_WAIT_SECONDS or wait >= policy.scene().left:
            return
        if wait > 0:
            on_wait(wait)
            policy.clock.sleep(wait, cancel)
        again([scene for scene, seconds in times.items() if seconds <= wait])
        then = outcomes()
        tries.update(scene for scene in now if _calls(then[scene]) > _calls(now[scene]))
        fruitless = 0 if _degraded(then) < _degraded(now) else fruitless + 1


def better_in(outcome: Outcome, policy: Policy) -> float:
    """Seconds until a better rung may be asked again for a scene that fell back for a reason
    that can pass; infinite where there is none."""
    if not outcome.degraded:
        return math.inf
    last = {entry.backend: entry for entry in outcome.trail}
    better = [n for n, entry in last.items() if entry.passing and n != outcome.clip.backend]
    usable = [n for n in better if not (policy.closed(n) or policy.look.refusal(n))]
    return min((policy.breaker(name).opens_in for name in usable), default=math.inf)


def stands_out(outcome: Outcome, policy: Policy) -> bool:
    """Whether the film has since fallen to another look than this scene's (affinity = film)."""
    return policy.look.refusal(outcome.clip.backend) is not None


def _degraded(outcomes: Mapping[str, Outcome]) -> int:
    return sum(outcome.degraded for outcome in outcomes.values())


def _calls(outcome: Outcome) -> int:
    """How often backends were called that might have done better."""
    return sum(e.attempt > 0 and e.backend != outcome.clip.backend for e in outcome.trail)
