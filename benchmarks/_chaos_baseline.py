"""The same trace under two policies that people would otherwise have: a model router's defaults,
and the first script for such films."""

from __future__ import annotations

import random
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from _chaos_films import Film, shoot
from _chaos_services import AMBITIONS, World
from _chaos_trace import Trace
from avatar_core.attempt import contained
from avatar_core.backend import AvatarRequest, Job
from avatar_core.errors import AvatarError
from avatar_core.testing import ScriptedBackend, ScriptedOptions

ATTEMPT_SECONDS = 120.0
CHECK_SECONDS = 5.0


class _Caller:
    """One call of a backend, judged as ours are; a job of an earlier call is not known to it."""

    def __init__(self, world: World, folder: Path, ambition: str = AMBITIONS[0]) -> None:
        self._world = world
        self._folder = folder
        self._options = ScriptedOptions(ambition=ambition)

    def call(self, backend: ScriptedBackend, request: AvatarRequest) -> None:
        """Raises `AvatarError`."""
        clock = self._world.clock
        asked = replace(request, options=self._options)
        job = Job(self._folder, deadline=clock() + ATTEMPT_SECONDS, clock=clock)

        def work() -> None:
            with contained(backend.name):
                self._world.judge(backend.generate(asked, job), asked)

        clock.call(work, ATTEMPT_SECONDS)

    def is_well(self, backend: ScriptedBackend) -> bool:
        try:
            return self._world.clock.call(backend.check, CHECK_SECONDS).ok
        except AvatarError:
            return False


class RouterLike:
    """After the documented defaults of LiteLLM's router, simplified: two retries of any error
    with 0.5 s doubled to 8 s between them (a `Retry-After` of up to 60 s instead), a deployment
    left alone for 5 s after more than 3 failures within a minute, then the next fallback.

    https://docs.litellm.ai/docs/router/learn/reliability. Every rung is a deployment of its own;
    its limit for a call is ours, where the real one's default is ten minutes and more.
    """

    RETRIES = 2
    FIRST_PAUSE, LONGEST_PAUSE, LONGEST_OBEYED = 0.5, 8.0, 60.0
    COOL_DOWN, ALLOWED_FAILS, WINDOW = 5.0, 3, 60.0

    def __init__(self, world: World, names: Sequence[str], folder: Path) -> None:
        self._world = world
        self._names = names
        self._caller = _Caller(world, folder)
        self._source = random.Random(world.trace.seed)
        self._fails: dict[str, deque[float]] = {name: deque() for name in names}
        self._cooling: dict[str, float] = {}

    def present(self, request: AvatarRequest) -> str | None:
        return next((name for name in self._names if self._delivers(name, request)), None)

    def _delivers(self, name: str, request: AvatarRequest) -> bool:
        clock = self._world.clock
        for retry in range(self.RETRIES + 1):
            if self._cooling.get(name, 0.0) > clock():
                return False
            try:
                self._caller.call(self._world.backends[name], request)
            except AvatarError as failure:
                self._count(name)
                if retry < self.RETRIES:
                    clock.sleep(self._pause(failure, retry))
            else:
                return True
        return False

    def _count(self, name: str) -> None:
        now, fails = self._world.clock(), self._fails[name]
        fails.append(now)
        while fails[0] <= now - self.WINDOW:
            fails.popleft()
        if len(fails) > self.ALLOWED_FAILS:
            self._cooling[name] = now + self.COOL_DOWN

    def _pause(self, failure: AvatarError, retry: int) -> float:
        if failure.retry_after is not None and failure.retry_after <= self.LONGEST_OBEYED:
            return failure.retry_after
        longest = min(self.LONGEST_PAUSE, self.FIRST_PAUSE * 2**retry)
        return longest * self._source.uniform(0.625, 1.375)


class FirstScript:
    """A health check of at most 5 s, then the call, one retry after 2 s whatever went wrong, at
    most 120 s each, then the picture that does not move. Its options never change by themselves.
    """

    PAUSE = 2.0

    def __init__(self, world: World, folder: Path, ambition: str) -> None:
        self._world = world
        self._caller = _Caller(world, folder, ambition)

    def present(self, request: AvatarRequest) -> str:
        colab = self._world.backends["colab"]
        if self._caller.is_well(colab):
            for pause in (self.PAUSE, None):
                try:
                    self._caller.call(colab, request)
                except AvatarError:
                    if pause is not None:
                        self._world.clock.sleep(pause)
                else:
                    return colab.name
        self._caller.call(self._world.backends["static"], request)
        return "static"


def router_like(trace: Trace, names: Sequence[str]) -> Film:
    with tempfile.TemporaryDirectory() as folder:
        world = World(trace)
        return shoot(world, RouterLike(world, names, Path(folder)).present)


def first_script(trace: Trace, ambition: str) -> Film:
    """It knew one backend: its film is `colab`, else `static`, whatever else there is."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(trace)
        return shoot(world, FirstScript(world, Path(folder), ambition).present)
