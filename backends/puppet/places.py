"""Where pixels lie beside the mouth's seam, and what lip comes to them when the mouth moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backends.puppet.bands import Spread
from backends.puppet.cavity import Opening
from backends.puppet.lips import Head
from backends.puppet.seam import Seam
from backends.puppet.warp import Floats

Part = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class BentLips:
    """``xs``, ``ys``: the place in the region whose colour a pixel shows, (rows, columns) each.
    ``under`` is how far below the upper lip's edge a pixel lies, ``over`` how far above the lower
    lip's, in pixels; ``between`` is 1 between the corners of the mouth, 0 outside."""

    xs: Floats
    ys: Floats
    under: Floats
    over: Floats
    between: Floats

    @property
    def gap(self) -> Floats:
        """How much of each pixel neither lip covers, 0 to 1."""
        uncovered = np.clip(self.under + 0.5, 0, 1) + np.clip(self.over + 0.5, 0, 1) - 1
        return np.asarray(np.clip(uncovered, 0, 1) * self.between)

    def contact(self, strength: float, unit: float, colour: float) -> Floats:
        """The shade along the line on which the lips meet: a factor for each colour, (..., 3).
        ``colour`` is that of the palette."""
        width = max(0.8, 0.012 * unit)
        line = np.exp(-((0.5 * (self.under - self.over) / width) ** 2))
        shade = 1 - 0.4 * strength * line * self.between
        return np.asarray(shade[..., None] ** (1 + colour * np.array([-0.3, 0.15, 0.1])))


@dataclass(frozen=True, slots=True)
class Places:
    """Places of a region (rows, columns), given in the mouth's frame: ``across`` and ``down`` in
    pixels, ``along`` -1 to 1 between the corners, ``row`` below the arch of the upper teeth;
    ``inside`` is 1 where the portrait itself shows the inside of the mouth."""

    seam: Seam
    points: Floats
    across: Floats
    down: Floats
    along: Floats
    row: Floats
    inside: Floats

    @classmethod
    def of(cls, points: Floats, seam: Seam, origin: tuple[int, int]) -> Places:
        """``points`` (rows, columns, 2) in a region that begins at ``origin``."""
        framed = seam.frame(points + np.array(origin, np.float32)).astype(np.float32)
        across, down = (np.ascontiguousarray(framed[..., axis]) for axis in (0, 1))
        curves = (seam.upper, seam.lower, seam.arch, seam.along)
        upper, lower, arch, along = (
            np.interp(across, seam.xs, c).astype(np.float32) for c in curves
        )
        inside = np.clip(np.minimum(down - upper, lower - down) + 0.5, 0, 1)
        return cls(seam, points, across, down, along, down - arch, inside)

    def bent(self, back: Floats, spread: Spread) -> BentLips:
        """What comes to these pixels where ``back`` says how far the points that come to a grid's
        nodes lie from them: (above and below the seam, x and y, rows, columns). ``spread`` takes
        values from those nodes to these pixels."""
        sides = spread(back.reshape(4, *back.shape[2:]))
        sides = sides.reshape(2, 2, *sides.shape[1:])
        share, under, over, outside = self._split(sides)
        between = np.minimum(np.maximum(-outside, 0), 1)
        # A lip ends at its edge: a pixel half covered must not take up what lies beyond it.
        beyond = between * np.where(share > 0.5, np.maximum(under, 0), -np.maximum(-over, 0))
        turn = self.seam.turn
        (above, below) = sides
        xs, ys = (
            self.points[..., axis]
            - (below[axis] + share * (above[axis] - below[axis]))
            - beyond * turn[1, axis]
            for axis in (0, 1)
        )
        return BentLips(xs, ys, under, -over, between)

    def share(self, back: Floats) -> Floats:
        """How much the bending above the seam counts at these places, 0 to 1, where ``back`` says
        what comes to them: (above and below, x and y, rows, columns)."""
        return self._split(back)[0]

    def opening(self, lips: BentLips, part: Part, unit: float) -> Opening:
        """What the mouth's inside needs to know of a ``part`` of these pixels."""
        return Opening(
            self.along[part],
            self.row[part] / unit,
            np.maximum(lips.under[part], 0) / unit,
            np.maximum(lips.over[part], 0) / unit,
            1 / unit,
        )

    def _split(self, back: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """``share``, below the upper lip's edge, below the lower lip's, beyond the corners."""
        (x_above, x_below), (under, over) = self._beyond(back)
        outside = 0.5 * np.abs(x_above + x_below) - self.seam.half
        # Between the corners the lips part sharply; beyond them one skin goes over into the other.
        share = 0.5 - (under + over) / (1e-3 + 2 * np.maximum(outside, 0))
        np.minimum(np.maximum(share, 0, out=share), 1, out=share)
        return share, under, over, outside

    def _beyond(self, back: Floats) -> tuple[Floats, Floats]:
        """Where the points that come here lie across the mouth, and how far below the edge of the
        lip that they belong to: (above and below, rows, columns) each."""
        turn, xs = self.seam.turn, self.seam.xs
        edges = np.concatenate([self.seam.upper, self.seam.lower])
        across = self.across - (turn[0, 0] * back[:, 0] + turn[0, 1] * back[:, 1])
        down = self.down - (turn[1, 0] * back[:, 0] + turn[1, 1] * back[:, 1])
        place = (across - xs[0]) / (xs[1] - xs[0])
        np.minimum(np.maximum(place, 0, out=place), len(xs) - 1.001, out=place)
        cell = place.astype(np.intp)
        place -= cell.astype(np.float32)
        cell[1] += len(xs)
        start = edges.take(cell)
        place *= edges[1:].take(cell) - start
        down -= start
        down -= place
        return across, down


def mouth_part(seam: Seam, head: Head, box: tuple[int, int, int, int]) -> Part:
    """The rows and columns of a region (x, y, width, height) between which lips move and part."""
    side = 1.3 * seam.half + 0.05 * head.mouth
    top = float(seam.upper.min()) - 0.2 * head.unit
    bottom = float(seam.lower.max()) + 0.5 * head.unit
    corners = np.array([(x, y) for x in (-side, side) for y in (top, bottom)], np.float32)
    points = seam.picture(corners) - np.array(box[:2], np.float32)
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    return _within(low[1], high[1], box[3]), _within(low[0], high[0], box[2])


def _within(low: float, high: float, length: int) -> slice:
    first = int(np.clip(low, 0, length - 1))
    return slice(first, int(np.clip(high, first, length - 1)) + 1)
