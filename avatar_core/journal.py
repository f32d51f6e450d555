"""The journal of remote jobs: what was ordered is on disk before it is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from avatar_core.backend import FREE, Cost

State = Literal["ordered", "running", "cancelled"]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A remote job that may exist.

    ``key`` is the rung's for the request, ``reference`` what was sent along with the order.
    ``ordered`` means that no answer has come (``remote_id`` is None), ``cancelled`` that it was
    asked to stop. ``cost`` is the price expected, ``at`` seconds since 1970. ``told`` means that
    the trail of an earlier render has named the cost. ``bad`` counts the renders in which what the
    job made was fetched and was no good, ``flaw`` says what was wrong with it.
    """

    key: str
    backend: str
    reference: str
    state: State
    at: float
    remote_id: str | None = None
    cost: Cost = FREE
    scene: str = ""
    told: bool = False
    bad: int = 0
    flaw: str = ""


# A download may break; what is no good in a second render, too, is no good.
_MOST_BAD = 2


def flaw_of(record: JobRecord) -> str | None:
    """What is wrong with what a job made, where there is no hope that it comes out better when it
    is fetched once more."""
    return record.flaw if record.bad >= _MOST_BAD else None


class Journal(Protocol):
    """Where job records are kept, over processes; every call is complete when it returns."""

    def find(self, key: str) -> JobRecord | None:
        """The record under ``key``, or None."""

    def write(self, record: JobRecord) -> None:
        """Keep ``record`` under its key, on disk before this returns."""

    def forget(self, key: str) -> None:
        """Remove the record under ``key``, if there is one."""


class MemoryJournal:
    """A journal that dies with its process: for backends that order nothing."""

    def __init__(self) -> None:
        self._records: dict[str, JobRecord] = {}

    def find(self, key: str) -> JobRecord | None:
        return self._records.get(key)

    def write(self, record: JobRecord) -> None:
        self._records[record.key] = record

    def forget(self, key: str) -> None:
        self._records.pop(key, None)
