"""The detector's grid of anchors, and how its raw answer becomes boxes on the picture."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# BlazeFace, short range (Bazarevsky et al. 2019, arXiv:1907.05047): 128 x 128 pixels in, two
# anchors on each cell of a 16 x 16 grid, then six on each of an 8 x 8 grid: 896.
INPUT = 128
_GRIDS = ((16, 2), (8, 6))
KEYPOINTS = 6
# Scores beyond this are as sure as it gets; the exponential would overflow.
_SCORE_CLIP = 80.0
_OVERLAP = 0.3


@functools.cache
def anchors() -> NDArray[np.float32]:
    """The centres of the 896 anchors, (896, 2) as x, y between 0 and 1."""
    rows = []
    for cells, each in _GRIDS:
        middle = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    return np.concatenate(rows)


def decode(regressors: NDArray[np.float32], logits: NDArray[np.float32], least: float) -> Boxes:
    """What scores at least ``least``, as rows of 17 numbers between 0 and 1.

    A row is the score, the box (left, top, right, bottom) and six key points (x, y): right eye,
    left eye, tip of the nose, mouth, right and left ear, "right" being the person's own.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -_SCORE_CLIP, _SCORE_CLIP)))
    keep = scores >= least
    raw = regressors.reshape(-1, 16)[keep] / INPUT
    centre = anchors()[keep]
    middle, half = raw[:, :2] + centre, raw[:, 2:4] / 2
    points = raw[:, 4:].reshape(-1, KEYPOINTS, 2) + centre[:, None, :]
    return np.concatenate(
        [scores[keep, None], middle - half, middle + half, points.reshape(-1, 2 * KEYPOINTS)],
        axis=1,
    ).astype(np.float32)


def merge(rows: Boxes) -> Boxes:
    """One row a face: what overlaps the surest box is averaged into it, by score, as BlazeFace's
    authors do it (it shakes less than choosing one)."""
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    merged = []
    while len(rows):
        same = overlap(rows[0], rows) >= _OVERLAP
        same[0] = True
        weights = rows[same, :1]
        mean = (rows[same] * weights).sum(axis=0) / weights.sum()
        mean[0] = rows[0, 0]
        merged.append(mean)
        rows = rows[~same]
    return np.array(merged, dtype=np.float32).reshape(-1, 5 + 2 * KEYPOINTS)


def overlap(one: NDArray[np.float32], rows: Boxes) -> NDArray[np.float32]:
    """Intersection over union of one row's box with those of ``rows``."""
    low = np.maximum(one[1:3], rows[:, 1:3])
    high = np.minimum(one[3:5], rows[:, 3:5])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(rows[:, 3:5] - rows[:, 1:3], axis=1) + np.prod(one[3:5] - one[1:3])
    return np.asarray(common / np.maximum(areas - common, 1e-12), dtype=np.float32)


if TYPE_CHECKING:
    Boxes = NDArray[np.float32]
