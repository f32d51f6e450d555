"""One portrait on its stage: the still picture, and every frame in which it moves.

A frame is the still, with the mouth's patch and the eyes' patches laid on it, and then the region
of the head moved a little. Only that region is worked on; everything is kept as the encoder wants
it, so that nothing is converted twice.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from backends.puppet.eyes import EyeRig, eyes_of
from backends.puppet.mouth_rig import MouthRig
from backends.puppet.moves import MOVED, moves_of
from backends.puppet.packed import Blocks, Colours
from backends.puppet.planes import Box, Planes, cut, planes_of
from backends.puppet.resample import Resampler

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.face import Face

    Picture = NDArray[np.uint8]
    Plane = NDArray[np.uint8]

# What mouths and eyes drawn before may keep, in bytes.
_MEMORY = 32_000_000


class Patch(NamedTuple):
    """Pixels as planes, and where in the picture they belong. ``alpha`` is None where it is that of
    the portrait."""

    box: Box
    planes: Planes
    alpha: Plane | None = None


class Mouth(Protocol):
    """What a stage needs of `MouthRig`."""

    @property
    def region(self) -> tuple[int, int, int, int]: ...

    def patch(self, pose: NDArray[np.float32]) -> Picture: ...


class Stage:
    """What all films of one portrait in one size share; safe to use from several threads.

    ``picture`` is RGB (height, width, 3) uint8 with even sides, ``face`` in its pixels. ``alpha``,
    (height, width), says what is seen of it; None is all.
    """

    def __init__(
        self,
        picture: Picture,
        face: Face,
        mouth: Mouth | None = None,
        alpha: Plane | None = None,
    ) -> None:
        height, width = picture.shape[:2]
        if width % 2 or height % 2:
            raise ValueError(f"the size {width}x{height} is not even")
        self.picture = np.ascontiguousarray(picture)
        self.still = planes_of(self.picture)
        self.eyes: tuple[EyeRig, ...] = eyes_of(self.picture, face)
        self.alpha = alpha
        whole = self.picture if alpha is None else np.dstack([self.picture, alpha])
        self.mouth: Mouth = mouth or MouthRig(whole, face)
        self.mouth_box = Box(*self.mouth.region).even()
        self.eye_boxes = [Box(*eye.region).even() for eye in self.eyes]
        self.moves = moves_of(face, width, height, [self.mouth_box, *self.eye_boxes])
        self._mouths, self._glances = Patches(whole), Patches(self.picture, _MEMORY // 4)
        self._mouth_lock, self._eye_lock = threading.Lock(), threading.Lock()

    def mouth_patch(self, pose: NDArray[np.float32]) -> Patch:
        """The mouth in ``pose``."""
        with self._mouth_lock:
            patch = self.mouth.patch(pose)
            # The rig gives the same array for the same state as long as it keeps it.
            return self._mouths.of(id(patch), patch, self.mouth.region)

    def eye_patch(self, number: int, lid: float, gaze_x: float, gaze_y: float) -> Patch:
        """An eye, as open and looking as far aside as said."""
        eye = self.eyes[number]
        state = eye.state(lid, gaze_x, gaze_y)
        with self._eye_lock:
            return self._glances.of((number, state), eye.patch(state), eye.region)


class Patches:
    """Patches of an RGB or RGBA picture as planes; those of states seen before are kept, up to a
    bound."""

    def __init__(self, picture: Picture, memory: int = _MEMORY) -> None:
        self._picture = picture
        self._memory = memory
        self._held = 0
        self._kept: OrderedDict[Hashable, tuple[Any, Patch]] = OrderedDict()

    def of(self, key: Hashable, patch: Picture, region: tuple[int, int, int, int]) -> Patch:
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept[1]
        made = self._converted(patch, Box(*region))
        # The patch itself is kept as well: as long as it is there, its id belongs to no other.
        self._kept[key] = patch, made
        self._held += _bytes(patch, made)
        while self._held > self._memory and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._held -= _bytes(*dropped)
        return made

    def _converted(self, patch: Picture, region: Box) -> Patch:
        """Colours are shared by four pixels: the box is widened to whole groups of four."""
        box, whole = region.even(), patch
        if box != region:
            whole = self._picture[box.part].copy()
            whole[region.inside(box).part] = patch
        alpha = whole[..., 3].copy() if whole.shape[2] == 4 else None
        return Patch(box, planes_of(whole), alpha)


def _bytes(patch: Picture, made: Patch) -> int:
    alpha = 0 if made.alpha is None else made.alpha.nbytes
    return int(patch.nbytes + sum(plane.nbytes for plane in made.planes) + alpha)


class Player:
    """Draws the frames of one film, one after the other; its buffers belong to one thread."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        height, width = stage.still.y.shape
        planes = [*stage.still] if stage.alpha is None else [*stage.still, stage.alpha]
        self._frame = np.concatenate([plane.reshape(-1) for plane in planes])
        self._out = cut(_as_planes(self._frame, width, height), stage.moves.box)
        self._rest = cut(stage.still, stage.moves.box)
        self._canvas = Planes(*(plane.copy() for plane in self._rest))
        self._resampler = Resampler(stage.moves.lattice, stage.moves.moving)
        self._brightness = Blocks(self._canvas.y)
        self._colours = Colours(self._canvas.u, self._canvas.v)
        self._seen = None
        if stage.alpha is not None:
            self._seen = _Alpha(stage.alpha, stage.moves.box, self._frame)
        self._worn: list[Patch] = []
        boxes = [stage.mouth_box, *stage.eye_boxes]
        pairs = itertools.combinations(boxes, 2)
        self._apart = not any(one.meets(other) for one, other in pairs)

    def frame(self, mouth: Patch, life: NDArray[np.float32]) -> memoryview:
        """The frame (yuv420p or, with a stage's alpha, yuva420p; plane after plane) with that mouth
        and for one row of a `Life`; valid until the next one is drawn."""
        self._dress(mouth, life)
        for plane, canvas in zip(self._out, self._canvas, strict=True):
            plane[...] = canvas
        planes = [(self._brightness, self._out.y)]
        if self._seen is not None:
            planes.append(self._seen.dressed(mouth))
        if life[:MOVED].any():
            colours = self._colours, self._out.u, self._out.v
            self._resampler.read(self._stage.moves.at(life), planes, colours)
        return memoryview(self._frame.data)

    def _dress(self, mouth: Patch, life: NDArray[np.float32]) -> None:
        """Lay mouth and eyes on the canvas, those that have changed since the last frame."""
        stage = self._stage
        worn = [mouth]
        worn += [stage.eye_patch(i, *life[MOVED:].tolist()) for i in range(len(stage.eyes))]
        before = {id(patch.planes) for patch in self._worn}
        changed = [patch for patch in worn if id(patch.planes) not in before]
        if changed and not self._apart:
            changed = worn
            for patch in worn:
                self._paste(patch.box, cut(stage.still, patch.box))
        for number, (box, planes, _) in enumerate(changed):
            # Where boxes meet, a later patch must not undo an earlier one with its still pixels.
            over = None if self._apart or not number else cut(stage.still, box)
            self._paste(box, planes, over)
        for patch in changed:
            inner = patch.box.inside(stage.moves.box)
            self._brightness.update(inner, self._canvas.y)
            self._colours.update(inner.halved(), self._canvas.u, self._canvas.v)
        self._worn = worn

    def _paste(self, box: Box, planes: Planes, still: Planes | None = None) -> None:
        """Write the planes into the canvas, or only those pixels that are not as in ``still``."""
        place = cut(self._canvas, box.inside(self._stage.moves.box))
        for number, target in enumerate(place):
            if still is None:
                target[...] = planes[number]
            else:
                np.copyto(target, planes[number], where=planes[number] != still[number])


class _Alpha:
    """What is seen of each frame: it moves as the colours do. Written behind them in ``frame``."""

    def __init__(self, alpha: Plane, box: Box, frame: Plane) -> None:
        self._box = box
        self._out = frame[-alpha.size :].reshape(alpha.shape)[box.part]
        self._canvas = alpha[box.part].copy()
        self._packed = Blocks(self._canvas)
        self._worn: Patch | None = None

    def dressed(self, mouth: Patch) -> tuple[Blocks, Plane]:
        """With that mouth, as it is written where nothing moves, and what to read it from."""
        if mouth is not self._worn and mouth.alpha is not None:
            inner = mouth.box.inside(self._box)
            self._canvas[inner.part] = mouth.alpha
            self._packed.update(inner, self._canvas)
        self._worn = mouth
        self._out[...] = self._canvas
        return self._packed, self._out


def _as_planes(frame: NDArray[np.uint8], width: int, height: int) -> Planes:
    whole, quarter = width * height, width * height // 4
    small = (height // 2, width // 2)
    return Planes(
        frame[:whole].reshape(height, width),
        frame[whole : whole + quarter].reshape(small),
        frame[whole + quarter : whole + 2 * quarter].reshape(small),
    )
