"""Smooth steps, and the uniform cubic B-splines by which curves and warps are interpolated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def smoothstep(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """0 up to 0, 1 from 1 on, in between a rise whose first two derivatives are continuous."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * x * (x * (6.0 * x - 15.0) + 10.0))


def spline_weights(f: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """What the four knots around weigh at the fraction ``f`` of the way between the inner two."""
    g = 1.0 - f
    return (
        g * g * g / 6.0,
        (4.0 - 6.0 * f * f + 3.0 * f * f * f) / 6.0,
        (4.0 - 6.0 * g * g + 3.0 * g * g * g) / 6.0,
        f * f * f / 6.0,
    )


def spline_matrix(places: NDArray[np.floating], knots: int, spacing: float) -> NDArray[np.float32]:
    """(places, knots): the weights by which values at the knots become values at ``places``.

    Knot k stands at ``(k - 1) * spacing``; each row sums to 1. Places beyond the last knots take
    the values there.
    """
    inner = np.clip(places / spacing + 1.0, 1.0, knots - 2.0 - 1e-9)
    first = np.floor(inner).astype(np.int64)
    matrix = np.zeros((len(places), knots))
    rows = np.arange(len(places))
    for step, weight in enumerate(spline_weights(inner - first)):
        matrix[rows, first - 1 + step] += weight
    return matrix.astype(np.float32)
