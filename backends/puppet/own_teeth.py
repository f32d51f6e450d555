"""The teeth that a portrait itself shows: they stay, whatever the lips do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.palette import GREY, Palette
from backends.puppet.places import Places
from backends.puppet.seam import sampled, smoothed
from backends.puppet.warp import Floats, Pixels

# Less of the open mouth than this being teeth is a glimpse, which painted teeth replace better.
_ROW = 0.35


@dataclass(frozen=True, slots=True)
class OwnTeeth:
    """``picture`` (rows, columns, 3) with the teeth going on behind the upper lip, and how much of
    each pixel of it is to be ``kept``, 0 to 1."""

    picture: Floats
    kept: Floats


def own_teeth(picture: Pixels, places: Places, colours: Palette) -> OwnTeeth | None:
    """The upper teeth that ``picture``, the pixels at ``places``, shows; None where there is no row
    of them."""
    tooth = _like_teeth(picture, places.inside, colours)
    if float(tooth.sum()) <= _ROW * max(1.0, float(places.inside.sum())):
        return None
    seam = places.seam
    upper, lower = (np.interp(places.across, seam.xs, edge) for edge in (seam.upper, seam.lower))
    # A little above the lip, whose light edge would stay behind as a line where the lip was.
    bottom = np.minimum(_bottom(tooth > 0.5, places), lower) - 0.2
    kept = np.clip(bottom - places.down, 0, 1) * np.clip(seam.half - np.abs(places.across), 0, 1)
    hidden = np.maximum(upper + 1.2 - places.down, 0)[..., None] * (lower > upper + 1.5)[..., None]
    shown = sampled(picture, places.points - places.points[0, 0] + hidden * seam.turn[1])
    return OwnTeeth(shown, np.asarray(kept * (lower > upper + 0.5), np.float32))


def _bottom(tooth: NDArray[np.bool_], places: Places) -> Floats:
    """How far down the row of teeth reaches in each pixel's column, smoothly."""
    columns = np.rint(places.across - places.across.min()).astype(int)
    lowest = np.full(int(columns.max()) + 1, -np.inf)
    np.maximum.at(lowest, columns[tooth], places.down[tooth])
    known = np.flatnonzero(np.isfinite(lowest))
    row = np.interp(np.arange(len(lowest)), known, lowest[known])
    return np.asarray(smoothed(row, max(3, round(0.16 * places.seam.half)))[columns])


def _like_teeth(picture: Pixels, inside: Floats, colours: Palette) -> Floats:
    """Pale beside the lips, and bright."""
    pixels = picture.astype(np.float32)
    light = pixels @ GREY
    shown = light[inside > 0.5]
    if not len(shown):
        return np.zeros_like(inside)
    brightest = float(np.quantile(shown, 0.9))
    if brightest < 0.7 * float(colours.lips @ GREY):
        return np.zeros_like(inside)
    tooth = _step((light - 0.45 * brightest) / (0.3 * brightest + 1))
    redness = _redness(pixels)
    # In warm light teeth are red too: as pale as anything seen here, if that is paler than skin.
    palest = float(np.quantile(redness[(inside > 0.5) & (light > 0.6 * brightest)], 0.25))
    pale = max(float(_redness(colours.teeth)), min(palest, float(_redness(colours.skin))))
    lips = float(_redness(colours.lips))
    if lips - pale > 0.08:
        tooth = tooth * _step(1.4 * (lips - redness) / (lips - pale))
    return np.asarray(tooth * inside)


def _redness(colour: Floats) -> Floats:
    return np.asarray((colour[..., 0] - colour[..., 1:].mean(axis=-1)) / (colour @ GREY + 8))


def _step(value: Floats) -> Floats:
    inside = np.clip(value, 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside))
