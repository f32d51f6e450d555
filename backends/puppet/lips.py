"""How the mouth's surroundings move: displacements of a face's points for each kind of movement.

They are written once, in the head's own directions and in units of the mouth's width, and turned
into the picture through the head's pose; a mouth that is seen from the side foreshortens by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.face import Face

Floats = NDArray[np.floating]

# Rings around the mouth from the picture's left corner to the right one (MediaPipe's numbering):
# along the seam, in the middle of the red, and along the lip's outer edge.
CORNERS, INNER_CORNERS = (61, 291), (78, 308)
UPPER = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
)
LOWER = (
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
ALONG = np.array([-1, -0.84, -0.64, -0.43, -0.21, 0, 0.21, 0.43, 0.64, 0.84, 1], np.float32)

# What a movement is made of; `weights` says how much of each a pose asks for.
MOVES = ("jaw", "wide", "round", "press", "tuck", "lift")

# (point, share of the jaw's drop, share of it inwards): the jaw's edge, half of the face.
_EDGE = (
    ((152,), 0.76, 0.0), ((148, 377), 0.74, 0.01), ((176, 400), 0.68, 0.03),
    ((149, 378), 0.58, 0.06), ((150, 379), 0.43, 0.09), ((136, 365), 0.28, 0.1),
    ((172, 397), 0.15, 0.08), ((58, 288), 0.06, 0.05), ((132, 361), 0.0, 0.02),
)  # fmt: skip
_CHIN = (((199,), 0.8), ((200,), 0.84), ((208, 428), 0.78), ((204, 424), 0.7))
_STILL_ABOVE = (2, 94, 98, 327, 129, 358, 64, 294, 4, 203, 423)
_STILL_BESIDE = (50, 280, 101, 330, 234, 454, 93, 323, 168, 33, 263)
# (points, share of the corner's movement): the skin beside the mouth's corners.
_SKIN = (
    ((57, 287), 0.78), ((186, 410), 0.72), ((216, 436), 0.45), ((212, 432), 0.52),
    ((207, 427), 0.22), ((214, 434), 0.28), ((205, 425), 0.1), ((192, 416), 0.08),
)  # fmt: skip
# The mouth's corners: shares of the jaw's drop down, of the mouth's width inwards and outwards.
_DROP, _CORNER_DOWN, _CORNER_IN, _SPREAD, _RING = 0.31, 0.38, 0.055, 0.1, 0.18


@dataclass(frozen=True, slots=True)
class Head:
    """The head's directions (right in the picture, down, towards the viewer; rows, unit length) and
    its measures in pixels: the mouth's width as it would be seen from the front, and ``unit``,
    the same held within what speech needs where a grin or a pout falls out of it."""

    axes: Floats
    mouth: float
    unit: float

    @classmethod
    def of(cls, face: Face) -> Head:
        p = face.points.astype(np.float64)
        right = sum(
            (_unit(p[b] - p[a]) for a, b in ((33, 263), (234, 454), (61, 291))), np.zeros(3)
        )
        right = _unit(right)
        down = p[152] - p[168]
        down = _unit(down - right * (down @ right))
        axes = np.stack([right, down, np.cross(down, right)]).astype(np.float32)
        mouth = max(float(np.linalg.norm(p[61] - p[291])), 1e-3)
        eyes = float(np.linalg.norm(p[33] - p[263]))
        return cls(axes, mouth, float(np.clip(mouth, 0.44 * eyes, 0.56 * eyes)) or mouth)


@dataclass(frozen=True, slots=True)
class Controls:
    """Points (n, 2) of the picture and how each move displaces them (n, moves, 2), in pixels."""

    points: Floats
    moves: Floats


def controls(
    face: Face, head: Head, seam: tuple[Floats, Floats], gap: Floats, upper: bool
) -> Controls:
    """What bends the part above the mouth's seam, or below it.

    ``seam``: where the upper and the lower lip's inner edge lie, (11, 2) each; ``gap``: how far
    they are apart as the portrait rests, (11,) in pixels.
    """
    edges = UPPER if upper else LOWER
    points, moves = [], []
    for depth, ring in enumerate(edges):
        place = face.points[list(ring), :2]
        points.append(seam[0 if upper else 1] if depth == 0 else place)
        moves.append(_lip(depth / 2, gap, head, upper))
    for place, move in (_around(face, head, upper), _anchors(face, head)):
        points.append(place)
        moves.append(move)
    everything = np.concatenate(moves).astype(np.float32)
    return Controls(np.concatenate(points).astype(np.float32), everything @ head.axes[:, :2])


def _lip(depth: float, gap: Floats, head: Head, upper: bool) -> Floats:
    """(11, moves, 3): right, down, forward. ``depth`` 0 at the seam, 1 at the lip's outer edge."""
    swell = (1 - np.abs(ALONG) ** 2.3) ** 0.8
    mouth, drop = head.mouth, _DROP * head.unit
    out = np.sign(ALONG) * np.abs(ALONG) ** 1.2
    sign = -1 if upper else 1
    move = np.zeros((len(ALONG), len(MOVES), 3), np.float32)
    opened = -0.08 * (1 - 0.4 * depth) if upper else 0.92 - 0.06 * depth
    move[:, 0] = _row(
        -_CORNER_IN * mouth * out,
        drop * (_CORNER_DOWN + (opened - _CORNER_DOWN) * swell),
        -0.1 * drop * swell,
    )
    thin = -sign * 0.014 * mouth * depth * swell
    move[:, 1] = _row(
        _SPREAD * mouth * out, -0.025 * mouth * np.abs(ALONG) ** 2 + thin, -0.03 * mouth
    )
    thick = sign * 0.035 * mouth * depth * swell
    move[:, 2] = _row(-_RING * mouth * ALONG, thick, 0.09 * mouth * swell)
    closed = (0.38 if upper else -0.62) * gap * (1 - 0.3 * depth)
    move[:, 3] = _row(0.012 * mouth * out, closed - sign * 0.032 * mouth * depth * swell, 0)
    rolled = -0.04 * mouth * swell * (1 - 0.4 * depth) if upper else -0.03 * mouth * depth * swell
    move[:, 4] = _row(0, rolled, 0 if upper else -0.04 * mouth * swell)
    move[:, 5] = _row(0, -0.035 * mouth * swell * (1 - 0.3 * depth) if upper else 0, 0)
    return move


