"""Where the lips meet: a curve that is followed in the picture, not only in the landmarks.

The landmarks lie within a pixel or two of the dark line between closed lips; a cut beside that line
would leave it whole on one lip, where it looks like the ghost of the closed mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.face import Face
from backends.puppet.lips import ALONG, CORNERS, INNER_CORNERS, LOWER, UPPER

Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]

# Lips whose inner edges are further apart than this (share of the mouth's width) rest open.
OPEN = 0.03
_COLUMNS, _REACH = 129, 0.035


@dataclass(frozen=True, slots=True)
class Seam:
    """Both lips' inner edges in the mouth's frame: x from the middle between the corners along the
    line through them, y square to it, in pixels.

    ``upper`` and ``lower`` are y at ``xs`` (they go on beyond the corners); ``along`` is -1 to 1
    from corner to corner, 0 in the middle of the face, also in a face that is turned.
    """

    origin: Floats
    turn: Floats
    half: float
    xs: Floats
    upper: Floats
    lower: Floats
    along: Floats
    opened: bool

    def frame(self, points: Floats) -> Floats:
        """Points of the picture (..., 2) in the mouth's frame."""
        result: Floats = (points - self.origin) @ self.turn.T
        return result

    def picture(self, points: Floats) -> Floats:
        """Points of the mouth's frame in the picture."""
        result: Floats = points @ self.turn + self.origin
        return result

    def edges(self, face: Face) -> tuple[Floats, Floats]:
        """The inner ring's points, upper and lower, moved onto the edges: (11, 2) each."""
        rings = []
        for ring, edge in ((UPPER[0], self.upper), (LOWER[0], self.lower)):
            x = self.frame(face.points[list(ring), :2])[:, 0]
            y = np.interp(x, self.xs, edge)
            rings.append(self.picture(np.stack([x, y], axis=-1).astype(np.float32)))
        return rings[0], rings[1]

    def gap(self, face: Face) -> Floats:
        """How far apart the lips rest at the eleven points, in pixels."""
        upper, lower = self.edges(face)
        result: Floats = np.linalg.norm(lower - upper, axis=1).astype(np.float32)
        return result


def find_seam(picture: Pixels, face: Face) -> Seam:
    """The seam of ``face`` in ``picture`` (RGB)."""
    left, right = (face.points[i, :2] for i in INNER_CORNERS)
    width = max(float(np.linalg.norm(right - left)), 1e-3)
    across = (right - left) / width if width > 1e-3 else np.array([1.0, 0.0])
    turn = np.array([across, [-across[1], across[0]]], np.float32)
    origin = ((left + right) / 2).astype(np.float32)
    rings = [(face.points[list(ring[0]), :2] - origin) @ turn.T for ring in (UPPER, LOWER)]
    half = width / 2
    xs = np.linspace(-2.5 * half, 2.5 * half, 5 * (_COLUMNS - 1) // 2 + 1).astype(np.float32)
    ends = (face.points[list(CORNERS), :2] - origin) @ turn.T
    upper, lower = (_curve(np.concatenate([ends[:1], ring, ends[1:]]), xs) for ring in rings)
    lower = np.maximum(upper, lower)
    opened = float((lower - upper).max()) > OPEN * width
    if not opened:
        line = _darkest(picture, (upper + lower) / 2, xs, origin, turn, half)
        upper = lower = line
    middle = (rings[0] + rings[1]) / 2
    along = np.interp(xs, np.maximum.accumulate(middle[:, 0]), ALONG).astype(np.float32)
    return Seam(origin, turn, half, xs, upper, lower, along, opened)


def _curve(ring: Floats, xs: Floats) -> Floats:
    """A smooth curve through the ring's points, going on flat beyond them."""
    x = np.maximum.accumulate(ring[:, 0] + np.arange(len(ring)) * 1e-4)
    y = np.interp(xs, x, ring[:, 1])
    width = max(3, round(0.12 * (x[-1] - x[0]) / max(float(xs[1] - xs[0]), 1e-6)) | 1)
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(y, width // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid").astype(np.float32)


def _darkest(
    picture: Pixels, guess: Floats, xs: Floats, origin: Floats, turn: Floats, half: float
) -> Floats:
    """The darkest path near ``guess``, corner to corner, by dynamic programming."""
    inside = np.flatnonzero(np.abs(xs) <= half)
    steps = np.linspace(-2 * half * _REACH, 2 * half * _REACH, 29)
    x, offset = np.meshgrid(xs[inside], steps, indexing="ij")
    places = np.stack([x, guess[inside][:, None] + offset], axis=-1) @ turn + origin
    light = _light(picture, places)
    light = (light - light.min(axis=1, keepdims=True)) / max(float(np.ptp(light)), 8.0)
    # Held to the landmarks a little, and tightly at the corners, where skin and lip look alike.
    pull = 0.15 + 0.85 * np.abs(xs[inside] / half)[:, None] ** 6
    path = _cheapest(light + pull * (offset / steps[-1]) ** 2)
    line = guess.copy()
    line[inside] += _smoothed(steps[path], 7)
    return line


def _cheapest(cost: NDArray[np.floating]) -> NDArray[np.intp]:
    total, came = cost.copy(), np.zeros(cost.shape, np.intp)
    for row in range(1, len(cost)):
        before = np.pad(total[row - 1], 1, constant_values=np.inf)
        ways = np.stack([before[:-2] + 0.02, before[1:-1], before[2:] + 0.02])
        best = ways.argmin(axis=0)
        came[row] = np.clip(best - 1 + np.arange(cost.shape[1]), 0, cost.shape[1] - 1)
        total[row] += ways.min(axis=0)
    path = np.zeros(len(cost), np.intp)
    path[-1] = total[-1].argmin()
    for row in range(len(cost) - 1, 0, -1):
        path[row - 1] = came[row, path[row]]
    return path


def _light(picture: Pixels, places: NDArray[np.floating]) -> NDArray[np.floating]:
    """Brightness, bilinear."""
    height, width = picture.shape[:2]
    x = np.clip(places[..., 0], 0, width - 1.001)
    y = np.clip(places[..., 1], 0, height - 1.001)
    left, top = np.maximum(x.astype(np.intp), 0), np.maximum(y.astype(np.intp), 0)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    grey = picture.astype(np.float32) @ np.array([0.3, 0.59, 0.11], np.float32)
    upper = grey[top, left] * (1 - across) + grey[top, right] * across
    lower = grey[bottom, left] * (1 - across) + grey[bottom, right] * across
    result: NDArray[np.floating] = upper * (1 - down) + lower * down
    return result


def _smoothed(values: NDArray[np.floating], width: int) -> NDArray[np.floating]:
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
