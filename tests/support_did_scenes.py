"""Single scenes by D-ID in virtual time: the whole policy over the stand-in, and no film."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from avatar_core.backend import AvatarRequest, Size
from avatar_core.chain import FallbackChain, Outcome, Rung
from avatar_core.journal import JobRecord
from avatar_core.testing import ScriptedBackend, VirtualClock, judge_fakes, media
from avatar_core.trail import TrailEntry
from backends.did.backend import DidBackend
from backends.did.config import DidOptions
from support_did_service import DidService
from support_policy import MemoryClips, policy_of

# As users have it, but for pauses whose length chance decides.
PATIENCE: dict[str, dict[str, Any]] = {
    "retry": {"delay": 0},
    "policies": {"did": {"attempt_seconds": 300}},
}


class OpenJobs(dict[str, JobRecord]):
    """A journal that tests can look into."""

    def find(self, key: str) -> JobRecord | None:
        return self.get(key)

    def write(self, record: JobRecord) -> None:
        self[record.key] = record

    def forget(self, key: str) -> None:
        self.pop(key, None)


class Studio:
    """What lies on a disk between two renders: the journal and the clips that are kept.

    Its clock is the service's as well, so that waiting for a talk makes it ready.
    """

    def __init__(self, service: DidService, clock: VirtualClock, folder: Path) -> None:
        self.service = service
        self.clock = clock
        self.open_jobs = OpenJobs()
        self.clips = MemoryClips()
        self.folder = folder

    def backend(self, **options: Any) -> DidBackend:
        own = {"api_key": self.service.key, "api_url": self.service.url, "credit_price": "0.20"}
        return DidBackend(DidOptions(**{**own, **options}), clock=self.clock)

    def scene(
        self,
        *,
        seconds: float = 0.5,
        options: dict[str, Any] | None = None,
        backend: DidBackend | None = None,
        on_progress: Callable[[float, str], None] | None = None,
        **policy: Any,
    ) -> Outcome:
        """Make the scene with the chain did -> static, as a new process would; with a ``backend``,
        as another scene of its film."""
        backend = backend or self.backend(**(options or {}))
        chain = FallbackChain(
            [Rung.of(backend), Rung.of(ScriptedBackend("static", clock=self.clock))],
            policy=policy_of(self.clock, journal=self.open_jobs, **{**PATIENCE, **policy}),
            validate=judge_fakes,
            cache=self.clips,
        )
        try:
            asked = self.request(seconds)
            return chain.run(asked, self.folder, on_progress=on_progress, scene="one")
        finally:
            backend.close()

    def request(self, seconds: float = 0.5) -> AvatarRequest:
        portrait = self.folder / "portrait.png"
        if not portrait.exists():
            media.portrait(portrait, Size(160, 200))
        sound = media.speech(self.folder / f"{seconds:g}.wav", seconds, rate=8000)
        return AvatarRequest(
            portrait, sound, seconds, Size(160, 200), 25, key=f"a-scene-of-{seconds:g}-s"
        )


def by_did(outcome: Outcome) -> bool:
    return outcome.clip.backend == "did"


def did(outcome: Outcome) -> list[TrailEntry]:
    """What became of D-ID."""
    return [entry for entry in outcome.trail if entry.backend == "did"]
