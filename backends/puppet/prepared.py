"""Portraits made ready to move, kept from scene to scene: the same face is not looked for twice."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.media_error import require_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from avatar_core.backend import Size
    from avatar_core.framing import Box, Placement
    from backends.puppet.face import Face
    from backends.puppet.portraits import Portrait
    from backends.puppet.stage import Stage

# A film shows a presenter in a few sizes, and seldom more than a few presenters.
_KEPT = 4
# How much of the head belongs to a face, in heights of the face: hair, neck and sides.
_ABOVE, _BELOW, _ASIDE = 0.45, 0.25, 0.75
# Smaller than this (pixels from the forehead to the chin) nobody sees the lips move.
_LEAST_HEIGHT = 40
_NOT_CUT_OUT = (
    "The portrait has no transparent part to be cut out by, so all of it is shown: "
    "use a PNG or WebP with a transparent background, or leave out the option cutout."
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A portrait's stage with the face in its pixels, and what a user should know about it."""

    stage: Stage
    face: Face
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    prepared: Prepared | None = None


class PreparedPortraits:
    """The last few portraits that were used, by content; safe to use from several threads."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], Prepared]) -> Prepared:
        """The portrait of ``key``, made now if it is not there; others wait for it meanwhile."""
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
            while len(self._slots) > self._kept:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.prepared is None:
                slot.prepared = make()
            return slot.prepared

    def clear(self) -> None:
        with self._lock:
            self._slots.clear()


def content_key(portrait: Path, size: Size, focus: float, cutout: bool = False) -> str:
    """A hash of the picture, of its sidecar file and of how it is framed. Raises `MediaError`."""
    from backends.puppet.sidecar import sidecar_of

    require_file(portrait, "picture")
    digest = hashlib.sha256(repr((tuple(size), focus, cutout)).encode())
    for path in (portrait, sidecar_of(portrait)):
        if path.is_file():
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        digest.update(b"|")
    return digest.hexdigest()


def prepare(portrait: Path, size: Size, focus: float, cutout: bool = False) -> Prepared:
    """Find the face, frame the picture to ``size`` (even) and make it ready to move; with
    ``cutout`` only what is not transparent in it.

    Raises `MediaError` or `InputError` for files that cannot be used, `AvatarError`
    (invalid_input) where there is no face that can speak.
    """
    from avatar_core.backend import Size
    from avatar_core.framing import placed
    from backends.puppet.portraits import face_of

    found = face_of(portrait)
    height, width = found.picture.shape[:2]
    keep = _around(found.face, (width, height))
    placement = placed(Size(width, height), size, focus, keep)
    face = _shown(found.face, placement)
    warnings = (*found.found.warnings, *_small(face))
    alpha = found.alpha if cutout else None
    if alpha is not None and (alpha < 255).any():
        return Prepared(_cut_out(found, alpha, size, placement, face), face, warnings)
    if cutout:
        warnings = (*warnings, _NOT_CUT_OUT)
    return Prepared(_whole(found, size, focus, face), face, warnings)


def _shown(face: Face, placement: Placement) -> Face:
    """The face where the frame shows it."""
    import numpy as np

    from backends.puppet.face import Face

    points = face.points.copy()
    scale = placement.size.width / (placement.box[2] - placement.box[0])
    points[:, 0], points[:, 1] = placement.shown(points[:, 0], points[:, 1])  # type: ignore[arg-type]
    points[:, 2] *= scale
    return Face(points.astype(np.float32), face.presence)


def _whole(found: Portrait, size: Size, focus: float, face: Face) -> Stage:
    import numpy as np
    from PIL import Image

    from avatar_core.framing import fill
    from backends.puppet.stage import Stage

    picture = Image.fromarray(found.picture)
    keep = _around(found.face, picture.size)
    return Stage(np.asarray(fill(picture, size, focus, keep)), face)


def _cut_out(
    found: Portrait, alpha: NDArray[np.uint8], size: Size, placement: Placement, face: Face
) -> Stage:
    from backends.puppet.cutout import framed, without_backdrop
    from backends.puppet.portraits import BACKDROP
    from backends.puppet.stage import Stage

    own = without_backdrop(found.picture, alpha, BACKDROP)
    picture, seen = framed(own, alpha, placement, size)
    return Stage(picture, face, alpha=seen)


def _around(face: Face, size: tuple[int, int]) -> Box:
    """The face with its hair, as far as it is in the picture."""
    points = face.points[:, :2]
    high = float(abs(points[152] - points[10]).max())
    left, top = (float(v) for v in points.min(axis=0))
    right, bottom = (float(v) for v in points.max(axis=0))
    aside = max(0.0, _ASIDE * high - (right - left) / 2)
    return (
        max(0.0, left - aside),
        max(0.0, top - _ABOVE * high),
        min(float(size[0]), right + aside),
        min(float(size[1]), bottom + _BELOW * high),
    )


def _small(face: Face) -> tuple[str, ...]:
    high = float(abs(face.points[152, :2] - face.points[10, :2]).max())
    if high >= _LEAST_HEIGHT:
        return ()
    return (
        f"The face is only {high:.0f} pixels high in the clip, too small to be seen speaking: "
        "use a portrait that shows it larger, or a larger layout.",
    )
