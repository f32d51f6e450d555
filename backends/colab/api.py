"""The wire: every request of protocol 1, and what comes back, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack
from urllib.parse import quote

from pydantic import SecretStr

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError, Category
from avatar_core.http import CallOptions, HttpClient
from avatar_core.http_address import called
from avatar_core.http_answer import HttpAnswer
from backends.colab.config import ColabOptions
from backends.colab.errors import HINTS, NO_SUCH_JOB, ColabError, answer_error, is_ours, linked
from backends.colab.v0_errors import FIRST_HINTS
from backends.colab.versions import own_version

# Every status is looked at here: whose answer it is counts for more than its number.
_ANY = range(100, 600)
# Short questions; what is held open by the server gets its time on top.
ASK_SECONDS = 15.0
# A little less than whoever waits for it: then it is told what was waited for.
HEALTH_SECONDS = 4.5


@dataclass(frozen=True, slots=True)
class Video:
    """A finished video as the server describes it; ``duration`` is in seconds."""

    bytes: int
    sha256: str
    duration: float
    size: Size
    fps: float


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """A job as the server tells it. ``position`` counts those before it; ``percent`` is 0-100."""

    id: str
    state: str
    position: int | None
    stage: str
    percent: float
    message: str
    error: Mapping[str, Any] | None
    video: Video | None


class Within(TypedDict, total=False):
    """How long a request may take in all, in seconds, and what ends it before."""

    seconds: float
    cancel: CancelToken


class Upload(NamedTuple):
    """A portrait as PNG and a narration as WAV, ready to be sent."""

    image: bytes
    audio: bytes


class ColabApi:
    """Asks one server; raises `AvatarError` for every answer that is not the one asked for.

    ``requests`` counts what was sent: a tunnel's free plan has a fixed number a month.
    """

    def __init__(self, options: ColabOptions, clock: Clock | None = None) -> None:
        token = options.token.get_secret_value()
        self._clock = clock or SystemClock()
        self._http = HttpClient(
            options.url,
            auth=SecretStr(f"Bearer {token}") if token else None,
            headers=_headers(),
            name="Colab",
            hints=(*HINTS, *FIRST_HINTS),
            clock=self._clock,
        )
        self.service = called("Colab", options.url)
        self.requests = 0

    def health(self, **more: Unpack[Within]) -> HttpAnswer:
        """Whatever answers at this address."""
        more.setdefault("seconds", HEALTH_SECONDS)
        return self.ask("GET", "/health", **more)

    def create(
        self,
        upload: Upload,
        key: str,
        engine: str,
        options: Mapping[str, Any],
        **more: Unpack[Within],
    ) -> RemoteJob:
        """Order a job; the same ``key`` again gives the job that there is."""
        answer = self._ours(
            "POST",
            "/v1/jobs",
            files={
                "image": ("source.png", upload.image, "image/png"),
                "audio": ("audio.wav", upload.audio, "audio/wav"),
            },
            data={"engine": engine, "options": json.dumps(options)},
            headers={"Idempotency-Key": key},
            order=True,
            **more,
        )
        return self._job(answer)

    def look(self, job: str, wait: float, **more: Unpack[Within]) -> RemoteJob | None:
        """How a job is, None where the server knows none of this name; it may hold the question
        for ``wait`` seconds until there is news."""
        more.setdefault("seconds", ASK_SECONDS + wait)
        query = {"wait": f"{wait:g}"} if wait else {}
        try:
            return self._job(self._ours("GET", _path(job), params=query, **more))
        except ColabError as failure:
            if failure.code == NO_SUCH_JOB:
                return None
            raise

    def find(self, key: str) -> RemoteJob | None:
        """The job that was ordered with ``key``."""
        answer = self._ours("GET", "/v1/jobs", params={"key": key}, seconds=ASK_SECONDS)
        jobs = answer.fields().get("jobs")
        first = jobs[0] if isinstance(jobs, list) and jobs else None
        return None if first is None else self._read(first)

    def cancel(self, job: str) -> None:
        """Stop a job; one that is not there needs no stopping."""
        try:
            self._ours("DELETE", _path(job), seconds=HEALTH_SECONDS)
        except ColabError as failure:
            if failure.code != NO_SUCH_JOB:
                raise

    def fetch(self, job: str, target: Path, **more: Unpack[Within]) -> None:
        """Bring a finished video here."""
        self.requests += 1
        try:
            self._http.download(f"{_path(job)}/video", target, **more)
        except AvatarError as failure:
            raise linked(failure) from None

    def ask(self, method: str, path: str, **more: Unpack[CallOptions]) -> HttpAnswer:
        """The answer, whoever gave it; raises where there was none."""
        self.requests += 1
        more["accept"] = _ANY
        try:
            return self._http.request(method, path, **more)
        except AvatarError as failure:
            raise linked(failure) from None

    def generate(self, target: Path, **more: Unpack[CallOptions]) -> None:
        """The one call of the first servers: picture and sound go, the video comes."""
        self.requests += 1
        self._http.download("/generate", target, method="POST", **more)

    def not_asked_for(self, answer: HttpAnswer, *, order: bool = False) -> AvatarError:
        """What an answer means that is not the one that was asked for."""
        return answer_error(self.service, answer, now=self._clock.wall(), order=order)

    def close(self) -> None:
        self._http.close()

    def _ours(self, method: str, path: str, **more: Unpack[CallOptions]) -> HttpAnswer:
        answer = self.ask(method, path, **more)
        if not is_ours(answer) or answer.status >= 300:
            raise self.not_asked_for(answer, order=more.get("order", False))
        return answer

    def _job(self, answer: HttpAnswer) -> RemoteJob:
        return self._read(answer.fields())

    def _read(self, told: Any) -> RemoteJob:
        try:
            return _as_job(told)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise linked(
                AvatarError(
                    Category.UNSUPPORTED,
                    f"{self.service} describes a job in a way that is not understood here.",
                    advice="Use the same version on both sides.",
                )
            ) from None


def _as_job(told: Any) -> RemoteJob:
    video, error = told.get("video"), told.get("error")
    return RemoteJob(
        id=_name(told["id"]),
        state=str(told["state"]),
        position=None if told.get("position") is None else int(told["position"]),
        stage=str(told.get("stage") or ""),
        percent=min(100.0, max(0.0, float(told.get("percent") or 0))),
        message=str(told.get("message") or ""),
        error=error if error is None or isinstance(error, dict) else {"message": str(error)},
        video=None if video is None else _as_video(video),
    )


def _as_video(told: Any) -> Video:
    return Video(
        bytes=int(told["bytes"]),
        sha256=str(told["sha256"]).lower(),
        duration=float(told["duration"]),
        size=Size(int(told["width"]), int(told["height"])),
        fps=float(told["fps"]),
    )


def _name(value: Any) -> str:
    # It becomes a part of an address, and of a file.
    name = str(value)
    if not name or len(name) > 200 or not name.isascii() or not name.isprintable():
        raise ValueError
    return name


def _path(job: str) -> str:
    return f"/v1/jobs/{quote(job, safe='')}"


def _headers() -> dict[str, str]:
    """What keeps tunnels from showing their pages for browsers."""
    return {
        "User-Agent": f"avatar-core/{own_version()} colab",
        "Accept": "application/json, video/mp4, */*;q=0.5",
        "ngrok-skip-browser-warning": "1",
        "bypass-tunnel-reminder": "1",
    }
