"""A film in virtual time: one chain, one policy, scenes one after another."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from avatar_core.backend import AvatarClip, AvatarRequest, Size
from avatar_core.cancel import CancelToken
from avatar_core.chain import FallbackChain, Outcome, Rung, TrailEntry
from avatar_core.clock import Clock, SystemClock
from avatar_core.journal import Journal
from avatar_core.policy.settings import PolicySettings
from avatar_core.policy.state import Policy
from avatar_core.testing import ScriptedBackend, VirtualClock, judge_fakes
from avatar_core.testing.scripted import Call

# What the tests count on, whatever the settings' own defaults come to be.
GIVEN: dict[str, dict[str, Any]] = {
    "retry": {"attempts": 2, "delay": 2, "max_delay": 60},
    "deadline": {"attempt": 120, "scene": 600, "reserve": 10, "check": 5},
    "breaker": {"failures": 3, "cool_down": 15, "max_cool_down": 600},
}
# By the computer's clock, limits that no test is about leave a machine time to stand still.
PATIENT: dict[str, dict[str, Any]] = {
    "deadline": {"attempt": 500, "check": 300},
    "breaker": {"cool_down": 600},
}


class LeapingClock(SystemClock):
    """The computer's clock, set on by ``leap`` seconds as soon as a test says so: then the time
    is up that it says is up, however slow the machine."""

    def __init__(self, leap: float) -> None:
        super().__init__()
        self.leap = leap
        self.time_is_up = threading.Event()

    def __call__(self) -> float:
        return super().__call__() + (self.leap if self.time_is_up.is_set() else 0.0)


def policy_of(
    clock: Clock | None = None, *, journal: Journal | None = None, seed: int = 0, **settings: Any
) -> Policy:
    """``settings`` are tables by their names: ``retry={"attempts": 1}``."""
    patient = PATIENT if isinstance(clock, SystemClock) else {}
    tables = {
        name: {**table, **patient.get(name, {}), **settings.pop(name, {})}
        for name, table in GIVEN.items()
    }
    return Policy(
        PolicySettings.model_validate({**tables, **settings}),
        clock=clock or VirtualClock(),
        source=random.Random(seed),
        journal=journal,
    )


class MemoryClips:
    """A clip cache that lasts as long as its test."""

    def __init__(self) -> None:
        self.clips: dict[str, AvatarClip] = {}

    def find(self, key: str) -> AvatarClip | None:
        return self.clips.get(key)

    def keep(self, key: str, clip: AvatarClip) -> AvatarClip:
        self.clips[key] = clip
        return clip


class Stage:
    """Backends in their order, `static` after them, and the scenes that they are asked for.

    ``clock`` is the backends' as well: they are made with it.
    """

    def __init__(
        self,
        folder: Path,
        *backends: ScriptedBackend,
        clock: Clock | None = None,
        cache: MemoryClips | None = None,
        **policy: Any,
    ) -> None:
        self.folder = folder
        self.clock = clock or VirtualClock()
        self.static = ScriptedBackend("static", clock=self.clock)
        self.policy = policy_of(self.clock, **policy)
        self.heard: list[TrailEntry] = []
        self.chain = FallbackChain(
            [Rung.of(backend) for backend in (*backends, self.static)],
            policy=self.policy,
            validate=judge_fakes,
            cache=cache,
            on_attempt=self.heard.append,
        )

    def scene(
        self, name: str = "one", cancel: CancelToken | None = None, **changes: Any
    ) -> Outcome:
        request = replace(self.request(name), **changes)
        return self.chain.run(request, self.folder, cancel, scene=name)

    def request(self, name: str = "one") -> AvatarRequest:
        return AvatarRequest(None, self.folder / "speech.wav", 1.0, Size(64, 64), 30, key=name)

    def scenes(self, count: int) -> list[Outcome]:
        return [self.scene(f"s{number}") for number in range(count)]


def calls(backend: ScriptedBackend) -> int:
    """How often it was asked to make a clip."""
    return len(backend.of("generate"))


def spans(backend: ScriptedBackend) -> list[tuple[float, float]]:
    """When its attempts began and ended, by its clock."""
    return [(call.at, _end(call)) for call in backend.of("generate")]


def _end(call: Call) -> float:
    assert call.ended is not None
    return call.ended


def of(outcome: Outcome, backend: str) -> list[TrailEntry]:
    """The entries of one backend."""
    return [entry for entry in outcome.trail if entry.backend == backend]
