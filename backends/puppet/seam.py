"""Where the lips meet: a curve that is followed in the picture, not only in the landmarks.

The landmarks lie within a pixel or two of the dark line between closed lips; a cut beside that line
would leave it whole on one lip, where it looks like the ghost of the closed mouth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.face import Face
from backends.puppet.lips import ALONG, CORNERS, INNER_CORNERS, LOWER, UPPER, Rest

Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]

# Lips whose inner edges are further apart than this (share of the mouth's width) rest open.
OPEN = 0.03
# A stroke of the pen up to this thick is a closed mouth, if there are no lips on both sides of it.
_LINE, _LIKE_SKIN = 0.12, 15.0
# How far the chin of such a drawing follows the jaw: a round head should stay round.
_DRAWN_CHIN = 0.3
_COLUMNS, _REACH = 129, 0.035
_GREY = np.array([0.3, 0.59, 0.11], np.float32)


@dataclass(frozen=True, slots=True)
class Seam:
    """Both lips' inner edges in the mouth's frame: x from the middle between the corners along the
    line through them, y square to it, in pixels.

    ``upper`` and ``lower`` are y at ``xs`` (they go on beyond the corners); ``along`` is -1 to 1
    from corner to corner, 0 in the middle of the face, also in a face that is turned. ``arch`` is
    about the upper edge, without the lips' own curls, as the row of teeth behind them.
    ``opened``: the lips rest apart; ``lipless``: a drawing with a line for a mouth.
    """

    origin: Floats
    turn: Floats
    half: float
    xs: Floats
    upper: Floats
    lower: Floats
    along: Floats
    arch: Floats
    opened: bool
    lipless: bool

    def frame(self, points: Floats) -> Floats:
        """Points of the picture (..., 2) in the mouth's frame."""
        result: Floats = (points - self.origin) @ self.turn.T
        return result

    def picture(self, points: Floats) -> Floats:
        """Points of the mouth's frame in the picture."""
        result: Floats = points @ self.turn + self.origin
        return result

    def rest(self, face: Face) -> Rest:
        """The inner ring's points, moved onto the edges, and what they say of the mouth."""
        rings = []
        for ring, edge in ((UPPER[0], self.upper), (LOWER[0], self.lower)):
            x = self.frame(face.points[list(ring), :2])[:, 0]
            rings.append(np.stack([x, np.interp(x, self.xs, edge)], axis=-1).astype(np.float32))
        upper, lower = rings
        middle = (upper + lower)[:, 1] / 2
        smile = float(middle[4:7].mean() - middle[[0, -1]].mean())
        gap = np.maximum(lower - upper, 0)[:, 1] * self.opened
        chin = _DRAWN_CHIN if self.lipless else 1.0
        return Rest(self.picture(upper), self.picture(lower), gap, smile, chin)


def find_seam(picture: Pixels, face: Face) -> Seam:
    """The seam of ``face`` in ``picture`` (RGB)."""
    frame = _Frame.of(face)
    ends = frame.place(face.points[list(CORNERS), :2])
    rings = [frame.place(face.points[list(ring[0]), :2]) for ring in (UPPER, LOWER)]
    upper, lower = (_curve(np.concatenate([ends[:1], ring, ends[1:]]), frame.xs) for ring in rings)
    lower = np.maximum(upper, lower)
    gap = float((lower - upper).max()) / (2 * frame.half)
    lipless = gap < _LINE and _without_lips(picture, face, frame)
    opened = gap > OPEN and not lipless
    inside = frame.inside
    if opened:
        upper[inside] += _lip_edge(_strip(picture, frame, upper, _REACH), downwards=False)
        lower[inside] += _lip_edge(_strip(picture, frame, lower, _REACH), downwards=True)
        lower = np.maximum(upper, lower)
    else:
        upper = (upper + lower) / 2
        upper[inside] += _darkest(_strip(picture, frame, upper, _REACH))
        lower = upper
    middle = np.maximum.accumulate((rings[0] + rings[1])[:, 0] / 2)
    along = np.interp(frame.xs, middle, ALONG).astype(np.float32)
    arch = _arch(0.75 * upper + 0.25 * lower, along)
    return Seam(
        frame.origin, frame.turn, frame.half, frame.xs, upper, lower, along, arch, opened, lipless
    )


