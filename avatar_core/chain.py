"""The fallback chain: tries its rungs in order until one delivers a clip that is sound."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from avatar_core.attempt import Attempt, AttemptRunner, Validate, contained, run_once
from avatar_core.backend import (
    FREE,
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
)
from avatar_core.cancel import CancelToken
from avatar_core.clip_check import validate_clip
from avatar_core.errors import AvatarError, Category, EnvironmentFault
from avatar_core.fitness import shortcoming
from avatar_core.health import HealthChecks
from avatar_core.rung import ClipCache, Rung
from avatar_core.trail import ChainError, Outcome, TrailEntry

__all__ = ["LAST_RUNG", "ChainError", "ClipCache", "FallbackChain", "Outcome", "Rung", "TrailEntry"]

log = logging.getLogger(__name__)

LAST_RUNG = "static"
Skip = Callable[[Rung, AvatarRequest], "str | None"]


class FallbackChain:
    """Rungs in the order in which they are tried; the last one is `static`.

    ``last`` is appended where no rung is called `static`; rungs after `static` are dropped.
    ``skip`` says why a rung must not be tried, or None. ``on_attempt`` hears of every rung as
    soon as its story ends. ``health`` is shared between chains, so that each backend is asked
    once in a while and not once a scene.
    """

    def __init__(
        self,
        rungs: Sequence[Rung],
        *,
        last: Rung | None = None,
        attempt: AttemptRunner = run_once,
        validate: Validate = validate_clip,
        cache: ClipCache | None = None,
        health: HealthChecks | None = None,
        skip: Skip | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_attempt: Callable[[TrailEntry], None] | None = None,
    ) -> None:
        self.rungs = _ending_at_last(rungs, last)
        self._attempt = attempt
        self._validate = validate
        self._cache = cache
        self._health = health or HealthChecks(clock=clock)
        self._skip = skip
        self._clock = clock
        self._on_attempt = on_attempt

    def run(
        self,
        request: AvatarRequest,
        work_dir: Path,
        cancel: CancelToken | None = None,
        on_progress: Callable[[float, str], None] | None = None,
    ) -> Outcome:
        """The first sound clip. It lies in ``work_dir`` or, with a cache, where that keeps it.

        Raises `ChainError` when no rung delivers, `EnvironmentFault` when the last one lacks
        something of the machine, `Cancelled`.
        """
        return _Climb(self, request, work_dir, cancel or CancelToken(), on_progress).run()


class _Climb:
    """One run of a chain."""

    def __init__(
        self,
        chain: FallbackChain,
        request: AvatarRequest,
        work_dir: Path,
        cancel: CancelToken,
        on_progress: Callable[[float, str], None] | None,
    ) -> None:
        self._chain = chain
        self._request = request
        self._work_dir = work_dir
        self._cancel = cancel
        self._on_progress = on_progress or _ignore
        self._began = chain._clock()
        self._trail: list[TrailEntry] = []

    def run(self) -> Outcome:
        rungs = self._chain.rungs
        for rung in rungs:
            self._cancel.check()
            clip = _Try(self, rung).run(is_last=rung is rungs[-1])
            if clip is not None:
                cached = self._trail[-1].cached
                return Outcome(clip, tuple(self._trail), rung is not rungs[0], cached)
        raise ChainError(self._trail)


class _Try:
    """One rung in one run: whatever happens, one entry in the trail."""

    def __init__(self, climb: _Climb, rung: Rung) -> None:
        self._climb = climb
        self._chain = climb._chain
        self._rung = rung
        self._request = replace(climb._request, options=rung.options)
        self._started = self._chain._clock()
        self._backend: AvatarBackend | None = None
        self._resumed = False

    def run(self, *, is_last: bool) -> AvatarClip | None:
        """The clip, or None when the next rung's turn has come."""
        key = self._rung.key(self._request) if self._chain._cache else None
        found = self._find(key)
        if found is not None:
            self._note(None, "made earlier", cached=True)
            return found
        try:
            clip = self._make()
        except AvatarError as failure:
            cost = self._billed() if failure.billed else FREE
            self._note(failure.category, failure.message, advice=failure.advice, cost=cost)
            return None
        except EnvironmentFault as failure:
            if is_last:
                raise
            self._note(Category.UNSUPPORTED, failure.message, advice=failure.advice)
            return None
        return None if clip is None else self._delivered(key, clip)

    def _delivered(self, key: str | None, clip: AvatarClip) -> AvatarClip:
        # A clip that cannot be kept is no fault of the rung: another rung's could not be either.
        if self._chain._cache is not None and key is not None:
            clip = self._chain._cache.keep(key, clip)
        self._note(None, "delivered", cost=clip.cost)
        return clip

    def _find(self, key: str | None) -> AvatarClip | None:
        cache = self._chain._cache
        return cache.find(key) if cache is not None and key is not None else None

    def _make(self) -> AvatarClip | None:
        rung, request = self._rung, self._request
        with contained(rung.name):
            backend = self._backend = rung.open()
            lacking = shortcoming(_capabilities(backend), request)
        if lacking is not None:
            raise AvatarError(Category.UNSUPPORTED, lacking)
        reason = self._chain._skip(rung, request) if self._chain._skip else None
        if reason is not None:
            self._note(None, reason, skipped=True)
            return None
        self._chain._health.require(rung.name, backend)
        return self._attempt(backend)

    def _attempt(self, backend: AvatarBackend) -> AvatarClip:
        attempt = Attempt(
            name=self._rung.name,
            backend=backend,
            request=self._request,
            work_dir=self._climb._work_dir,
            cancel=self._climb._cancel,
            on_progress=self._climb._on_progress,
            validate=self._chain._validate,
            clock=self._chain._clock,
        )
        try:
            return self._chain._attempt(attempt)
        finally:
            self._resumed = attempt.resumed

    def _billed(self) -> Cost:
        """What a failed attempt that was billed probably cost."""
        if self._backend is None:
            return FREE
        try:
            with contained(self._rung.name):
                price = self._backend.estimate(self._request) or FREE
                if not isinstance(price, Cost):
                    raise TypeError(f"estimate returned {type(price).__name__} instead of Cost")
                return price
        except (AvatarError, EnvironmentFault):
            log.debug("the price of %s is not known", self._rung.name, exc_info=True)
            return FREE

    def _note(
        self,
        category: Category | None,
        message: str,
        *,
        advice: str | None = None,
        cost: Cost = FREE,
        skipped: bool = False,
        cached: bool = False,
    ) -> None:
        now = self._chain._clock()
        entry = TrailEntry(
            backend=self._rung.name,
            category=category,
            message=message,
            advice=advice,
            started=self._started - self._climb._began,
            seconds=now - self._started,
            cost=cost,
            skipped=skipped,
            cached=cached,
            resumed=self._resumed,
        )
        self._climb._trail.append(entry)
        if category is not None:
            log.info("%s failed (%s): %s", entry.backend, category, message)
        if self._chain._on_attempt is not None:
            self._chain._on_attempt(entry)


def _capabilities(backend: AvatarBackend) -> Capabilities:
    found: object = backend.capabilities
    if not isinstance(found, Capabilities):
        raise TypeError(f"capabilities is {type(found).__name__} instead of Capabilities")
    return found


def _ending_at_last(rungs: Sequence[Rung], last: Rung | None) -> tuple[Rung, ...]:
    ordered = {rung.name: rung for rung in reversed(rungs)}
    kept: list[Rung] = []
    for rung in rungs:
        # The first of a name counts: a rung that has failed fails again.
        if rung is ordered[rung.name]:
            kept.append(rung)
        if rung.name == LAST_RUNG:
            return tuple(kept)
    if last is None:
        raise ValueError(f"a chain ends at {LAST_RUNG!r}: name it or give it as last")
    return (*kept, last)


def _ignore(fraction: float, message: str) -> None:
    del fraction, message
