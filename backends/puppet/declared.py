"""From the dozen points that a person declares to the 478 of a face, and back."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.canonical import (
    LEFT_LOWER_LID,
    LEFT_UPPER_LID,
    LOWER_LIP,
    NAMED,
    UPPER_LIP,
    place,
    standard,
)
from backends.puppet.face import Face
from backends.puppet.landmarks import eye_distance
from backends.puppet.search import faces_in, refined
from backends.puppet.sidecar import Declaration, Eye, Mouth, Outline, Point, Sidecar
from backends.puppet.warp import thin_plate

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Points = NDArray[np.float64]
    Rows = tuple[tuple[int, ...], ...]

# The edges of lids and of the lips' insides are moved by themselves: the two of a pair lie so close
# together that a smooth field which parts them would fold beside them.
_EDGES = ("mouth.line", "mouth.inner_top", "mouth.inner_bottom", "left_eye.top",
          "left_eye.bottom", "right_eye.top", "right_eye.bottom")  # fmt: skip
_IRISES = {"left_eye": slice(468, 473), "right_eye": slice(473, 478)}
# Lips further apart than this share of the eye distance are an open mouth.
_OPEN = 0.02
_SMALLEST_MOUTH, _SMALLEST_EYE = 8.0, 4.0


def declared_face(
    picture: Image, declaration: Declaration, size: tuple[int, int]
) -> tuple[Face, int]:
    """The face that ``declaration`` describes in this picture, and how many the picture shows.

    ``size`` is the picture's before it was scaled down: what the numbers count in by default.
    Raises `InputError` where the points cannot be those of a face.
    """
    marks = _in_pixels(picture, declaration, size)
    _check_order(marks, declaration)
    base, count = _base(picture, marks, declaration)
    points = bent(base, marks)
    if _folded(base, marks):
        raise declaration.wrong("", "The declared points cross each other.", _LOOK)
    return Face(points.astype(np.float32), math.inf), count


def described(face: Face, size: tuple[int, int], note: str = "") -> Sidecar:
    """What a sidecar says about ``face`` in a picture of this size, to a tenth of a pixel."""
    here = {name: _within(place(face.points, name), *_bounds(name, size)) for name in NAMED}
    gap = np.linalg.norm(face.points[13, :2] - face.points[14, :2])
    is_open = gap > _OPEN * eye_distance(face)
    left_out = {"mouth.line"} if is_open else {"mouth.inner_top", "mouth.inner_bottom"}
    groups: dict[str, dict[str, Point]] = {}
    for name, point in here.items():
        part, _, key = name.partition(".")
        if name not in left_out:
            groups.setdefault(part, {})[key] = point
    return Sidecar(
        note=note,
        picture=size,
        shape="found" if math.isfinite(face.presence) else "standard",
        mouth=Mouth(**groups["mouth"]),
        left_eye=Eye(**groups["left_eye"]),
        right_eye=Eye(**groups["right_eye"]),
        face=Outline(**groups["face"]),
    )


def fitted(marks: Mapping[str, Points]) -> Points:
    """The standard face moved, turned and scaled so that it fits the marks best (least squares;
    Umeyama 1991, in the plane)."""
    points = standard().points.astype(np.float64)
    names = list(marks)
    here = np.array([complex(*place(points, name)) for name in names])
    there = np.array([complex(*marks[name]) for name in names])
    spread = here - here.mean()
    turn = np.vdot(spread, there - there.mean()) / np.vdot(spread, spread)
    flat = turn * (points[:, 0] + 1j * points[:, 1] - here.mean()) + there.mean()
    return np.stack([flat.real, flat.imag, points[:, 2] * abs(turn)], axis=1)


def bent(base: Points, marks: Mapping[str, Points]) -> Points:
    """``base`` (478, 3) with its named places where ``marks`` say, the rest following smoothly."""
    points = base.copy()
    points[:, :2] += _field(base, marks, base[:, :2])
    before = points.copy()
    for name, rows in _edges().items():
        # Closed lips that are declared keep the hair's breadth that the base has between them.
        name = "mouth.line" if name.startswith("mouth") and name not in marks else name
        if name in marks:
            by = marks[name] - place(before, name)
            _move_edge(points, rows, by)
            iris = _IRISES.get(name.partition(".")[0])
            if iris is not None:
                points[iris, :2] += by / 2
    return points


@functools.cache
def _edges() -> dict[str, tuple[tuple[tuple[int, ...], float], ...]]:
    """The rows of points that go with each edge, and how much of its way each goes."""
    mirror = standard().mirror

    def across(rows: Rows) -> Rows:
        return tuple(tuple(int(mirror[i]) for i in row) for row in rows)

    lids = {"left_eye.top": LEFT_UPPER_LID, "left_eye.bottom": LEFT_LOWER_LID,
            "right_eye.top": across(LEFT_UPPER_LID),
            "right_eye.bottom": across(LEFT_LOWER_LID)}  # fmt: skip
    lips = {"mouth.inner_top": UPPER_LIP, "mouth.inner_bottom": LOWER_LIP}
    # All of a lid moves, and its fold and the skin below; of a lip its outer edge stays.
    return {
        **{name: tuple((row, 1.0) for row in rows) for name, rows in lids.items()},
        **{name: tuple((row, depth / 3) for depth, row in enumerate(rows))
           for name, rows in lips.items()},
    }  # fmt: skip


def _move_edge(points: Points, rows: Iterable[tuple[tuple[int, ...], float]], by: Points) -> None:
    """Move the rows by their shares of ``by``: whole in their middle, not at all at the corners."""
    for row, share in rows:
        steps = np.linspace(-1, 1, len(row))
        points[list(row), :2] += by * (1 - steps**2)[:, None] * share


def _field(base: Points, marks: Mapping[str, Points], where: Points) -> Points:
    """How far the marks move each place of ``where`` (n, 2)."""
    names = [name for name in marks if name not in _EDGES]
    controls = np.array([place(base, name) for name in names])
    moves = np.array([marks[name] for name in names]) - controls
    middle, unit = controls.mean(axis=0), max(float(np.ptp(controls, axis=0).max()), 1e-6)
    field = thin_plate(
        ((controls - middle) / unit).astype(np.float32),
        (moves / unit).astype(np.float32),
        ((where - middle) / unit).astype(np.float32),
        0.0,
    )
    return np.asarray(field, dtype=np.float64) * unit


def _folded(base: Points, marks: Mapping[str, Points]) -> bool:
    """Whether the face would be turned inside out somewhere: the field's Jacobian says so."""
    flat, step = base[:, :2], float(np.ptp(base[:, 0])) / 200
    moved = flat + _field(base, marks, flat)
    right, down = (
        flat + offset + _field(base, marks, flat + offset) - moved
        for offset in (np.array([step, 0.0]), np.array([0.0, step]))
    )
    return bool((right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0] <= 0).any())


