"""What the store holds, and what of it may go: by last use, by size, never what is in use.

Paid clips stay unless the user says otherwise, because making them again would be paid again.
The journal of remote jobs is never touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from avatar_core.backend import FREE, Cost
from avatar_core.journal import JobRecord
from renderer.clip_cache import KIND as CLIPS
from renderer.disk_faults import told
from renderer.journal import StoredJournal
from renderer.store import Store

_NOT_ARTIFACTS = frozenset({"tmp", "locks", "journal"})
# Clocks of machines that share a folder may differ by so much.
_MARGIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Kept:
    """One artifact: its note, None where a killed process left a file without one, its file, when
    that was written (ns) and when it was last used (seconds since 1970)."""

    kind: str
    note: Path | None
    file: Path | None
    size: int
    used: float
    cost: Cost = FREE
    written: int = 0

    @property
    def is_paid(self) -> bool:
        return bool(self.cost.amount)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, what would have gone but is ``in_use`` by a running process or was ``paid`` for,
    and what is left in all."""

    removed: tuple[Kept, ...]
    in_use: tuple[Kept, ...]
    paid: tuple[Kept, ...]
    left: tuple[Kept, ...]


def survey(store: Store) -> list[Kept]:
    """Everything that is kept, the longest unused first."""
    try:
        kinds = [path for path in store.root.iterdir() if path.name not in _NOT_ARTIFACTS]
        found = [one for kind in kinds if kind.is_dir() for one in _of_kind(kind)]
    except OSError as failure:
        raise told(failure, store.root) from failure
    return sorted(found, key=lambda one: one.used)


def waiting_jobs(store: Store) -> list[JobRecord]:
    """The remote jobs that a render would go on with."""
    journal = StoredJournal(store)
    keys = [path.stem for path in (store.root / "journal").glob("*/*.json")]
    return [record for key in keys if (record := journal.find(key)) is not None]


def prune(
    store: Store,
    *,
    unused_since: float | None = None,
    most_bytes: int | None = None,
    paid: bool = False,
    dry: bool = False,
) -> Pruned:
    """Remove what was last used before ``unused_since`` (seconds since 1970), then the longest
    unused until at most ``most_bytes`` are left; without both, everything.

    ``paid`` removes paid clips as well, ``dry`` only says what would go.
    """
    everything = survey(store)
    protected_since = store.others_since() - _MARGIN_SECONDS
    removed, in_use, kept_paid = list[Kept](), list[Kept](), list[Kept]()
    for one in _wanted(everything, unused_since, most_bytes, paid):
        if one.is_paid and not paid:
            kept_paid.append(one)
        elif one.used >= protected_since or not (dry or _remove(store, one)):
            in_use.append(one)
        else:
            removed.append(one)
    gone = {id(one) for one in removed}
    left = tuple(one for one in everything if id(one) not in gone)
    return Pruned(tuple(removed), tuple(in_use), tuple(kept_paid), left)


def _wanted(
    everything: Iterable[Kept], unused_since: float | None, most_bytes: int | None, paid: bool
) -> Iterator[Kept]:
    entries = list(everything)
    left = sum(one.size for one in entries)
    for one in entries:
        old = unused_since is not None and one.used < unused_since
        large = most_bytes is not None and left > most_bytes
        if old or large or (unused_since is None and most_bytes is None):
            yield one
            # A paid clip that stays makes no room.
            left -= one.size if paid or not one.is_paid else 0


def _remove(store: Store, one: Kept) -> bool:
    """False where somebody has begun to use it meanwhile, or will not let go of it.

    `Store.find` marks a note as used and fails where it is gone; so it is either seen here that
    it was found after all, or whoever looks for it does not find it any more, and makes another:
    that one is put back.
    """
    with store.work_dir() as work:
        taken = work / "note.json"
        if one.note is not None and not _moved(one.note, taken):
            return False
        is_as_it_was = one.note is None or taken.stat().st_mtime <= one.used
        if is_as_it_was and _file_taken(one, work / "file"):
            return True
        if one.note is not None and not one.note.exists():
            _moved(taken, one.note)
        return False


def _file_taken(one: Kept, target: Path) -> bool:
    if one.file is None or not one.file.exists():
        return True
    if not _moved(one.file, target):
        return False
    if target.stat().st_mtime_ns == one.written:
        return True
    _moved(target, one.file)
    return False


def _moved(source: Path, target: Path) -> bool:
    try:
        os.replace(source, target)
    except OSError:
        return False
    return True


def _of_kind(folder: Path) -> Iterator[Kept]:
    for shelf in folder.iterdir():
        if not shelf.is_dir():
            continue
        files = {path.name: path for path in shelf.iterdir()}
        notes = [path for path in files.values() if path.suffix == ".json"]
        for note in notes:
            yield _kept(folder.name, note, files)
            files.pop(note.name)
        # Younger ones may be waiting for their note.
        begun = time.time() - _MARGIN_SECONDS
        for orphan in files.values():
            with contextlib.suppress(OSError):
                stat = orphan.stat()
                if stat.st_mtime < begun:
                    yield Kept(
                        folder.name, None, orphan, stat.st_size, stat.st_mtime,
                        written=stat.st_mtime_ns,
                    )  # fmt: skip


def _kept(kind: str, note: Path, files: dict[str, Path]) -> Kept:
    name, cost = _said(note)
    file = files.pop(name, None) if name and name != note.name else None
    size, used, written = 0, 0.0, 0
    with contextlib.suppress(OSError):
        stat = note.stat()
        size, used = stat.st_size, stat.st_mtime
    with contextlib.suppress(OSError):
        if file is not None:
            size, written = size + file.stat().st_size, file.stat().st_mtime_ns
    return Kept(kind, note, file, size, used, cost if kind == CLIPS else FREE, written)


def _said(note: Path) -> tuple[str | None, Cost]:
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        name = str(content["file"])
        amount, currency = content["meta"].get("cost", ("0", "USD"))
        return name, Cost(Decimal(amount), str(currency))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
        return None, FREE
