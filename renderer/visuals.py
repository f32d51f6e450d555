"""Scenes whose picture is made in Python: a MoviePy clip becomes a background video."""

from __future__ import annotations

import threading
from pathlib import Path

from avatar_core.cancel import CancelToken
from renderer.compose.visual import visual_to_video
from renderer.film import Film, FilmScene
from renderer.store import Store, content_key
from renderer.timeline import SceneTiming


class Visuals:
    """Renders the visuals of a film.

    What a Python object draws cannot be known without drawing it, so a visual is drawn anew in
    every render; it is stored by its content, and what is composed from it is found again.
    """

    def __init__(self, film: Film, store: Store, cancel: CancelToken) -> None:
        self._film = film
        self._store = store
        self._cancel = cancel
        self._sounds: dict[str, Path] = {}
        # MoviePy readers are not made for several threads at once.
        self._lock = threading.Lock()

    @property
    def sounds(self) -> dict[str, Path]:
        """The visuals' own sound by scene, where they have one."""
        return dict(self._sounds)

    def video(self, scene: FilmScene, timing: SceneTiming) -> Path | None:
        """The visual of ``scene`` as a video file, None where it has none."""
        if scene.visual is None:
            return None
        with self._lock, self._store.work_dir() as work:
            target = work / "visual.mp4"
            sound = visual_to_video(
                scene.visual,
                timing.frames,
                self._film.size,
                self._film.fps,
                target,
                scene=scene.id,
                cancel=self._cancel,
            )
            if sound is not None:
                self._sounds[scene.id] = self._by_content("visual-sound", sound)
            return self._by_content("visual", target)

    def _by_content(self, kind: str, path: Path) -> Path:
        import hashlib

        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        key = content_key(content=digest)
        found = self._store.find(kind, key)
        return (found or self._store.put(kind, key, path, {})).path
