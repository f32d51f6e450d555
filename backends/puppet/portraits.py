"""A portrait and the face in it, or a sentence on why this picture cannot speak."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avatar_core.errors import AvatarError, Category
from backends.puppet.face import Face
from backends.puppet.landmarks import roll_of
from backends.puppet.search import (
    PRESENCE,
    faces_in,
    merit_upside_down,
    refined,
    shrunk,
    turn_needed,
)
from backends.puppet.sidecar import read_sidecar, sidecar_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

# A face of 64 pixels, enlarged to fill a film, is a blur already; the networks lose it below 40.
LEAST_HEIGHT, COARSE_HEIGHT = 64, 160
# In degrees. Beyond, the hidden half of the mouth is a guess, and so are the teeth behind it.
MOST_YAW = 38.0
MOST_ROLL = 45.0
# A full-HD frame of a head and shoulders shows no more than this.
MAX_SIDE = 3072
BACKDROP = (232, 234, 238)
_FRONTAL = "Use a picture that shows one face from the front"
_BY_HAND = "or declare where the face is: `avatar puppet annotate PICTURE` writes a file to correct"


@dataclass(frozen=True, slots=True)
class FoundFace:
    """``face`` is the largest of ``count`` faces; its points are in the picture's pixels.

    ``roll`` and ``yaw`` are in degrees: how far the head is tilted (clockwise positive) and
    turned to the side (to the picture's right positive). ``declared`` says that a sidecar file
    had a word in it, ``warnings`` what a user should know.
    """

    face: Face
    count: int
    roll: float
    yaw: float
    declared: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Portrait:
    """``picture`` is RGB (height, width, 3), upright and at most `MAX_SIDE` on a side; ``alpha`` is
    (height, width), 0 transparent to 255 opaque, or None where all is opaque."""

    picture: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    found: FoundFace

    @property
    def face(self) -> Face:
        return self.found.face


def face_of(portrait: Path) -> Portrait:
    """The portrait in a file and its face, by its sidecar file `NAME.landmarks.json` where it has
    one, else by the networks.

    What is transparent is laid on a light backdrop. Raises `MediaError` for a picture that cannot
    be read, `InputError` for a wrong sidecar, `AvatarError` (invalid_input) where no face can
    speak.
    """
    picture, alpha = open_portrait(portrait)
    pixels = np.asarray(picture)
    sidecar = sidecar_of(portrait)
    if not sidecar.exists():
        return Portrait(pixels, alpha, find_face(pixels))
    from avatar_core.pictures import probe_picture
    from backends.puppet.declared import declared_face

    size = probe_picture(portrait).size
    face, count = declared_face(picture, read_sidecar(sidecar), size)
    found = FoundFace(face, count, math.degrees(roll_of(face)), yaw_of(face), declared=True)
    return Portrait(pixels, alpha, found)


def open_portrait(path: Path) -> tuple[Image, NDArray[np.uint8] | None]:
    """The picture upright, in RGB, scaled down where it is huge, and its transparency."""
    from PIL import Image as Pillow

    from avatar_core.pictures import load_picture

    picture = load_picture(path)
    picture = shrunk(picture, min(1.0, MAX_SIDE / max(picture.size)))
    if picture.mode != "RGBA":
        return picture, None
    backdrop = Pillow.new("RGBA", picture.size, (*BACKDROP, 255))
    return Pillow.alpha_composite(backdrop, picture).convert("RGB"), np.asarray(
        picture.getchannel("A")
    )


def find_face(picture: NDArray[np.uint8]) -> FoundFace:
    """The largest face in an RGB picture (height, width, 3).

    Raises `AvatarError` (invalid_input) with advice where there is none that can speak.
    """
    from PIL import Image as Pillow

    whole = Pillow.fromarray(picture)
    faces = faces_in(whole)
    if not faces:
        raise _none_found(whole)
    # Two questions of the same length to the same networks, which leave the other cores free.
    with ThreadPoolExecutor(1) as other:
        turned = other.submit(merit_upside_down, whole, faces[0])
        face = refined(whole, faces[0])
    if face.presence < PRESENCE:
        raise _none_found(whole)
    if turned.result() > face.presence:
        raise _lying("upside down")
    found = FoundFace(face, len(faces), math.degrees(roll_of(face)), yaw_of(face))
    refuse_unfit(found)
    return FoundFace(face, found.count, found.roll, found.yaw, warnings=tuple(_odd(found)))


def yaw_of(face: Face) -> float:
    """How far the head is turned to the picture's right, in degrees."""
    across = face.points[454] - face.points[234]
    return math.degrees(math.atan2(float(across[2]), float(np.hypot(across[0], across[1]))))


def height_of(face: Face) -> float:
    """From the forehead to the chin, in pixels."""
    return float(np.linalg.norm(face.points[152, :2] - face.points[10, :2]))


def refuse_unfit(found: FoundFace) -> None:
    """Raise `AvatarError` (invalid_input) where the face cannot be made to speak well."""
    height = height_of(found.face)
    if abs(found.roll) > MOST_ROLL:
        raise _lying("upside down" if abs(found.roll) > 135 else "on its side")
    if height < LEAST_HEIGHT:
        raise _invalid(
            f"The face in the portrait is only {height:.0f} pixels high.",
            f"Use a larger picture, or crop a sharp one: at least {LEAST_HEIGHT} pixels from the "
            f"forehead to the chin, better 300 and more.",
        )
    if abs(found.yaw) > MOST_YAW:
        raise _invalid(
            "The face in the portrait is turned to the side.",
            f"{_FRONTAL}, or turned by less than about 40 degrees.",
        )


def _odd(found: FoundFace) -> list[str]:
    warnings = []
    if found.count > 1:
        warnings.append(f"The portrait shows {found.count} faces: the largest one speaks.")
    height = height_of(found.face)
    if height < COARSE_HEIGHT:
        warnings.append(f"The portrait's face is only {height:.0f} pixels high and will be soft.")
    return warnings


def _none_found(picture: Image) -> AvatarError:
    turn = turn_needed(picture)
    if turn is not None:
        return _lying("upside down" if turn == 180 else "on its side")
    return _invalid("No face was found in the portrait.", f"{_FRONTAL}, {_BY_HAND}.")


def _lying(how: str) -> AvatarError:
    return _invalid(
        f"The face in the portrait stands {how}."
        if how == "upside down"
        else f"The face in the portrait lies {how}.",
        "Turn the picture so that the face is upright.",
    )


def _invalid(message: str, advice: str) -> AvatarError:
    return AvatarError(Category.INVALID_INPUT, message, advice=advice)
