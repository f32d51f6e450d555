"""Products with matrices that are nought but near their diagonal, as those of splines are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

# As many multiplications at once. Larger products are shared out among threads by the linear
# algebra library (by OpenBLAS from 2**18 on), which then wait for each other while the encoder has
# the cores: several times slower.
SMALL_PRODUCT = 200_000


@dataclass(frozen=True, slots=True)
class Band:
    """Some ``rows`` of such a matrix; ``matrix`` is what they have of the ``columns`` that matter
    there."""

    rows: slice
    columns: slice
    matrix: Floats


def bands(matrix: Floats, width: int) -> tuple[Band, ...]:
    """``matrix`` in parts whose products with as many as ``width`` columns are small."""
    used = matrix != 0
    first = used.argmax(axis=1)
    last = matrix.shape[1] - used[:, ::-1].argmax(axis=1)
    found, begin = [], 0
    while begin < len(matrix):
        end = begin + 1
        low, high = first[begin], last[begin]
        while end < len(matrix):
            wider = min(low, first[end]), max(high, last[end])
            if (end + 1 - begin) * (wider[1] - wider[0]) * width > SMALL_PRODUCT:
                break
            (low, high), end = wider, end + 1
        columns = slice(int(low), int(high))
        part = np.ascontiguousarray(matrix[begin:end, columns])
        found.append(Band(slice(begin, end), columns, part))
        begin = end
    return tuple(found)


class Spread:
    """Takes values at a lattice's nodes to the pixels between them: down @ values @ across.T, for
    matrices ``down`` (height, rows) and ``across`` (width, columns)."""

    def __init__(self, down: Floats, across: Floats, kinds: int) -> None:
        """``kinds`` is how many sorts of values there are at most."""
        self._height, self._width = len(down), len(across)
        self._down = bands(down, self._width)
        self._across = bands(across, kinds * down.shape[1])

    def __call__(self, values: Floats) -> Floats:
        """(kinds, rows, columns) at the nodes to (kinds, height, width)."""
        kinds, rows, columns = values.shape
        wide = np.empty((kinds * rows, self._width), np.float32)
        flat = values.reshape(-1, columns)
        for band in self._across:
            np.matmul(flat[:, band.columns], band.matrix.T, out=wide[:, band.rows])
        sides = wide.reshape(kinds, rows, -1)
        whole = np.empty((kinds, self._height, self._width), np.float32)
        for band in self._down:
            for kind in range(kinds):
                part = sides[kind, band.columns]
                np.matmul(band.matrix, part, out=whole[kind, band.rows])
        return whole
