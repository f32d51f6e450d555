"""Where faces are in a picture, roughly: a box, the eyes and how the head is tilted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet import networks
from backends.puppet.anchors import INPUT, decode, merge

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

# Lower than usual: what is no face is found out by the landmark network's presence.
LEAST_SCORE = 0.35


@dataclass(frozen=True, slots=True)
class View:
    """A square part of the picture, in its pixels; it may reach over the edges."""

    left: float
    top: float
    side: float


@dataclass(frozen=True, slots=True)
class Spot:
    """A square around a face, turned with it: centre and side in pixels, ``roll`` in radians,
    clockwise positive (0 for an upright head)."""

    x: float
    y: float
    side: float
    roll: float


@dataclass(frozen=True, slots=True)
class Detection:
    score: float
    spot: Spot


def stages(width: int, height: int) -> Iterator[list[View]]:
    """Which parts to look at, one stage after the other until a face is found.

    The network was made for selfies: a face should fill a tenth to three quarters of what it
    sees. So first the picture, then the picture with a margin (faces that fill it), then tiles
    (faces that are small in it).
    """
    long = max(width, height)
    yield [_around(width / 2, height / 2, long)]
    yield [_around(width / 2, height / 2, long * 1.7)]
    for share in (0.55, 0.3):
        yield list(_tiles(width, height, max(long * share, 1.0)))


def detect(picture: Image, views: list[View]) -> list[Detection]:
    """The faces in these parts (at least one) of an RGB picture, the largest first, each once."""
    rows = [_look(picture, view) for view in views]
    detections = [_detection(row) for row in merge(np.concatenate(rows))]
    return sorted(detections, key=lambda one: -one.spot.side)


def _look(picture: Image, view: View) -> NDArray[np.float32]:
    regressors, logits = networks.run(networks.DETECTOR, _square(picture, view))
    rows = decode(regressors, logits, LEAST_SCORE)
    rows[:, 1:] *= view.side
    rows[:, 1::2] += view.left
    rows[:, 2::2] += view.top
    return rows


def _square(picture: Image, view: View) -> NDArray[np.float32]:
    """The view at the network's size, black where the picture ends, values from -1 to 1."""
    from PIL import Image as Pillow

    scale = INPUT / view.side
    left, top = max(0.0, view.left), max(0.0, view.top)
    right = min(float(picture.width), view.left + view.side)
    bottom = min(float(picture.height), view.top + view.side)
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    part = picture.resize(
        size, Pillow.Resampling.BILINEAR, box=(left, top, right, bottom), reducing_gap=2.0
    )
    square = Pillow.new("RGB", (INPUT, INPUT))
    square.paste(part, (round((left - view.left) * scale), round((top - view.top) * scale)))
    return np.asarray(square, dtype=np.float32) / 127.5 - 1


def _detection(row: NDArray[np.float32]) -> Detection:
    score, left, top, right, bottom, *points = (float(value) for value in row)
    roll = math.atan2(points[3] - points[1], points[2] - points[0])
    side = max(right - left, bottom - top)
    return Detection(score, Spot((left + right) / 2, (top + bottom) / 2, side, roll))


def _around(x: float, y: float, side: float) -> View:
    return View(x - side / 2, y - side / 2, side)


def _tiles(width: int, height: int, side: float) -> Iterator[View]:
    for top in _steps(height, side):
        for left in _steps(width, side):
            yield View(left, top, side)


def _steps(length: int, side: float) -> list[float]:
    """Where tiles begin, so that they overlap by about a third."""
    if side >= length:
        return [(length - side) / 2]
    count = math.ceil((length - side) / (side * 0.67)) + 1
    return [float(start) for start in np.linspace(0, length - side, count)]
