"""The books of the stand-in for D-ID: credits, talks and who paid what, uploads, every request."""

from __future__ import annotations

import json
import math
import os
import secrets
import threading
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

SECONDS_A_CREDIT = 15
# What is kept of an answer's address and what it opens: 24 h, as real links were measured.
LINK_SECONDS = 86_401
UPLOAD_SECONDS = 24 * 3600


class NoCredits(Exception):
    """The account cannot pay for what was asked."""


@dataclass(frozen=True)
class Upload:
    """A picture or a recording at the service; times are seconds since 1970.

    ``sha256`` is of the bytes that came, ``url`` what the client was told, byte for byte.
    """

    kind: Literal["image", "audio"]
    id: str
    url: str
    sha256: str
    bytes: int
    at: float
    expires: float
    size: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    deleted: bool = False


@dataclass(frozen=True)
class Talk:
    """A talk and its price; ``narration`` is the `Upload.sha256` of its sound, ``seconds`` the
    length of the video. ``end`` is what it comes to, ``error`` what the service says of that."""

    id: str
    credits: int
    name: str
    user_data: str
    narration: str
    seconds: float
    size: tuple[int, int]
    body: dict[str, Any]
    at: float
    end: Literal["done", "error", "rejected"] = "done"
    error: dict[str, Any] = field(default_factory=dict)
    deleted: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it came, in the order in which it came. ``authorization`` is only how it was
    sent: "raw", "encoded", "wrong" or "none". ``talk`` is the id in its path."""

    route: str
    authorization: str
    talk: str = ""
    body: Any = None


class Ledger:
    """Safe to use from several threads. With ``folder`` it is on disk before anybody is answered,
    and a service that is started on the same folder goes on with it."""

    def __init__(self, credits: float, folder: Path | None = None) -> None:
        self.total = self.credits = credits
        self.signing_key = secrets.token_hex(16)
        self._talks: dict[str, Talk] = {}
        self._uploads: dict[str, Upload] = {}
        self._requests: list[Asked] = []
        self._lock = threading.RLock()
        self._file = folder / "ledger.json" if folder is not None else None
        if self._file is not None and self._file.exists():
            self._load(json.loads(self._file.read_text(encoding="utf-8")))

    @property
    def talks(self) -> list[Talk]:
        """Every talk that was ever made, the oldest first."""
        with self._lock:
            return list(self._talks.values())

    @property
    def uploads(self) -> list[Upload]:
        with self._lock:
            return list(self._uploads.values())

    @property
    def requests(self) -> list[Asked]:
        with self._lock:
            return list(self._requests)

    @property
    def spent(self) -> int:
        """Credits that were paid, in all."""
        return sum(talk.credits for talk in self.talks)

    @property
    def paid(self) -> list[int]:
        """How often each narration was paid that was paid at all: ones, if all is well."""
        return sorted(Counter(talk.narration for talk in self.talks).values())

    def count(self, route: str) -> int:
        """How many requests of a route came: "POST /talks", "GET /talks/{id}"."""
        return sum(asked.route == route for asked in self.requests)

    def note(self, asked: Asked) -> None:
        with self._lock:
            self._requests.append(asked)

    def pay(self, talk: Talk, price: int) -> None:
        """Make ``talk``; raises `NoCredits`."""
        with self._lock:
            if self.credits < price:
                raise NoCredits
            self.credits -= price
            self._talks[talk.id] = replace(talk, credits=price)
            self._save()

    def keep(self, upload: Upload) -> None:
        with self._lock:
            self._uploads[upload.id] = upload
            self._save()

    def delete_upload(self, kind: str, name: str, now: float) -> bool:
        """Whether there was such an upload."""
        with self._lock:
            found = self._uploads.get(name)
            if found is None or found.kind != kind or not _lives(found, now):
                return False
            self._uploads[name] = replace(found, deleted=True)
            self._save()
            return True

    def delete_talk(self, name: str) -> None:
        with self._lock:
            self._talks[name] = replace(self._talks[name], deleted=True)
            self._save()

    def talk(self, name: str) -> Talk | None:
        with self._lock:
            found = self._talks.get(name)
            return found if found is not None and not found.deleted else None

    def upload_at(self, url: str, now: float) -> Upload | None:
        """The upload that ``url`` names, if it is still there."""
        living = (one for one in self.uploads if one.url == url and _lives(one, now))
        return next(living, None)

    def _save(self) -> None:
        if self._file is None:
            return
        state = {
            "total": self.total,
            "credits": self.credits,
            "signing_key": self.signing_key,
            "talks": [asdict(talk) for talk in self._talks.values()],
            "uploads": [asdict(upload) for upload in self._uploads.values()],
        }
        draft = self._file.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as stream:
            json.dump(state, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._file)

    def _load(self, state: dict[str, Any]) -> None:
        self.total, self.credits = state["total"], state["credits"]
        self.signing_key = state["signing_key"]
        for talk in state["talks"]:
            self._talks[talk["id"]] = Talk(**{**talk, "size": tuple(talk["size"])})
        for upload in state["uploads"]:
            self._uploads[upload["id"]] = Upload(**{**upload, "size": tuple(upload["size"])})


def price_of(seconds: float) -> int:
    """Credits: one for every 15 s that have begun, at least one."""
    return max(1, math.ceil(round(seconds, 6) / SECONDS_A_CREDIT))


def _lives(upload: Upload, now: float) -> bool:
    return not upload.deleted and now < upload.expires
