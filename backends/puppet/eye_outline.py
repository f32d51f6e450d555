"""Where an eye is open: its outline from the face's points, corrected by the picture itself.

An eye is seen along the line between its corners: ``p`` runs from 0 at the outer corner to 1 at
the inner one, ``q`` down from that line, both in widths of the eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.face import Face

    Picture = NDArray[np.uint8]
    Field = NDArray[np.floating]

# Points of the face model, from the outer corner to the inner one, corners included.
_UPPER = {
    "left": (33, 246, 161, 160, 159, 158, 157, 173, 133),
    "right": (263, 466, 388, 387, 386, 385, 384, 398, 362),
}
_LOWER = {
    "left": (33, 7, 163, 144, 145, 153, 154, 155, 133),
    "right": (263, 249, 390, 373, 374, 380, 381, 382, 362),
}
# An eye open by less than this share of its width is shut, or nearly so, in the portrait.
_SHUT = 0.13
# Smaller than this (pixels) nobody can tell a blink.
_SMALLEST = 7.0
# How far the eye of a drawing may reach beyond what the network takes for it (widths, openings).
_CORNER_REACH, _UPPER_REACH, _LOWER_REACH = 0.2, 0.25, 0.3
_WHITE_FROM_SKIN = 50.0
# How dark a liner is and how bright what lies under it, of the white; how much of a column is as
# bright beside the iris, and how many columns must show such an edge.
_LINER, _PALE, _PLAIN, _LINED = 0.45, 0.62, 0.9, 0.15


@dataclass(frozen=True, slots=True)
class Opening:
    """An eye's outline: polynomials in p for both lids, and the frame in which they hold."""

    origin: NDArray[np.floating]
    along: NDArray[np.floating]
    down: NDArray[np.floating]
    upper: NDArray[np.floating]
    lower: NDArray[np.floating]
    height: float

    @property
    def width(self) -> float:
        return float(np.hypot(*self.along))


def openings(picture: Picture, face: Face) -> list[Opening]:
    """The outlines of the eyes that can blink: open, large enough, not behind dark glasses."""
    found = []
    for side in ("left", "right"):
        upper, lower = (face.points[list(of[side]), :2] for of in (_UPPER, _LOWER))
        eye = _outlined(upper.astype(np.float64), lower.astype(np.float64))
        if eye.width >= _SMALLEST and eye.height >= _SHUT and _inside(picture, eye):
            eye = _corrected(picture, eye)
            if _inside(picture, eye) and _can_be_seen(picture, eye):
                found.append(eye)
    return found


def _outlined(upper: Field, lower: Field) -> Opening:
    """From points (n, 2) in pixels, the corners first and last in both."""
    along = upper[-1] - upper[0]
    down = np.array([-along[1], along[0]])
    # Down is where the lower lid is, whichever eye it is and however the head is turned.
    if (lower.mean(axis=0) - upper.mean(axis=0)) @ down < 0:
        down = -down
    square = max(float(along @ along), 1e-9)

    def curve(points: Field) -> Field:
        rest = points - upper[0]
        weights = np.array([3.0, *[1.0] * (len(points) - 2), 3.0])
        return np.polyfit(rest @ along / square, rest @ down / square, 4, w=weights)

    top, bottom = curve(upper), curve(lower)
    middle = np.linspace(0.25, 0.75, 9)
    height = float((np.polyval(bottom, middle) - np.polyval(top, middle)).max())
    return Opening(upper[0], along, down, top, bottom, height)


def _corrected(picture: Picture, eye: Opening) -> Opening:
    """The outline widened to where the white of the eye ends: drawn eyes are larger than those
    the network knows. Left as it is where white and skin are hard to tell apart."""
    p = np.linspace(-_CORNER_REACH, 1.0 + _CORNER_REACH, 71)
    inner = np.clip(p, 0.0, 1.0)
    top, bottom = np.polyval(eye.upper, inner), np.polyval(eye.lower, inner)
    q = top[None] + np.linspace(-0.3, 0.3 + _LOWER_REACH, 41)[:, None] * eye.height
    q = q + np.linspace(0.0, 1.0, 41)[:, None] * (bottom - top)
    white = _white(picture, eye, np.broadcast_to(p, q.shape), q)
    if white is None:
        return eye
    first, last = _reach(white, p)
    # White without end is something bright beside the eye that looks like it.
    if first == 0 or last == len(p) - 1:
        return eye
    places = np.linspace(first, last, 13).round().astype(int)
    low = _pushed(white, q, bottom, _LOWER_REACH * eye.height)
    light = luma(sample(picture, eye, np.broadcast_to(p, q.shape), q))
    bright = float(np.median(light[white]))
    high = _under_the_liner(light, bright, q, (top, bottom))
    upper = np.column_stack([p[places], high[places]])
    lower = np.column_stack([p[places], low[places]])
    for end in (0, -1):
        column = places[end]
        runs = q[white[:, column], column]
        # Where it grew, a corner is the middle of the last white that was found.
        moved = not 0.0 <= p[column] <= 1.0 and len(runs)
        upper[end, 1] = lower[end, 1] = float(runs.mean()) if moved else top[column]
    pixels = [eye.origin + row[:, :1] * eye.along + row[:, 1:] * eye.down for row in (upper, lower)]
    return _outlined(*pixels)


