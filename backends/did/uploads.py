"""Uploads, made once and used by every scene that shares them, as long as they live."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from avatar_core.backend import Job
from avatar_core.errors import AvatarError, Category
from backends.did.api import DidApi, Limits
from backends.did.media import Sendable

log = logging.getLogger(__name__)

Kind = Literal["image", "audio"]
# They live for 24 to 48 hours, and must outlive the talk that is made of them.
GOOD_FOR_SECONDS = 22 * 3600.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Upload:
    """``at`` is when it was sent (s since 1970), ``warning`` what a user should know about it."""

    kind: Kind
    content: str
    url: str
    id: str
    at: float
    warning: str = ""


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    upload: Upload | None = None
    doubted: bool = False


class Uploads:
    """What one renderer has sent, by content; threads may share it.

    Kept in memory alone: an upload costs nothing, and its address names the account.
    """

    def __init__(self, api: DidApi) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._slots: dict[tuple[Kind, str], _Slot] = {}
        self._sent: list[Upload] = []
        self._in_use: dict[str, tuple[Upload, ...]] = {}

    def get(
        self, kind: Kind, content: str, make: Callable[[], Sendable], job: Job
    ) -> tuple[Upload, bool]:
        """The upload of ``content``, sent now if there is none, and whether it was sent before and
        may have run out since.

        Who wants the same at the same time waits for it. Raises `AvatarError`, `Cancelled`.
        """
        with self._lock:
            slot = self._slots.setdefault((kind, content), _Slot())
        _take(slot.lock, job)
        try:
            now = job.clock.wall()
            found = slot.upload
            if found is not None and 0 <= now - found.at < GOOD_FOR_SECONDS:
                return found, not slot.doubted
            slot.upload = self._send(kind, content, make(), job)
            return slot.upload, False
        finally:
            slot.lock.release()

    def forget(self, uploads: Iterable[Upload]) -> None:
        """The service no longer has these; one that was sent anew meanwhile stays."""
        for upload in uploads:
            with self._lock:
                slot = self._slots.get((upload.kind, upload.content))
            if slot is not None and slot.upload is upload:
                slot.upload = None

    def doubt(self, uploads: Iterable[Upload]) -> None:
        """These were refused when they had just been sent: sending them again would not help."""
        for upload in uploads:
            with self._lock:
                slot = self._slots.get((upload.kind, upload.content))
            if slot is not None:
                slot.doubted = True

    def use(self, talk_id: str, uploads: Iterable[Upload]) -> None:
        """A talk is made of ``uploads``: they must stay until it has ended."""
        with self._lock:
            self._in_use[talk_id] = tuple(uploads)

    def release(self, talk_id: str) -> None:
        """The talk has ended."""
        with self._lock:
            self._in_use.pop(talk_id, None)

    def delete_all(self) -> None:
        """Delete what was sent, at the end; what a talk that still runs is made of is left to
        run out by itself. What cannot be deleted is logged."""
        with self._lock:
            sent, self._sent = self._sent, []
            used = {upload.id for uploads in self._in_use.values() for upload in uploads}
            self._slots.clear()
        for upload in sent:
            if not upload.id or upload.id in used:
                log.warning("An upload stays at D-ID until it expires by itself, in two days.")
                continue
            try:
                self._api.delete_upload(upload.kind, upload.id)
            except AvatarError as failure:
                log.warning("An upload could not be deleted at D-ID: %s", failure.message)

    def _send(self, kind: Kind, content: str, made: Sendable, job: Job) -> Upload:
        began = job.clock.wall()
        sent = self._api.upload(kind, made.name, made.data, made.media_type, Limits.of(job))
        upload = Upload(kind, content, sent.url, sent.id, began, made.warning)
        with self._lock:
            self._sent.append(upload)
        return upload


def _take(lock: threading.Lock, job: Job) -> None:
    """Wait for another thread's upload, but no longer than the job may."""
    while not lock.acquire(timeout=_LOOK_SECONDS):
        job.cancel.check()
        if job.remaining == 0:
            raise AvatarError(Category.TIMEOUT, "The portrait was not sent in the time it had.")
