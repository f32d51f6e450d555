"""One rung for one scene, from its turn to its clip or to the next rung's turn.

Nested once and for all: fallback(retry(breaker(limit(deadline(attempt))))).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from avatar_core.attempt import Attempt, Validate, contained
from avatar_core.backend import (
    FREE,
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
)
from avatar_core.errors import ADVICE, AvatarError, Category, EnvironmentFault
from avatar_core.fitness import shortcoming
from avatar_core.policy.state import Policy
from avatar_core.policy.table import TABLE
from avatar_core.rung import ClipCache, Rung
from avatar_core.scene_run import SceneRun
from avatar_core.trail import TrailEntry
from avatar_core.tries import Ending, Tries
from avatar_core.turns import PassedOver


@dataclass(frozen=True, slots=True)
class Tools:
    """What a chain uses for all its scenes."""

    policy: Policy
    validate: Validate
    cache: ClipCache | None
    skip: Callable[[Rung, AvatarRequest], str | None]


class RungRun:
    """Whatever happens, it leaves at least one entry in the trail.

    The last rung is exempt from the policy: nothing comes after it, so nothing may keep it from
    being asked.
    """

    def __init__(self, tools: Tools, scene: SceneRun, rung: Rung, *, is_last: bool) -> None:
        self._tools = tools
        self._scene = scene
        self._rung = rung
        self._is_last = is_last
        self._request = replace(scene.request, options=rung.options)
        self._key = rung.key(self._request)
        self._began = tools.policy.clock()
        self._tries: Tries | None = None

    def run(self) -> AvatarClip | None:
        """The clip, or None when the next rung's turn has come."""
        refusal = self._tools.policy.look.refusal(self._rung.name)
        if refusal is not None and not self._is_last:
            self._note(None, refusal, skipped=True)
            return None
        found = self._find()
        if found is not None and self._key is not None:
            # Whoever made it may have died before it could say that its job is over.
            self._tools.policy.journal.forget(self._key)
            self._note(None, "made earlier", cached=True)
            return found
        clip = self._make()
        if clip is None:
            return None
        # A clip that cannot be kept is no fault of the rung: another's could not be either.
        kept = self._keep(clip)
        if self._tries is not None:
            self._tries.delivered()
        else:
            self._tools.policy.budget.count(self._rung.name, kept.cost)
            self._note(None, "delivered", attempt=1, cost=kept.cost)
        return kept

    def _find(self) -> AvatarClip | None:
        cache = self._tools.cache
        return cache.find(self._key) if cache is not None and self._key is not None else None

    def _make(self) -> AvatarClip | None:
        try:
            attempt = self._prepared()
            return attempt.run(self._request) if self._is_last else self._try(attempt)
        except PassedOver as reason:
            advice, passing = reason.advice, reason.passing
            self._note(None, str(reason), advice, skipped=True, passing=passing)
        except AvatarError as failure:
            passing = TABLE[failure.category].passing
            self._note(failure.category, failure.message, failure.advice, passing=passing)
        except EnvironmentFault as failure:
            if self._is_last:
                raise
            calls = self._tries.ending.calls if self._tries is not None else 0
            category = Category.UNSUPPORTED
            advice = failure.advice or ADVICE[category]
            self._note(category, failure.message, advice, attempt=calls)
        return None

    def _prepared(self) -> Attempt:
        rung, scene = self._rung, self._scene
        with contained(rung.name):
            backend = rung.open()
            lacking = shortcoming(_capabilities(backend), self._request)
        if lacking is not None:
            raise AvatarError(Category.UNSUPPORTED, lacking)
        return Attempt(
            rung.name,
            backend,
            scene.work_dir,
            scene.cancel,
            scene.on_progress,
            self._tools.validate,
            self._tools.policy.clock,
        )

    def _try(self, attempt: Attempt) -> AvatarClip | None:
        reason = self._tools.skip(self._rung, self._request)
        if reason is not None:
            raise PassedOver(reason)
        self._tries = Tries(self._tools.policy, self._scene, attempt, self._request, self._key)
        return self._tries.run()

    def _keep(self, clip: AvatarClip) -> AvatarClip:
        cache = self._tools.cache
        return clip if cache is None or self._key is None else cache.keep(self._key, clip)

    def _note(
        self,
        category: Category | None,
        message: str,
        advice: str | None = None,
        *,
        skipped: bool = False,
        cached: bool = False,
        attempt: int = 0,
        passing: bool = False,
        cost: Cost = FREE,
    ) -> None:
        clock = self._tools.policy.clock
        ending = self._tries.ending if self._tries is not None else Ending(cost)
        if ending.left_there:
            message = f"{_sentence(message)} {ending.left_there}"
        # What the rung's attempts have told already is not told again.
        told = [e.started + e.seconds for e in self._scene.trail if e.backend == self._rung.name]
        began = max([self._began - self._scene.began, *told])
        self._scene.note(
            TrailEntry(
                backend=self._rung.name,
                category=category,
                message=message,
                advice=advice,
                started=began,
                seconds=max(0.0, clock() - self._scene.began - began),
                cost=ending.cost,
                skipped=skipped,
                cached=cached,
                attempt=attempt,
                passing=passing,
            )
        )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _capabilities(backend: AvatarBackend) -> Capabilities:
    found: object = backend.capabilities
    if not isinstance(found, Capabilities):
        raise TypeError(f"capabilities is {type(found).__name__} instead of Capabilities")
    return found
