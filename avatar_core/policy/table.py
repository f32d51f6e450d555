"""The one table that says what each category of failure means for a rung."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_core.errors import Category


@dataclass(frozen=True, slots=True)
class Decision:
    """``retry`` asks the same again, ``step_down`` asks for less first (`AvatarBackend.safer`),
    ``counts`` counts for the breaker, ``closes`` closes the rung for the rest of the run,
    ``passing`` says that the same request may well succeed later. When a rung has no more to
    try, the next one's turn comes, whatever the category."""

    retry: bool = False
    step_down: bool = False
    counts: bool = False
    closes: bool = False
    passing: bool = False


TABLE: dict[Category, Decision] = {
    Category.AUTH: Decision(closes=True),
    Category.QUOTA: Decision(closes=True),
    Category.RATE_LIMIT: Decision(retry=True, counts=True, passing=True),
    Category.INVALID_INPUT: Decision(),
    Category.UNSUPPORTED: Decision(),
    # Asking again for what took too long takes too long again; asking for less may not.
    Category.TIMEOUT: Decision(step_down=True, counts=True, passing=True),
    Category.CONNECTIVITY: Decision(retry=True, counts=True, passing=True),
    Category.SERVER: Decision(retry=True, step_down=True, counts=True, passing=True),
    Category.BAD_OUTPUT: Decision(retry=True, step_down=True, counts=True, passing=True),
    Category.BACKEND_BUG: Decision(counts=True),
}
