"""How many seconds of work a second of narration takes, as measured on this machine."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from avatar_core.errors import EnvironmentFault
from avatar_core.trail import Outcome
from renderer.store import Store

# Enough for a median that one slow day does not move, few enough to follow a faster machine.
KEPT = 20
_PATIENCE_SECONDS = 1.0
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of work for a second of narration: ``usual``, and from ``quick`` to ``slow`` nearly
    always. ``measured`` counts the clips behind it; 0 is what the backend's author declares."""

    usual: float
    quick: float
    slow: float
    measured: int = 0

    @classmethod
    def declared(cls, pace: float) -> Pace:
        """What `Capabilities.pace` says."""
        return cls(pace, pace, pace)


class Paces:
    """The last few paces of every backend, in one small file of the store.

    Losing one harms nobody: what is busy, full or broken is passed over in silence, so that no
    render fails, or waits, for its sake.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._path = store.root / "paces.json"

    def note(self, outcome: Outcome, seconds: float) -> None:
        """Remember how long a clip of ``seconds`` took, if it was made just now."""
        last = outcome.trail[-1] if outcome.trail else None
        if last is None or not last.delivered or last.cached or last.resumed:
            return
        if last.seconds > 0 and seconds > 0:
            self._add(last.backend, round(last.seconds / seconds, _DECIMALS))

    def of(self, backend: str) -> Pace | None:
        """The pace of ``backend`` here, None where nothing was measured."""
        known = sorted(_read(self._path).get(backend, []))
        if not known:
            return None
        tenth = (len(known) - 1) / 10
        quick, slow = known[math.floor(tenth)], known[math.ceil(9 * tenth)]
        return Pace(statistics.median(known), quick, slow, len(known))

    def _add(self, backend: str, pace: float) -> None:
        lock = filelock.FileLock(self._store.root / "locks" / "paces.lock")
        with (
            contextlib.suppress(filelock.Timeout, OSError, EnvironmentFault),
            lock.acquire(timeout=_PATIENCE_SECONDS),
            self._store.work_dir() as work,
        ):
            paces = _read(self._path)
            paces[backend] = [*paces.get(backend, []), pace][-KEPT:]
            draft = work / self._path.name
            draft.write_text(json.dumps(paces), encoding="utf-8")
            os.replace(draft, self._path)


def _read(path: Path) -> dict[str, list[float]]:
    """What the file holds that can be used; it may be missing, torn or somebody else's."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: [float(one) for one in values if _is_pace(one)]
        for name, values in content.items()
        if isinstance(values, list)
    }


def _is_pace(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0
