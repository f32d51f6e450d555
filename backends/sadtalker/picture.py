"""A portrait as an engine takes it: upright RGB, not too large, with room around the face.

In whole-picture modes SadTalker cuts a square around the face and pastes it back, and dies where
that square reaches over an edge. Its lower bound is held against the picture's width instead of
its height, so that a low face in a tall picture is over an edge as well. The picture is mirrored
outwards as far as needed, and the clip is cut to the original frame again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from avatar_core.backend import Size

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

_BACKDROP = (240, 240, 240)
# How far its square reaches over a detected face's box, in sides of the box, on the left and right,
# above and below: measured on portraits whose eyes and mouth are known, with some room for tilt.
_BESIDE, _ABOVE, _BELOW = 0.6, 0.72, 0.45
_LEAST_PAD = 0.2
_MOST_PAD = 1.0
# Without a face finder: room on all sides, and a face that is expected in the upper two thirds.
_BLIND_PAD = 0.25
_BLIND_LOWEST = 0.67


class Box(NamedTuple):
    """In pixels, the right and lower edges outside of it."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Kept:
    """Which part of the prepared picture is the original's, in shares of its width and height."""

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0

    @property
    def whole(self) -> bool:
        return self == Kept()


FaceFinder = Callable[["Image"], Box | None]


def prepare_picture(
    source: Path, target: Path, longest: int, finder: FaceFinder | None = None, *, pad: bool = False
) -> Kept:
    """Write ``source`` to ``target`` as an RGB PNG of at most ``longest`` pixels on a side.

    ``pad`` gives the face room; ``finder`` says where it is, by default the puppet's. Raises
    `MediaError` for what is no picture.
    """
    from avatar_core.pictures import load_picture

    picture = _opaque(load_picture(source))
    picture.thumbnail((longest, longest))
    pads = _pads(picture, finder or found_face) if pad else (0, 0, 0, 0)
    kept = _kept(Size(*picture.size), pads)
    if any(pads):
        picture = mirrored(picture, pads)
        picture.thumbnail((longest, longest))
    picture.save(target, "PNG", compress_level=1)
    return kept


def found_face(picture: Image) -> Box | None:
    """Where the puppet's detector sees the best face. Raises `ImportError` where it is not
    installed."""
    from backends.puppet.detect import detect, stages

    for views in stages(*picture.size):
        if found := detect(picture, views):
            spot = max(found, key=lambda one: one.score).spot
            half = spot.side / 2
            return Box(spot.x - half, spot.y - half, spot.x + half, spot.y + half)
    return None


def pads_for(face: Box | None, size: Size) -> tuple[int, int, int, int]:
    """How much to add on the left, top, right and bottom of a picture of ``size`` pixels."""
    if face is None:
        return (0, 0, 0, 0)
    side = max(face.right - face.left, face.bottom - face.top)
    lowest = face.bottom + _BELOW * side
    over = (
        _BESIDE * side - face.left,
        _ABOVE * side - face.top,
        face.right + _BESIDE * side - size.width,
        lowest - size.height,
    )
    least, most = _LEAST_PAD * min(size), _MOST_PAD * min(size)
    left, top, right, bottom = (min(max(by, least), most) if by > 0 else 0.0 for by in over)
    return _widened(left, top, right, bottom, size, lowest)


def blind_pads(size: Size) -> tuple[int, int, int, int]:
    """The same where nobody can say where the face is."""
    by = _BLIND_PAD * min(size)
    return _widened(by, by, by, by, size, _BLIND_LOWEST * size.height)


def mirrored(picture: Image, pads: tuple[int, int, int, int]) -> Image:
    """``picture`` continued by its mirror image on the left, top, right and bottom."""
    from PIL import Image
    from PIL.Image import Transpose

    left, top, right, bottom = pads
    width, height = picture.size
    canvas = Image.new("RGB", (left + width + right, top + height + bottom))
    across = picture.transpose(Transpose.FLIP_LEFT_RIGHT)
    tiles = (picture, across), tuple(t.transpose(Transpose.FLIP_TOP_BOTTOM) for t in (picture, across))  # fmt: skip  # noqa: E501
    for row in range(-math.ceil(top / height), math.ceil(bottom / height) + 1):
        for column in range(-math.ceil(left / width), math.ceil(right / width) + 1):
            place = (left + column * width, top + row * height)
            canvas.paste(tiles[row % 2][column % 2], place)
    return canvas


def _pads(picture: Image, finder: FaceFinder) -> tuple[int, int, int, int]:
    size = Size(*picture.size)
    try:
        return pads_for(finder(picture), size)
    except Exception:
        # It is not installed, or its networks are not, or they do not load: no reason to fail.
        log.debug("faces cannot be looked for", exc_info=True)
        return blind_pads(size)


def _widened(
    left: float, top: float, right: float, bottom: float, size: Size, lowest: float
) -> tuple[int, int, int, int]:
    """Wide enough for what is as low as ``lowest`` not to be taken for outside the picture."""
    lacking = (lowest + top) - (size.width + left + right)
    if lacking > 0:
        left, right = left + lacking / 2, right + lacking / 2
    return math.ceil(left), math.ceil(top), math.ceil(right), math.ceil(bottom)


def _kept(size: Size, pads: tuple[int, int, int, int]) -> Kept:
    left, top, right, bottom = pads
    width, height = left + size.width + right, top + size.height + bottom
    return Kept(left / width, top / height, size.width / width, size.height / height)


def _opaque(picture: Image) -> Image:
    from PIL import Image

    if picture.mode != "RGBA":
        return picture.convert("RGB")
    backdrop = Image.new("RGBA", picture.size, (*_BACKDROP, 255))
    return Image.alpha_composite(backdrop, picture).convert("RGB")
