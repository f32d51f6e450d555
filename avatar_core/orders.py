"""The remote job of one request at one rung, from the order to the end, kept in the journal."""

from __future__ import annotations

import logging
import math
import random
import threading
from collections.abc import Callable
from dataclasses import replace

from avatar_core.backend import FREE, Cost
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError, Category, EnvironmentFault
from avatar_core.journal import JobRecord, Journal, MemoryJournal, flaw_of

log = logging.getLogger(__name__)

_REFERENCE_KEY = 16
_SYSTEM_RANDOM = random.SystemRandom()


class Order:
    """What is known of one remote job; every change is on disk before the call returns.

    ``key`` None keeps the record in memory alone. ``paid`` says that a job costs money: then one
    is ordered for each `begin`, and no more. After `close`, an answer that comes late is still
    written down and handed to ``on_late``, because the job it names may run and cost.
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
        paid: bool = False,
        on_late: Callable[[str], None] = lambda remote_id: None,
    ) -> None:
        self._journal = journal if journal is not None and key else MemoryJournal()
        self._key = key or "-"
        self.backend = backend
        self._scene = scene
        self._clock = clock or SystemClock()
        self._source = source or _SYSTEM_RANDOM
        self._paid = paid
        self._on_late = on_late
        self._lock = threading.Lock()
        self._closed = self._begun = self._is_missing = False
        self._sent: float | None = None
        self._stopped: set[str | None] = set()
        self._record = self._journal.find(self._key)
        self.expected = FREE if self._record is None else self._record.cost
        self.reference = self._record.reference if self._record else self._new_reference()
        self.was_told = self._record is not None and self._record.told

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
    def flaw(self) -> str | None:
        """As `flaw_of` says."""
        return flaw_of(self._record) if self._record is not None else None

    @property
    def sent_at(self) -> float:
        """When it was sent, in seconds since 1970."""
        return self._record.at if self._record else 0.0

    @property
    def age(self) -> float:
        """Seconds since it was sent; not a number where nobody can know. A date that jumps makes
        no order older that was sent by this process."""
        try:
            by_date = self._clock.wall() - self.sent_at
        except TypeError:
            # A journal is a file, and a file may have been written by anybody.
            return math.nan
        return by_date if self._sent is None else min(by_date, self._clock() - self._sent)

    def begin(self, expected: Cost) -> None:
        """A new job may be ordered now; ``expected`` is its price."""
        with self._lock:
            if self._record is None:
                self.expected, self._begun = expected, True
                if not self._is_missing:
                    self.reference, self.was_told = self._new_reference(), False

    def placed(self) -> None:
        """The order is about to be sent; raises `AvatarError` where it would be paid for without
        having been allowed."""
        with self._lock:
            if self._paid and not self._begun:
                raise AvatarError(
                    Category.SERVER,
                    "The job that was paid for is gone, and another one is not ordered unasked.",
                )
            record = self._new_record()
            self._journal.write(record)
            self._record, self._begun, self._is_missing = record, False, False
            self._sent = self._clock()

    def named(self, remote_id: str | None, reference: str | None = None) -> None:
        """The service said which job it is; None: there is none, or none any more.

        ``reference`` is that of the order which is answered, where it may be an older one.
        """
        with self._lock:
            is_late = self._closed or reference not in (None, self.reference)
            if not is_late:
                self._name(remote_id)
        if is_late and remote_id is not None:
            self._hear_late(str(remote_id), reference)

    def refused(self) -> None:
        """The order certainly made no job."""
        with self._lock:
            if self.is_unanswered:
                self._forget()

    def missing(self) -> None:
        """The service knows nothing of the order: it is sent again under its old reference, of
        which a service that did get it late can tell that it is the same one."""
        with self._lock:
            self._forget()
            self._is_missing = True

    def to_stop(self, remote_id: str | None = None) -> str | None:
        """The job that must be asked to stop now, by default the one that is known; each is told
        once, to whoever asks first."""
        with self._lock:
            record = self._record
            if record is not None and record.state == "cancelled":
                self._stopped.add(record.remote_id)
            wanted = remote_id or (record.remote_id if record else None)
            if wanted is None or wanted in self._stopped:
                return None
            self._stopped.add(wanted)
            if record is not None and record.remote_id == wanted:
                self._record = replace(record, state="cancelled")
                self._write_if_possible(self._record)
            return wanted

    def forget(self, remote_id: str | None = None) -> None:
        """The job, or only the one of that name, is over: nobody needs to know of it any more."""
        with self._lock:
            if remote_id in (None, self.remote_id):
                self._forget()

    def spoilt(self, flaw: str) -> None:
        """What the job made was fetched in this render, and is no good."""
        with self._lock:
            if self._record is not None:
                self._record = replace(self._record, bad=self._record.bad + 1, flaw=flaw)
                self._write_if_possible(self._record)

    def told(self) -> None:
        """A trail names what the job cost: whoever goes on with it need not do so again."""
        with self._lock:
            if self._record is not None:
                self._record = replace(self._record, told=True)
                self._write_if_possible(self._record)

    def close(self) -> None:
        """The rung's story is over; a thread that was left behind may still hear an answer."""
        with self._lock:
            self._closed = True

    def _new_record(self) -> JobRecord:
        return JobRecord(
            key=self._key,
            backend=self.backend,
            reference=self.reference,
            state="ordered",
            at=self._clock.wall(),
            cost=self.expected,
            scene=self._scene,
            told=self.was_told,
        )

    def _name(self, remote_id: str | None) -> None:
        if remote_id is None:
            self._forget()
            return
        # Known even if it cannot be written down: then it can be stopped at least.
        self._record = replace(
            self._record or self._new_record(), remote_id=str(remote_id), state="running"
        )
        self._journal.write(self._record)

    def _hear_late(self, remote_id: str, reference: str | None) -> None:
        """An answer that nobody waits for any more: its job is stopped, unless a later try has
        found it meanwhile and goes on with it."""
        nobody_else = True
        try:
            with self._lock:
                now = self._journal.find(self._key)
                if now is not None and now.reference == (reference or self.reference):
                    nobody_else = now.remote_id != remote_id or now.state != "running"
                    if now.remote_id is None:
                        self._name(remote_id)
        finally:
            if nobody_else:
                self._on_late(remote_id)

    def _write_if_possible(self, record: JobRecord) -> None:
        try:
            self._journal.write(record)
        except (OSError, EnvironmentFault) as failure:
            # A job that runs on costs more than a line that is out of date.
            log.warning("What became of a job could not be written down: %s", failure)

    def _forget(self) -> None:
        if self._record is not None:
            self._journal.forget(self._key)
            self._record = None

    def _new_reference(self) -> str:
        # Different each time: an old job that failed must not be found in place of a new one.
        return f"av-{self._key[:_REFERENCE_KEY].strip('-')}-{self._source.getrandbits(32):08x}"