def _without_lips(picture: Pixels, face: Face, frame: _Frame) -> bool:
    """Whether the lips have the skin's colour, as in a drawing with a line for a mouth."""
    middle = face.points[[UPPER[0][5], LOWER[0][5]], :2].mean(axis=0)
    for red, edge in (UPPER[1:], LOWER[1:]):
        lips, outer = (face.points[list(ring[2:-2]), :2] for ring in (red, edge))
        outwards = (outer - middle) / np.linalg.norm(outer - middle, axis=1, keepdims=True).clip(1)
        skin = sampled(picture, outer + 0.16 * frame.half * outwards)
        # Some of the points may lie on the line itself.
        if np.quantile(np.linalg.norm(sampled(picture, lips) - skin, axis=1), 0.25) > _LIKE_SKIN:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Frame:
    """The mouth's frame of `Seam`."""

    origin: Floats
    turn: Floats
    half: float
    xs: Floats

    @classmethod
    def of(cls, face: Face) -> _Frame:
        left, right = (face.points[i, :2] for i in INNER_CORNERS)
        width = float(np.linalg.norm(right - left))
        across = (right - left) / width if width > 0 else np.array([1.0, 0.0])
        turn = np.array([across, [-across[1], across[0]]], np.float32)
        half = max(width, 1e-3) / 2
        xs = np.linspace(-2.5 * half, 2.5 * half, 5 * (_COLUMNS - 1) // 2 + 1)
        return cls(((left + right) / 2).astype(np.float32), turn, half, xs.astype(np.float32))

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which of ``xs`` lie between the corners."""
        return np.asarray(np.abs(self.xs) <= self.half)

    def place(self, points: Floats) -> Floats:
        return np.asarray((points - self.origin) @ self.turn.T)


def _curve(ring: Floats, xs: Floats) -> Floats:
    """A smooth curve through the ring's points, going on flat beyond them."""
    x = np.maximum.accumulate(ring[:, 0] + np.arange(len(ring)) * 1e-4)
    y = np.interp(xs, x, ring[:, 1])
    width = max(3, round(0.12 * (x[-1] - x[0]) / max(float(xs[1] - xs[0]), 1e-6)) | 1)
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(y, width // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid").astype(np.float32)


def _arch(edge: Floats, along: Floats) -> Floats:
    inside = np.abs(along) < 0.8
    if not inside.any():
        return edge
    curve = np.polynomial.Polynomial.fit(along[inside], edge[inside], 2)
    return np.asarray(curve(along), np.float32)


def _darkest(strip: _Strip) -> Floats:
    """The darkest path, corner to corner: the line between closed lips."""
    light = strip.colours @ _GREY
    light = (light - light.min(axis=1, keepdims=True)) / max(float(np.ptp(light)), 8.0)
    return strip.path(light)


def _lip_edge(strip: _Strip, downwards: bool) -> Floats:
    """Where a lip begins: its colour is that of the strip's one side, and not of the other."""
    count = strip.colours.shape[1]
    lip = strip.colours[:, -count // 6 :] if downwards else strip.colours[:, : count // 6]
    unlike = np.linalg.norm(strip.colours - np.median(lip, axis=1)[:, None], axis=-1)
    slope = np.gradient(_blurred(unlike), axis=1) * (1 if downwards else -1)
    return strip.path(slope / max(float(np.abs(slope).max()), 0.5))


@dataclass(frozen=True, slots=True)
class _Strip:
    """The picture along a curve: ``colours`` (columns, steps, 3), ``steps`` in pixels from the
    curve, ``near`` 0 to 1 towards the corners."""

    colours: Floats
    steps: Floats
    near: Floats

    def path(self, cost: Floats) -> Floats:
        """The cheapest way from end to end, in pixels from the curve; held to it a little, and
        tightly at the corners, where skin and lip look alike."""
        pull = 0.15 + 0.85 * self.near[:, None] ** 6
        chosen = _cheapest(cost + pull * (self.steps / np.abs(self.steps).max()) ** 2)
        return smoothed(self.steps[chosen], 13)


def _strip(picture: Pixels, frame: _Frame, curve: Floats, reach: float) -> _Strip:
    """``reach`` (a share of the mouth's width) to both sides of ``curve``."""
    steps = 2 * frame.half * np.linspace(-reach, reach, 29)
    inside = frame.inside
    x, offset = np.meshgrid(frame.xs[inside], steps, indexing="ij")
    places = np.stack([x, curve[inside][:, None] + offset], axis=-1) @ frame.turn + frame.origin
    return _Strip(sampled(picture, places), steps, np.abs(frame.xs[inside] / frame.half))


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


def sampled(picture: Pixels, places: Floats) -> Floats:
    """Bilinear; beyond the picture its edge."""
    height, width = picture.shape[:2]
    x, y = np.clip(places[..., 0], 0, width - 1), np.clip(places[..., 1], 0, height - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top, left] * (1 - across) + picture[top, right] * across
    lower = picture[bottom, left] * (1 - across) + picture[bottom, right] * across
    return np.asarray(upper * (1 - down) + lower * down)


def _blurred(values: Floats) -> Floats:
    return np.asarray((np.roll(values, 1, 0) + 2 * values + np.roll(values, -1, 0)) / 4)


def smoothed(values: NDArray[np.floating], width: int) -> NDArray[np.floating]:
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")
