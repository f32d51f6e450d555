"""How much one server accepts, keeps and waits for."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20
# What the frame of a form needs around its two files.
_FORM_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and counts.

    A body as large as ``body_bytes`` still passes the 100 MB that Cloudflare lets through.
    ``waiting`` counts jobs behind the one that runs. ``head_seconds`` is how long a request's
    first lines may take to arrive, ``body_seconds`` the whole request, ``idle_seconds`` how long
    a connection may be silent or leave an answer unread. ``keep_seconds`` after its end a job's
    video is deleted, ``forget_seconds`` after it the job is forgotten; ``keep_jobs`` ended ones
    are kept at most. A job that was running when the server died is begun ``runs`` times in all.
    """

    image_bytes: int = 20 * _MIB
    audio_bytes: int = 64 * _MIB
    audio_seconds: float = 600.0
    waiting: int = 8
    threads: int = 16
    connections: int = 64
    head_seconds: float = 20.0
    body_seconds: float = 600.0
    idle_seconds: float = 120.0
    poll_seconds: float = 25.0
    generate_seconds: float = 280.0
    keep_seconds: float = 12 * 3600.0
    forget_seconds: float = 24 * 3600.0
    keep_jobs: int = 200
    runs: int = 2

    @property
    def body_bytes(self) -> int:
        return self.image_bytes + self.audio_bytes + _FORM_BYTES

    @property
    def waiters(self) -> int:
        """How many requests may wait for a job at a time; the other threads stay free."""
        return max(1, self.threads - 4)
