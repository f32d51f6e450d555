"""Scenes whose picture is made in Python: a MoviePy clip becomes a background video."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

from avatar_core.cancel import CancelToken
from renderer.compose.visual import visual_to_video
from renderer.segments import SceneCut
from renderer.store import Store


@dataclass(frozen=True, slots=True)
class DrawnVisual:
    """A visual as files; both None where a scene has none, ``sound`` where it is silent."""

    video: Path | None = None
    sound: Path | None = None


class Visuals:
    """Renders the visuals of a film, each once.

    What a Python object draws cannot be known without drawing it, so a visual is drawn anew in
    every render; it is stored by its content, and what is composed from it is found again.
    """

    def __init__(self, store: Store, cancel: CancelToken) -> None:
        self._store = store
        self._cancel = cancel
        self._drawn: dict[str, DrawnVisual] = {}
        # MoviePy readers are not made for several threads at once.
        self._lock = threading.Lock()

    def of(self, cut: SceneCut) -> DrawnVisual:
        """The visual of a scene, drawn by whoever asks first."""
        if cut.scene.visual is None:
            return DrawnVisual()
        with self._lock:
            if cut.scene.id not in self._drawn:
                self._drawn[cut.scene.id] = self._draw(cut)
            return self._drawn[cut.scene.id]

    def _draw(self, cut: SceneCut) -> DrawnVisual:
        film, scene = cut.film, cut.scene
        with self._store.work_dir() as work:
            target = work / "visual.mp4"
            sound = visual_to_video(
                scene.visual,
                cut.timing.frames,
                film.size,
                film.fps,
                target,
                scene=scene.id,
                cancel=self._cancel,
            )
            return DrawnVisual(
                self._by_content("visual", target),
                self._by_content("visual-sound", sound) if sound else None,
            )

    def _by_content(self, kind: str, path: Path) -> Path:
        with path.open("rb") as stream:
            key = hashlib.file_digest(stream, "sha256").hexdigest()
        found = self._store.find(kind, key)
        return (found or self._store.put(kind, key, path, {})).path
