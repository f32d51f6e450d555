"""A job as it is kept on disk and as clients see it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from avatar_core.errors import Category

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")


class _Kept(BaseModel):
    # A newer server's record is read as far as it is understood.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Trouble(_Kept):
    """Why a job failed; ``log_tail`` is scrubbed of what the machine's owner keeps to himself."""

    code: str
    category: Category
    message: str
    advice: str
    retryable: bool
    log_tail: tuple[str, ...] = ()


class Video(_Kept):
    """A finished video: ``duration`` in seconds, ``width`` and ``height`` in pixels."""

    bytes: int
    sha256: str
    duration: float
    width: int
    height: int
    fps: float


class JobRecord(_Kept):
    """``number`` counts orders up, for the queue. Times are seconds since 1970. ``key`` and
    ``content`` are hashes: of the Idempotency-Key, and of everything the video depends on.
    ``image`` and ``audio`` are names of ours. ``runs`` counts how often the work was begun."""

    id: str
    number: int
    key: str | None
    content: str
    engine: str
    options: dict[str, Any]
    image: str
    audio: str
    audio_seconds: float
    created_at: float
    state: State = "queued"
    stage: str | None = None
    percent: float = 0.0
    message: str = "Waiting for its turn."
    started_at: float | None = None
    finished_at: float | None = None
    runs: int = 0
    error: Trouble | None = None
    video: Video | None = None
    warnings: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def answers_its_key(self) -> bool:
        """Whether the same order again is this job; what failed or is gone is made anew."""
        return not self.ended or (self.state == "done" and self.video is not None)

    def seconds(self, now: float) -> float | None:
        """How long it was or is at work; never less than nothing, as clocks are set."""
        end = self.finished_at if self.ended else now
        return max(0.0, round(end - self.started_at, 3)) if self.started_at and end else None

    def view(self, position: int | None, now: float) -> dict[str, Any]:
        """The job as the protocol tells it."""
        return {
            "id": self.id,
            "state": self.state,
            "position": position,
            "engine": self.engine,
            "stage": self.stage,
            "percent": round(self.percent, 1),
            "message": self.message,
            "created_at": _iso(self.created_at),
            "started_at": _iso(self.started_at),
            "finished_at": _iso(self.finished_at),
            "seconds": self.seconds(now),
            "error": self.error.model_dump(mode="json") if self.error else None,
            "video": self.video.model_dump(mode="json") if self.video else None,
            "warnings": list(self.warnings),
        }


def key_hash(key: str) -> str:
    """What is kept of an Idempotency-Key."""
    return hashlib.sha256(b"avatar-job-key\0" + key.encode("utf-8")).hexdigest()


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
