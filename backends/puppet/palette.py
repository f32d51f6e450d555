"""The colours that a mouth's inside takes from the portrait: its light, its tint, its style."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.face import Face
from backends.puppet.lips import LOWER, UPPER, Head

Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]

_EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
_CHEEKS = (50, 280, 205, 425, 101, 330)
_GREY = np.array([0.3, 0.59, 0.11], np.float32)


@dataclass(frozen=True, slots=True)
class Palette:
    """RGB from 0 to 255. ``drawn`` is true of a picture without a photo's or a brush's grain."""

    skin: Floats
    lips: Floats
    dark: Floats
    teeth: Floats
    tongue: Floats
    drawn: bool


def palette(picture: Pixels, face: Face, head: Head) -> Palette:
    """The colours of ``picture`` (RGB) around the mouth of ``face``."""
    skin, grain = _skin(picture, face, head)
    lips = _lips(picture, face, skin)
    white = _eye_white(picture, face, skin)
    return Palette(
        skin, lips, _dark(lips, skin), _teeth(white, skin), _tongue(lips, skin), grain < 0.6
    )


def _skin(picture: Pixels, face: Face, head: Head) -> tuple[Floats, float]:
    """The cheeks' colour, and how much neighbouring pixels of them differ."""
    size = max(2, round(0.12 * head.unit))
    patches = [_patch(picture, face.points[i, :2], size) for i in _CHEEKS]
    colour = np.median(np.concatenate([patch.reshape(-1, 3) for patch in patches]), axis=0)
    grains = [_grain(patch) for patch in patches]
    return colour.astype(np.float32), float(np.median(grains))


def _grain(patch: Pixels) -> float:
    grey = patch.astype(np.float32) @ _GREY
    if min(grey.shape) < 3:
        return 1.0
    bend = (
        4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    )
    return float(np.abs(bend).mean())


def _lips(picture: Pixels, face: Face, skin: Floats) -> Floats:
    rings = (*LOWER[1][2:-2], *UPPER[1][2:-2])
    colour = np.median([_patch(picture, face.points[i, :2], 1)[0, 0] for i in rings], axis=0)
    return np.asarray(0.8 * colour + 0.2 * skin, np.float32)


def _eye_white(picture: Pixels, face: Face, skin: Floats) -> Floats:
    """The brighter pixels of the eyes, less the glints; the skin's colour where eyes are closed."""
    found = []
    for ring in _EYES:
        corners = face.points[list(ring), :2]
        middle = corners.mean(axis=0)
        for share in (0.45, 0.6, 0.75):
            found += [_patch(picture, middle + share * (c - middle), 1)[0, 0] for c in corners]
    pixels = np.array(found, np.float32)
    light = pixels @ _GREY
    low, high = np.quantile(light, (0.6, 0.85))
    chosen = pixels[(light >= low) & (light <= high)]
    return np.asarray(np.median(chosen, axis=0), np.float32) if len(chosen) else skin


def _teeth(white: Floats, skin: Floats) -> Floats:
    # Teeth lie deeper than the eyes and are a little warmer; beside the skin they must neither
    # shine nor look decayed, so its light bounds theirs.
    light = float(
        np.clip(0.98 * (white @ _GREY), 0.85 * (skin @ _GREY), 1.25 * (skin @ _GREY) + 25)
    )
    tint = 0.75 * _tint(white) + 0.25 * _tint(skin)
    tint = np.clip(tint * np.array([1.015, 1.0, 0.965], np.float32), 0.8, 1.25)
    return np.asarray(np.clip(light * tint / float(tint @ _GREY), 0, 244), np.float32)


def _dark(lips: Floats, skin: Floats) -> Floats:
    return np.asarray(np.minimum(0.2 * lips + 0.02 * skin, 60), np.float32)


def _tongue(lips: Floats, skin: Floats) -> Floats:
    return np.asarray(0.62 * lips + 0.08 * skin, np.float32)


def _tint(colour: Floats) -> Floats:
    result: Floats = colour / max(float(colour @ _GREY), 1.0)
    return result


def _patch(picture: Pixels, place: Floats, size: int) -> Pixels:
    """``size`` pixels square around ``place``, moved into the picture where it lies outside."""
    height, width = picture.shape[:2]
    x, y = (
        int(np.clip(round(float(p)) - size // 2, 0, max(0, limit - size)))
        for p, limit in zip(place, (width, height), strict=True)
    )
    return picture[y : y + size, x : x + size]
