"""D-ID's wire: what is sent, and what is understood of the answers.

After the OpenAPI description of D-ID, version 4.2.1 (docs.d-id.com/reference). Only its fields are
sent. Of answers, which carry more than it declares (an e-mail address among it), a few fields are
read, and nothing else is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from avatar_core.backend import Job
from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock
from avatar_core.errors import AvatarError, Category
from avatar_core.http import CallOptions, HttpClient
from avatar_core.http_answer import HttpAnswer
from backends.did import errors
from backends.did.auth import credentials
from backends.did.config import DidOptions

RUNNING = ("created", "started")
FAILED = ("error", "rejected")
DONE = "done"
PAGE = 100
_SECONDS = 30.0
_UPLOAD_SECONDS = 120.0
# The gateway gives up after about 29 s: whatever comes later would be no answer of it.
_ORDER_SECONDS = 60.0
_VIDEO_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request must keep to: the time that is left (s, None: any), and the user's wish."""

    left: float | None = None
    cancel: CancelToken | None = None

    @classmethod
    def of(cls, job: Job) -> Limits:
        return cls(job.remaining, job.cancel)

    def options(self, seconds: float) -> CallOptions:
        left = seconds if self.left is None else min(seconds, self.left)
        options = CallOptions(seconds=left)
        if self.cancel is not None:
            options["cancel"] = self.cancel
        return options


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Credits:
    """What is left of an account, both may be fractions; ``plan`` and ``until`` where known."""

    remaining: float
    total: float
    plan: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """An upload: its ``url`` is passed on byte for byte, ``id`` ("" where none came) deletes it."""

    url: str
    id: str


