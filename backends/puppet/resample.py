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
    Pairs = NDArray[np.uint16]

# Displacements are counted in 16ths of a pixel: finer ones cannot be told apart in 8 bits.
_BITS = 4
_ONE = 1 << _BITS
# Added before they are made whole numbers, so that rounding down is rounding, also of negatives.
_LIFT = 4096
# As many places a strip: its arrays of 4 bytes each then fit a core's cache together.
_STRIP_PLACES = 32_000
# As many multiplications at once. Larger products are shared out among threads by the linear
# algebra library (by OpenBLAS from 2**18 on), which then wait for each other while the encoder has
# the cores: several times slower.
_SMALL_PRODUCT = 200_000
_KNOTS_A_CHUNK = 6
# Two pixels side by side, the left one first.
_PAIR = np.dtype("<u2")


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
    """Reads the brightness of a picture, or both its colours, at displaced places.

    ``scale`` is how many pixels of the picture one of the planes stands for: 1 for brightness, 2
    for colours. ``moving`` says which knots ever move, (rows, columns). Holds buffers: one is used
    by one thread at a time.

    Two neighbours in a row are one place: they have the same displacement, that of their middle.
    No displacement here changes by more than a tenth of a pixel from one to the next. Of an odd
    number of columns the last one is left as it is; nothing moves there.
    """

    def __init__(self, lattice: Lattice, scale: int, moving: NDArray[np.bool_]) -> None:
        self._scale, self._spacing = scale, lattice.spacing / scale
        width, height = lattice.width // scale, lattice.height // scale
        rows, columns = lattice.shape
        middle = (scale - 1) / 2
        down = spline_matrix(np.arange(height) * scale + middle, rows, lattice.spacing)
        places = 2.0 * np.arange(width // 2) + 0.5
        across = spline_matrix(places * scale + middle, columns, lattice.spacing)
        step = min(height, max(1, _STRIP_PLACES // len(places)))
        self._chunks = _bands(across, max(1, round(_KNOTS_A_CHUNK * self._spacing / 2)))
        self._knots_wide = np.empty((2, rows, len(places)), np.float32)
        buffers = _Buffers(step * len(places))
        strips = [
            self._strip_of(slice(first, min(height, first + step)), down, moving, width, buffers)
            for first in range(0, height, step)
        ]
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
        pairs = [plane[:, : plane.shape[1] // 2 * 2].view(_PAIR) for plane in out]
        for strip in self._strips:
            if len(pairs) == 1:
                strip.read_brightness(source, *pairs)
            else:
                strip.read_colours(source, *pairs)

    def _strip_of(
        self,
        rows: slice,
        down: NDArray[np.float32],
        moving: NDArray[np.bool_],
        width: int,
        buffers: _Buffers,
    ) -> _Strip | None:
        """A strip as wide as something moves in it; None where nothing does."""
        used = np.flatnonzero(moving[down[rows].any(axis=0)].any(axis=0))
        if not len(used):
            return None
        # A knot reaches two knots to either side; the first one stands one before the plane.
        left = max(0, int((used[0] - 3) * self._spacing)) // 2
        right = min(width, int((used[-1] + 1) * self._spacing) + 2) // 2
        columns = slice(left, right)
        bands = tuple(
            (slice(band.first, band.first + band.count), band.matrix,
             self._knots_wide[:, band.knots, columns])
            for band in _bands(down[rows], _product_rows(right - left, self._spacing))
        )  # fmt: skip
        lines = np.arange(rows.start, rows.stop, dtype=np.int32)[:, None]
        places = 2 * np.arange(left, right, dtype=np.int32)
        # What was added to the displacements is taken off the places again.
        lifted = (_LIFT >> _BITS) * (width + 2)
        start = lines * np.int32(width + 1) + places - np.int32(lifted)
        shape = rows.stop - rows.start, right - left
        return _Strip((rows, columns), bands, start, width + 1, *buffers.views(shape))


class _Buffers:
    """Memory that all strips of a plane use, one after the other."""

    def __init__(self, size: int) -> None:
        kinds = [np.float32, *[np.int32] * 3, np.intp, *[np.uint32] * 6]
        self._flat: list[NDArray[Any]] = [np.empty(size, kind) for kind in kinds]

    def views(self, shape: tuple[int, int]) -> tuple[NDArray[Any], ...]:
        """Displacements, three of whole numbers, places, and six of words."""
        return tuple(buffer[: shape[0] * shape[1]].reshape(shape) for buffer in self._flat)


@dataclass(frozen=True, slots=True)
class _Strip:
    """Some rows of a plane, as wide as something moves in them. ``part`` counts places, ``row`` is
    the length of a row of `Packed`; the arrays from ``moves`` on are room to work in."""

    part: tuple[slice, slice]
    bands: tuple[tuple[slice, NDArray[np.float32], NDArray[np.float32]], ...]
    start: NDArray[np.int32]
    row: int
    moves: NDArray[np.float32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    step: NDArray[np.int32]
    index: NDArray[np.intp]
    one: NDArray[np.uint32]
    two: NDArray[np.uint32]
    three: NDArray[np.uint32]
    four: NDArray[np.uint32]
    five: NDArray[np.uint32]
    spare: NDArray[np.uint32]

    def read_brightness(self, source: Packed, pairs: Pairs) -> None:
        """Words hold a pixel and the one below it."""
        self._find()
        one, two, three = self.one, self.two, self.three
        self._across(source.upper, one, two)
        for word, low in ((one, three), (two, one)):
            np.bitwise_and(word, 0xFFFF, out=low)
            np.right_shift(word, 16, out=word)
            _lean(low, word, self.y.view(np.uint32), self.spare)
            np.add(low, 128, out=low)
        np.right_shift(three, 8, out=three)
        self._write(three, one, pairs)

    def read_colours(self, source: Packed, u: Pairs, v: Pairs) -> None:
        """Words hold the pixels of both planes at a place."""
        self._find()
        one, two, three, four, five = self.one, self.two, self.three, self.four, self.five
        self._across(source.upper, one, two)
        self._across(source.lower, four, five)
        for upper, lower in ((one, four), (two, five)):
            _lean(upper, lower, self.y.view(np.uint32), self.spare)
            np.add(upper, 0x0080_0080, out=upper)
        np.right_shift(one, 24, out=three)
        np.right_shift(two, 16, out=four)
        self._write(three, four, v)
        np.right_shift(one, 8, out=one)
        np.bitwise_and(one, 0xFF, out=one)
        self._write(one, two, u)

    def _across(
        self, words: NDArray[np.uint32], left: NDArray[np.uint32], right: NDArray[np.uint32]
    ) -> None:
        """Two neighbours a place, from three words in a row."""
        beside, last = self.x.view(np.uint32), self.three
        for start, into in enumerate((left, right, last)):
            # Nothing lies outside; of the modes that need no second look, this is the fastest.
            words[start:].take(self.index, out=into, mode="wrap")
        _lean(left, right, beside, self.spare)
        _lean(right, last, beside, self.spare)

    def _write(self, left: NDArray[np.uint32], right: NDArray[np.uint32], pairs: Pairs) -> None:
        """``left`` has its pixel in the lowest byte, alone, ``right`` in the second one."""
        np.bitwise_and(right, 0xFF00, out=right)
        np.bitwise_or(left, right, out=left)
        np.copyto(pairs[self.part], left, casting="unsafe")

    def _find(self) -> None:
        """Where everything comes from: the words' places, and the shares of their neighbours."""
        x, y, step = self.x, self.y, self.step
        for axis, whole in ((0, x), (1, y)):
            for rows, down, across in self.bands:
                np.matmul(down, across[axis], out=self.moves[rows])
            np.copyto(whole, self.moves, casting="unsafe")
        np.right_shift(y, _BITS, out=step)
        np.multiply(step, self.row, out=step)
        np.add(step, self.start, out=step)
        np.bitwise_and(y, _ONE - 1, out=y)
        whole = self.spare.view(np.int32)
        np.right_shift(x, _BITS, out=whole)
        np.add(step, whole, out=self.index)
        np.bitwise_and(x, _ONE - 1, out=x)


def _lean(
    one: NDArray[np.uint32],
    other: NDArray[np.uint32],
    share: NDArray[np.uint32],
    spare: NDArray[np.uint32],
) -> None:
    """``one`` becomes 16 * one + share * (other - one), in place.

    Words of two halves work as well: what one half borrows from the other, the sum gives back.
    """
    np.subtract(other, one, out=spare)
    np.multiply(spare, share, out=spare)
    np.left_shift(one, _BITS, out=one)
    np.add(one, spare, out=one)


class Packed:
    """Words to read from: of one plane, each pixel with the one below it; of two planes, the
    pixels at the same place. A column and a row are added, as copies of the last ones."""

    def __init__(self, *planes: Plane) -> None:
        height, width = planes[0].shape
        self._height, self._width = height, width
        self.upper = np.zeros((height + 1) * (width + 1) + 2, np.uint32)
        self._words = self.upper[:-2].reshape(height + 1, width + 1)
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


def _product_rows(width: int, spacing: float) -> int:
    """How many rows of ``width`` places are multiplied at once."""
    rows = max(1, _SMALL_PRODUCT // width)
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
