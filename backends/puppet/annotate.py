"""Begins a sidecar file: what the networks find in a portrait or, failing that, a guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from avatar_core.errors import NO_ROOM, AvatarError, DiskFull, InputError
from avatar_core.pictures import probe_picture
from backends.puppet.canonical import standard
from backends.puppet.declared import declared_face, described
from backends.puppet.face import Face
from backends.puppet.landmarks import eye_distance
from backends.puppet.portraits import find_face, open_portrait
from backends.puppet.preview import draw_preview
from backends.puppet.search import likeliest
from backends.puppet.sidecar import read_sidecar, sidecar_of, write_sidecar

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_NOTE = (
    "Points are [x, y] in pixels from the top left of the upright picture; left is left in the "
    "picture. Correct them, run `avatar puppet annotate` again, and look at the picture that it "
    "draws. Only mouth and the eyes' corners are needed."
)
# Where a face usually is, as shares of what is not transparent: its middle, and its eye distance.
_MIDDLE, _EYES = (0.5, 0.42), 0.3
# In pixels: with less, mouth and eyes are too small to be pointed at.
_LEAST_EYES = 30.0


@dataclass(frozen=True, slots=True)
class Annotation:
    """What was written and drawn. ``source`` says whence the points are; ``reason`` why they had to
    be guessed. ``faces`` is how many faces the networks see, 0 where they were not asked."""

    sidecar: Path
    preview: Path
    source: Literal["found", "guessed", "declared"]
    faces: int
    reason: str = ""


def annotate(portrait: Path, *, force: bool = False) -> Annotation:
    """Write the portrait's sidecar file, unless it has one and ``force`` is off, and draw where its
    points are into `NAME.landmarks.png`.

    Raises `InputError` for a picture or a sidecar that cannot be used, or a folder that cannot be
    written.
    """
    picture, alpha = open_portrait(portrait)
    sidecar = sidecar_of(portrait)
    size = probe_picture(portrait).size
    begun: Annotation | None = None
    if force or not sidecar.exists():
        begun = _begin(portrait, picture, alpha, size)
    declaration = read_sidecar(sidecar)
    face, _ = declared_face(picture, declaration, size)
    unit = (declaration.values.picture or size)[0] / picture.width
    drawn = draw_preview(picture, face, list(declaration.values.marks()), unit)
    preview = sidecar.with_suffix(".png")
    _written(preview, lambda: drawn.save(preview))
    return begun or Annotation(sidecar, preview, "declared", 0)


def _begin(
    portrait: Path, picture: Image, alpha: NDArray[np.uint8] | None, size: tuple[int, int]
) -> Annotation:
    """Write a sidecar that did not exist, or that may be overwritten."""
    sidecar, reason, faces = sidecar_of(portrait), "", 0
    try:
        found = find_face(np.asarray(picture))
        face, faces = found.face, found.count
    except AvatarError as failure:
        face, reason = guessed(picture, alpha), failure.message
    scale = size[0] / picture.width
    grown = Face((face.points * scale).astype(np.float32), face.presence)
    if eye_distance(grown) < _LEAST_EYES:
        raise InputError(
            f"A face in this picture of {size[0]} x {size[1]} pixels is too small to speak.",
            file=portrait,
            advice="Use a larger picture.",
        )
    values = described(grown, size, _NOTE)
    _written(sidecar, lambda: write_sidecar(sidecar, values))
    preview = sidecar.with_suffix(".png")
    return Annotation(sidecar, preview, "guessed" if reason else "found", faces, reason)


def guessed(picture: Image, alpha: NDArray[np.uint8] | None) -> Face:
    """The standard face where the detector suspects one, else where portraits have it."""
    suspect = likeliest(picture)
    if suspect is not None and abs(suspect.spot.roll) < 0.6:
        # Measured: its box is 1.72 eye distances wide, the middle 0.37 below the eyes.
        eyes = suspect.spot.side / 1.72
        x, y = suspect.spot.x, suspect.spot.y - 0.37 * eyes
    else:
        left, top, right, bottom = _visible(picture, alpha)
        x = left + _MIDDLE[0] * (right - left)
        y = top + _MIDDLE[1] * (bottom - top)
        eyes = _EYES * min(right - left, bottom - top)
    points = standard().points * eyes + np.array([x, y, 0.0])
    return Face(points.astype(np.float32), float("inf"))


def _visible(picture: Image, alpha: NDArray[np.uint8] | None) -> tuple[float, float, float, float]:
    """The box around what is not transparent."""
    shown = np.ones((1, 1), np.bool_) if alpha is None else alpha > 127
    rows, columns = np.nonzero(shown)
    if alpha is None or len(rows) == 0:
        return 0.0, 0.0, float(picture.width), float(picture.height)
    return (float(columns.min()), float(rows.min()),
            float(columns.max() + 1), float(rows.max() + 1))  # fmt: skip


def _written(file: Path, write: Callable[[], None]) -> None:
    """Run ``write``; a folder that refuses is told as what it is."""
    try:
        write()
    except OSError as failure:
        if failure.errno in NO_ROOM:
            raise DiskFull(file) from failure
        reason = failure.strerror or failure
        raise InputError(
            f"It cannot be written: {reason}.",
            file=file,
            advice="Copy the picture into a folder of yours and annotate it there.",
        ) from failure
