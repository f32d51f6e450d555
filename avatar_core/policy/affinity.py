"""Whether each scene begins at the preferred backend, or the whole film keeps one look."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal

Affinity = Literal["scene", "film"]


class Look:
    """With "film": once a scene has fallen, no later scene uses a rung that it fell past."""

    def __init__(self, affinity: str = "scene") -> None:
        self._film = affinity == "film"
        self._lock = threading.Lock()
        self._passed: set[str] = set()
        self._fell: str | None = None

    def fell(self, scene: str, past: Sequence[str], to: str) -> None:
        """A scene's clip was made by ``to`` after the rungs ``past`` had not delivered."""
        if not self._film:
            return
        with self._lock:
            # A scene that fell because the film has is no news, and not the reason.
            if set(past) - {to} - self._passed:
                self._passed |= set(past) - {to}
                self._fell = f"{scene} fell back to {to}" if scene else f"it fell back to {to}"

    def refusal(self, rung: str) -> str | None:
        """Why the film does not use ``rung`` any more; None if it does."""
        with self._lock:
            if rung not in self._passed:
                return None
            return f"the whole film keeps one look (affinity = film), and {self._fell}"
