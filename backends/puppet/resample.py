"""Moving a picture a little, quickly: smooth displacements, bilinear, in whole numbers.

Only numpy, and little of it: a frame is drawn strip by strip, so that most stays in the
processor's cache; four pixels that are mixed alike share one machine word; and the displacement
of each four comes from few knots through B-splines, as two small products of matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.puppet.bands import bands
from backends.puppet.packed import Blocks, Colours
from backends.puppet.splines import spline_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]
    Knots = NDArray[np.float32]
    Pairs = NDArray[np.uint16]
    Words = NDArray[Any]

# Displacements are counted in 16ths of a pixel: finer ones cannot be told apart in 8 bits.
_BITS = 4
_ONE = 1 << _BITS
# Added before they are made whole numbers, so that rounding down is rounding, also of negatives.
_LIFT = 4096
# As many blocks a strip: fewer would cost more for beginning numpy's calls, more for leaving the
# processor's cache.
_STRIP_BLOCKS = 33_000
# Half of one, in the 256ths that two mixings leave, for every pixel of a word.
_HALVES = {np.dtype(np.uint64): 0x0080_0080_0080_0080, np.dtype(np.uint32): 0x0080_0080}
# Two pixels side by side.
_PAIR = np.dtype(np.uint16)


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
    """Reads planes and colours at displaced places. ``moving`` says which knots ever move, (rows,
    columns). Holds buffers: one is used by one thread at a time.

    Two by two pixels are one block: they have the displacement of their middle, which is where
    their colour lies as well. Hardly any displacement here changes by more than a twentieth of a
    pixel from one to the next. Sides are even.
    """

    def __init__(self, lattice: Lattice, moving: NDArray[np.bool_]) -> None:
        self._lattice, self._moving = lattice, moving
        self._spacing = lattice.spacing / 2
        height, width = lattice.height // 2, lattice.width // 2
        rows = lattice.shape[0]
        self._down, across = (
            spline_matrix(2.0 * np.arange(blocks) + 0.5, knots, lattice.spacing)
            for blocks, knots in zip((height, width), lattice.shape, strict=True)
        )
        self._chunks = bands(across, rows)
        self._knots_wide = np.empty((2, rows, width), np.float32)
        step = min(height, max(1, _STRIP_BLOCKS // width))
        buffers = _Buffers(step * width)
        strips = [
            self._strip_of(slice(first, min(height, first + step)), buffers)
            for first in range(0, height, step)
        ]
        self._strips = [strip for strip in strips if strip is not None]

    def read(
        self,
        knots: Knots,
        planes: list[tuple[Blocks, Plane]],
        colours: tuple[Colours, Plane, Plane],
    ) -> None:
        """Fill each plane, wherever anything may move, with what stands before it, moved by
        ``knots``: (2, rows, columns) displacements to the right and down in pixels."""
        # The picture moves by so much: its pixels come from the other side. The weights of a
        # spline add up to one, so that what is added to the knots is added everywhere.
        scaled = np.float32(_LIFT + 0.5) - knots * np.float32(_ONE)
        for chunk in self._chunks:
            wide = self._knots_wide[..., chunk.rows]
            np.matmul(scaled[..., chunk.columns], chunk.matrix.T, out=wide)
        pairs = [(source, plane.view(_PAIR)) for source, plane in planes]
        for strip in self._strips:
            strip.find()
            for source, target in pairs:
                strip.read_blocks(source, target)
            strip.read_colours(*colours)

    def _strip_of(self, rows: slice, buffers: _Buffers) -> _Strip | None:
        """A strip as wide as something moves in it; None where nothing does."""
        down = self._down[rows]
        used = np.flatnonzero(self._moving[down.any(axis=0)].any(axis=0))
        if not len(used):
            return None
        # A knot reaches two knots to either side; the first one stands one before the plane.
        left = max(0, int((used[0] - 3) * self._spacing))
        right = min(self._lattice.width // 2, int((used[-1] + 1) * self._spacing) + 1)
        columns = slice(left, right)
        products = tuple(
            (band.rows, band.matrix, self._knots_wide[:, band.columns, columns])
            for band in bands(down, right - left)
        )
        down, across = np.ogrid[rows, columns]
        wide, narrow = Blocks.row_of(self._lattice.width), Colours.row_of(self._lattice.width // 2)
        # What was added to the displacements is taken off the places again.
        lifted = _LIFT >> _BITS
        first = (
            (2 * down + 1 - lifted) * wide + 2 * across + 1 - lifted,
            (down - lifted // 2) * narrow + across - lifted // 2,
        )
        starts = tuple(words.astype(np.int32) for words in first)
        shape = rows.stop - rows.start, right - left
        return _Strip((rows, columns), products, starts, (wide, narrow), **buffers.views(shape))


class _Buffers:
    """Memory that all strips use, one after the other."""

    def __init__(self, blocks: int) -> None:
        kinds = {"moves": np.float32, "places": np.int32, "parts": np.int32, "shares": np.uint64}
        self._twice = {name: np.empty(2 * blocks, kind) for name, kind in kinds.items()}
        self._index = np.empty(blocks, np.intp)
        self._words = [np.empty(blocks, np.uint64) for _ in range(3)]
        self._bytes = np.empty(4 * blocks, np.uint8)

    def views(self, shape: tuple[int, int]) -> dict[str, Any]:
        """The arrays of a `_Strip`."""
        count = shape[0] * shape[1]
        views: dict[str, Any] = {
            name: flat[: 2 * count].reshape(2, *shape) for name, flat in self._twice.items()
        }
        views["index"] = self._index[:count].reshape(shape)
        words = [flat[:count] for flat in self._words]
        views["long"] = tuple(flat.reshape(shape) for flat in words)
        views["short"] = tuple(flat.view(np.uint32)[:count].reshape(shape) for flat in words)
        views["four"] = self._bytes[: 4 * count].reshape(*shape, 4)
        views["two"] = self._bytes[: 2 * count].reshape(*shape, 2)
        return views


@dataclass(frozen=True, slots=True)
class _Strip:
    """Some rows of blocks, as wide as something moves in them. ``part`` counts blocks; ``starts``
    are the words of blocks and colours that do not move, ``rows`` the lengths of their rows; the
    arrays from ``moves`` on are room to work in."""

    part: tuple[slice, slice]
    products: tuple[tuple[slice, NDArray[np.float32], NDArray[np.float32]], ...]
    starts: tuple[NDArray[np.int32], ...]
    rows: tuple[int, int]
    moves: NDArray[np.float32]
    places: NDArray[np.int32]
    parts: NDArray[np.int32]
    shares: NDArray[np.uint64]
    index: NDArray[np.intp]
    long: tuple[NDArray[np.uint64], ...]
    short: tuple[NDArray[np.uint32], ...]
    four: NDArray[np.uint8]
    two: NDArray[np.uint8]

    def find(self) -> None:
        """Where the blocks come from, in 16ths of a pixel to the right and down."""
        for rows, down, across in self.products:
            for axis in (0, 1):
                np.matmul(down, across[axis], out=self.moves[axis, rows])
        np.copyto(self.places, self.moves, casting="unsafe")

    def read_blocks(self, source: Blocks, pairs: Pairs) -> None:
        """Fill a plane, two pixels of it side by side in each of the ``pairs``."""
        self._point(0)
        np.copyto(self.shares, self.parts, casting="unsafe")
        words = self._mixed(source.words, source.row, self.shares, self.long)
        np.copyto(self.four.reshape(-1), words.reshape(-1), casting="unsafe")
        found = self.four.view(_PAIR)
        rows, columns = self.part
        pairs[2 * rows.start : 2 * rows.stop : 2, columns] = found[..., 0]
        pairs[2 * rows.start + 1 : 2 * rows.stop : 2, columns] = found[..., 1]

    def read_colours(self, source: Colours, u: Plane, v: Plane) -> None:
        """Fill both; they are half as large, so `find` is due anew after it."""
        np.right_shift(self.places, 1, out=self.places)
        self._point(1)
        shares = self.parts.view(np.uint32)
        words = self._mixed(source.words, source.row, shares, self.short)
        np.copyto(self.two.reshape(-1), words.reshape(-1), casting="unsafe")
        u[self.part], v[self.part] = self.two[..., 0], self.two[..., 1]

    def _point(self, kind: int) -> None:
        """``index`` becomes the word that is read from, ``parts`` how much of its neighbours is
        mixed in."""
        parts = self.parts
        np.right_shift(self.places, _BITS, out=parts)
        np.multiply(parts[1], self.rows[kind], out=parts[1])
        np.add(parts[0], parts[1], out=parts[0])
        np.add(parts[0], self.starts[kind], out=self.index)
        np.bitwise_and(self.places, _ONE - 1, out=parts)

    def _mixed(
        self, words: Words, row: int, shares: Words, room: tuple[Words, ...]
    ) -> NDArray[np.uint16]:
        """Each word mixed with those beside and below it: a pixel in every 16 bits."""
        across, down = shares
        one, two, three = room
        for start, left, right in ((0, one, two), (row, two, three)):
            # Nothing lies outside; of the modes that need no second look, this is the fastest.
            words[start:].take(self.index, out=left, mode="wrap")
            words[start + 1 :].take(self.index, out=right, mode="wrap")
            _lean(left, right, across)
        _lean(one, two, down)
        np.add(one, _HALVES[one.dtype], out=one)
        pixels = one.view(np.uint16)
        np.right_shift(pixels, 2 * _BITS, out=pixels)
        return pixels


def _lean(one: Words, other: Words, share: Words) -> None:
    """``one`` becomes 16 * one + share * (other - one), in place; ``other`` is lost.

    Several pixels a word work as well: what one borrows from the next, the sum gives back.
    """
    np.subtract(other, one, out=other)
    np.multiply(other, share, out=other)
    np.left_shift(one, _BITS, out=one)
    np.add(one, other, out=one)