def _around(face: Face, head: Head, upper: bool) -> tuple[Floats, Floats]:
    """The jaw's edge, the chin, the cheeks, and what stays."""
    drop = _DROP * head.unit
    rows: list[tuple[int, Floats]] = []
    for pair, down, inwards in _EDGE:
        if not upper or down < 0.5:
            rows += [
                (i, _single(jaw=(_side(n, pair) * -inwards * drop, down * drop)))
                for n, i in enumerate(pair)
            ]
    if not upper:
        rows += [(i, _single(jaw=(0, down * drop))) for pair, down in _CHIN for i in pair]
    for pair, share in _SKIN:
        rows += [(i, share * _corner(_side(n, pair), head)) for n, i in enumerate(pair)]
    still = _STILL_BESIDE + (_STILL_ABOVE if upper else ())
    rows += [(i, _single()) for i in still]
    places = face.points[[i for i, _ in rows], :2]
    return places, np.stack([move for _, move in rows])


def _anchors(face: Face, head: Head) -> tuple[Floats, Floats]:
    """Points outside the jaw that hold the neck and the background."""
    middle = face.points[[*CORNERS], :2].mean(axis=0)
    places = []
    for pair, down, _ in _EDGE:
        for i in pair:
            outwards = face.points[i, :2] - middle
            length = max(float(np.linalg.norm(outwards)), 1e-3)
            places.append(face.points[i, :2] + outwards / length * head.unit * (0.3 + 0.35 * down))
    return np.array(places, np.float32), np.zeros((len(places), len(MOVES), 3), np.float32)


def _single(jaw: tuple[float, float] = (0, 0)) -> Floats:
    move = np.zeros((len(MOVES), 3), np.float32)
    move[0, :2] = jaw
    return move


def _corner(side: float, head: Head) -> Floats:
    """How the mouth's corner moves on the ``side`` (-1 left, 1 right): (moves, 3)."""
    mouth = head.mouth
    move = np.zeros((len(MOVES), 3), np.float32)
    move[0, :2] = -side * _CORNER_IN * mouth, _CORNER_DOWN * _DROP * head.unit
    move[1] = side * _SPREAD * mouth, -0.025 * mouth, -0.03 * mouth
    move[2, 0] = -side * _RING * mouth
    return move


def _row(right: object, down: object, forward: object) -> Floats:
    columns = [
        np.broadcast_to(np.asarray(v, np.float32), ALONG.shape) for v in (right, down, forward)
    ]
    return np.stack(columns, axis=-1)


def _side(number: int, pair: tuple[int, ...]) -> float:
    return 0.0 if len(pair) == 1 else (-1.0, 1.0)[number]


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return result
