"""How a head and its shoulders move in the picture: one smooth field for each channel of life.

There is no second picture behind the head, so everything is bent and nothing cut out: the head
moves as a whole, what is around it less and less, and the border of the region not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.planes import Box
from backends.puppet.resample import Lattice
from backends.puppet.splines import smoothstep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.face import Face
    from backends.puppet.resample import Knots

    Field = NDArray[np.floating]

# Of the face model: the forehead's top, the chin, the sides, the nose's tip, the brows.
_TOP, _CHIN, _LEFT, _RIGHT, _NOSE = 10, 152, 234, 454, 4
_BROWS = ((70, 63, 105, 66, 107, 46, 53, 52, 65, 55),
          (300, 293, 334, 296, 336, 276, 283, 282, 295, 285))  # fmt: skip
_LIDS = (159, 386)
# The first channels of `life.CHANNELS`; the eyes' ones are no fields.
MOVED = 7
# Half axes of head and hair in widths and heights of the face, seen from the face's middle.
_WIDE, _HIGH, _HIGHER = 0.80, 0.92, 0.18
# Where nothing moves any more, in half axes; and how far below the chin the shoulders end.
_FADE = 1.55
_SHOULDERS = 1.15
_BREATH, _BREATH_OF_HEAD, _BROW = 0.010, 0.004, 0.032


@dataclass(frozen=True, slots=True)
class Moves:
    """``fields`` is (`MOVED`, 2, rows, columns): pixels to the right and down at the knots of
    ``lattice`` for one unit of each channel. ``box`` is the part of the picture that they cover."""

    box: Box
    lattice: Lattice
    fields: Knots

    @property
    def moving(self) -> NDArray[np.bool_]:
        """Which knots ever move, (rows, columns)."""
        return np.asarray(self.fields.any(axis=(0, 1)))

    def at(self, life: NDArray[np.float32]) -> Knots:
        """The displacements at the knots for one frame's numbers."""
        # Not by linear algebra: its threads would wait for each other while the encoder works.
        return np.asarray(np.einsum("c,cxyz->xyz", life[:MOVED], self.fields))


@dataclass(frozen=True, slots=True)
class _Head:
    """A face's own directions: ``right`` and ``down`` are unit vectors of the picture."""

    middle: Field
    chin: Field
    nose: Field
    right: Field
    down: Field
    width: float
    height: float

    def seen(self, x: Field, y: Field, origin: Field) -> tuple[Field, Field]:
        """Places relative to ``origin`` in widths and heights of the face."""
        across, along = x - origin[0], y - origin[1]
        r = (across * self.right[0] + along * self.right[1]) / self.width
        return r, (across * self.down[0] + along * self.down[1]) / self.height


def moves_of(face: Face, width: int, height: int, parts: Iterable[Box] = ()) -> Moves:
    """The fields for ``face`` in a picture of ``width`` x ``height`` pixels; ``parts`` lie in
    the region in any case."""
    head = _head(face)
    box = _region(head, width, height)
    for part in parts:
        box = box.around(part)
    lattice = Lattice(box.width, box.height, max(4.0, 0.055 * head.height))
    x, y = lattice.places()
    still = _window(x, y, box, 0.45 * head.height)
    _still_edge(still)
    fields = (np.stack(_fields(face, head, x + box.x, y + box.y)) * still).astype(np.float32)
    return Moves(box, lattice, fields)


def _head(face: Face) -> _Head:
    points = face.points[:, :2].astype(np.float64)
    down = points[_CHIN] - points[_TOP]
    height = max(float(np.hypot(*down)), 1.0)
    down = down / height
    right = np.array([down[1], -down[0]])
    # A head turned aside is as wide as a quarter less than it is high, though it looks narrower.
    width = max(float(abs((points[_RIGHT] - points[_LEFT]) @ right)), 0.6 * height)
    middle = (points[_TOP] + points[_CHIN]) / 2 - _HIGHER * height * down
    return _Head(middle, points[_CHIN], points[_NOSE], right, down, width, height)


