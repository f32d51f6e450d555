"""Which scenes an order was for, on disk until each of them has its clip.

The journal knows a shared job by a key of all its scenes: when one of them is changed, taken away
or added, that key is no longer asked for, and what was ordered would be paid once more. A note
leads from each scene to the job that it is part of.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from renderer.journal import write_through
from renderer.store import Store


@dataclass(frozen=True, slots=True)
class NotedPart:
    """A scene as it was ordered: its name, its request's key, its place in the clip (s)."""

    scene: str
    request: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Note:
    """``key`` is the rung's for the shared job; ``film`` tells films with one cache apart."""

    key: str
    rung: str
    parts: tuple[NotedPart, ...]
    film: str = ""

    @property
    def scenes(self) -> str:
        """Their names, in words."""
        return ", ".join(f'"{part.scene}"' for part in self.parts)


class SharedNotes:
    """One file a job; whoever holds the locks of its scenes writes and removes it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._root = store.root / "journal" / "shared"

    def all(self) -> Sequence[Note]:
        """What can be read, always in the same order."""
        notes = (_read(path) for path in sorted(self._root.glob("*/*.json")))
        return [note for note in notes if note is not None]

    def write(self, note: Note) -> None:
        """Keep ``note``, on disk before this returns."""
        write_through(self._store, self._path(note.key), asdict(note))

    def forget(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.json"


def _read(path: Path) -> Note | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        parts = tuple(
            NotedPart(str(p["scene"]), str(p["request"]), float(p["start"]), float(p["seconds"]))
            for p in values["parts"]
        )
        key, rung, film = (str(values[name]) for name in ("key", "rung", "film"))
        return Note(key, rung, parts, film) if parts else None
    except (OSError, ValueError, KeyError, TypeError):
        # Removed meanwhile, or not ours: then nothing is known of the job.
        return None
