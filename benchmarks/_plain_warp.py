"""What anybody would write to make a portrait move: the whole frame bent anew for every frame.

A handful of points of the face is moved, a thin-plate spline spreads their moves over every pixel
(its system is solved once, and its kernel is kept), the frame is resampled as a whole, and goes to
the encoder as RGB. With OpenCV where it is installed, else with numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from backends.puppet.face import Face
from backends.puppet.frames import Part

# Lips, jaw, nose, brows, eyes: as many as the usual 68-point annotation has, less the duplicates.
_POINTS = (
    *(61, 291, 0, 17, 13, 14, 78, 308, 37, 267, 84, 314, 40, 270, 91, 321),
    *(152, 148, 377, 149, 378, 172, 397, 58, 288, 132, 361, 234, 454, 127, 356),
    *(4, 1, 168, 98, 327, 10, 109, 338, 70, 63, 105, 107, 336, 334, 293, 300),
    *(33, 133, 159, 145, 362, 263, 386, 374),
)  # fmt: skip
_JAW, _YAW, _PITCH, _ROLL = 0, 0, 1, 2

Resample = Callable[
    [NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]], NDArray[np.uint8]
]


def resampler() -> tuple[str, Resample]:
    """How the frame is resampled here, and its name."""
    try:
        import cv2
    except ImportError:
        return "numpy", _bilinear
    return "cv2.remap", lambda picture, x, y: cv2.remap(picture, x, y, cv2.INTER_LINEAR)


def plain_frames(picture: NDArray[np.uint8], face: Face, part: Part) -> Iterator[bytes]:
    """Every frame as RGB, (height, width, 3)."""
    height, width = picture.shape[:2]
    points = face.points[list(_POINTS), :2].astype(np.float64)
    border = [(x, y) for x in (0, width / 2, width) for y in (0, height / 2, height)
              if (x, y) != (width / 2, height / 2)]  # fmt: skip
    controls = np.concatenate([points, border])
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = np.stack([x.ravel(), y.ravel()], axis=1)
    spread = _spread(controls, places)
    _, resample = resampler()
    for pose, life in zip(part.poses, part.life, strict=True):
        field = spread @ _moves(points, len(border), pose, life)
        dx, dy = (field[:, axis].reshape(height, width) for axis in (0, 1))
        yield resample(picture, x - dx, y - dy).tobytes()


def _moves(
    points: NDArray[np.float64],
    still: int,
    pose: NDArray[np.float32],
    life: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Where the points go: the head turns and tilts, the lower lip and the chin fall."""
    middle, unit = points.mean(axis=0), float(np.ptp(points[:, 1]))
    moved = np.zeros((len(points) + still, 2), np.float32)
    rest = points - middle
    moved[: len(points), 0] = 0.4 * unit * life[_YAW] - rest[:, 1] * life[_ROLL]
    moved[: len(points), 1] = 0.4 * unit * life[_PITCH] + rest[:, 0] * life[_ROLL]
    low = points[:, 1] > points[:2, 1].mean()
    moved[: len(points), 1] += np.where(low, 0.08 * unit * pose[_JAW], 0.0)
    return moved


def _spread(controls: NDArray[np.float64], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(places, controls): what a move of each control means at each place."""
    scale = float(np.ptp(controls))
    count = len(controls)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(controls / scale, controls / scale)
    system[:count, count:] = np.column_stack([np.ones(count), controls / scale])
    system[count:, :count] = system[:count, count:].T
    solved = np.linalg.inv(system)[:, :count].astype(np.float32)
    far = (places / scale).astype(np.float32)
    flat = np.column_stack([np.ones(len(far), np.float32), far])
    bent = _kernel(far, (controls / scale).astype(np.float32))
    return np.asarray(bent @ solved[:count] + flat @ solved[count:], np.float32)


def _kernel(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
    square = ((one[:, None] - other[None]) ** 2).sum(axis=-1)
    return np.asarray(square * np.log(np.maximum(square, 1e-12)))


def _bilinear(
    picture: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    x, y = np.clip(x, 0, width - 1.001), np.clip(y, 0, height - 1.001)
    left, top = x.astype(np.int32), y.astype(np.int32)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    upper = picture[top, left] * (1 - fx) + picture[top, left + 1] * fx
    lower = picture[top + 1, left] * (1 - fx) + picture[top + 1, left + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, np.uint8)