@dataclass(frozen=True, slots=True)
class Talk:
    """``seconds`` is the video's length, None where it is not told."""

    id: str
    status: str
    result_url: str = ""
    seconds: float | None = None
    kind: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A talk as a list shows it; ``marks`` are its name and user data, where they are told."""

    talk: Talk
    created_at: str
    marks: tuple[str, ...]


class DidApi:
    """Threads may share it. Everything raises `AvatarError`, without any person in it."""

    def __init__(self, options: DidOptions, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: HttpClient | None = None

    def credits(self, seconds: float) -> Credits:
        """Free. An account that never had any answers 404 (NotFoundError)."""
        try:
            body = self._asked("GET", "/credits", CallOptions(seconds=seconds)).fields()
        except AvatarError as failure:
            if failure.status == 404 and errors.is_kind(failure, "NotFoundError"):
                return Credits(0, 0)
            raise
        items = body.get("credits")
        item = items[0] if isinstance(items, list) and items else None
        item = item if isinstance(item, dict) else {}
        return Credits(
            _number(body, "remaining") or 0.0,
            _number(body, "total") or 0.0,
            _text(item, "plan_group"),
            _text(item, "expire_at")[:10],
        )

    def upload(self, kind: str, name: str, data: bytes, media_type: str, limits: Limits) -> Sent:
        """``kind`` is "image" or "audio"; safe to repeat."""
        options = limits.options(_UPLOAD_SECONDS)
        options["files"] = {kind: (name, data, media_type)}
        body = self._asked("POST", f"/{kind}s", options).fields()
        url = _text(body, "url")
        if not url:
            raise errors.no_such_answer("the address of what was uploaded")
        return Sent(url, _text(body, "id"))

    def delete_upload(self, kind: str, upload_id: str) -> None:
        options = CallOptions(seconds=_SECONDS, accept=(404,))
        self._asked("DELETE", f"/{kind}s/{_quoted(upload_id)}", options)

    def create_talk(self, body: Mapping[str, Any], limits: Limits) -> str:
        """The new talk's id. Paid: an error says with ``unanswered`` whether it may exist."""
        options = limits.options(_ORDER_SECONDS)
        options["json"], options["order"] = dict(body), True
        talk_id = _text(self._asked("POST", "/talks", options).fields(), "id")
        if not talk_id:
            raise errors.no_such_answer("the talk's id", unanswered=True)
        return talk_id

    def talk(self, talk_id: str, limits: Limits = NO_LIMITS) -> Listed | None:
        """The talk as it is now, None where the service says that it has none of that id."""
        try:
            answer = self._asked("GET", f"/talks/{_quoted(talk_id)}", limits.options(_SECONDS))
        except AvatarError as failure:
            # Any other 404 comes from somebody who does not know talks at all.
            if failure.status == 404 and errors.is_kind(failure, "NotFoundError"):
                return None
            raise
        found = _listed(answer.fields(), talk_id)
        if not found.talk.status:
            raise errors.no_such_answer("the talk's status")
        return found

    def talks(self, token: str, seconds: float) -> tuple[list[Listed], str]:
        """A page of the account's talks, and the token of the next one ("" for the last)."""
        params = {"limit": str(PAGE), **({"token": token} if token else {})}
        body = self._asked("GET", "/talks", CallOptions(seconds=seconds, params=params)).fields()
        talks = body.get("talks")
        if not isinstance(talks, list):
            raise errors.no_such_answer("a list of talks")
        found = [_listed(one) for one in talks if isinstance(one, dict) and _text(one, "id")]
        return found, _text(body, "token")

    def delete_talk(self, talk_id: str, seconds: float) -> None:
        """Accepts that it is gone already, and that it cannot be stopped while it is made."""
        options = CallOptions(seconds=seconds, accept=(404, 409))
        self._asked("DELETE", f"/talks/{_quoted(talk_id)}", options)

    def download(self, url: str, target: Path, limits: Limits) -> None:
        """A finished video. Its link is signed: the store refuses a key beside the signature."""
        if not url.lower().startswith(("https://", "http://")):
            raise errors.no_such_answer("a web address of the video")
        options = limits.options(_VIDEO_SECONDS)
        options["auth"] = False
        try:
            self._client().download(url, target, **options)
        except AvatarError as failure:
            raise _without_people(failure) from None

    def close(self) -> None:
        with self._lock:
            client, self._kept = self._kept, None
        if client is not None:
            client.close()

    def _asked(self, method: str, path: str, options: CallOptions) -> HttpAnswer:
        try:
            return self._client().request(method, path, **options)
        except AvatarError as failure:
            raise _without_people(failure) from None

    def _client(self) -> HttpClient:
        with self._lock:
            if self._kept is None:
                self._kept = HttpClient(
                    self._options.api_url,
                    auth=credentials(self._options.api_key),
                    name=errors.NAME,
                    hints=errors.HINTS,
                    clock=self._clock,
                )
            return self._kept


def _listed(body: Mapping[str, Any], talk_id: str = "") -> Listed:
    marks = tuple(_text(body, key) for key in ("user_data", "name") if key in body)
    return Listed(_talk(body, talk_id), _text(body, "created_at"), marks)


def _talk(body: Mapping[str, Any], talk_id: str) -> Talk:
    error = body.get("error")
    fields = error if isinstance(error, dict) else {"description": error}
    return Talk(
        id=_text(body, "id") or talk_id,
        status=_text(body, "status"),
        result_url=_text(body, "result_url"),
        seconds=_number(body, "duration"),
        kind=_text(fields, "kind"),
        description=_text(fields, "description"),
    )


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _number(body: Mapping[str, Any], key: str) -> float | None:
    value = body.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e9 else None  # type: ignore[arg-type, operator]


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _without_people(failure: AvatarError) -> AvatarError:
    failure.message = errors.impersonal(failure.message)
    failure.args = (failure.message,)
    return failure


def is_link_refusal(failure: AvatarError) -> bool:
    """Whether the store of results refused a link: it has run out, or was never good."""
    return failure.status in (400, 401, 403, 404, 410) and failure.category is not Category.QUOTA
