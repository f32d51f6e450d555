"""The jobs: a bounded queue in order of arrival, one that runs, those that ended."""

from __future__ import annotations

import functools
import logging
import math
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import Category
from backends.colab.server.limits import Limits
from backends.colab.server.records import JobRecord, Trouble, Video
from backends.colab.server.refusals import Refusal
from backends.colab.server.shelf import Shelf

# A first guess of how long a job takes, until some have ended (s).
_USUAL_SECONDS = 90.0
_SOONEST, _LATEST = 5, 600
_DIED = Trouble(
    code="server_died",
    category=Category.SERVER,
    message="The server died while it worked on this, more than once.",
    advice="Use easier options or a shorter narration: the machine's memory may be too small.",
    retryable=True,
)
_LOST = Trouble(
    code="job_lost",
    category=Category.SERVER,
    message="The job's files are gone from the server's folder.",
    advice="Send the picture and sound again; let no other program clean the server's folder.",
    retryable=True,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What a client wants made: checked files in ``received``, whose names are ``image`` and
    ``audio``; ``key`` and ``content`` are hashes, see `JobRecord`."""

    received: Path
    image: str
    audio: str
    audio_seconds: float
    engine: str
    options: dict[str, Any]
    content: str
    key: str | None = None

    def keyed(self, key: str) -> Order:
        return replace(self, key=key)


log = logging.getLogger(__name__)


class JobTable:
    """Every change is on disk before it is told; safe to use from any thread. Only an end is told
    also where it cannot be written, as on a full disk: a client would wait for ever.

    What an earlier server left is taken up: ended jobs as they are, queued ones into the queue,
    and one that ran is begun again at the queue's head, until it was begun ``limits.runs``
    times; then it has failed, as it may be what kills the server.
    """

    def __init__(self, shelf: Shelf, limits: Limits, clock: Clock | None = None) -> None:
        self._shelf = shelf
        self._limits = limits
        self._clock = clock or SystemClock()
        self._changed = threading.Condition()
        self._jobs: dict[str, JobRecord] = {}
        self._keys: dict[str, str] = {}
        self._queue: deque[str] = deque()
        self._cancel: dict[str, threading.Event] = {}
        # When jobs ended on a clock that nobody sets; known of those that ended here.
        self._ended: dict[str, float] = {}
        self._closing = False
        self._usual = _USUAL_SECONDS
        with self._changed:
            for record in shelf.load():
                self._take_up(record)
        self._number = max((record.number for record in self._jobs.values()), default=0)

    # What clients ask for.

    def submit(self, order: Order) -> tuple[JobRecord, bool]:
        """The job of ``order`` and whether it is new. Raises `Refusal`, `DiskFull`."""
        with self._changed:
            known = self.by_key(order.key)
            if known is not None and known.answers_its_key:
                if known.content != order.content:
                    raise Refusal("key_reused")
                return known, False
            self.require_room()
            self._number += 1
            record = self._new(order)
            self._shelf.add(record, order.received)
            self._put(record)
            self._queue.append(record.id)
            self._changed.notify_all()
            return record, True

    def require_room(self) -> None:
        """Raise `Refusal` where a new job would not be taken now."""
        with self._changed:
            if self._closing:
                raise Refusal("stopping", retry_after=30)
            if len(self._queue) >= self._limits.waiting:
                raise Refusal("queue_full", retry_after=self.pause())

    def pause(self) -> int:
        """After how many seconds a place in the queue may be free."""
        return max(_SOONEST, min(_LATEST, math.ceil(self._usual)))

    def get(self, job: str) -> JobRecord:
        """Raises `Refusal` for one that does not exist, whatever ``job`` is."""
        with self._changed:
            if job not in self._jobs:
                raise Refusal("no_such_job")
            return self._jobs[job]

    def by_key(self, key: str | None) -> JobRecord | None:
        with self._changed:
            job = self._keys.get(key) if key is not None else None
            return self._jobs.get(job) if job is not None else None

    def view(self, job: str) -> dict[str, Any]:
        with self._changed:
            position = self._queue.index(job) + 1 if job in self._queue else None
            return self.get(job).view(position, self._clock.wall())

    def wait(self, job: str, seconds: float, *, ended: bool = False) -> JobRecord:
        """The job as soon as its state or stage differs from now, or has ended already; with
        ``ended`` only then. After ``seconds`` as it is."""
        with self._changed:
            first = self.get(job)

            def news() -> bool:
                now = self._jobs.get(job)
                if now is None or now.ended or self._closing:
                    return True
                return not ended and (now.state, now.stage) != (first.state, first.stage)

            self._changed.wait_for(news, timeout=seconds)
            return self.get(job)

    def counts(self) -> tuple[int, int]:
        """How many jobs run and how many wait."""
        with self._changed:
            return len(self._cancel), len(self._queue)

    def cancel(self, job: str) -> JobRecord:
        """Stop a job that has not ended; delete the video of one that has."""
        with self._changed:
            record = self.get(job)
            if record.ended:
                self._drop(record)
                return self._jobs[job]
            if job in self._queue:
                self._queue.remove(job)
            if job in self._cancel:
                self._cancel[job].set()
            return self._end(record, state="cancelled", message="Cancelled.")

    # What the worker does.

    def take(self) -> tuple[JobRecord, threading.Event] | None:
        """The next job, now running, and what is set when it should stop; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._next() or self._closing)
            if self._closing:
                return None
            record = self._jobs[self._queue[0]]
            begun = self._change(record, state="running", started_at=self._clock.wall(),
                                 runs=record.runs + 1, message="Begun.")  # fmt: skip
            self._queue.popleft()
            cancel = self._cancel[record.id] = threading.Event()
            return begun, cancel

    def news(self, job: str, stage: str, percent: float, message: str) -> None:
        """Progress: kept in memory only, as it is of no use after a restart."""
        with self._changed:
            record = self._jobs.get(job)
            if record is None or record.state != "running":
                return
            moved = record.stage != stage
            percent = max(record.percent, min(100.0, percent))
            self._put(
                record.model_copy(update={"stage": stage, "percent": percent, "message": message})
            )
            if moved:
                self._changed.notify_all()

    def finish(self, job: str, made: Path, video: Video, warnings: tuple[str, ...]) -> None:
        with self._changed:
            record = self._jobs[job]
            if record.state != "running":
                return
            self._shelf.keep_video(job, made)
            ended = self._end(record, state="done", video=video, warnings=warnings, percent=100.0,
                              message="Done.")  # fmt: skip
            # The mean leans towards the latest jobs, and believes no clock that was set meanwhile.
            spent = min(ended.seconds(self._clock.wall()) or 0.0, _LATEST)
            self._usual += (spent - self._usual) / 4

    def fail(self, job: str, error: Trouble) -> None:
        with self._changed:
            record = self._jobs[job]
            if record.state == "running":
                self._end(record, state="failed", error=error, message=error.message)

    def release(self, job: str) -> None:
        """The worker has let go of a job; one that was only interrupted waits for the next
        start of the server."""
        with self._changed:
            self._cancel.pop(job, None)
            record = self._jobs.get(job)
            if record is None:
                return
            if record.state == "running":
                self._change(record, state="queued", stage=None, percent=0.0,
                             started_at=None, runs=record.runs - 1)  # fmt: skip
            else:
                self._shelf.tidy(record)

    # House-keeping.

    def sweep(self) -> None:
        """Delete videos whose time is over, and forget jobs that ended long ago or are too many."""
        now, limits = self._clock.wall(), self._limits
        with self._changed:
            ended = [r for r in self._jobs.values() if r.ended and r.id not in self._cancel]
            ended.sort(key=lambda record: record.finished_at or 0.0, reverse=True)
            for place, record in enumerate(ended):
                seen = self._ended.get(record.id)
                age = now - (record.finished_at or 0.0) if seen is None else self._clock() - seen
                if age >= limits.forget_seconds or place >= limits.keep_jobs:
                    self._forget(record)
                elif age >= limits.keep_seconds:
                    self._drop(record)

    def close(self) -> None:
        """Take no more jobs, stop the one that runs, wake up whoever waits."""
        with self._changed:
            self._closing = True
            for cancel in self._cancel.values():
                cancel.set()
            self._changed.notify_all()

    def _take_up(self, record: JobRecord) -> None:
        self._put(record)
        if record.ended:
            self._shelf.tidy(record)
        elif record.state == "running" and record.runs >= self._limits.runs:
            self._shelf.tidy(self._end(record, state="failed", error=_DIED, message=_DIED.message))
        elif record.state == "running":
            self._settle(record, None, state="queued", stage=None, percent=0.0, started_at=None)
            self._queue.appendleft(record.id)
        else:
            self._queue.append(record.id)

    def _new(self, order: Order) -> JobRecord:
        return JobRecord(
            id=uuid.uuid4().hex,
            number=self._number,
            key=order.key,
            content=order.content,
            engine=order.engine,
            options=order.options,
            image=order.image,
            audio=order.audio,
            audio_seconds=order.audio_seconds,
            created_at=self._clock.wall(),
        )

    def _put(self, record: JobRecord) -> None:
        self._jobs[record.id] = record
        if record.key is not None:
            # Of several with one key the latest counts; records are read in that order too.
            latest = self._jobs.get(self._keys.get(record.key, record.id), record)
            if record.number >= latest.number:
                self._keys[record.key] = record.id

    def _change(self, record: JobRecord, **fields: Any) -> JobRecord:
        changed = record.model_copy(update=fields)
        self._shelf.save(changed)
        self._put(changed)
        self._changed.notify_all()
        return changed

    def _next(self) -> bool:
        """Whether a job waits; one whose files somebody has removed would be in the way."""
        while self._queue and not self._shelf.holds(self._jobs[self._queue[0]]):
            lost = self._jobs[self._queue.popleft()]
            self._end(lost, state="failed", error=_LOST, message=_LOST.message)
        return bool(self._queue)

    def _end(self, record: JobRecord, **fields: Any) -> JobRecord:
        # The engine may still read what belongs to a job that runs.
        idle = record.id not in self._cancel
        free = functools.partial(self._shelf.tidy, record) if idle else None
        ended = self._settle(record, free, finished_at=self._clock.wall(), **fields)
        self._ended[record.id] = self._clock()
        if idle:
            self._shelf.tidy(ended)
        return ended

    def _drop(self, record: JobRecord) -> None:
        if record.video is not None:
            free = functools.partial(self._shelf.drop_video, record.id)
            self._settle(record, free, video=None, message="The video was deleted.")
            free()

    def _settle(
        self, record: JobRecord, free: Callable[[], None] | None, **fields: Any
    ) -> JobRecord:
        """As `_change`, for what is so whether it can be written or not; ``free`` makes room."""
        try:
            return self._change(record, **fields)
        except OSError:
            if free is not None:
                free()
        try:
            return self._change(record, **fields)
        except OSError as failure:
            log.warning("job %s cannot be written down: %s", record.id, failure.strerror)
            self._put(settled := record.model_copy(update=fields))
            self._changed.notify_all()
            return settled

    def _forget(self, record: JobRecord) -> None:
        del self._jobs[record.id]
        self._ended.pop(record.id, None)
        if record.key is not None and self._keys.get(record.key) == record.id:
            del self._keys[record.key]
        self._shelf.remove(record.id)
