"""A portrait's face: the largest one found, or a sentence on why the picture cannot speak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avatar_core.errors import AvatarError, Category
from backends.puppet.detect import Detection, Spot, detect, stages
from backends.puppet.face import Face
from backends.puppet.landmarks import eye_distance, landmarks, roll_of, spot_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

# The logit: real, painted and drawn faces reach 11 and more, what is no face stays under 3.
PRESENCE = 6.0
# The landmark network costs ten times the detector: more candidates than this are not looked at.
_CANDIDATES = 6
# Finer than this the networks do not see; the work would grow with the picture.
_WORKING_SIDE = 2048


@dataclass(frozen=True, slots=True)
class FoundFace:
    """``face`` is the largest of ``count`` faces; its points are in the picture's pixels.

    ``roll`` and ``yaw`` are in degrees: how far the head is tilted (clockwise positive) and
    turned to the side (to the picture's right positive).
    """

    face: Face
    count: int
    roll: float
    yaw: float


def find_face(picture: NDArray[np.uint8]) -> FoundFace:
    """The largest face in an RGB picture (height, width, 3).

    Raises `AvatarError` (invalid_input) with advice where there is none that can speak.
    """
    from PIL import Image as Pillow

    whole = Pillow.fromarray(picture)
    scale = min(1.0, _WORKING_SIDE / max(whole.size))
    small = whole if scale == 1 else _shrunk(whole, scale)
    faces = _faces(small)
    if not faces:
        raise _no_face()
    stretch = np.array([whole.width / small.width, whole.height / small.height, 1 / scale])
    face = Face((faces[0].points * stretch).astype(np.float32), faces[0].presence)
    return FoundFace(face, len(faces), math.degrees(roll_of(face)), yaw_of(face))


def yaw_of(face: Face) -> float:
    """How far the head is turned to the picture's right, in degrees."""
    across = face.points[454] - face.points[234]
    return math.degrees(math.atan2(float(across[2]), float(np.hypot(across[0], across[1]))))


def _shrunk(picture: Image, scale: float) -> Image:
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, reducing_gap=2.0)


def _faces(picture: Image) -> list[Face]:
    """Every face found, the largest first."""
    for views in stages(*picture.size):
        faces = [_refined(picture, one) for one in detect(picture, views)[:_CANDIDATES]]
        present = _distinct([face for face in faces if face.presence >= PRESENCE])
        if present:
            return sorted(present, key=lambda face: -eye_distance(face))
    return []


def _refined(picture: Image, found: Detection) -> Face:
    """Looked at twice: the second time in the square that the points of the first one call for,
    so that the result does not depend on how well the detector placed its box."""
    box = found.spot
    face = landmarks(picture, Spot(box.x, box.y, box.side * 1.5, box.roll))
    return landmarks(picture, spot_of(face)) if face.presence >= PRESENCE / 2 else face


def _distinct(faces: list[Face]) -> list[Face]:
    """Two boxes may have led to one face."""
    kept: list[Face] = []
    for face in faces:
        middle = face.points[:, :2].mean(axis=0)
        gaps = [np.linalg.norm(other.points[:, :2].mean(axis=0) - middle) for other in kept]
        if all(gap > eye_distance(face) / 2 for gap in gaps):
            kept.append(face)
    return kept


def _no_face() -> AvatarError:
    return AvatarError(
        Category.INVALID_INPUT,
        "No face was found in the portrait.",
        advice="Use a picture that shows one face from the front, or declare where the face is: "
        "`avatar puppet annotate PICTURE` writes a file to correct.",
    )
