"""From a picture to its faces: detector and landmark network taking turns until both agree."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.detect import Detection, Spot, detect, stages
from backends.puppet.face import Face
from backends.puppet.landmarks import eye_distance, landmarks, roll_of, spot_of

if TYPE_CHECKING:
    from PIL.Image import Image

# The logit, as the mean of several looks: photographed, painted and drawn faces reach 12 and more
# (8 to 13 when turned by 40 degrees), and of 400 pictures without a face none reached 9.
PRESENCE = 9.0
# One look alone may give 10 for an icon and 6 for a face; between these two it is looked at again.
_PERHAPS, _SURELY = 6.0, 14.0
# The landmark network costs ten times the detector: more candidates than this are not looked at.
_CANDIDATES = 6
# Finer than this the detector does not see; its work would grow with the picture.
_WORKING_SIDE = 2048
# The network sees a face a little differently at another scale and angle, and its left side not as
# its right one: over these views, (scale, radians, mirrored), the mean is taken. On 33 portraits
# the points' scatter falls from 0.37 % of the eye distance to less than half of that.
_VIEWS = ((0.96, 0.05, False), (1.04, -0.05, False), (0.96, -0.05, True), (1.04, 0.05, True))


def faces_in(picture: Image, patience: int = 4, most_roll: float = math.pi) -> list[Face]:
    """Every face of an RGB picture, the largest first, to about 0.5 % of its eye distance.

    ``patience`` is how many stages of the search are gone through before giving up; faces tilted by
    more than about ``most_roll`` radians are left out.
    """
    scale = min(1.0, _WORKING_SIDE / max(picture.size))
    small = picture if scale == 1 else shrunk(picture, scale)
    for views in itertools.islice(stages(*small.size), patience):
        spots = [one.spot for one in detect(small, views) if abs(one.spot.roll) <= most_roll]
        candidates = [_scaled(spot, 1 / scale) for spot in spots[:_CANDIDATES]]
        faces = [_followed(picture, spot) for spot in candidates]
        present = [face for face in _distinct(faces) if _is_face(picture, face)]
        if present:
            return sorted(present, key=lambda face: -eye_distance(face))
    return []


def likeliest(picture: Image) -> Detection | None:
    """What looks most like a face to the detector alone, for a first guess."""
    small = shrunk(picture, min(1.0, _WORKING_SIDE / max(picture.size)))
    for views in stages(*small.size):
        found = detect(small, views)
        if found:
            best = max(found, key=lambda one: one.score)
            return replace(best, spot=_scaled(best.spot, picture.width / small.width))
    return None


def refined(picture: Image, face: Face) -> Face:
    """``face`` again, as the mean of several looks at it."""
    spot = spot_of(face)

    def look(view: tuple[float, float, bool]) -> Face:
        scale, turn, mirrored = view
        spot_seen = replace(spot, side=spot.side * scale, roll=spot.roll + turn)
        return landmarks(picture, spot_seen, mirrored)

    with ThreadPoolExecutor(2, "looking") as threads:
        seen = list(threads.map(look, _VIEWS))
    points = np.stack([one.points for one in seen]).mean(axis=0)
    presence = float(np.mean([one.presence for one in seen]))
    return Face(points.astype(np.float32), presence)


def turn_needed(picture: Image) -> int | None:
    """By how many degrees clockwise (90, 180, 270) a picture has to be turned for a face to show
    best, or None where it never does."""
    small = shrunk(picture, min(1.0, 512 / max(picture.size)))
    merits = {degrees: _merit(small, degrees) for degrees in (180, 90, 270)}
    best = max(merits, key=lambda degrees: merits[degrees])
    return best if merits[best] > 0 else None


def merit_upside_down(picture: Image, face: Face) -> float:
    """How good a face the picture turned round shows in the same place, as a presence.

    The forehead and chin of a face that stands on its head may pass for a chin and a forehead.
    """
    spot = spot_of(face)
    low, high = (spot.x - spot.side, spot.y - spot.side), (spot.x + spot.side, spot.y + spot.side)
    box = (max(0, int(low[0])), max(0, int(low[1])),
           min(picture.width, int(high[0]) + 1), min(picture.height, int(high[1]) + 1))  # fmt: skip
    part = picture.crop(box)
    part = shrunk(part, min(1.0, 512 / max(part.size)))
    return _merit(part, 180, patience=2)


def _merit(picture: Image, degrees: int, patience: int = 4) -> float:
    """The presence of the surest face in a picture turned clockwise, less the more it is tilted;
    0 where there is none."""
    from PIL.Image import Transpose

    turns = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}
    faces = faces_in(picture.transpose(turns[degrees]), patience, math.pi / 2)
    return max((face.presence * math.cos(roll_of(face)) for face in faces), default=0.0)


def shrunk(picture: Image, scale: float) -> Image:
    """``picture`` at ``scale`` of its size, itself where that is 1."""
    if scale == 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, reducing_gap=2.0)


def _followed(picture: Image, box: Spot) -> Face:
    """Looked at twice: the second time in the square that the points of the first one call for,
    so that the result does not depend on how well the detector placed its box."""
    face = landmarks(picture, replace(box, side=box.side * 1.5))
    return landmarks(picture, spot_of(face)) if face.presence >= _PERHAPS / 2 else face


def _is_face(picture: Image, face: Face) -> bool:
    if _PERHAPS <= face.presence < _SURELY:
        return refined(picture, face).presence >= PRESENCE
    return face.presence >= _SURELY


def _scaled(spot: Spot, scale: float) -> Spot:
    return Spot(spot.x * scale, spot.y * scale, spot.side * scale, spot.roll)


def _distinct(faces: list[Face]) -> list[Face]:
    """Two boxes may have led to one face."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.presence):
        middle = face.points[:, :2].mean(axis=0)
        gaps = [np.linalg.norm(other.points[:, :2].mean(axis=0) - middle) for other in kept]
        if all(gap > eye_distance(face) / 2 for gap in gaps):
            kept.append(face)
    return kept
