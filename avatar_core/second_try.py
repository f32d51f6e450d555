"""Which scenes are worth making again at the end of a film, by what the run has found out."""

from __future__ import annotations

from avatar_core.policy.state import Policy
from avatar_core.trail import Outcome


def may_do_better_now(outcome: Outcome, policy: Policy) -> bool:
    """Whether a scene fell back for a reason that has perhaps passed: the breaker of a better
    rung would let a call through, and the same rung may well deliver now."""
    if not outcome.degraded:
        return False
    last = {entry.backend: entry for entry in outcome.trail}
    better = [name for name, entry in last.items() if entry.passing]
    return any(_is_open_to(name, policy) for name in better if name != outcome.clip.backend)


def stands_out(outcome: Outcome, policy: Policy) -> bool:
    """Whether the film has since fallen to another look than this scene's (affinity = film)."""
    return policy.look.refusal(outcome.clip.backend) is not None


def _is_open_to(rung: str, policy: Policy) -> bool:
    refusals = (policy.closed(rung), policy.breaker(rung).refusal(), policy.look.refusal(rung))
    return not any(refusals)
