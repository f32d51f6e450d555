"""Moving a picture a little, quickly: smooth displacements, bilinear, in whole numbers.

Only numpy, and little of it: a frame is drawn strip by strip, so that everything stays in the
processor's cache; neighbours that are mixed alike share one machine word; and the displacement
of each pixel comes from few knots through B-splines, as two small products of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.planes import Box
from backends.puppet.splines import spline_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]
    Knots = NDArray[np.float32]

# Displacements are counted in 16ths of a pixel: finer ones cannot be told apart in 8 bits.
_BITS = 4
_ONE = 1 << _BITS
# Added before they are made whole numbers, so that rounding down is rounding, also of negatives.
_LIFT = 4096
# As many pixels a strip: its arrays of 4 bytes each then fit a core's cache together.
_STRIP_PIXELS = 32_000
# As many multiplications at once. Larger products are shared out among threads by the linear
# algebra library (by OpenBLAS from 2**18 on), which then wait for each other while the encoder has
# the cores: several times slower.
_SMALL_PRODUCT = 200_000
_KNOTS_A_CHUNK = 6


@dataclass(frozen=True, slots=True)
class Lattice:
    """Knots over ``width`` x ``height`` pixels, ``spacing`` pixels apart in both directions.

    Knot (row, column) stands at ((column - 1) * spacing, (row - 1) * spacing).
    """

    width: int
    height: int
    spacing: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of knots."""
        rows, columns = (int(n // self.spacing) + 4 for n in (self.height, self.width))
        return rows, columns

    def places(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """x and y of every knot, in pixels."""
        rows, columns = self.shape
        x, y = (np.arange(n) - 1.0 for n in (columns, rows))
        return tuple(np.meshgrid(x * self.spacing, y * self.spacing))


class Resampler:
    """Reads one plane (or two of the same size) of a picture at displaced places.

    ``scale`` is how many pixels of the picture one of the plane stands for: 1, or 2 for colours.
    ``part`` is where anything moves, in pixels of the picture. Holds buffers: one is used by one
    thread at a time.
    """

    def __init__(self, lattice: Lattice, scale: int, part: Box) -> None:
        self._scale = scale
        self._part = part if scale == 1 else part.halved()
        self._row = lattice.width // scale + 1
        rows, columns = lattice.shape
        middle = (scale - 1) / 2
        _, _, width, height = self._part
        y, x = (np.arange(n) * scale + middle for n in (height, width))
        down = spline_matrix(y + part.y, rows, lattice.spacing)
        across = spline_matrix(x + part.x, columns, lattice.spacing)
        step = min(height, _strip_rows(width, lattice.spacing / scale))
        self._strips = _bands(down, step)
        self._chunks = _bands(across, max(1, round(_KNOTS_A_CHUNK * lattice.spacing / scale)))
        self._knots_wide = np.empty((2, rows, width), np.float32)
        self._moves = np.empty((step, width), np.float32)
        self._whole = [np.empty((step, width), np.int32) for _ in range(4)]
        self._index = np.empty((step, width), np.intp)
        self._words = [np.empty((step, width), np.uint32) for _ in range(2)]
        lines = (np.arange(height, dtype=np.int32) + self._part.y)[:, None] * self._row
        lifted = (_LIFT >> _BITS) * (self._row + 1)
        self._start = lines + np.arange(width, dtype=np.int32) + (self._part.x - lifted)

    def read(self, source: Packed, knots: Knots, *out: Plane) -> None:
        """Fill the part that moves of ``out`` with the source moved by ``knots``: (2, rows,
        columns) displacements to the right and down in pixels of the picture."""
        # The picture moves by so much: its pixels come from the other side. The weights of a
        # spline add up to one, so that what is added to the knots is added everywhere.
        scaled = np.float32(_LIFT + 0.5) - knots * np.float32(_ONE / self._scale)
        for chunk in self._chunks:
            columns = slice(chunk.first, chunk.first + chunk.count)
            for axis in (0, 1):
                np.matmul(
                    scaled[axis, :, chunk.knots],
                    chunk.matrix.T,
                    out=self._knots_wide[axis, :, columns],
                )
        for strip in self._strips:
            rows = slice(strip.first, strip.first + strip.count)
            self._strip(source, strip, [plane[self._part.part][rows] for plane in out])

    def _strip(self, source: Packed, strip: _Band, out: list[Plane]) -> None:
        count = strip.count
        x, y, step, rest = (buffer[:count] for buffer in self._whole)
        for axis, whole in ((0, x), (1, y)):
            moves = self._moves[:count]
            np.matmul(strip.matrix, self._knots_wide[axis, strip.knots], out=moves)
            np.copyto(whole, moves, casting="unsafe")
        np.right_shift(y, _BITS, out=step)
        np.multiply(step, self._row, out=step)
        np.right_shift(x, _BITS, out=rest)
        np.add(step, rest, out=step)
        np.add(step, self._start[strip.first : strip.first + count], out=self._index[:count])
        np.bitwise_and(x, _ONE - 1, out=x)
        np.bitwise_and(y, _ONE - 1, out=y)
        self._mix(source, self._index[:count], x.view(np.uint32), y.view(np.uint32), out)

    def _mix(
        self,
        source: Packed,
        index: NDArray[np.intp],
        fx: NDArray[np.uint32],
        fy: NDArray[np.uint32],
        out: list[Plane],
    ) -> None:
        left, right = (buffer[: len(index)] for buffer in self._words)
        if len(out) == 1:
            self._across(source.upper, index, fx, left, right)
            low, high = np.bitwise_and(left, 0xFFFF, out=right), np.right_shift(left, 16, out=left)
            _lean(low, high, fy)
            np.add(low, 128, out=low)
            np.right_shift(low, 2 * _BITS, out=low)
            np.copyto(out[0], low, casting="unsafe")
            return
        below = self._whole[2].view(np.uint32)[: len(index)]
        self._across(source.upper, index, fx, left, right)
        self._across(source.lower, index, fx, below, right)
        _lean(left, below, fy)
        np.add(left, 0x0080_0080, out=left)
        np.right_shift(left, 24, out=right)
        np.copyto(out[1], right, casting="unsafe")
        np.right_shift(left, 8, out=left)
        np.copyto(out[0], left, casting="unsafe")

    @staticmethod
    def _across(
        words: NDArray[np.uint32],
        index: NDArray[np.intp],
        fx: NDArray[np.uint32],
        left: NDArray[np.uint32],
        right: NDArray[np.uint32],
    ) -> None:
        """Into ``left``: both halves of the words mixed with those of their right neighbours."""
        # Nothing lies outside; of the modes that need no second look at that, this is the fastest.
        words[:-1].take(index, out=left, mode="wrap")
        words[1:].take(index, out=right, mode="wrap")
        _lean(left, right, fx)


def _lean(one: NDArray[np.uint32], other: NDArray[np.uint32], share: NDArray[np.uint32]) -> None:
    """``one`` becomes 16 * one + share * (other - one), in place; ``other`` is lost.

    Words of two halves work as well: what one half borrows from the other, the sum gives back.
    """
    np.subtract(other, one, out=other)
    np.multiply(other, share, out=other)
    np.left_shift(one, _BITS, out=one)
    np.add(one, other, out=one)


class Packed:
    """Words to read from: of one plane, each pixel with the one below it; of two planes, the
    pixels at the same place. A column and a row are added, as copies of the last ones."""

    def __init__(self, *planes: Plane) -> None:
        height, width = planes[0].shape
        self._height, self._width = height, width
        self.upper = np.zeros((height + 1) * (width + 1) + 1, np.uint32)
        self._words = self.upper[:-1].reshape(height + 1, width + 1)
        self.update(Box(0, 0, width, height), *planes)

    @property
    def lower(self) -> NDArray[np.uint32]:
        """The same words, a row further down."""
        return self.upper[self._width + 1 :]

    def update(self, box: Box, *planes: Plane) -> None:
        """Take over the part of the planes that has changed."""
        rows, columns = box.part
        if len(planes) == 1:
            # The pixels above the box have it below them.
            rows = slice(max(0, rows.start - 1), rows.stop)
            after = np.minimum(np.arange(rows.start, rows.stop) + 1, self._height - 1)
            high = planes[0][after, columns]
        else:
            high = planes[1][rows, columns]
        words = self._words[rows, columns]
        words[...] = high
        np.left_shift(words, 16, out=words)
        np.bitwise_or(words, planes[0][rows, columns], out=words)
        self._words[:, self._width] = self._words[:, self._width - 1]
        self._words[self._height] = self._words[self._height - 1]


@dataclass(frozen=True, slots=True)
class _Band:
    """Rows ``first`` to ``first + count`` of a spline's matrix, and the knots that matter there."""

    first: int
    count: int
    knots: slice
    matrix: NDArray[np.float32]


def _strip_rows(width: int, spacing: float) -> int:
    """How many rows are drawn at once: what fits the cache, and keeps the products small."""
    rows = max(1, _STRIP_PIXELS // width)
    while rows > 1 and rows * (rows / spacing + 4) * width > _SMALL_PRODUCT:
        rows -= 1
    return rows


def _bands(matrix: NDArray[np.float32], step: int) -> list[_Band]:
    bands = []
    for first in range(0, len(matrix), step):
        rows = matrix[first : first + step]
        used = np.flatnonzero(rows.any(axis=0))
        knots = slice(int(used[0]), int(used[-1]) + 1)
        bands.append(_Band(first, len(rows), knots, np.ascontiguousarray(rows[:, knots])))
    return bands
