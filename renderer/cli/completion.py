"""How much of a film is done, from the events of its render."""

from __future__ import annotations

from avatar_core.events import Event, RenderStarted, SceneFinished, StageProgress

# Rough shares of the time; a backend that animates takes most of it.
_SCENE_STAGES = {"speech": 1.0, "avatar": 4.0, "segment": 4.0}
_FILM_STAGES = {"joins": 1.0, "sound": 1.0, "film": 2.0}


class Completion:
    """Adds up the stages of all scenes and of the film; ``fraction`` (0-1) never goes back."""

    def __init__(self) -> None:
        self.scenes: tuple[str, ...] = ()
        self.finished: set[str] = set()
        self._stages: dict[str, float] = {}
        self._done: dict[tuple[str | None, str], float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, RenderStarted):
            self.scenes = event.scenes
            self._stages = {stage: _SCENE_STAGES.get(stage, 1.0) for stage in event.stages}
        elif isinstance(event, StageProgress):
            self._advance((event.scene, event.stage), event.fraction)
        elif isinstance(event, SceneFinished):
            self.finished.add(event.id)
            for stage in self._stages:
                self._advance((event.id, stage), 1.0)

    @property
    def fraction(self) -> float:
        total = self._scene_total * len(self.scenes) + sum(_FILM_STAGES.values())
        done = sum(self._weight(*key) * part for key, part in self._done.items())
        return min(1.0, done / total)

    def of_scene(self, scene: str) -> float:
        """How much of one scene is done (0-1)."""
        done = sum(self._weight(*key) * part for key, part in self._done.items() if key[0] == scene)
        return min(1.0, done / self._scene_total) if self._scene_total else 0.0

    @property
    def _scene_total(self) -> float:
        return sum(self._stages.values())

    def _weight(self, scene: str | None, stage: str) -> float:
        return (_FILM_STAGES if scene is None else self._stages).get(stage, 0.0)

    def _advance(self, key: tuple[str | None, str], fraction: float) -> None:
        self._done[key] = max(self._done.get(key, 0.0), fraction)
