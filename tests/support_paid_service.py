"""A paid avatar service as a program of its own, with a ledger and faults to order.

Its protocol is made after the services that render talks from a picture and a sound: files are
uploaded, a job is created (which is when it is paid), looked at until it is done, and its clip is
fetched. Every token is an account with jobs, faults and ledger lines of its own, so that tests
share one server. `PaidService` starts it, `Account` is a test's handle.

    python support_paid_service.py --port-file PORT --ledger LEDGER.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support_faults import striking

# Each request is one of these; a fault names the one it strikes.
ROUTES = [
    ("health", "GET", r"/me"),
    ("upload", "POST", r"/uploads"),
    ("create", "POST", r"/jobs"),
    ("find", "GET", r"/jobs"),
    ("look", "GET", r"/jobs/([\w-]+)"),
    ("cancel", "DELETE", r"/jobs/([\w-]+)"),
    ("fetch", "GET", r"/files/([\w-]+)\.mp4"),
]
# How long the silent and the slow keep it up, if nobody hangs up before.
SILENCE_SECONDS = 600.0
HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>\n"


class Struck(Exception):
    """A fault has dealt with the request; nothing more is sent."""


@dataclass
class Fault:
    """``do`` happens to the next ``times`` requests of the route ``on`` (None: to all of them).

    ``when`` says whether the service has done what it was asked by then: "before" (and it never
    will), "during" (it does it all the same), "after".
    """

    on: str
    do: str
    when: str = "before"
    times: int | None = None
    after: int = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass
class Job:
    id: str
    reference: str
    seconds: float
    size: tuple[int, int]
    fps: int
    looks: int = 0
    asked_to_stop: int = 0


@dataclass
class Books:
    """What the service knows of one account."""

    token: str
    polls: int = 2
    searchable: bool = True
    faults: list[Fault] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    # How many clients were left waiting.
    struck: int = 0


class Service:
    """The state behind the server; safe to use from its threads."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._books: dict[str, Books] = {}
        self._clips: dict[tuple[Any, ...], bytes] = {}

    def open_account(self, token: str, wishes: dict[str, Any]) -> None:
        with self._lock:
            books = self._books.setdefault(token, Books(token))
            books.faults = [Fault(**wish) for wish in wishes.get("faults", [])]
            books.polls = wishes.get("polls", books.polls)
            books.searchable = wishes.get("searchable", books.searchable)

    def report(self, token: str) -> dict[str, Any]:
        with self._lock:
            books = self._books[token]
            jobs = [vars(job) for job in books.jobs.values()]
            return {"requests": list(books.requests), "jobs": jobs, "struck": books.struck}

    def books(self, token: str) -> Books | None:
        with self._lock:
            return self._books.get(token)

    def fault(self, books: Books, route: str) -> Fault | None:
        """Note the request and take the fault that strikes it."""
        with self._lock:
            books.requests.append(route)
            return striking(fault for fault in books.faults if fault.on == route)

    def create(self, books: Books, wish: dict[str, Any], pid: str) -> Job:
        """The new job; it is paid when this returns."""
        with self._lock:
            job = Job(
                f"tlk-{len(books.jobs) + 1}-{os.urandom(4).hex()}",
                wish["reference"],
                wish["seconds"],
                tuple(wish["size"]),
                wish["fps"],
            )
            line = {"account": books.token, "job": job.id, "scene": wish["audio"], "pid": pid}
            with self._ledger.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({**line, "reference": job.reference}) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            books.jobs[job.id] = job
        return job

    def clip(self, job: Job, kind: str) -> bytes:
        from avatar_core.backend import Size
        from avatar_core.testing import media

        key = (job.seconds, job.size, job.fps, kind)
        with self._lock:
            if key not in self._clips:
                with tempfile.TemporaryDirectory() as folder:
                    made = media.clip(
                        Path(folder) / "clip.mp4", job.seconds, Size(*job.size), job.fps, kind
                    )  # type: ignore[arg-type]
                    self._clips[key] = made.read_bytes()
            return self._clips[key]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: Service

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        with contextlib.suppress(OSError, Struck):
            control = re.fullmatch(r"/accounts/([\w-]+)", self.path)
            if control:
                self._control(control[1])
            else:
                self._answer()

    def _control(self, token: str) -> None:
        if self.command == "PUT":
            self.service.open_account(token, json.loads(self._body()))
        self._json(200, self.service.report(token))

    def _answer(self) -> None:
        url = urlsplit(self.path)
        matches = (
            (name, re.fullmatch(pattern, url.path))
            for name, method, pattern in ROUTES
            if method == self.command
        )
        route, match = next(((name, m) for name, m in matches if m), ("", None))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        books = self.service.books(token)
        if match is None or books is None:
            self._body()
            self._json(404 if match is None else 401, {"message": "no such thing or account"})
            return
        fault = self.service.fault(books, route)
        if fault is not None and fault.do == "cut_upload":
            self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)
            self._cut()
        body = self._body()
        if fault is not None and fault.when != "after":
            self._strike(fault, books)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        done = self._do(books, route, match.groups(), query, body)
        if fault is not None and fault.when == "after":
            self._strike(fault, books)
        if route == "fetch":
            books.struck += fault is not None and fault.do == "drip"
            self._send_clip(books.jobs[match[1]], fault)
        else:
            self._json(*done)

    def _do(
        self,
        books: Books,
        route: str,
        names: tuple[str, ...],
        query: dict[str, str],
        body: bytes,
    ) -> tuple[int, dict[str, Any]]:
        if route == "upload":
            return 201, {"id": hashlib.sha256(body).hexdigest()[:16]}
        if route == "create":
            wish, pid = json.loads(body), self.headers.get("X-Client-Pid", "")
            return 201, {"id": self.service.create(books, wish, pid).id}
        if route == "find":
            if not books.searchable:
                return 404, {"message": "jobs cannot be listed"}
            found = [j.id for j in books.jobs.values() if j.reference == query["reference"]]
            return 200, {"jobs": found}
        if route == "health":
            return 200, {"credits": 100}
        job = books.jobs.get(names[0])
        if job is None:
            return 404, {"message": "there is no such job"}
        if route == "cancel":
            # What is paid is finished: stopping is a wish, as for most of these services.
            job.asked_to_stop += 1
            return 202, {}
        job.looks += 1
        if job.looks > books.polls:
            return 200, {"status": "done", "result": f"/files/{job.id}.mp4"}
        return 200, {"status": "created" if job.looks == 1 else "started"}

    def _strike(self, fault: Fault, books: Books) -> None:
        """What a fault does that is the same for all routes; the rest is done by its route."""
        if fault.do == "kill":
            self._kill()
            if fault.when != "during":
                self._cut()
        elif fault.do == "cut":
            self._cut()
        elif fault.do == "silent":
            books.struck += 1
            self._await_hang_up()
            raise Struck
        elif fault.do == "status":
            self._send(fault.status, fault.body.encode(), fault.headers)
            raise Struck

    def _send_clip(self, job: Job, fault: Fault | None) -> None:
        do = fault.do if fault else ""
        kind = do if do in ("black", "short", "truncated") else "moving"
        clip = self.service.clip(job, kind)
        half = clip[: len(clip) // 2]
        if do == "html":
            self._send(200, HTML, {"Content-Type": "video/mp4"})
        elif do == "half_with_length":
            self._send(200, half)
        elif do == "half_chunked":
            self._head(200, {"Transfer-Encoding": "chunked"})
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(half), half))
        elif do in ("cut_download", "drip", "kill_in_the_middle", "kill_at_the_end"):
            self._head(200, {"Content-Length": str(len(clip))})
            self._send_slowly(do, clip, half)
        else:
            self._send(200, clip)

    def _send_slowly(self, do: str, clip: bytes, half: bytes) -> None:
        if do == "drip":
            for byte in clip:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        self.wfile.write(half if do != "kill_at_the_end" else clip[:-1])
        self.wfile.flush()
        if do != "cut_download":
            self._kill()
        self._cut()

    def _kill(self) -> None:
        os.kill(int(self.headers["X-Client-Pid"]), signal.SIGKILL)

    def _await_hang_up(self) -> None:
        self.connection.settimeout(SILENCE_SECONDS)
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True

    def _cut(self) -> None:
        """Close with a reset, as a router does that forgot the connection."""
        at_once = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.close_connection = True
        self.connection.close()
        raise Struck

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _json(self, status: int, values: dict[str, Any]) -> None:
        self._send(status, json.dumps(values).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, {**(headers or {}), "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that vanish are what this server is for.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    wanted = parser.parse_args()
    Handler.service = Service(wanted.ledger)
    # What it needs for its first clip is loaded before anybody waits for that.
    Handler.service.clip(Job("", "", 0.2, (32, 32), 10), "moving")
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    draft = wanted.port_file.with_suffix(".draft")
    draft.write_text(str(server.server_port))
    draft.replace(wanted.port_file)
    # It ends with whoever started it, however that one ended.
    sys.stdin.buffer.read()


@dataclass(frozen=True)
class Payment:
    """One line of the ledger; ``scene`` stands for the narration that was sent."""

    account: str
    job: str
    scene: str
    pid: str
    reference: str


@dataclass(frozen=True)
class Account:
    """A test's own account at the service."""

    token: str
    url: str
    ledger: Path

    def has(self, *faults: Fault, **more: Any) -> None:
        """From now on these faults strike, and no others; ``more`` are `Books` values."""
        self._control({"faults": [vars(fault) for fault in faults], **more})

    def settings(self) -> dict[str, Any]:
        """What the backend ``paid`` must be told, by dotted name."""
        return {"backends.paid.url": self.url, "backends.paid.token": self.token}

    @property
    def payments(self) -> list[Payment]:
        if not self.ledger.exists():
            return []
        lines = map(json.loads, self.ledger.read_text(encoding="utf-8").splitlines())
        return [Payment(**line) for line in lines if line["account"] == self.token]

    @property
    def paid(self) -> list[int]:
        """How often each scene was paid that was paid at all."""
        return sorted(Counter(payment.scene for payment in self.payments).values())

    @property
    def requests(self) -> Counter[str]:
        """How many requests of each route arrived."""
        return Counter(self._control()["requests"])

    @property
    def struck(self) -> int:
        """How many clients a fault has left waiting."""
        return int(self._control()["struck"])

    @property
    def stops(self) -> list[int]:
        """How often each job was asked to stop."""
        return [job["asked_to_stop"] for job in self._control()["jobs"]]

    def _control(self, wishes: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if wishes is None else json.dumps(wishes).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/accounts/{self.token}", data, method="PUT" if data else "GET"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found


class PaidService:
    """The running program; `account` opens one account for one test."""

    def __init__(self, folder: Path) -> None:
        self._ledger = folder / "ledger.jsonl"
        port_file = folder / "port"
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--port-file", port_file, "--ledger", self._ledger],
            stdin=subprocess.PIPE,
        )
        until = time.monotonic() + 120
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the paid service did not start")
            time.sleep(0.01)
        self._url = f"http://127.0.0.1:{port_file.read_text()}"

    def account(self, name: str, *faults: Fault, **more: Any) -> Account:
        account = Account(f"account-{name}-{os.urandom(6).hex()}", self._url, self._ledger)
        account.has(*faults, **more)
        return account

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def running_service(folder: Path) -> Iterator[PaidService]:
    service = PaidService(folder)
    try:
        yield service
    finally:
        service.close()


if __name__ == "__main__":
    main()
