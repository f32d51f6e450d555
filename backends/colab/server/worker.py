"""The one thread that uses the GPU, and the one that tidies up."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from avatar_core.errors import (
    ADVICE,
    AvatarError,
    Cancelled,
    Category,
    DiskFull,
    EnvironmentFault,
    InputError,
)
from backends.colab.server.bench import Bench
from backends.colab.server.records import JobRecord, Trouble, Video
from backends.colab.server.refusals import Refusal
from backends.colab.server.scrubbing import Scrubber
from backends.colab.server.shelf import Shelf, room
from backends.colab.server.table import JobTable
from backends.sadtalker.engine import EngineFailure, EngineNews, EngineResult, EngineTask

log = logging.getLogger(__name__)

_TIDY_SECONDS = 60.0
# After which a disk that was full is tried again.
_AGAIN_SECONDS = 5.0
# As many as the log of a failed job has lines in its answer.
_TAIL_LINES = 200


class Worker:
    """Takes one job after the other until the table closes."""

    def __init__(
        self,
        table: JobTable,
        shelf: Shelf,
        bench: Bench,
        scrubber: Scrubber,
        listen: Callable[[JobRecord], None] | None = None,
    ) -> None:
        self._listen = listen or (lambda record: None)
        self._table = table
        self._shelf = shelf
        self._bench = bench
        self._scrubber = scrubber
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name="gpu-worker", daemon=True),
            threading.Thread(target=self._tidy, name="tidier", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Interrupt the job that runs; the next start of the server begins it again."""
        self._table.close()
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)

    @property
    def alive(self) -> bool:
        return self._threads[0].is_alive()

    def _work(self) -> None:
        while (taken := self._taken()) is not None:
            record, cancel = taken
            try:
                self._listen(record)
                self._do(record, cancel)
            finally:
                self._release(record.id)

    def _taken(self) -> tuple[JobRecord, threading.Event] | None:
        while True:
            try:
                return self._table.take()
            except OSError as failure:
                log.warning("the next job cannot be begun yet: %s", failure.strerror)
                if self._stop.wait(_AGAIN_SECONDS):
                    return None

    def _release(self, job: str) -> None:
        try:
            self._table.release(job)
            self._listen(self._table.get(job))
        except OSError:
            log.exception("job %s could not be put away", job)

    def _do(self, record: JobRecord, cancel: threading.Event) -> None:
        try:
            with room():
                result = self._run(record, cancel)
                self._table.finish(record.id, result.video, _video(result), result.warnings)
        except Cancelled:
            return
        except Exception as failure:
            # A fault in an engine must not end the server's only worker.
            if not isinstance(failure, AvatarError | InputError | EnvironmentFault | Refusal):
                log.exception("job %s met a fault", record.id)
            self._table.fail(record.id, trouble(failure, self._scrubber))

    def _run(self, record: JobRecord, cancel: threading.Event) -> EngineResult:
        image, audio = self._shelf.input(record)
        options = self._bench.options(record.engine, record.options)
        task = EngineTask(image, audio, options, self._shelf.work(record.id))

        def tell(news: EngineNews) -> None:
            self._table.news(record.id, news.stage, news.fraction * 100, news.message)

        return self._bench.runner(record.engine).run(task, tell, cancel)

    def _tidy(self) -> None:
        while not self._stop.wait(_TIDY_SECONDS):
            try:
                self._table.sweep()
            except OSError:
                log.exception("old jobs could not be deleted")


def trouble(failure: Exception, scrubber: Scrubber) -> Trouble:
    """What a client is told of ``failure``: no path, no secret, and the log's last lines."""
    tail: tuple[str, ...] = ()
    retryable = False
    code, category, advice = "internal_error", Category.BACKEND_BUG, None
    message = f"The server met a fault of its own ({type(failure).__name__})."
    if isinstance(failure, EngineFailure):
        code, tail, retryable = failure.code, failure.log_tail, failure.retryable
    elif isinstance(failure, AvatarError):
        code = str(failure.category)
    elif isinstance(failure, DiskFull):
        code, category, message = "no_room", Category.SERVER, "The server's disk is full."
        advice = "Free some space there, then render again."
    elif isinstance(failure, Refusal):
        # An order that an earlier server took, and this one would not.
        code, category = failure.code, failure.category
        message, advice = failure.message, failure.advice
    elif isinstance(failure, InputError):
        code, category, message = "bad_input", Category.INVALID_INPUT, failure.message
        advice = failure.advice
    elif isinstance(failure, EnvironmentFault):
        code, category, message = "environment", Category.UNSUPPORTED, failure.message
        advice = failure.advice
    if isinstance(failure, AvatarError):
        category, message, advice = failure.category, failure.message, failure.advice
    return Trouble(
        code=code,
        category=category,
        message=scrubber.clean(message),
        advice=scrubber.clean(advice or ADVICE[category]),
        retryable=retryable,
        log_tail=tuple(scrubber.clean(line) for line in tail[-_TAIL_LINES:]),
    )


def _video(result: EngineResult) -> Video:
    return Video(
        bytes=result.video.stat().st_size,
        sha256=_hash(result.video),
        duration=result.duration,
        width=result.size.width,
        height=result.size.height,
        fps=result.fps,
    )


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
