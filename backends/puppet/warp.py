"""Bending a picture: smooth displacement fields, their inversion, and fast sampling.

A field is known at a few control points and continued everywhere by a thin-plate spline (Duchon
1977; Bookstein 1989), which bends as little as it can. Because the spline is linear in the
displacements, it is solved once for unit displacements; a mouth state is then a weighted sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.bands import SMALL_PRODUCT, Spread

Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Grid:
    """Nodes over a region of ``width`` x ``height`` pixels, the outer ones exactly on its border.

    ``spread`` takes two sorts of values at the nodes to all pixels.
    """

    xs: Floats
    ys: Floats
    width: int
    height: int
    spread: Spread

    @classmethod
    def over(cls, width: int, height: int, spacing: float) -> Grid:
        """The grid over a region, its nodes about ``spacing`` pixels apart."""
        xs, ys = (_nodes(length, spacing) for length in (width, height))
        spread = Spread(_upsampling(ys, height), _upsampling(xs, width), 2)
        return cls(xs, ys, width, height, spread)

    def spread_over(self, rows: slice, columns: slice, kinds: int) -> Spread:
        """The same for some rows and columns of the pixels, and ``kinds`` sorts of values."""
        down, across = _upsampling(self.ys, self.height), _upsampling(self.xs, self.width)
        return Spread(down[rows], across[columns], kinds)

    @property
    def points(self) -> Floats:
        """The nodes as (rows, columns, 2), x before y."""
        return np.stack(np.meshgrid(self.xs, self.ys), axis=-1).astype(np.float32)

    def border(self, count: int) -> Floats:
        """``count`` points along each side of the region, (n, 2)."""
        steps = np.linspace(0, 1, count)
        x, y = (part.ravel() for part in np.meshgrid(steps * self.xs[-1], steps * self.ys[-1]))
        outside = (x % self.xs[-1] == 0) | (y % self.ys[-1] == 0)
        return np.stack([x[outside], y[outside]], axis=-1)

    def window(self, band: float) -> Floats:
        """0 on the border, 1 from ``band`` (a share of the shorter side) inwards; smooth."""
        reach = max(1e-6, band * min(self.xs[-1], self.ys[-1]))
        sides = [
            _smooth(np.minimum(nodes, nodes[-1] - nodes) / reach) for nodes in (self.xs, self.ys)
        ]
        return np.outer(sides[1], sides[0]).astype(np.float32)

    def inverse(self, fields: Floats, rounds: int = 3) -> Floats:
        """For every node, how far from it the point lies that each of the fields moves onto it.

        ``fields`` is (fields, rows, columns, 2); the result is (fields, 2, rows, columns).
        Fixed-point iteration: v(p) = d(p - v(p)).
        """
        # A complex number holds both directions: one look-up and one sum instead of two.
        moves = np.ascontiguousarray(fields, np.float32).view(np.complex64)[..., 0]
        begin = np.arange(len(moves))[:, None, None] * moves[0].size
        back = moves
        for _ in range(rounds):
            back = self._at(moves, begin, self.xs - back.real, self.ys[:, None] - back.imag)
        return np.stack([back.real, back.imag], axis=1)

    def _at(
        self, fields: NDArray[np.complex64], begin: NDArray[np.intp], x: Floats, y: Floats
    ) -> NDArray[np.complex64]:
        columns, right = _cell(x, self.xs)
        first, down = _cell(y, self.ys)
        first *= len(self.xs)
        first += columns
        first += begin
        flat = fields.ravel()
        start = flat.take(first)
        above = flat[1:].take(first)
        above -= start
        above *= right
        above += start
        first += len(self.xs)
        start = flat.take(first)
        below = flat[1:].take(first)
        below -= start
        below *= right
        below += start
        below -= above
        below *= down
        below += above
        return below


def thin_plate(controls: Floats, moves: Floats, where: Floats, stiffness: float) -> Floats:
    """Fields over ``where`` (..., 2) that move each of the ``controls`` (n, 2) by ``moves``.

    ``moves`` is (n, fields); the result is (..., fields). ``stiffness`` > 0 lets the field miss the
    controls a little where that makes it smoother. Lengths should be of the order of 1.
    """
    count = len(controls)
    source = controls.astype(np.float64)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(source, source) + stiffness * np.eye(count)
    system[:count, count] = 1
    system[:count, count + 1 :] = source
    system[count:, :count] = system[:count, count:].T
    # Points on one line, or all in one place, leave the plane's slope open; this picks the least.
    system[count:, count:] = -1e-9 * np.eye(3)
    wanted = np.zeros((count + 3, moves.shape[1]))
    wanted[:count] = moves
    weights = solved(system, wanted).astype(np.float32)
    places = where.reshape(-1, 2).astype(np.float32)
    bent = product(_kernel(places, controls.astype(np.float32)), weights[:count])
    flat = bent + weights[count] + places @ weights[count + 1 :]
    result: Floats = flat.reshape(*where.shape[:-1], -1)
    return result


class Texture:
    """A picture of three channels or four that is read between its pixels, ``finer`` steps to a
    pixel.

    It is enlarged once by cubic convolution (Keys 1981), which keeps the pixels themselves; reading
    it is then one look-up, quicker than mixing four pixels and without their blur.
    """

    def __init__(self, picture: Pixels, finer: int) -> None:
        self._finer = finer
        self._height = (picture.shape[0] - 1) * finer + 1
        self._width = (picture.shape[1] - 1) * finer + 1
        fine = _refined(_refined(picture.astype(np.float32), finer, 0), finer, 1)
        self._channels = picture.shape[2]
        packed = np.full((self._height, self._width, 4), 255, np.uint8)
        packed[..., : self._channels] = np.clip(np.rint(fine), 0, 255)
        self._packed = packed.view(np.uint32)[..., 0].ravel()

    @property
    def nbytes(self) -> int:
        return self._packed.nbytes

    def columns(self, xs: Floats) -> Floats:
        """Places across the picture, in pixels, as steps; beyond it those of its edge."""
        return _steps(xs, self._finer, self._width)

    def rows(self, ys: Floats) -> Floats:
        """The same for places down the picture."""
        return _steps(ys, self._finer, self._height)

    def read(self, columns: Floats, rows: Floats) -> Pixels:
        """The colours at these steps."""
        index = rows.astype(np.int32)
        index *= self._width
        index += columns.astype(np.int32)
        found = self._packed.take(index)
        return found.view(np.uint8).reshape(*rows.shape, 4)[..., : self._channels]


def solved(system: Floats, wanted: Floats) -> Floats:
    """x with system @ x = wanted, for a system whose upper left quarter can be solved as well.

    In two halves by its Schur complement: from a hundred rows on the linear algebra library takes
    threads for it, with the effect that `product` tells of.
    """
    half = len(system) // 2
    (above, beside), (below, rest) = (np.hsplit(part, [half]) for part in np.vsplit(system, [half]))
    first = np.linalg.solve(above, np.hstack([beside, wanted[:half]]))
    across, alone = np.hsplit(first, [beside.shape[1]])
    second = np.linalg.solve(rest - product(below, across), wanted[half:] - product(below, alone))
    return np.vstack([alone - product(across, second), second])


def product(left: Floats, right: Floats) -> Floats:
    """left @ right, in pieces so small that they are computed right here.

    The linear algebra library shares larger products out among threads, which then wait for each
    other while the encoder has the cores: four to eight times slower.
    """
    whole = np.empty((len(left), right.shape[1]), left.dtype)
    rows = max(1, SMALL_PRODUCT // max(1, right.size))
    for y in range(0, len(left), rows):
        np.matmul(left[y : y + rows], right, out=whole[y : y + rows])
    return whole


def _nodes(length: int, spacing: float) -> Floats:
    count = max(2, round((length - 1) / max(spacing, 1e-6)) + 1)
    # At least a pixel apart: a region of one pixel still gets two nodes.
    return np.linspace(0, max(length - 1, 1), min(count, max(2, length)), dtype=np.float32)


def _upsampling(nodes: Floats, length: int) -> Floats:
    place, share = _cell(np.arange(length, dtype=np.float32), nodes)
    matrix = np.zeros((length, len(nodes)), np.float32)
    rows = np.arange(length)
    matrix[rows, place] = 1 - share
    matrix[rows, place + 1] += share
    return matrix


def _cell(where: Floats, nodes: Floats) -> tuple[NDArray[np.intp], Floats]:
    scaled = where * np.float32(1 / nodes[1])
    # Not np.clip, which takes longer to begin than to do this little.
    np.minimum(np.maximum(scaled, 0, out=scaled), len(nodes) - 1.0001, out=scaled)
    cell = scaled.astype(np.intp)
    scaled -= cell.astype(np.float32)
    return cell, scaled


def _steps(places: Floats, finer: int, count: int) -> Floats:
    # With the half, rounding down is rounding.
    steps = places * np.float32(finer)
    steps += np.float32(0.5)
    np.minimum(np.maximum(steps, 0, out=steps), count - np.float32(0.5), out=steps)
    return steps


def _smooth(share: Floats) -> Floats:
    inside = np.clip(share, 0, 1)
    result: Floats = inside**3 * (inside * (6 * inside - 15) + 10)
    return result


def _kernel(places: NDArray[np.floating], controls: NDArray[np.floating]) -> NDArray[np.floating]:
    (x, y), (u, v) = places.T[..., None], controls.T[:, None]
    square = np.maximum((x - u) ** 2 + (y - v) ** 2, 1e-12)
    result: NDArray[np.floating] = square * np.log(square)
    return result


def _refined(picture: Floats, finer: int, axis: int) -> Floats:
    moved = np.moveaxis(picture, axis, 0)
    edged = np.concatenate([moved[:1], moved, moved[-1:], moved[-1:]])
    count = len(moved)
    fine = np.empty(((count - 1) * finer + 1, *moved.shape[1:]), np.float32)
    for phase in range(finer):
        rows = count if phase == 0 else count - 1
        weights = _cubic(phase / finer)
        fine[phase::finer] = sum(
            float(weight) * edged[tap : tap + rows] for tap, weight in enumerate(weights)
        )
    return np.moveaxis(fine, 0, axis)


def _cubic(share: float) -> tuple[float, float, float, float]:
    a, s = -0.5, share
    return (
        a * s * (s - 1) ** 2,
        (a + 2) * s**3 - (a + 3) * s**2 + 1,
        -(a + 2) * s**3 + (2 * a + 3) * s**2 - a * s,
        -a * s**2 * (s - 1),
    )
