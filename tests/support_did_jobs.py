"""A `DidBackend` before the stand-in of its service, and jobs in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from avatar_core.backend import AvatarRequest, Job
from avatar_core.errors import AvatarError
from avatar_core.testing import VirtualClock, media
from backends.did.backend import DidBackend
from backends.did.config import DidOptions

KEY = "bGFuQG1hcmtlci5leGFtcGxl:Tq8-password_of-the-api"


def options(url: str, key: str = KEY, **more: Any) -> DidOptions:
    return DidOptions(api_key=SecretStr(key), api_url=url, **{"poll_seconds": 0.01, **more})


@dataclass
class Stage:
    """One backend and what its jobs tell; ``clock`` is theirs, and passes only when they wait."""

    backend: DidBackend
    folder: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    told: list[str] = field(default_factory=list)

    def request(self, seconds: float = 1.0, **values: Any) -> AvatarRequest:
        folder = self.folder / f"inputs{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        asked = media.request(folder, seconds, **values)
        return replace(asked, options=values.get("options", self.backend.options))

    def job(
        self, reference: str = "av-0-0", remote_id: str | None = None, seconds: float | None = None
    ) -> Job:
        folder = self.folder / f"job{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return Job(
            folder,
            deadline=None if seconds is None else self.clock() + seconds,
            remote_id=remote_id,
            reference=reference,
            clock=self.clock,
            on_order=lambda: self.told.append("ordered"),
            on_remote_id=lambda name: self.told.append(name or "dead"),
            on_progress=lambda fraction, message: self.told.append(message),
        )

    def failure(self, request: AvatarRequest, job: Job) -> AvatarError:
        """What `generate` raises."""
        try:
            self.backend.generate(request, job)
        except AvatarError as failure:
            return failure
        raise AssertionError("generate() made a clip")