def _white(picture: Picture, eye: Opening, p: Field, q: Field) -> NDArray[np.bool_] | None:
    """Which places have the colour of the white rather than of the skin; None if both are alike."""
    along, share = np.meshgrid(np.linspace(0.08, 0.92, 29), np.linspace(0.25, 0.8, 9))
    top, bottom = np.polyval(eye.upper, along), np.polyval(eye.lower, along)
    inside = sample(picture, eye, along, top + (bottom - top) * share).reshape(-1, 3)
    bright = inside[np.argsort(luma(inside))[-len(inside) // 5 :]]
    under = sample(picture, eye, along, bottom + (0.45 + 0.3 * share) * eye.height).reshape(-1, 3)
    skin, white = np.median(under, axis=0), np.median(bright, axis=0)
    apart = white - skin
    square = float(apart @ apart)
    if square < _WHITE_FROM_SKIN**2 or np.abs(under - skin).mean() > 0.15 * square**0.5:
        return None
    colours = sample(picture, eye, p, q) - skin
    share_of_white = colours @ apart / square
    beside = np.linalg.norm(colours - share_of_white[..., None] * apart, axis=-1)
    return np.asarray((share_of_white > 0.5) & (beside < 0.6 * square**0.5))


def _reach(white: NDArray[np.bool_], p: Field) -> tuple[int, int]:
    """The columns at which white that goes on from inside the eye ends on both sides."""
    inside = np.flatnonzero((p >= 0.0) & (p <= 1.0))
    first, last = int(inside[0]), int(inside[-1])
    while first > 0 and white[:, first - 1].any():
        first -= 1
    while last < len(p) - 1 and white[:, last + 1].any():
        last += 1
    return first, last


def _pushed(white: NDArray[np.bool_], q: Field, lid: Field, reach: float) -> Field:
    """A lid pushed outwards for each column to where white ends, at most by ``reach``; as it is
    where white goes on without end. ``q`` grows down the rows, from the eye outwards."""
    out = np.full(q.shape[1], np.nan)
    for column, edge in enumerate(lid):
        here = q[:, column]
        rows = np.flatnonzero((here >= edge - 0.2 * reach) & (here <= edge + reach))
        gaps = np.flatnonzero(~white[rows, column])
        run = rows[: gaps[0]] if len(gaps) else rows
        if len(run) >= 2 and len(gaps):
            out[column] = max(here[run[-1]], edge)
    known = np.flatnonzero(~np.isnan(out))
    if len(known) < 4:
        return lid
    push = np.interp(np.arange(len(lid)), known, (out - lid)[known])
    return np.asarray(lid + push) if push.max() < 0.9 * reach else lid


def _under_the_liner(light: Field, bright: float, q: Field, lids: tuple[Field, Field]) -> Field:
    """The upper one of two lids, moved for each column to where a dark liner ends and the white
    begins; over the iris, as dark as it, by what lies between. As it is without a liner."""
    upper, lower = lids
    reach = _UPPER_REACH * float((lower - upper).max())
    dark, pale = light < _LINER * bright, light > _PALE * bright
    edge = (np.abs(q - upper) <= reach)[:-2] & dark[:-2] & pale[2:]
    # Columns of white alone: in others a catchlight of the iris looks like an edge.
    inside = (q > upper + reach) & (q < lower - 0.5 * reach)
    white = (pale & inside).sum(axis=0) >= _PLAIN * inside.sum(axis=0)
    known = np.flatnonzero(edge.any(axis=0) & white & inside.any(axis=0))
    if len(known) < _LINED * len(upper):
        return upper
    rows = edge.argmax(axis=0)[known] + 1
    moves = q[rows, known] - upper[known]
    return np.asarray(upper + np.interp(np.arange(len(upper)), known, moves))


def _inside(picture: Picture, opening: Opening) -> bool:
    """Whether the eye and what is around it lie in the picture."""
    corners = opening.origin + np.outer((0, 1), opening.along)
    reach = opening.width * 0.6
    high, wide = picture.shape[:2]
    low, top = corners.min() >= reach, corners.max(axis=0) <= (wide - reach, high - reach)
    return bool(low and top.all())


def _can_be_seen(picture: Picture, opening: Opening) -> bool:
    """False behind dark glasses: no white and dark side by side where the eye should be, or
    everything around it far darker than the cheek."""
    p, share = np.meshgrid(np.linspace(0.12, 0.88, 24), np.linspace(0.15, 0.85, 12))
    top, bottom = np.polyval(opening.upper, p), np.polyval(opening.lower, p)
    eye = luma(sample(picture, opening, p, top + (bottom - top) * share))
    above = luma(sample(picture, opening, p, top - opening.height * 0.7))
    below = luma(sample(picture, opening, p, bottom + opening.height * 0.5))
    cheek = np.median(luma(sample(picture, opening, p, bottom + 1.1 + 0.3 * share)))
    around = max(float(np.median(above)), float(np.median(below)))
    contrast = float(np.percentile(eye, 92) - np.percentile(eye, 8))
    seen, plain = max(12.0, 0.12 * float(cheek)), 0.45 * float(cheek)
    return contrast > seen and max(around, contrast) > plain


def sample(
    picture: Picture, eye: Opening, p: NDArray[np.floating], q: NDArray[np.floating]
) -> NDArray[np.floating]:
    """The picture's colours at places seen from the eye, bilinear, its edge continued outside."""
    high, wide = picture.shape[:2]
    x = np.clip(eye.origin[0] + p * eye.along[0] + q * eye.down[0], 0, wide - 1.001)
    y = np.clip(eye.origin[1] + p * eye.along[1] + q * eye.down[1], 0, high - 1.001)
    return bilinear(picture, x, y)


def bilinear(picture: Picture | Field, x: Field, y: Field) -> Field:
    """Between the pixels of (rows, columns, colours); x and y lie inside, not on the far edges."""
    left, top = x.astype(np.int64), y.astype(np.int64)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top, left] * (1 - fx) + picture[top, left + 1] * fx
    lower = picture[top + 1, left] * (1 - fx) + picture[top + 1, left + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy)


def luma(colours: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(colours @ np.array([0.2126, 0.7152, 0.0722]))
