"""A stand-in of the server that `colab` talks to: protocol 1, the first protocol, tunnels' answers.

It remembers its jobs and nothing of a picture. What goes wrong on the wire is scripted by the
`ScriptedServer` that plays it; what goes wrong with a job is said by `Service.outcomes`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import re
import struct
import tempfile
import threading
import uuid
import wave
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatar_core.backend import Size
from avatar_core.clock import Clock
from avatar_core.testing import Answer, ScriptedServer, media
from avatar_core.testing.http_steps import Recorded, ServerStep
from backends.colab.backend import ColabBackend
from backends.colab.config import ColabOptions

TOKEN = "stand-in-token-0123456789"
SIZE = Size(64, 64)
# A port where nobody listens.
NOWHERE = "http://127.0.0.1:9"
STAMP = {"X-Avatar-Server": "0.1.0", "X-Avatar-Protocol": "1"}


def failed(code: str, category: str, message: str = "", advice: str = "Do something.") -> Any:
    """What a job ends with that fails."""
    return {
        "code": code, "category": category, "message": message or f"It failed: {code}.",
        "advice": advice, "retryable": False, "log_tail": [],
    }  # fmt: skip


NO_FACE = failed("no_face", "invalid_input", "No face was found in the picture.")
ENHANCER = failed("enhancer_crashed", "server", "The enhancer crashed.")


def ngrok(code: int, status: int, retry_after: int | None = None) -> Answer:
    """An answer of ngrok itself: the page says less than the header."""
    headers = {"ngrok-error-code": f"ERR_NGROK_{code}"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Answer(status, f"ERR_NGROK_{code}\r\nSomething went wrong.\r\n", headers)


@dataclass
class Made:
    """A job as the service keeps it; ``looks`` counts how often it was asked for."""

    id: str
    key: str
    options: dict[str, Any]
    seconds: float
    state: str = "queued"
    error: Any = None
    looks: int = 0


@dataclass
class Service:
    """The jobs and how they go. ``outcomes`` are used up job by job: None is a good one, an
    error (`failed`) or a kind of clip (``short``) a bad one; after them all are good.

    ``polls`` is how many looks a job takes. ``first`` speaks the first protocol: then an outcome
    may also be an `Answer`, or bytes to send in place of the video.
    """

    token: str | None = TOKEN
    polls: int = 1
    first: bool = False
    health: dict[str, Any] = field(default_factory=dict)
    stamp: dict[str, str] = field(default_factory=lambda: dict(STAMP))
    outcomes: list[Any] = field(default_factory=list)
    jobs: dict[str, Made] = field(default_factory=dict)
    forms: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, request: Recorded) -> ServerStep:
        with self.lock:
            return self._first(request) if self.first else self._protocol_1(request)

    def seen(self) -> Counter[str]:
        """How many jobs there are by state."""
        return Counter(job.state for job in self.jobs.values())

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The options of every job, in their order."""
        return [job.options for job in self.jobs.values()]

    # --- protocol 1

    def _protocol_1(self, request: Recorded) -> ServerStep:
        known = self.token is None or _token_of(request) == self.token
        if (request.method, request.path) == ("GET", "/health"):
            return self._health(known)
        if not known:
            error = failed("token_wrong", "auth", "The token is not this server's.")
            return self._json(401, {"error": error})
        found = re.fullmatch(r"/v1/jobs(?:/([^/]+)(/video)?)?", request.path)
        if found is None:
            return self._missing("no_such_page", "unsupported")
        if found[1] is None:
            return self._create(request) if request.method == "POST" else self._find(request)
        job = self.jobs.get(found[1])
        if job is None:
            return self._missing("no_such_job", "server")
        if request.method == "DELETE":
            return self._delete(job)
        return self._video(job) if found[2] else self._look(job)

    def _health(self, known: bool) -> ServerStep:
        facts: dict[str, Any] = {
            "status": "ok", "server": "avatar", "version": "0.1.0", "protocol": 1
        }  # fmt: skip
        if known:
            facts |= {"engine": "sadtalker", "engines": ["sadtalker"], "ready": True,
                      "problem": None, "advice": None,
                      "gpu": {"name": "Tesla T4", "memory_free_mb": 14_000},
                      "queue": {"running": 0, "waiting": 0, "limit": 8}}  # fmt: skip
        return self._json(200, {**facts, **(self.health if known else {})})

    def _create(self, request: Recorded) -> ServerStep:
        key = request.headers["idempotency-key"]
        old = next((job for job in self.jobs.values() if job.key == key), None)
        if old is not None and old.state in ("queued", "running", "done"):
            return self._json(200, _told(old))
        form = request.form()
        job = Made(
            uuid.uuid4().hex,
            key,
            json.loads(form["options"].content),
            _seconds(form["audio"].content),
            error=self.outcomes.pop(0) if self.outcomes else None,
        )
        if old is not None:
            del self.jobs[old.id]
        self.jobs[job.id] = job
        return self._json(202, _told(job))

    def _find(self, request: Recorded) -> ServerStep:
        found = [_told(job) for job in self.jobs.values() if job.key == request.query["key"]]
        return self._json(200, {"jobs": found})

    def _look(self, job: Made) -> ServerStep:
        job.looks += 1
        if job.state in ("queued", "running"):
            over = job.looks > self.polls
            job.state = "running" if not over else "failed" if _is_error(job) else "done"
        return self._json(200, _told(job))

    def _video(self, job: Made) -> ServerStep:
        if job.state != "done":
            return self._missing("not_done", "invalid_input", 409)
        return Answer(200, video(job), {**self.stamp, "Content-Type": "video/mp4"})

    def _delete(self, job: Made) -> ServerStep:
        self.cancelled.append(job.id)
        job.state = "cancelled"
        return self._json(200, _told(job))

    def _missing(self, code: str, category: str, status: int = 404) -> ServerStep:
        return self._json(status, {"error": failed(code, category)})

    def _json(self, status: int, value: Any) -> Answer:
        return Answer(status, value, self.stamp)

    # --- the first protocol

    def _first(self, request: Recorded) -> ServerStep:
        if (request.method, request.path) == ("GET", "/health"):
            return Answer(200, {"status": "ok"})
        if (request.method, request.path) != ("POST", "/generate"):
            return Answer(404, "<!doctype html><title>404 Not Found</title>")
        form = {name: part.content for name, part in request.form().items()}
        self.forms.append({n: c.decode() for n, c in form.items() if n not in ("image", "audio")})
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Answer):
            return outcome
        body = outcome if isinstance(outcome, bytes) else _unlike(clip(_seconds(form["audio"])))
        return Answer(200, body, {"Content-Type": "video/mp4"})


