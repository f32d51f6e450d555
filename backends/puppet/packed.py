"""Planes of a picture as machine words: what is mixed alike is mixed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.planes import Box

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]


class Blocks:
    """For every pixel of a plane a word of four: itself, the one beside it and the two below.

    Each has 16 bits, the first one the lowest. A row and a column are added on every side, so that
    blocks may begin there too; beyond the edge its last pixels go on.
    """

    def __init__(self, plane: Plane) -> None:
        height, width = plane.shape
        self.row = self.row_of(width)
        self.words = np.zeros((height + 2) * self.row, np.uint64)
        # Each word's upper two pixels, and the two below them.
        self._pairs = self.words.view(np.uint32).reshape(height + 2, self.row, 2)
        self.update(Box(0, 0, width, height), plane)

    @staticmethod
    def row_of(width: int) -> int:
        """How many words there are in a row. Block (0, 0) is the second one of the second row."""
        return width + 2

    def update(self, box: Box, plane: Plane) -> None:
        """Take over the part of the plane that has changed."""
        height, width = plane.shape
        # The blocks to the left and above hold its pixels as well.
        top, left = max(0, box.y - 1), max(0, box.x - 1)
        below, right = min(height, box.y + box.height), min(width, box.x + box.width)
        pixels = plane[top : min(height, below + 1), left : min(width, right + 1)]
        edges = (
            (int(top == 0), int(below == height) * 2),
            (int(left == 0), int(right == width) * 2),
        )
        if any(map(any, edges)):
            pixels = np.pad(pixels, edges, mode="edge")
        wide = pixels.astype(np.uint32)
        pairs = wide[:, 1:] << 16
        np.bitwise_or(pairs, wide[:, :-1], out=pairs)
        rows = slice(top + 1 - edges[0][0], below + 1 + edges[0][1] // 2)
        columns = slice(left + 1 - edges[1][0], right + 1 + edges[1][1] // 2)
        self._pairs[rows, columns, 0] = pairs[:-1]
        self._pairs[rows, columns, 1] = pairs[1:]


class Colours:
    """A word for every place of the two planes of colour: 16 bits each, the first one the lower.
    A column and a row are added, as copies of the last ones."""

    def __init__(self, u: Plane, v: Plane) -> None:
        height, width = u.shape
        self.row = self.row_of(width)
        self.words = np.zeros((height + 1) * self.row, np.uint32)
        self._words = self.words.reshape(height + 1, self.row)
        self.update(Box(0, 0, width, height), u, v)

    @staticmethod
    def row_of(width: int) -> int:
        """How many words there are in a row."""
        return width + 1

    def update(self, box: Box, u: Plane, v: Plane) -> None:
        """Take over the part of the planes that has changed."""
        words = self._words[:-1, :-1][box.part]
        words[...] = v[box.part]
        np.left_shift(words, 16, out=words)
        np.bitwise_or(words, u[box.part], out=words)
        self._words[:, -1] = self._words[:, -2]
        self._words[-1] = self._words[-2]