def _region(head: _Head, width: int, height: int) -> Box:
    """What may move: head and hair with the fading around them, and the shoulders."""
    reach = _FADE * np.array([_WIDE * head.width, _HIGH * head.height])
    corners = [head.middle + a * reach[0] * head.right + b * reach[1] * head.down
               for a in (-1, 1) for b in (-1, 1)]  # fmt: skip
    corners += [head.chin + a * reach[0] * head.right + _SHOULDERS * head.height * head.down
                for a in (-1, 1)]  # fmt: skip
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    left, top = (int(max(0.0, v)) for v in low)
    right, below = min(width, int(high[0]) + 1), min(height, int(high[1]) + 1)
    even = Box(left, top, max(2, right - left), max(2, below - top)).even()
    return Box(even.x, even.y, min(even.width, width - even.x), min(even.height, height - even.y))


def _window(x: Field, y: Field, box: Box, band: float) -> Field:
    """1 inside, 0 at the region's border, a smooth slope of ``band`` pixels in between."""
    band = min(band, 0.4 * min(box.width, box.height))
    across = np.minimum(x, box.width - 1 - x)
    along = np.minimum(y, box.height - 1 - y)
    return smoothstep(across / band) * smoothstep(along / band)


def _still_edge(window: Field) -> None:
    """The knots that a pixel on the border depends on do not move at all."""
    window[:3] = window[-3:] = 0.0
    window[:, :3] = window[:, -3:] = 0.0


def _fields(face: Face, head: _Head, x: Field, y: Field) -> list[Field]:
    r, d = head.seen(x, y, head.middle)
    out = np.hypot(r / _WIDE, d / _HIGH)
    weight = 1.0 - smoothstep((out - 0.75) / (_FADE - 0.75))
    depth = _depth(head, x, y, out)
    right, down = (v[:, None, None] for v in (head.right, head.down))
    below, aside = _from_the_neck(head, x, y)
    return [
        depth * right,
        depth * down,
        weight * (aside * down - below * right),
        weight * head.height * right,
        weight * head.height * down,
        -head.height * down * _breathing(head, x, y, weight),
        -head.height * down * _BROW * _brows(face, head, x, y),
    ]


def _depth(head: _Head, x: Field, y: Field, out: Field) -> Field:
    """How far in front of the head's axis a place lies, in pixels: a turn moves it by so much
    times the angle. A dome over the face, and the nose on it; 0 at the head's outline, which so
    stays where it is."""
    dome = np.clip(1.0 - (out / 1.05) ** 2, 0.0, None) ** 1.5
    r, d = head.seen(x, y, head.nose)
    nose = np.clip(1.0 - (r / 0.24) ** 2 - (d / 0.22) ** 2, 0.0, None) ** 2
    return np.asarray(head.width * (0.55 * dome + 0.10 * nose))


def _from_the_neck(head: _Head, x: Field, y: Field) -> tuple[Field, Field]:
    """Places in pixels below and to the right of the neck, about which a head tilts."""
    r, d = head.seen(x, y, head.chin + 0.2 * head.height * head.down)
    return d * head.height, r * head.width


def _breathing(head: _Head, x: Field, y: Field, weight: Field) -> Field:
    r, d = head.seen(x, y, head.chin)
    shoulders = smoothstep((d - 0.05) / 0.5) * smoothstep((1.9 - np.abs(r)) / 0.9)
    return _BREATH_OF_HEAD * weight * (1.0 - shoulders) + _BREATH * shoulders


def _brows(face: Face, head: _Head, x: Field, y: Field) -> Field:
    """1 at the brows, going over into the forehead above them and ending before the lids."""
    total = np.zeros_like(x)
    for brow, lid in zip(_BROWS, _LIDS, strict=True):
        points = face.points[[*brow, lid], :2].astype(np.float64)
        r, d = head.seen(points[:, 0], points[:, 1], head.middle)
        wide = max(float(np.ptp(r[:-1])) / 2, 0.05)
        room = min(max(float(d[-1] - d[:-1].mean()), 0.06), 0.2)
        r, d = head.seen(x, y, points[:-1].mean(axis=0))
        upright = np.where(d < 0, smoothstep(1.0 + d / 0.30), smoothstep(1.0 - d / (0.8 * room)))
        total = np.maximum(total, upright * smoothstep(2.0 - np.abs(r) / wide))
    return total
