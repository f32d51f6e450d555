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
MOVES = ("jaw", "wide", "round", "close", "press", "tuck", "lift")

# (point, share of the jaw's drop, share of it inwards): the jaw's edge, half of the face.
_EDGE = (
    ((152,), 0.76, 0.0), ((148, 377), 0.74, 0.01), ((176, 400), 0.68, 0.03),
    ((149, 378), 0.58, 0.06), ((150, 379), 0.43, 0.09), ((136, 365), 0.28, 0.1),
    ((172, 397), 0.15, 0.08), ((58, 288), 0.06, 0.05), ((132, 361), 0.0, 0.02),
)  # fmt: skip
_CHIN = (((199,), 0.8), ((200,), 0.84), ((208, 428), 0.78), ((204, 424), 0.7))
# The face's outline from one temple over the chin to the other.
_OUTLINE = (
    *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
# Pairs that lie level in a head: the eyes' corners, the temples, the mouth's corners.
_ACROSS = ((33, 263), (234, 454), (61, 291))
_STILL_ABOVE = (2, 94, 98, 327, 129, 358, 64, 294, 4, 203, 423)
_STILL_BESIDE = (50, 280, 101, 330, 234, 454, 93, 323, 168, 33, 263)
# (points, share of the corner's movement): the skin beside the mouth's corners.
_SKIN = (
    ((57, 287), 0.78), ((186, 410), 0.72), ((216, 436), 0.45), ((212, 432), 0.52),
    ((207, 427), 0.22), ((214, 434), 0.28), ((205, 425), 0.1), ((192, 416), 0.08),
)  # fmt: skip
# The mouth's corners: shares of the jaw's drop down, of the mouth's width inwards and outwards.
_DROP, _CORNER_DOWN, _CORNER_IN, _SPREAD, _RING = 0.31, 0.38, 0.055, 0.1, 0.155
# A spread mouth goes back around the teeth, a round one comes forward; seen from the side, that
# moves the far corner as much as the sideways part does.
_BACK, _FORWARD = -0.05, 0.13


@dataclass(frozen=True, slots=True)
class Head:
    """The head's directions (right in the picture, down, towards the viewer; rows, unit length) and
    its measures in pixels: the mouth's width as it would be seen from the front, and ``unit``,
    the same held within what speech needs where a grin or a pout falls out of it. ``room`` (left,
    right) is less than 1 where the face's outline is so near a corner of the mouth, in a head that
    is turned away, that it would be dented if that corner moved as far as the other."""

    axes: Floats
    mouth: float
    unit: float
    room: tuple[float, float]

    @classmethod
    def of(cls, face: Face) -> Head:
        p = face.points.astype(np.float64)
        right = _unit(sum((_unit(p[b] - p[a]) for a, b in _ACROSS), np.zeros(3)))
        down = p[152] - p[168]
        down = _unit(down - right * (down @ right))
        axes = np.stack([right, down, np.cross(down, right)]).astype(np.float32)
        mouth = max(float(np.linalg.norm(p[61] - p[291])), 1e-3)
        eyes = float(np.linalg.norm(p[33] - p[263]))
        unit = float(np.clip(mouth, 0.44 * eyes, 0.56 * eyes)) or mouth
        near = [_outline_distance(face, corner) / unit for corner in CORNERS]
        room = (float(np.clip(near[0] / 0.4, 0.35, 1)), float(np.clip(near[1] / 0.4, 0.35, 1)))
        return cls(axes, mouth, unit, room)


@dataclass(frozen=True, slots=True)
class Controls:
    """Points (n, 2) of the picture and how each move displaces them (n, moves, 2), in pixels."""

    points: Floats
    moves: Floats


@dataclass(frozen=True, slots=True)
class Rest:
    """The lips as the portrait shows them: where the ``upper`` and the ``lower`` one's inner edge
    lies at the eleven points of the rings, (11, 2); how wide the ``gap`` between them is, (11,);
    how far the corners lie above the middle (``smile``). In pixels; and the share of the jaw's
    movement that the ``chin`` takes part in."""

    upper: Floats
    lower: Floats
    gap: Floats
    smile: float
    chin: float


def controls(face: Face, head: Head, rest: Rest, upper: bool) -> Controls:
    """What bends the part above the mouth's seam, or below it."""
    points, moves = [], []
    for depth, ring in enumerate(UPPER if upper else LOWER):
        edge = rest.upper if upper else rest.lower
        place = edge if depth == 0 else face.points[list(ring), :2]
        points.append(place)
        moves.append(_lip(_Lip(depth / 2, _across(place), head, rest, upper)))
    for place, move in (_around(face, head, rest, upper), _anchors(face, head)):
        points.append(place)
        moves.append(move)
    everything = np.concatenate(moves).astype(np.float32)
    return Controls(np.concatenate(points).astype(np.float32), everything @ head.axes[:, :2])


@dataclass(frozen=True, slots=True)
class _Lip:
    """A ring of one lip: ``depth`` 0 at the seam, 1 at the outer edge; ``across`` -1 to 1 from
    corner to corner as the picture shows it."""

    depth: float
    across: Floats
    head: Head
    rest: Rest
    upper: bool

    @property
    def level(self) -> Floats:
        """What takes a smile's bow out of the seam."""
        return np.asarray(self.rest.smile * (ALONG**2 - 0.4))

    @property
    def swell(self) -> Floats:
        """How much of an opening there is: 0 at the corners, 1 in the middle."""
        return np.asarray((1 - np.abs(self.across) ** 2.3) ** 0.8)

    @property
    def outwards(self) -> float:
        return -1.0 if self.upper else 1.0


def _lip(lip: _Lip) -> Floats:
    """(11, moves, 3): right, down, forward, in pixels."""
    mouth, swell, depth = lip.head.mouth, lip.swell, lip.depth
    room = np.where(ALONG < 0, *lip.head.room) * ALONG
    sideways = room * np.abs(ALONG) ** 0.2
    red = lip.outwards * mouth * depth * swell
    up = mouth * swell if lip.upper else np.zeros_like(swell)
    closing = (0.38 if lip.upper else -0.62) * lip.rest.gap * (1 - 0.3 * depth)
    back = np.zeros_like(swell) if lip.upper else -0.04 * mouth * swell
    rolled = -0.03 * mouth * depth * swell - 0.04 * up * (1 - 1.15 * depth)
    return np.stack(
        [
            _opening(lip),
            _row(
                _SPREAD * mouth * sideways, -0.025 * mouth * ALONG**2 - 0.014 * red, _BACK * mouth
            ),
            _row(-_RING * lip.head.unit * room, 0.035 * red + 0.5 * lip.level, _FORWARD * mouth),
            _row(0, closing, 0),
            _row(0.012 * mouth * sideways, -0.032 * red, 0),
            _row(0, rolled, back),
            _row(0, -0.035 * up * (1 - 0.3 * depth), 0),
        ],
        axis=1,
    )


def _opening(lip: _Lip) -> Floats:
    """The jaw's part: the corners come down halfway and a little inwards."""
    drop = _DROP * lip.head.unit
    middle = -0.08 * (1 - 0.4 * lip.depth) if lip.upper else 0.92 - 0.06 * lip.depth
    down = _CORNER_DOWN + (middle - _CORNER_DOWN) * lip.swell
    return _row(
        -_CORNER_IN * lip.head.mouth * ALONG, drop * down + 0.3 * lip.level, -0.1 * drop * lip.swell
    )


def _outline_distance(face: Face, point: int) -> float:
    outline = face.points[list(_OUTLINE), :2]
    between = [outline[:-1] + share * np.diff(outline, axis=0) for share in (0, 0.25, 0.5, 0.75)]
    away = np.concatenate([*between, outline[-1:]]) - face.points[point, :2]
    return float(np.linalg.norm(away, axis=1).min())


def _across(ring: Floats) -> Floats:
    left, right = ring[0], ring[-1]
    length = max(float((right - left) @ (right - left)), 1e-6)
    return np.asarray(np.clip(2 * ((ring - left) @ (right - left)) / length - 1, -1, 1))


def _around(face: Face, head: Head, rest: Rest, upper: bool) -> tuple[Floats, Floats]:
    """The jaw's edge, the chin, the cheeks, and what stays."""
    chin = rest.chin * _DROP * head.unit
    rows: list[tuple[int, Floats]] = []
    for pair, down, inwards in _EDGE:
        if not upper or down < 0.5:
            rows += [
                (i, _single(jaw=(_side(n, pair) * -inwards * chin, down * chin)))
                for n, i in enumerate(pair)
            ]
    if not upper:
        rows += [(i, _single(jaw=(0, down * chin))) for pair, down in _CHIN for i in pair]
    for pair, share in _SKIN:
        rows += [(i, share * _corner(_side(n, pair), head, rest)) for n, i in enumerate(pair)]
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


def _corner(side: float, head: Head, rest: Rest) -> Floats:
    """How the mouth's corner moves on the ``side`` (-1 left, 1 right): (moves, 3)."""
    mouth = head.mouth
    move = np.zeros((len(MOVES), 3), np.float32)
    side *= head.room[0 if side < 0 else 1]
    move[0, :2] = -side * _CORNER_IN * mouth, _CORNER_DOWN * _DROP * head.unit + 0.18 * rest.smile
    move[1] = side * _SPREAD * mouth, -0.025 * mouth, _BACK * mouth
    move[2] = -side * _RING * head.unit, 0.3 * rest.smile, _FORWARD * mouth
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