def _base(
    picture: Image, marks: Mapping[str, Points], declaration: Declaration
) -> tuple[Points, int]:
    """The face that the marks correct, and how many there are."""
    if declaration.values.shape == "standard":
        return fitted({name: at for name, at in marks.items() if name not in _EDGES}), 1
    faces = faces_in(picture)
    if not faces:
        raise declaration.wrong(
            "shape", "No face is found here that the points could correct.", 'Use "standard".'
        )
    near = min(faces, key=lambda face: _distance(face, marks))
    return refined(picture, near).points.astype(np.float64), len(faces)


def _distance(face: Face, marks: Mapping[str, Points]) -> float:
    return float(np.mean([np.linalg.norm(place(face.points, name) - at)
                          for name, at in marks.items()]))  # fmt: skip


def _in_pixels(
    picture: Image, declaration: Declaration, size: tuple[int, int]
) -> dict[str, Points]:
    """The declared points in the pixels of ``picture``, which may have been scaled down."""
    width, height = declaration.values.picture or size
    scale = picture.width / width
    if abs(picture.height / height / scale - 1) > 0.01:
        raise declaration.wrong(
            "picture",
            f"The numbers are for a picture of {width} x {height} pixels, but this one has the "
            f"shape of {size[0]} x {size[1]}.",
            "Declare the points again: `avatar puppet annotate PICTURE --force`.",
        )
    marks = {}
    for name, point in declaration.values.marks().items():
        low, high = _bounds(name, (width, height))
        if not ((low <= point) & (point <= high)).all():
            raise declaration.wrong(
                name, f"This point lies outside the picture of {width} x {height} pixels.", _LOOK
            )
        marks[name] = np.array(point, dtype=np.float64) * scale
    return marks


def _bounds(name: str, size: tuple[int, int]) -> tuple[Points, Points]:
    """Between which corners a point may lie: outlines go on where a picture cuts a head off."""
    reach = float(name.startswith("face."))
    return -reach * np.array(size), (1 + reach) * np.array(size)


def _within(point: NDArray[np.floating], low: Points, high: Points) -> Point:
    x, y = np.clip(point.astype(np.float64), low, high)
    return round(float(x), 1), round(float(y), 1)


_LOOK = "`avatar puppet annotate PICTURE` draws where the points are."


def _check_order(marks: Mapping[str, Points], declaration: Declaration) -> None:
    """Raise where left is not left of right, or above not above."""
    eyes = [
        (marks[f"{side}.left"] + marks[f"{side}.right"]) / 2 for side in ("left_eye", "right_eye")
    ]
    across = eyes[1] - eyes[0]
    if across[0] <= 0:
        raise declaration.wrong("left_eye", "This eye lies right of right_eye.", _LOOK)
    across /= np.linalg.norm(across)
    down = np.array([-across[1], across[0]])
    for axis, least, chains in ((across, 0.0, _RIGHTWARDS), (down, -1e-6, _DOWNWARDS)):
        for chain in chains:
            known = [name for name in chain if name in marks]
            for first, second in itertools.pairwise(known):
                if float((marks[second] - marks[first]) @ axis) <= least:
                    where = "left of" if axis is across else "above"
                    raise declaration.wrong(
                        first, f"This point should lie {where} {second}.", _LOOK
                    )
    for name, least in (("mouth", _SMALLEST_MOUTH), ("left_eye", _SMALLEST_EYE),
                        ("right_eye", _SMALLEST_EYE)):  # fmt: skip
        width = float(np.linalg.norm(marks[f"{name}.right"] - marks[f"{name}.left"]))
        if width < least:
            raise declaration.wrong(
                name, f"It is only {width:.0f} pixels wide.", "Use a larger picture."
            )


_RIGHTWARDS = (
    (
        "face.left",
        "left_eye.left",
        "left_eye.right",
        "right_eye.left",
        "right_eye.right",
        "face.right",
    ),
    ("face.left", "mouth.left", "mouth.right", "face.right"),
)
_DOWNWARDS = (
    ("face.top", "left_eye.top", "left_eye.bottom", "mouth.top"),
    ("right_eye.top", "right_eye.bottom", "mouth.top"),
    ("mouth.top", "mouth.inner_top", "mouth.inner_bottom", "mouth.bottom", "face.chin"),
    ("mouth.top", "mouth.line", "mouth.bottom"),
    ("left_eye.left", "mouth.left"),
    ("right_eye.right", "mouth.right"),
)
