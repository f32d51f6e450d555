"""The standard face: what the 478 points look like on nobody in particular, and their names."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILE = Path(__file__).parent / "models" / "canonical_face.npz"

# The places that a person can point at. "Left" is left in the picture.
NAMED = {
    "mouth.left": (61,),
    "mouth.right": (291,),
    "mouth.top": (0,),
    "mouth.bottom": (17,),
    "mouth.line": (13, 14),
    "mouth.inner_top": (13,),
    "mouth.inner_bottom": (14,),
    "left_eye.left": (33,),
    "left_eye.right": (133,),
    "left_eye.top": (159,),
    "left_eye.bottom": (145,),
    "right_eye.left": (362,),
    "right_eye.right": (263,),
    "right_eye.top": (386,),
    "right_eye.bottom": (374,),
    "face.top": (10,),
    "face.left": (234,),
    "face.right": (454,),
    "face.chin": (152,),
}

# Around the mouth from its left corner to its right one, from the outer edge of the lip inwards.
UPPER_LIP = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
)
LOWER_LIP = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
# Around an eye from its left corner to its right one, from the lid's edge outwards to the brow.
LEFT_UPPER_LID = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (130, 247, 30, 29, 27, 28, 56, 190, 243),
    (226, 113, 225, 224, 223, 222, 221, 189, 244),
)
LEFT_LOWER_LID = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
    (130, 25, 110, 24, 23, 22, 26, 112, 243),
    (226, 31, 228, 229, 230, 231, 232, 233, 244),
)
LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
RIGHT_EYE = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
# fmt: off
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
# fmt: on


@dataclass(frozen=True, slots=True)
class StandardFace:
    """``points`` is (478, 3): the middle between the outer corners of the eyes is 0, their distance
    1, x to the right, y down, z away from the viewer; the mouth is closed and left mirrors right.
    ``mirror`` says for each point which one is its mirror image."""

    points: NDArray[np.float32]
    mirror: NDArray[np.int16]


@functools.cache
def standard() -> StandardFace:
    """The one that comes with the package; models/MODEL_CARD.md says where it is from."""
    with np.load(_FILE, allow_pickle=False) as stored:
        return StandardFace(stored["points"], stored["mirror"])


def place(points: NDArray[np.floating], name: str) -> NDArray[np.floating]:
    """Where the named place of a face is, (x, y)."""
    return np.asarray(points[list(NAMED[name]), :2].mean(axis=0))
