"""Frame-exact timing: where every scene, narration and transition stands, counted in frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A narration is cut from sound whose length is rarely a round number of frames; without the
# tolerance, 2.0 s at 30 fps held as 2.0000000001 would last 61 frames.
_ROUNDING = 1e-6


def frames_for(seconds: float, fps: int) -> int:
    """The number of whole frames that hold ``seconds`` of sound."""
    return math.ceil(seconds * fps - _ROUNDING)


@dataclass(frozen=True, slots=True)
class SceneLength:
    """What a scene asks for, in seconds. ``transition`` is the way into the scene, 0 for a cut."""

    narration: float
    before: float = 0.0
    after: float = 0.0
    between: float = 0.0
    transition: float = 0.0


@dataclass(frozen=True, slots=True)
class SceneTiming:
    """Where a scene stands in the film, in frames.

    The scene's own picture covers ``start`` to ``end``. Its first ``head`` frames are shared with
    the tail of the scene before (a transition runs there), its last ``tail`` frames with the head
    of the scene after; ``narration`` to ``narration_end`` lies outside both.
    """

    start: int
    end: int
    head: int
    tail: int
    narration: int
    narration_end: int

    @property
    def frames(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Timeline:
    """All scenes of a film on one axis of frames."""

    fps: int
    scenes: tuple[SceneTiming, ...]

    @property
    def frames(self) -> int:
        return self.scenes[-1].end

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    def at(self, frame: int) -> float:
        """The time of ``frame`` in seconds."""
        return frame / self.fps


def lay_out(lengths: Sequence[SceneLength], fps: int) -> Timeline:
    """Place the scenes one after the other; a transition lives in the padding between two.

    Where the padding is shorter than the transition, the padding grows: speech is never covered.
    """
    if not lengths:
        raise ValueError("a film needs at least one scene")
    narrations = [max(1, frames_for(length.narration, fps)) for length in lengths]
    befores = [round(length.before * fps) for length in lengths]
    afters = [
        round((length.after + (length.between if i + 1 < len(lengths) else 0)) * fps)
        for i, length in enumerate(lengths)
    ]
    # No transition leads into the first scene.
    joins = [0] + [round(length.transition * fps) for length in lengths[1:]] + [0]
    for i in range(1, len(lengths)):
        lacking = joins[i] - (afters[i - 1] + befores[i])
        if lacking > 0:
            afters[i - 1] += lacking - lacking // 2
            befores[i] += lacking // 2
    scenes, cursor = [], 0
    for i, narration in enumerate(narrations):
        head, tail = joins[i], joins[i + 1]
        # `cursor` is where the gap before this narration ends; the shared frames are the
        # middle of the gap, so that both scenes lend about half of them.
        start = cursor - befores[i] - _lead(i, head, befores, afters) if i else 0
        begin = cursor if i else befores[0]
        end_of_speech = begin + narration
        if i + 1 < len(lengths):
            cursor = end_of_speech + afters[i] + befores[i + 1]
            end = cursor - befores[i + 1] - _lead(i + 1, tail, befores, afters) + tail
        else:
            end = end_of_speech + afters[i]
        scenes.append(SceneTiming(start, end, head, tail, begin, end_of_speech))
    return Timeline(fps, tuple(scenes))


def _lead(i: int, join: int, befores: Sequence[int], afters: Sequence[int]) -> int:
    """How many of the join's frames lie in the tail of the scene before scene ``i``."""
    from_tail = min(afters[i - 1], join - join // 2)
    return max(from_tail, join - befores[i])
