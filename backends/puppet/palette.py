"""The colours that a mouth's inside takes from the portrait: its light, its tint, its style."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.face import Face
from backends.puppet.lips import LOWER, UPPER, Head

Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]

# The lower and the upper lid from corner to corner, and the iris (its middle first), of both eyes.
_EYES = (
    ((33, 7, 163, 144, 145, 153, 154, 155, 133), (33, 246, 161, 160, 159, 158, 157, 173, 133),
     (468, 469, 470, 471, 472)),
    ((263, 249, 390, 373, 374, 380, 381, 382, 362), (263, 466, 388, 387, 386, 385, 384, 398, 362),
     (473, 474, 475, 476, 477)),
)  # fmt: skip
_SKIN = (50, 280, 205, 425, 101, 330, 151, 108, 337)
GREY = np.array([0.3, 0.59, 0.11], np.float32)


@dataclass(frozen=True, slots=True)
class Palette:
    """RGB from 0 to 255. ``detail``, 0 to 1, is how much the picture shows of a skin's
    fine structure: nothing in a smooth drawing, which then gets smooth teeth too; ``colour``,
    0 to 1, how much colour there is in it: none in a grey picture."""

    skin: Floats
    lips: Floats
    dark: Floats
    teeth: Floats
    tongue: Floats
    detail: float
    colour: float


def palette(picture: Pixels, face: Face, head: Head) -> Palette:
    """The colours of ``picture`` (RGB) around the mouth of ``face``."""
    skin, grain = _skin(picture, face, head)
    lips = _lips(picture, face, skin)
    white = _eye_white(picture, face, skin)
    colour = min(1.0, 5 * max(_saturation(skin), _saturation(lips)))
    bright = 0.6 * float(skin @ GREY) + 0.4 * float(lips @ GREY)
    return Palette(
        skin,
        lips,
        _flesh(skin, lips, colour, min(0.2 * bright, 40.0)),
        _teeth(white, skin, colour),
        _flesh(skin, lips, colour, 0.62 * bright),
        float(np.clip((grain - 1.2) / 3, 0.1, 1)),
        colour,
    )


def _skin(picture: Pixels, face: Face, head: Head) -> tuple[Floats, float]:
    """The skin's colour, and how much it differs from place to place (in grey levels)."""
    size = max(2, round(0.25 * head.unit))
    patches = [_patch(picture, face.points[i, :2], size) for i in _SKIN]
    cheeks = np.concatenate([patch.reshape(-1, 3) for patch in patches[:6]])
    step = max(1, round(head.unit / 40))
    grains = [_grain(patch @ GREY, step) for patch in patches]
    return np.median(cheeks, axis=0).astype(np.float32), float(np.median(grains))


def _grain(grey: Floats, step: int) -> float:
    if min(grey.shape) <= 2 * step:
        return 0.0
    inner = grey[step:-step, step:-step]
    down = grey[: -2 * step, step:-step] + grey[2 * step :, step:-step]
    across = grey[step:-step, : -2 * step] + grey[step:-step, 2 * step :]
    return float(np.median(np.abs(4 * inner - down - across)))


def _lips(picture: Pixels, face: Face, skin: Floats) -> Floats:
    rings = (*LOWER[1][2:-2], *UPPER[1][2:-2])
    colour = np.median([_patch(picture, face.points[i, :2], 1)[0, 0] for i in rings], axis=0)
    return np.asarray(0.8 * colour + 0.2 * skin, np.float32)


def _eye_white(picture: Pixels, face: Face, skin: Floats) -> Floats:
    """What is bright and pale beside the irises; the skin's colour where the eyes show none."""
    found = [_patch(picture, place, 1)[0, 0] for eye in _EYES for place in _beside_iris(face, *eye)]
    if not found:
        return skin
    pixels = np.array(found, np.float32)
    pale = pixels @ GREY - 0.5 * np.ptp(pixels, axis=1)
    return np.asarray(np.median(pixels[pale >= np.quantile(pale, 0.7)], axis=0), np.float32)


def _beside_iris(
    face: Face, lower: tuple[int, ...], upper: tuple[int, ...], iris: tuple[int, ...]
) -> Floats:
    share = np.array([0.3, 0.45, 0.6, 0.75])[:, None, None]
    low, high = face.points[list(lower), :2], face.points[list(upper), :2]
    places = (low * (1 - share) + high * share)[:, 1:-1].reshape(-1, 2)
    middle, ring = face.points[iris[0], :2], face.points[list(iris[1:]), :2]
    radius = float(np.linalg.norm(ring - middle, axis=1).mean())
    return np.asarray(places[np.linalg.norm(places - middle, axis=1) > 1.1 * radius])


def _teeth(white: Floats, skin: Floats, colour: float) -> Floats:
    # Teeth lie deeper than the eyes and are a little warmer; beside the skin they must neither
    # shine nor look decayed, so its light bounds theirs.
    light = float(np.clip(1.08 * (white @ GREY), 0.88 * (skin @ GREY), 1.25 * (skin @ GREY) + 25))
    # What looks white in the eye has some of the skin's red in it; teeth have less.
    tint = 1 + 0.45 * (_tint(white) - 1)
    tint = np.clip(tint * np.array([1.02, 1.0, 0.955], np.float32) ** colour, 0.75, 1.25)
    return np.asarray(np.clip(light * tint / float(tint @ GREY), 0, 244), np.float32)


def _flesh(skin: Floats, lips: Floats, colour: float, light: float) -> Floats:
    """Wet flesh in the portrait's light: redder than its skin, as lips are where they have their
    own colour; grey where the picture is grey."""
    own = float(np.clip(4 * (_tint(lips)[0] - _tint(skin)[0]), 0, 0.6))
    redder = np.array([1.32, 0.82, 0.82], np.float32) ** colour
    tint = (_tint(skin) + own * (_tint(lips) - _tint(skin))) ** 0.85 * redder
    return np.asarray(np.clip(light * tint / float(tint @ GREY), 0, 235), np.float32)


def _saturation(colour: Floats) -> float:
    return float(np.ptp(colour)) / max(float(colour.max()), 1.0)


def _tint(colour: Floats) -> Floats:
    result: Floats = colour / max(float(colour @ GREY), 1.0)
    return result


def _patch(picture: Pixels, place: Floats, size: int) -> Pixels:
    """``size`` pixels square around ``place``, moved into the picture where it lies outside."""
    height, width = picture.shape[:2]
    x, y = (
        int(np.clip(round(float(p)) - size // 2, 0, max(0, limit - size)))
        for p, limit in zip(place, (width, height), strict=True)
    )
    return picture[y : y + size, x : x + size]
