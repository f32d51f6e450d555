"""What a film sounds like, as a value: who speaks when, which music, how loud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renderer.script.models import Music

RATE = 48_000
# Changes when the same plan would give other bytes.
REVISION = 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A narration: at ``start_frame`` of the film, heard for at most ``frames`` frames."""

    path: Path
    start_frame: int
    frames: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A scene's own sound, from any media file with sound; ``volume`` is a factor."""

    path: Path
    start_frame: int
    frames: int
    volume: float
    loop: bool = False


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """The sound of a film of ``frames`` frames.

    Music plays from frame ``music_from`` to frame ``music_to`` (the film's end by default).
    ``loudness`` is in LUFS (ITU-R BS.1770).
    """

    frames: int
    fps: int
    narration: tuple[Placed, ...] = ()
    effects: tuple[Effect, ...] = ()
    music: Music | None = None
    music_from: int = 0
    music_to: int | None = None
    loudness: float = -14.0

    @property
    def samples(self) -> int:
        """The master's exact length at 48 kHz."""
        return self.sample(self.frames)

    def sample(self, frame: int) -> int:
        """The sample that falls on the start of ``frame``."""
        # In whole numbers: a float would drift by a sample in long films.
        return (2 * frame * RATE + self.fps) // (2 * self.fps)


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What was measured in the finished master.

    ``loudness`` in LUFS and ``peak_dbtp`` in dBTP are None for silence or where a film is too
    short to be measured; ``gain_db`` is what was added to the mix before the limiter.
    """

    loudness: float | None
    peak_dbtp: float | None
    gain_db: float


def plan_key(plan: SoundPlan, hashes: Callable[[Path], str]) -> dict[str, Any]:
    """What the master depends on, JSON-ready, with files by their hash and no paths."""
    music = None
    if plan.music is not None:
        music = plan.music.model_dump(mode="json", exclude={"src", "scenes"})
        music |= {"src": hashes(plan.music.src), "from": plan.music_from, "to": plan.music_to}
    return {
        "revision": REVISION,
        "frames": plan.frames,
        "fps": plan.fps,
        "loudness": plan.loudness,
        "narration": [[hashes(p.path), p.start_frame, p.frames] for p in plan.narration],
        "effects": [
            [hashes(e.path), e.start_frame, e.frames, e.volume, e.loop] for e in plan.effects
        ],
        "music": music,
    }