@contextlib.contextmanager
def serving(service: Service | None = None, port: int = 0) -> Iterator[ScriptedServer]:
    """The service on loopback; `ScriptedServer.then` says what goes wrong first."""
    with ScriptedServer(otherwise=service or Service(), port=port) as server:
        yield server


def address(url: str, token: str | None = TOKEN) -> str:
    """What the server prints as COLAB_API_URL."""
    return url.replace("://", f"://avatar:{token}@") if token else url


def backend_at(url: str, clock: Clock | None = None, **options: Any) -> ColabBackend:
    """A backend that asks at ``url`` (which may hold a token) and hardly waits."""
    return ColabBackend(ColabOptions(url=url, **{"wait": 0, "patience": 0, **options}), clock=clock)


def video(job: Made) -> bytes:
    """What is sent as the job's video."""
    return clip(job.seconds, job.error if isinstance(job.error, str) else "moving")


@functools.cache
def clip(seconds: float, kind: str = "moving") -> bytes:
    """A small real clip."""
    with tempfile.TemporaryDirectory() as folder:
        path = media.clip(Path(folder) / "clip.mp4", seconds, SIZE, 10, kind)  # type: ignore[arg-type]
        return path.read_bytes()


def _unlike(video: bytes) -> bytes:
    """The same clip in another file, as two jobs never give the same one (an empty box)."""
    return video + struct.pack(">I4s16s", 24, b"free", uuid.uuid4().bytes)


def _told(job: Made) -> dict[str, Any]:
    body = video(job) if job.state == "done" else b""
    return {
        "id": job.id,
        "state": job.state,
        "position": 0 if job.state == "queued" else None,
        "stage": "render",
        "percent": {"queued": 0, "running": 50}.get(job.state, 100),
        "message": "Drawing the frames",
        "created_at": "2026-11-22T18:00:00Z",
        "started_at": None,
        "finished_at": None,
        "seconds": None,
        "error": job.error if job.state == "failed" else None,
        "video": {
            "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(),
            "duration": job.seconds, "width": SIZE.width, "height": SIZE.height, "fps": 10.0,
        } if body else None,
    }  # fmt: skip


def _is_error(job: Made) -> bool:
    return isinstance(job.error, dict)


def _seconds(content: bytes) -> float:
    with wave.open(io.BytesIO(content)) as sound:
        return round(sound.getnframes() / sound.getframerate(), 3)


def _token_of(request: Recorded) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")
