"""Moving a picture a little, quickly: smooth displacements, bilinear, in whole numbers.

Only numpy, and little of it: a frame is drawn strip by strip, so that everything stays in the
processor's cache; neighbours that are mixed alike share one machine word; and the displacement
of each pixel comes from few knots through B-splines, as two small products of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    ``moving`` says which knots ever move, (rows, columns). Holds buffers: one is used by one
    thread at a time.
    """

    def __init__(self, lattice: Lattice, scale: int, moving: NDArray[np.bool_]) -> None:
        self._scale, self._spacing = scale, lattice.spacing / scale
        width, height = lattice.width // scale, lattice.height // scale
        rows, columns = lattice.shape
        middle = (scale - 1) / 2
        down = spline_matrix(np.arange(height) * scale + middle, rows, lattice.spacing)
        across = spline_matrix(np.arange(width) * scale + middle, columns, lattice.spacing)
        step = min(height, _strip_rows(width, self._spacing))
        self._chunks = _bands(across, max(1, round(_KNOTS_A_CHUNK * self._spacing)))
        self._knots_wide = np.empty((2, rows, width), np.float32)
        buffers = _Buffers(step * width)
        strips = [self._strip_of(band, moving, width, buffers) for band in _bands(down, step)]
        self._strips = [strip for strip in strips if strip is not None]

    def read(self, source: Packed, knots: Knots, *out: Plane) -> None:
        """Fill ``out``, wherever anything may move, with the source moved by ``knots``: (2, rows,
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
            strip.read(source, [plane[strip.part] for plane in out])

    def _strip_of(
        self, band: _Band, moving: NDArray[np.bool_], width: int, buffers: _Buffers
    ) -> _Strip | None:
        """A strip as wide as something moves in it; None where nothing does."""
        used = np.flatnonzero(moving[band.knots].any(axis=0))
        if not len(used):
            return None
        # A knot reaches two knots to either side; the first one stands one before the plane.
        left = max(0, int((used[0] - 3) * self._spacing))
        right = min(width, int((used[-1] + 1) * self._spacing) + 1)
        rows, columns = slice(band.first, band.first + band.count), slice(left, right)
        across = self._knots_wide[:, band.knots, columns]
        lines = np.arange(band.first, band.first + band.count, dtype=np.int32)[:, None]
        # What was added to the displacements is taken off the places again.
        lifted = (_LIFT >> _BITS) * (width + 2)
        start = lines * np.int32(width + 1) + np.arange(left, right, dtype=np.int32) - lifted
        shape = band.count, right - left
        return _Strip(
            (rows, columns), band.matrix, across, start.astype(np.int32), width + 1,
            *buffers.views(shape),
        )  # fmt: skip


class _Buffers:
    """Memory that all strips of a plane use, one after the other."""

    def __init__(self, size: int) -> None:
        self._moves = np.empty(size, np.float32)
        self._whole = [np.empty(size, np.int32) for _ in range(4)]
        self._index = np.empty(size, np.intp)
        self._words = [np.empty(size, np.uint32) for _ in range(2)]

    def views(self, shape: tuple[int, int]) -> tuple[NDArray[Any], ...]:
        """Displacements, four of whole numbers, places, and two of words."""
        flat: list[NDArray[Any]] = [self._moves, *self._whole, self._index, *self._words]
        return tuple(buffer[: shape[0] * shape[1]].reshape(shape) for buffer in flat)


@dataclass(frozen=True, slots=True)
class _Strip:
    """Some rows of a plane, as wide as something moves in them. ``row`` is the length of a row of
    `Packed`; the arrays from ``moves`` on are room to work in."""

    part: tuple[slice, slice]
    down: NDArray[np.float32]
    across: NDArray[np.float32]
    start: NDArray[np.int32]
    row: int
    moves: NDArray[np.float32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    step: NDArray[np.int32]
    rest: NDArray[np.int32]
    index: NDArray[np.intp]
    left: NDArray[np.uint32]
    right: NDArray[np.uint32]

    def read(self, source: Packed, out: list[Plane]) -> None:
        x, y, step, rest = self.x, self.y, self.step, self.rest
        for axis, whole in ((0, x), (1, y)):
            np.matmul(self.down, self.across[axis], out=self.moves)
            np.copyto(whole, self.moves, casting="unsafe")
        np.right_shift(y, _BITS, out=step)
        np.multiply(step, self.row, out=step)
        np.right_shift(x, _BITS, out=rest)
        np.add(step, rest, out=step)
        np.add(step, self.start, out=self.index)
        np.bitwise_and(x, _ONE - 1, out=x)
        np.bitwise_and(y, _ONE - 1, out=y)
        if len(out) == 1:
            self._mix_one(source, out[0])
        else:
            self._mix_two(source, out)

    def _mix_one(self, source: Packed, out: Plane) -> None:
        left, right = self.left, self.right
        self._across(source.upper, left)
        np.bitwise_and(left, 0xFFFF, out=right)
        np.right_shift(left, 16, out=left)
        _lean(right, left, self.y.view(np.uint32))
        np.add(right, 128, out=right)
        np.right_shift(right, 2 * _BITS, out=right)
        np.copyto(out, right, casting="unsafe")

    def _mix_two(self, source: Packed, out: list[Plane]) -> None:
        left, below = self.left, self.step.view(np.uint32)
        self._across(source.upper, left)
        self._across(source.lower, below)
        _lean(left, below, self.y.view(np.uint32))
        np.add(left, 0x0080_0080, out=left)
        np.right_shift(left, 24, out=self.right)
        np.copyto(out[1], self.right, casting="unsafe")
        np.right_shift(left, 8, out=left)
        np.copyto(out[0], left, casting="unsafe")

    def _across(self, words: NDArray[np.uint32], into: NDArray[np.uint32]) -> None:
        """Both halves of the words mixed with those of their right neighbours."""
        # Nothing lies outside; of the modes that need no second look at that, this is the fastest.
        words[:-1].take(self.index, out=into, mode="wrap")
        words[1:].take(self.index, out=self.right, mode="wrap")
        _lean(into, self.right, self.x.view(np.uint32))


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
