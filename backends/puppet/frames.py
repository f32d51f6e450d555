"""The frames of a film, one after the other: what the encoder is fed with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.stage import Player

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.life import Life
    from backends.puppet.mouth_track import MouthTrack
    from backends.puppet.stage import Stage

# Sound rarely lasts a round number of frames: 2.0000000001 s are 60 frames of 30, not 61.
_ROUNDING = 1e-6
# So many mouths are drawn in a row: what they are drawn from then stays in the processor's cache,
# from which every frame's pixels would push it out.
_IN_A_ROW = 16


@dataclass(frozen=True, slots=True)
class Part:
    """What a film does from its first frame to its last: ``poses`` (frames, mouth channels) and
    ``life`` (frames, life channels). A few numbers a frame: an hour of them is a few megabytes."""

    poses: NDArray[np.float32]
    life: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.life)


def frame_count(seconds: float, fps: float) -> int:
    """As many whole frames as cover ``seconds``, at least one."""
    return max(1, math.ceil(seconds * fps - _ROUNDING))


def part_of(track: MouthTrack, life: Life) -> Part:
    """A mouth and a life side by side; a track that is a frame shorter holds its last pose."""
    frames = len(life.values)
    last = max(len(track.values) - 1, 0)
    poses = track.values[np.minimum(np.arange(frames), last)]
    return Part(poses, life.values)


def frames(stage: Stage, part: Part) -> Iterator[memoryview]:
    """Every frame as yuv420p, plane after plane. Each is valid until the next is asked for: the
    memory needed does not depend on the length."""
    player = Player(stage)
    for first in range(0, len(part), _IN_A_ROW):
        some = slice(first, first + _IN_A_ROW)
        mouths = [stage.mouth_patch(pose) for pose in part.poses[some]]
        for mouth, life in zip(mouths, part.life[some], strict=True):
            yield player.frame(mouth, life)
