"""The fallback chain: tries its rungs in order until one delivers a clip that is sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from avatar_core.attempt import Validate
from avatar_core.backend import AvatarRequest
from avatar_core.cancel import CancelToken
from avatar_core.clip_check import validate_clip
from avatar_core.policy.state import Policy
from avatar_core.rung import ClipCache, Rung
from avatar_core.rung_run import RungRun, Tools
from avatar_core.scene_run import SceneRun
from avatar_core.trail import ChainError, Outcome, TrailEntry

__all__ = ["LAST_RUNG", "ChainError", "ClipCache", "FallbackChain", "Outcome", "Rung", "TrailEntry"]

LAST_RUNG = "static"
Skip = Callable[[Rung, AvatarRequest], "str | None"]


class FallbackChain:
    """Rungs in the order in which they are tried; the last one is `static`.

    ``last`` is appended where no rung is called `static`; rungs after `static` are dropped.
    ``policy`` is shared by the chains of one film, so that what one scene found out about a
    backend holds for all. ``skip`` says why a rung must not be tried, or None; it raises
    `avatar_core.turns.PassedOver` where that may pass before the film's end. ``on_attempt``
    hears of every attempt, and of every rung passed over, as soon as its story ends.
    """

    def __init__(
        self,
        rungs: Sequence[Rung],
        *,
        last: Rung | None = None,
        policy: Policy | None = None,
        validate: Validate = validate_clip,
        cache: ClipCache | None = None,
        skip: Skip | None = None,
        on_attempt: Callable[[TrailEntry], None] | None = None,
    ) -> None:
        self.rungs = _ending_at_last(rungs, last)
        self.policy = policy or Policy()
        self._tools = Tools(self.policy, validate, cache, skip or _never)
        self._on_attempt = on_attempt or _unheard

    def run(
        self,
        request: AvatarRequest,
        work_dir: Path,
        cancel: CancelToken | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        *,
        scene: str = "",
        began: float | None = None,
    ) -> Outcome:
        """The first sound clip. It lies in ``work_dir`` or, with a cache, where that keeps it.

        ``scene`` is its name for messages; ``began`` is a reading of the policy's clock from
        which the trail counts (default: now). Raises `ChainError` when no rung delivers,
        `EnvironmentFault` when the last one lacks something of the machine, `Cancelled`.
        """
        here = SceneRun(
            request,
            work_dir,
            cancel or CancelToken(),
            on_progress or _ignore,
            self.policy.scene(),
            self._on_attempt,
            self.policy.clock() if began is None else began,
            scene,
        )
        for place, rung in enumerate(self.rungs):
            here.cancel.check()
            clip = RungRun(self._tools, here, rung, is_last=rung is self.rungs[-1]).run()
            if clip is not None:
                passed = [r.name for r in self.rungs[:place]]
                self.policy.look.fell(scene, passed, rung.name)
                cached = here.trail[-1].cached
                return Outcome(clip, tuple(here.trail), bool(passed), cached)
        raise ChainError(here.trail)


def _ending_at_last(rungs: Sequence[Rung], last: Rung | None) -> tuple[Rung, ...]:
    # The first of a name counts: a rung that has failed fails again.
    kept: dict[str, Rung] = {}
    for rung in rungs:
        kept.setdefault(rung.name, rung)
        if rung.name == LAST_RUNG:
            return tuple(kept.values())
    if last is None:
        raise ValueError(f"a chain ends at {LAST_RUNG!r}: name it or give it as last")
    kept.pop(last.name, None)
    return (*kept.values(), last)


def _never(rung: Rung, request: AvatarRequest) -> None:
    del rung, request


def _unheard(entry: TrailEntry) -> None:
    del entry


def _ignore(fraction: float, message: str) -> None:
    del fraction, message
