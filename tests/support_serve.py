"""A server with a small engine of its own, over real sockets, in this process or in another.

python support_serve.py --folder JOBS --port-file PORT --hold FILE
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import requests
from PIL import Image
from pydantic import BaseModel, ConfigDict

from avatar_core.backend import Size
from avatar_core.errors import Cancelled, Category
from avatar_core.media import probe_video
from backends.colab.server.access import Token
from backends.colab.server.app import create_app
from backends.colab.server.bench import Runner
from backends.colab.server.limits import Limits
from backends.colab.server.service import Service, assemble
from backends.colab.server.wsgi import HttpServer
from backends.sadtalker.engine import (
    Engine,
    EngineFailure,
    EngineNews,
    EngineResult,
    EngineTask,
)
from support_media import write_clip, write_wav

TOKEN = "a-token-for-tests-only"
# No test waits so long unless something hangs; machines that run tests may be very busy.
PATIENCE = 120.0
STAMPED = {"X-Avatar-Server", "X-Avatar-Protocol"}


class PaintOptions(BaseModel):
    """What the engine of the tests can be asked; the first three are what old clients send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preprocess: Literal["crop", "full"] = "crop"
    still: bool = True
    enhancer: Literal["none", "gfpgan"] = "none"
    fail: str = ""


PAINT = Engine(
    name="paint",
    title="Paint",
    licence="Apache-2.0",
    licence_class="permissive",
    vram_mb=0,
    Options=PaintOptions,
    command=lambda paths, options: [],
)


@functools.cache
def painted(frames: int = 10) -> bytes:
    """A small clip; each number of frames is another one."""
    with tempfile.TemporaryDirectory() as folder:
        return write_clip(Path(folder) / "clip.mp4", frames=frames, fps=10).read_bytes()


@dataclass
class Painter:
    """An engine's runner that needs no GPU and does what it is told.

    A job waits for ``go``; ``begun`` is released once for each that has begun. The option
    ``fail`` makes it fail with that code.
    """

    root: Path
    engine: Engine = PAINT
    lacks: tuple[str, ...] = ()
    go: Callable[[], bool] = lambda: True
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    tasks: list[EngineTask] = field(default_factory=list)
    printed: tuple[str, ...] = ()

    def missing(self, options: BaseModel | None = None) -> tuple[str, ...]:
        return self.lacks

    def run(
        self, task: EngineTask, tell: Callable[[EngineNews], None], cancel: threading.Event
    ) -> EngineResult:
        assert isinstance(task.options, PaintOptions)
        assert task.image.is_file()
        assert task.audio.is_file()
        self.tasks.append(task)
        tell(EngineNews("load", 0.1, "Loading the networks"))
        self.begun.release()
        while not self.go():
            if cancel.wait(0.005):
                raise Cancelled("cancelled")
        tell(EngineNews("render", 0.5, "Painting"))
        if task.options.fail:
            raise _failure(task.options.fail, self.printed)
        video = task.folder / "out.mp4"
        video.write_bytes(painted(9 + len(self.tasks) % 5))
        info = probe_video(video)
        return EngineResult(video, Size(*info.size), info.fps, info.seconds)


def _failure(code: str, printed: tuple[str, ...]) -> Exception:
    if code == "bug":
        return ZeroDivisionError("division by zero")
    category = Category.INVALID_INPUT if code == "no_face" else Category.SERVER
    return EngineFailure(
        code, category, f"It failed: {code}.", advice="Use another.", log_tail=printed
    )


@dataclass
class Client:
    """A client of the server at ``url``; every answer is checked for the server's stamp."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    token: str | None = TOKEN

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = dict(more.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        answer = self.session.request(
            method, self.url + path, headers=headers, timeout=PATIENCE, **more
        )
        assert set(answer.headers) >= STAMPED
        return answer

    def submit(self, key: str | None = None, **options: Any) -> requests.Response:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self("POST", "/v1/jobs", headers=headers, files=files(),
                    data={"options": json.dumps(options)} if options else None)  # fmt: skip

    def job(self, job: str, wait: float = 0) -> dict[str, Any]:
        told = self("GET", f"/v1/jobs/{job}", params={"wait": wait} if wait else None)
        assert told.status_code == 200, told.text
        return dict(told.json())

    def ended(self, job: str) -> dict[str, Any]:
        """The job when it has ended."""
        while (told := self.job(job, wait=10))["state"] in ("queued", "running"):
            pass
        return told


def code(answer: requests.Response) -> str:
    return str(answer.json()["error"]["code"])


@functools.cache
def picture_bytes() -> bytes:
    stream = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).save(stream, "PNG")
    return stream.getvalue()


@functools.cache
def sound_bytes(seconds: float = 0.5) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_wav(Path(folder) / "a.wav", seconds, rate=8000).read_bytes()


def files(**other: Any) -> dict[str, Any]:
    return {
        "image": ("lan.png", picture_bytes()),
        "audio": ("say.wav", sound_bytes()),
        **other,
    }


@dataclass
class Running:
    client: Client
    service: Service
    painter: Painter
    http: HttpServer

    def raw(self) -> socket.socket:
        """A connection to write anything into."""
        return socket.create_connection((self.http.host, self.http.port), timeout=PATIENCE)


@contextlib.contextmanager
def serving(
    folder: Path,
    painter: Painter | None = None,
    limits: Limits | None = None,
    runners: Mapping[str, Runner] | None = None,
    **more: Any,
) -> Iterator[Running]:
    """A server on loopback, in this process."""
    painter = painter or Painter(folder)
    service = assemble(
        folder / "jobs", runners or {"paint": painter}, Token(TOKEN), limits=limits, **more
    )
    http = HttpServer(create_app(service), service)
    service.start()
    http.start()
    try:
        yield Running(Client(f"http://127.0.0.1:{http.port}"), service, painter, http)
    finally:
        service.stop()
        http.stop()


@dataclass
class Program:
    """The same server as a program of its own, to be killed. Its jobs wait until `release`."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Client:
        port = self.folder / "port"
        port.unlink(missing_ok=True)
        command = [sys.executable, __file__, "--folder", str(self.folder), "--port-file", str(port)]
        self.process = subprocess.Popen([*command, "--hold", str(self.hold)])
        deadline = time.monotonic() + PATIENCE
        while not port.exists():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return Client(f"http://127.0.0.1:{port.read_text()}")

    @property
    def hold(self) -> Path:
        return self.folder / "hold"

    def release(self) -> None:
        self.hold.unlink()

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Program:
        self.hold.touch()
        return self

    def __exit__(self, *failure: object) -> None:
        self.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--folder", "--port-file", "--hold"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    painter = Painter(given.folder, go=lambda: not given.hold.exists())
    with serving(given.folder, painter) as running:
        part = given.port_file.with_suffix(".part")
        part.write_text(str(running.http.port))
        os.replace(part, given.port_file)
        signal.pause()


if __name__ == "__main__":
    main()
