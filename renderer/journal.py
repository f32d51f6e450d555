"""The journal of remote jobs on disk: small JSON files beside the artifacts of the store."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from avatar_core.backend import Cost
from avatar_core.journal import JobRecord
from renderer.disk_faults import told
from renderer.store import Store
from renderer.whole_file import put_in_place


class StoredJournal:
    """One file a job, under the rung's key; the chain's lock on the store guards each key.

    A record appears by rename and is on the disk (file and folder) when `write` returns: what
    was ordered must be known even after the power failed.
    """

    def __init__(self, store: Store) -> None:
        self._root = store.root / "journal"
        self._store = store

    def find(self, key: str) -> JobRecord | None:
        try:
            return _from_json(json.loads(self._path(key).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, ArithmeticError):
            # Not ours, or of another version: a job that cannot be read cannot be resumed.
            return None

    def write(self, record: JobRecord) -> None:
        write_through(self._store, self._path(record.key), _to_json(record))

    def forget(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.json"


def write_through(store: Store, path: Path, values: dict[str, Any]) -> None:
    """Write ``values`` to ``path``, whole and on the disk when this returns."""
    # What a process that dies leaves half written is cleared with the rest of its work.
    with store.work_dir() as work:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = work / "job.json"
            with draft.open("w", encoding="utf-8") as stream:
                json.dump(values, stream, ensure_ascii=False)
                stream.flush()
                os.fsync(stream.fileno())
            put_in_place(draft, path)
            _flush_folder(path.parent)
        except OSError as failure:
            raise told(failure, store.root) from failure


def _to_json(record: JobRecord) -> dict[str, Any]:
    return {**asdict(record), "cost": [str(record.cost.amount), record.cost.currency]}


def _from_json(values: dict[str, Any]) -> JobRecord:
    amount, currency = values.pop("cost")
    # What a later version notes besides is no reason to lose a job that is paid.
    known = {field.name for field in fields(JobRecord)}
    kept = {name: value for name, value in values.items() if name in known}
    return JobRecord(cost=Cost(Decimal(amount), currency), **kept)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
