"""478 points on a face, from a square around it that is turned as the face is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet import networks
from backends.puppet.canonical import standard
from backends.puppet.detect import Spot
from backends.puppet.face import POINTS, Face

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

INPUT = 256
# How much of the surroundings the network was trained to see around a face's points.
MARGIN = 1.5
# The outer corners of the eyes, in the picture from left to right.
EYES = (33, 263)


def landmarks(picture: Image, spot: Spot, mirrored: bool = False) -> Face:
    """The points of the face that fills ``spot``, in the pixels of the RGB picture.

    Coordinates are continuous: pixel 0 reaches from 0 to 1. The presence is low where ``spot``
    holds no face. ``mirrored`` shows the network the face mirrored; the result is as without.
    """
    crop = _crop(picture, spot)
    points, presence, _ = networks.run(networks.LANDMARKS, crop[:, ::-1] if mirrored else crop)
    inside = points.reshape(POINTS, 3).copy()
    if mirrored:
        inside = inside[standard().mirror]
        inside[:, 0] = INPUT - inside[:, 0]
    inside[:, :2] -= INPUT / 2
    turned = inside @ _turn(spot.roll).T * (spot.side / INPUT)
    turned[:, :2] += (spot.x, spot.y)
    return Face(turned.astype(np.float32), float(presence.ravel()[0]))


def spot_of(face: Face) -> Spot:
    """The square in which the network sees this face best."""
    roll = roll_of(face)
    back = face.points @ _turn(-roll).T
    low, high = back[:, :2].min(axis=0), back[:, :2].max(axis=0)
    x, y, _ = _turn(roll) @ np.array([*((low + high) / 2), 0.0])
    return Spot(float(x), float(y), float((high - low).max()) * MARGIN, roll)


def roll_of(face: Face) -> float:
    """How far the head is tilted to its left shoulder (clockwise in the picture), in radians."""
    x, y, _ = face.points[EYES[1]] - face.points[EYES[0]]
    return math.atan2(float(y), float(x))


def eye_distance(face: Face) -> float:
    """Between the outer corners of the eyes, in pixels: the measure for everything else."""
    return float(np.linalg.norm(face.points[EYES[1], :2] - face.points[EYES[0], :2]))


def _turn(angle: float) -> NDArray[np.float64]:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _crop(picture: Image, spot: Spot) -> NDArray[np.float32]:
    """The square at the network's size, values 0 to 1; the picture's edge goes on beyond it."""
    steps = (np.arange(INPUT) + 0.5) / INPUT - 0.5
    across, down = np.meshgrid(steps * spot.side, steps * spot.side)
    cos, sin = math.cos(spot.roll), math.sin(spot.roll)
    x = spot.x + cos * across - sin * down
    y = spot.y + sin * across + cos * down
    pixels, left, top, shrunk = _around(picture, x, y, max(1, int(spot.side / INPUT)))
    return _sampled(pixels, (x - left) / shrunk - 0.5, (y - top) / shrunk - 0.5)


def _around(
    picture: Image, x: NDArray[np.float64], y: NDArray[np.float64], shrink: int
) -> tuple[NDArray[np.float32], int, int, int]:
    """The part of the picture that holds these places, a whole number of times smaller: points
    picked from a large picture would otherwise see its noise."""
    left, right = (int(np.clip(v, 0, picture.width - 1)) for v in (x.min() - 1, x.max() + 1))
    top, bottom = (int(np.clip(v, 0, picture.height - 1)) for v in (y.min() - 1, y.max() + 1))
    box = (left, top, right + 1, bottom + 1)
    part = picture.reduce(shrink, box) if shrink > 1 else picture.crop(box)
    return np.asarray(part, dtype=np.float32), left, top, shrink


def _sampled(
    pixels: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Bilinear, from 0 to 1; beyond the edge its last pixel goes on."""
    x = np.clip(x, 0, pixels.shape[1] - 1)
    y = np.clip(y, 0, pixels.shape[0] - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right = np.minimum(left + 1, pixels.shape[1] - 1)
    bottom = np.minimum(top + 1, pixels.shape[0] - 1)
    across = (x - left).astype(np.float32)[..., None]
    down = (y - top).astype(np.float32)[..., None]
    upper = pixels[top, left] * (1 - across) + pixels[top, right] * across
    lower = pixels[bottom, left] * (1 - across) + pixels[bottom, right] * across
    return np.asarray((upper * (1 - down) + lower * down) / 255, dtype=np.float32)
