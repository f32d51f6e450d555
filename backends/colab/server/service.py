"""Everything that the routes need, put together once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from avatar_core.clock import Clock
from backends.colab.server.access import Token
from backends.colab.server.bench import Bench, Runner
from backends.colab.server.gpu import Gpus, view
from backends.colab.server.intake import Intake
from backends.colab.server.limits import Limits
from backends.colab.server.records import JobRecord
from backends.colab.server.scrubbing import Scrubber
from backends.colab.server.shelf import Shelf
from backends.colab.server.table import JobTable
from backends.colab.server.worker import Worker

PROTOCOL = 1
NAME = "avatar"


@dataclass(frozen=True)
class Service:
    """One server's parts; ``waiters`` is held by each request that waits for a job."""

    token: Token
    limits: Limits
    shelf: Shelf
    table: JobTable
    bench: Bench
    intake: Intake
    worker: Worker
    waiters: threading.Semaphore
    version: str

    def start(self) -> None:
        self.worker.start()

    def stop(self) -> None:
        """What runs is interrupted and begun again at the next start; nothing is lost."""
        self.worker.stop()
        self.shelf.close()

    def stamp(self) -> dict[str, str]:
        """The headers of every answer, so that a client knows who answered."""
        return {
            "X-Avatar-Server": self.version,
            "X-Avatar-Protocol": str(PROTOCOL),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }

    @contextlib.contextmanager
    def patience(self) -> Iterator[bool]:
        """Whether this request may wait: if all do, nobody is left to answer."""
        free = self.waiters.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self.waiters.release()

    def health(self, *, full: bool) -> dict[str, Any]:
        """What ``GET /health`` tells a stranger, and with ``full`` the owner of the token."""
        told = {
            "status": "ok",
            "server": NAME,
            "version": self.version,
            "protocol": PROTOCOL,
        }
        return {**told, **self._inner_health()} if full else told

    def _inner_health(self) -> dict[str, Any]:
        name = self.bench.default
        readiness = self.bench.readiness(name)
        problem, advice = readiness.problem, readiness.advice
        if not self.worker.alive:
            problem, advice = "The server's worker has stopped.", "Start the server again."
        running, waiting = self.table.counts()
        return {
            "engine": name,
            "engines": list(self.bench.runners),
            "gpu": view(readiness.gpu),
            "queue": {"running": running, "waiting": waiting, "limit": self.limits.waiting},
            "limits": {
                "image_bytes": self.limits.image_bytes,
                "audio_bytes": self.limits.audio_bytes,
                "body_bytes": self.limits.body_bytes,
                "audio_seconds": self.limits.audio_seconds,
            },
            "weights": {"present": not readiness.missing, "missing": list(readiness.missing)},
            "ready": problem is None,
            "problem": problem,
            "advice": advice,
        }


def assemble(
    folder: Path,
    runners: Mapping[str, Runner],
    token: Token,
    *,
    limits: Limits | None = None,
    gpus: Gpus | None = None,
    without_gpu: bool = False,
    clock: Clock | None = None,
    listen: Callable[[JobRecord], None] | None = None,
) -> Service:
    """A service that keeps its jobs in ``folder``; ``start`` begins the work. ``listen`` hears of
    each job that begins and ends. Raises `InputError` where another server uses the folder."""
    limits = limits or Limits()
    shelf = Shelf(folder)
    table = JobTable(shelf, limits, clock)
    scrubber = Scrubber({shelf.folder: "<jobs>", **{r.root: "<engine>" for r in runners.values()}})
    bench = Bench(runners, gpus=gpus, without_gpu=without_gpu, clock=clock, clean=scrubber.clean)
    worker = Worker(table, shelf, bench, scrubber, listen)
    return Service(
        token=token,
        limits=limits,
        shelf=shelf,
        table=table,
        bench=bench,
        intake=Intake(shelf, limits),
        worker=worker,
        waiters=threading.Semaphore(limits.waiters),
        version=package_version(),
    )


def package_version() -> str:
    try:
        return installed_version("avatar-core")
    except PackageNotFoundError:
        return "0"
