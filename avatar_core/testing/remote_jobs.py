"""The far side of a scripted remote backend: jobs that go on, and are paid, whoever watches."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Literal

from avatar_core.backend import FREE, AvatarRequest, Cost
from avatar_core.clock import Clock

RemoteState = Literal["running", "done", "cancelled"]


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """One job as its service knows it; ``ordered`` and ``ready`` are readings of the clock."""

    id: str
    reference: str
    key: str
    ordered: float
    ready: float
    cost: Cost = FREE
    cancelled: bool = False

    def state(self, now: float) -> RemoteState:
        if self.cancelled:
            return "cancelled"
        return "done" if now >= self.ready else "running"


@dataclass(slots=True)
class RemoteJobs:
    """A service and its ledger.

    Give the same one to two `ScriptedBackend`s, and the second is the new process that finds
    what the first one ordered. ``jobs`` are all that were ever created, in their order.
    """

    jobs: list[RemoteJob] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def create(
        self, request: AvatarRequest, reference: str, clock: Clock, seconds: float, cost: Cost
    ) -> str:
        """The id of a new job, which is paid from now on and ready in ``seconds``."""
        with self._lock:
            now = clock()
            name = f"job-{len(self.jobs) + 1}"
            self.jobs.append(RemoteJob(name, reference, request.key, now, now + seconds, cost))
            return name

    def get(self, remote_id: str) -> RemoteJob | None:
        return next((job for job in self.jobs if job.id == remote_id), None)

    def find(self, reference: str) -> str | None:
        """The id of the job that was ordered with ``reference``, or None."""
        return next((job.id for job in self.jobs if job.reference == reference), None)

    def cancel(self, remote_id: str) -> None:
        with self._lock:
            self.jobs[:] = [
                replace(job, cancelled=True) if job.id == remote_id else job for job in self.jobs
            ]

    def lose(self, remote_id: str) -> None:
        """Forget a job, as a service does that was started anew."""
        with self._lock:
            self.jobs[:] = [job for job in self.jobs if job.id != remote_id]

    def paid(self, key: str | None = None) -> Cost:
        """What was paid in all, or for the requests of one ``key``."""
        return sum((job.cost for job in self.jobs if key in (None, job.key)), FREE)
