"""The remote job of one request at one rung, from the order to the end, kept in the journal."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace

from avatar_core.backend import FREE, Cost
from avatar_core.clock import Clock, SystemClock
from avatar_core.journal import JobRecord, Journal, MemoryJournal

_REFERENCE_KEY = 16
_SYSTEM_RANDOM = random.SystemRandom()


class Order:
    """What is known of one remote job; every change is on disk before the call returns.

    ``key`` None keeps the record in memory alone. After `close`, an answer that comes late is
    still written down and handed to ``on_late``, because the job it names may run and cost.
    """

    def __init__(
        self,
        journal: Journal | None = None,
        key: str | None = None,
        *,
        backend: str = "",
        scene: str = "",
        clock: Clock | None = None,
        source: random.Random | None = None,
        on_late: Callable[[str], None] = lambda remote_id: None,
    ) -> None:
        self._journal = journal if journal is not None and key else MemoryJournal()
        self._key = key or "-"
        self._backend = backend
        self._scene = scene
        self._clock = clock or SystemClock()
        self._source = source or _SYSTEM_RANDOM
        self._on_late = on_late
        self._lock = threading.Lock()
        self._closed = False
        self._record = self._journal.find(self._key)
        self.expected = FREE if self._record is None else self._record.cost
        self.reference = self._record.reference if self._record else self._new_reference()

    @property
    def exists(self) -> bool:
        """Whether a remote job is known or may exist."""
        return self._record is not None

    @property
    def remote_id(self) -> str | None:
        return self._record.remote_id if self._record else None

    @property
    def is_unanswered(self) -> bool:
        """An order was sent, and nobody knows whether it arrived."""
        return self._record is not None and self._record.remote_id is None

    @property
    def sent_at(self) -> float:
        """When it was sent, in seconds since 1970."""
        return self._record.at if self._record else 0.0

    @property
    def was_cancelled(self) -> bool:
        return self._record is not None and self._record.state == "cancelled"

    def begin(self, expected: Cost) -> None:
        """A new job may be ordered now; ``expected`` is its price."""
        if self._record is None:
            self.expected = expected
            self.reference = self._new_reference()

    def placed(self) -> None:
        """The order is about to be sent."""
        with self._lock:
            self._write(self._new_record())

    def named(self, remote_id: str | None) -> None:
        """The service said which job it is; None: there is none, or none any more."""
        with self._lock:
            late = self._closed
            if remote_id is None:
                self._forget()
            else:
                record = self._record or self._new_record()
                self._write(replace(record, remote_id=remote_id, state="running"))
        if late and remote_id is not None:
            self._on_late(remote_id)

    def refused(self) -> None:
        """The order certainly made no job."""
        with self._lock:
            if self.is_unanswered:
                self._forget()

    def cancelled(self) -> None:
        """The job was asked to stop, and may be there all the same."""
        with self._lock:
            if self._record is not None:
                self._write(replace(self._record, state="cancelled"))

    def forget(self) -> None:
        """The job is over, and nobody needs to know of it any more."""
        with self._lock:
            self._forget()

    def close(self) -> None:
        """The rung's story is over; a thread that was left behind may still hear an answer."""
        with self._lock:
            self._closed = True

    def _new_record(self) -> JobRecord:
        return JobRecord(
            key=self._key,
            backend=self._backend,
            reference=self.reference,
            state="ordered",
            at=self._clock.wall(),
            cost=self.expected,
            scene=self._scene,
        )

    def _write(self, record: JobRecord) -> None:
        self._journal.write(record)
        self._record = record

    def _forget(self) -> None:
        if self._record is not None:
            self._journal.forget(self._key)
            self._record = None

    def _new_reference(self) -> str:
        # Different each time: an old job that failed must not be found in place of a new one.
        return f"av-{self._key[:_REFERENCE_KEY].strip('-')}-{self._source.getrandbits(32):08x}"
