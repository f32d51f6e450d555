"""Backends for tests that do as they are told: real implementations of the contract, scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from avatar_core.backend import (
    FREE,
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
    Health,
    Job,
    Size,
)
from avatar_core.errors import AvatarError, Category

Step = Callable[[AvatarRequest, Job], AvatarClip]
HEALTHY = Health(ok=True, message="ready")


def clip_in(job: Job, *, cost: Cost = FREE, duration: float = 1.0) -> AvatarClip:
    """A clip whose file is only a few bytes: for chains that do not look inside."""
    path = job.work_dir / "clip.mp4"
    path.write_bytes(b"clip")
    return AvatarClip(path, Size(64, 64), 30.0, duration, "whoever", cost=cost)


def deliver(request: AvatarRequest, job: Job) -> AvatarClip:
    return clip_in(job, duration=request.duration)


def fail(category: Category, message: str = "told to fail", **details: object) -> Step:
    def step(request: AvatarRequest, job: Job) -> AvatarClip:
        raise AvatarError(category, message, **details)  # type: ignore[arg-type]

    return step


def crash(failure: BaseException) -> Step:
    def step(request: AvatarRequest, job: Job) -> AvatarClip:
        raise failure

    return step


class ScriptedBackend(AvatarBackend):
    """Takes one step a call, the last one again and again, and remembers what it was asked."""

    name: ClassVar[str] = "scripted"

    def __init__(
        self,
        name: str = "scripted",
        *steps: Step,
        health: Health | BaseException | Sequence[Health] = HEALTHY,
        capabilities: Capabilities | None = None,
        price: Cost | None = None,
    ) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]
        self.capabilities = capabilities or Capabilities()  # type: ignore[misc]
        self.requests: list[AvatarRequest] = []
        self.work_dirs: list[Path] = []
        self.checks = 0
        self.closed = 0
        self._steps = steps or (deliver,)
        self._health = health
        self._price = price
        self._lock = threading.Lock()

    def check(self) -> Health:
        with self._lock:
            self.checks += 1
        if isinstance(self._health, BaseException):
            raise self._health
        if isinstance(self._health, Health):
            return self._health
        return self._health[min(self.checks, len(self._health)) - 1]

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        self.requests.append(request)
        self.work_dirs.append(job.work_dir)
        return self._steps[min(len(self.requests), len(self._steps)) - 1](request, job)

    def estimate(self, request: AvatarRequest) -> Cost | None:
        return self._price

    def close(self) -> None:
        self.closed += 1
