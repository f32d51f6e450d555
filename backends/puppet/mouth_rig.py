"""A portrait's mouth that moves: the picture around it for every pose."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.cavity import Opening, Showing, paint
from backends.puppet.face import Face
from backends.puppet.lips import Head, controls
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.palette import palette
from backends.puppet.seam import Seam, find_seam
from backends.puppet.warp import Floats, Grid, Pixels, Texture, thin_plate

# Coarsest steps of a channel, as steps between 0 and 1; a large mouth gets finer ones.
_STEPS = np.array([24, 12, 12, 10, 10, 6, 6], np.float32)
_JAW_EDGE = (152, 148, 377, 176, 400, 149, 378, 150, 379, 136, 365, 172, 397, 58, 288)


class MouthRig:
    """Draws the mouth, the lower cheeks, the jaw and the chin of one portrait.

    ``picture`` is RGB, (height, width, 3); ``face`` has its points in the picture's pixels.
    ``memory`` bounds what poses drawn before may keep, in bytes.
    """

    def __init__(self, picture: Pixels, face: Face, memory: int = 96_000_000) -> None:
        face = Face(face.points - np.array([0.5, 0.5, 0], np.float32), face.presence)
        self._head = Head.of(face)
        self._box = _region(picture, face, self._head)
        x, y, width, height = self._box
        self._still = np.ascontiguousarray(picture[y : y + height, x : x + width, :3])
        self._still.setflags(write=False)
        self._seam = find_seam(picture, face)
        self._colours = palette(picture, face, self._head)
        self._grid = Grid.over(width, height, max(2.0, self._head.unit / 20))
        self._fields = self._bases(face)
        self._texture = Texture(self._still, _finer(width, height))
        self._pixels = _Pixels.of(self._grid, self._seam, (x, y))
        self._kept: OrderedDict[bytes, Pixels] = OrderedDict()
        self._room = max(1, memory // max(1, self._still.nbytes))
        self._steps = _STEPS.copy()
        self._steps[0] = np.clip(0.5 * self._head.unit, 24, 64)

    @property
    def region(self) -> tuple[int, int, int, int]:
        """The part of the picture that `patch` replaces: x, y, width, height in pixels."""
        return self._box

    @property
    def states(self) -> int:
        """How many poses are kept ready."""
        return len(self._kept)

    def patch(self, pose: Sequence[float] | NDArray[np.floating]) -> Pixels:
        """The region in ``pose`` (a value per channel of `mouth_track.CHANNELS`), as RGB.

        Read only. Equal to the portrait along the region's border, and everywhere where the mouth
        rests. Poses are rounded to steps too small to see, so that they can be kept.
        """
        steps = np.rint(_bounded(pose) * self._steps).astype(np.int8)
        key = steps.tobytes()
        kept = self._kept.get(key)
        if kept is None:
            kept = (
                self._drawn(steps.astype(np.float32) / self._steps) if steps.any() else self._still
            )
            kept.setflags(write=False)
            self._kept[key] = kept
            if len(self._kept) > self._room:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return kept

    def _bases(self, face: Face) -> tuple[Floats, Floats]:
        """The fields of all moves above and below the seam: (rows, columns, 2, moves)."""
        edges, gap = self._seam.edges(face), self._seam.gap(face)
        gap = gap if self._seam.opened else np.zeros_like(gap)
        window = self._grid.window(0.14)[..., None, None]
        origin, scale = np.array(self._box[:2], np.float32), self._head.unit
        nodes = self._grid.points / scale
        fields = []
        for upper in (True, False):
            given = controls(face, self._head, edges, gap, upper)
            moves = given.moves.transpose(0, 2, 1).reshape(len(given.points), -1)
            field = thin_plate((given.points - origin) / scale, moves, nodes, 2e-4)
            fields.append(field.reshape(*nodes.shape[:2], 2, -1) * window)
        return fields[0], fields[1]

    def _drawn(self, pose: Floats) -> Pixels:
        weights = self._weights(pose)
        inverse = [self._grid.inverse(field @ weights) for field in self._fields]
        above, below = (
            [self._grid.full(np.ascontiguousarray(back[..., axis])) for axis in (0, 1)]
            for back in inverse
        )
        at = self._pixels
        fx, under = at.beyond(above[0], above[1], lower=False)
        fx_below, over = at.beyond(below[0], below[1], lower=True)
        outside = 0.5 * np.abs(fx + fx_below) - self._seam.half
        share = np.clip(0.5 - (under + over) / (1e-3 + 2 * np.maximum(outside, 0)), 0, 1)
        sx = at.x - (below[0] + share * (above[0] - below[0]))
        sy = at.y - (below[1] + share * (above[1] - below[1]))
        image = np.ascontiguousarray(self._texture.read(sx, sy))
        self._fill(image, under, -over, np.clip(-outside, 0, 1), pose)
        for edge in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]):
            image[edge] = self._still[edge]
        return image

    def _weights(self, pose: Floats) -> Floats:
        jaw, wide, ring, press, tuck, teeth, _ = (float(v) for v in pose)
        free = 1 - press
        jaw = jaw * free * (1 - 0.8 * tuck) * (1 - 0.25 * ring)
        lift = 0.0 if self._seam.opened else teeth * float(_ramp(jaw / 0.2))
        moves = (jaw, wide * (1 - 0.7 * ring), ring, press, tuck * free, lift)
        return np.array(moves, np.float32)

    def _fill(
        self, image: Pixels, under: Floats, over: Floats, between: Floats, pose: Floats
    ) -> None:
        """Paint the inside where the lips leave a gap."""
        weights = self._weights(pose)
        open_now = weights[0] + weights[4] + (1 - weights[3]) * self._seam.opened
        if open_now <= 0:
            return
        gap = np.clip(np.clip(under + 0.5, 0, 1) + np.clip(over + 0.5, 0, 1) - 1, 0, 1)
        gap *= between
        rows, columns = np.flatnonzero(gap.any(axis=1)), np.flatnonzero(gap.any(axis=0))
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        unit, at = self._head.unit, self._pixels
        opening = Opening(
            at.along[part],
            at.row[part] / unit,
            np.maximum(under[part], 0) / unit,
            np.maximum(over[part], 0) / unit,
            1 / unit,
        )
        showing = Showing(weights[0], max(pose[5], weights[4]), pose[6])
        inside = paint(opening, self._colours, showing)
        if self._seam.opened:
            own = np.clip(np.minimum(at.row, -at.lower_row)[part] + 0.5, 0, 1)[..., None]
            inside = inside + (self._still[part] - inside) * own
        cover = gap[part][..., None]
        image[part] = np.rint(image[part] * (1 - cover) + inside * cover)


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Where a region's pixels lie: in the region, in the mouth's frame, and beside the seam."""

    x: Floats
    y: Floats
    fx: Floats
    fy: Floats
    along: Floats
    row: Floats
    lower_row: Floats
    turn: Floats
    first: float
    density: float
    upper: Floats
    lower: Floats

    @classmethod
    def of(cls, grid: Grid, seam: Seam, origin: tuple[int, int]) -> _Pixels:
        x = np.arange(grid.up.shape[0] and grid.across.shape[1], dtype=np.float32)[None, :]
        y = np.arange(grid.up.shape[0], dtype=np.float32)[:, None]
        x, y = np.broadcast_arrays(x, y)
        framed = seam.frame(np.stack([x + origin[0], y + origin[1]], axis=-1).astype(np.float32))
        fx, fy = np.ascontiguousarray(framed[..., 0]), np.ascontiguousarray(framed[..., 1])
        step = float(seam.xs[1] - seam.xs[0])
        upper, lower = (
            np.interp(fx, seam.xs, edge).astype(np.float32) for edge in (seam.upper, seam.lower)
        )
        return cls(
            np.ascontiguousarray(x), np.ascontiguousarray(y), fx, fy,
            np.interp(fx, seam.xs, seam.along).astype(np.float32),
            fy - upper, fy - lower,
            seam.turn,
            float(seam.xs[0]), 1 / step, seam.upper, seam.lower,
        )  # fmt: skip

    def beyond(self, vx: Floats, vy: Floats, lower: bool) -> tuple[Floats, Floats]:
        """Where across the mouth the points lie that come to the pixels, and how far below a
        lip's edge."""
        fx = self.fx - (self.turn[0, 0] * vx + self.turn[0, 1] * vy)
        fy = self.fy - (self.turn[1, 0] * vx + self.turn[1, 1] * vy)
        edge = self.lower if lower else self.upper
        place = (fx - self.first) * self.density
        np.clip(place, 0, len(edge) - 1.001, out=place)
        cell = place.astype(np.int32)
        place -= cell
        start = edge.take(cell)
        return fx, fy - start - place * (edge.take(cell + 1) - start)


def _region(picture: Pixels, face: Face, head: Head) -> tuple[int, int, int, int]:
    points = face.points[[*_JAW_EDGE, 205, 425], :2]
    down = head.axes[1, :2] * head.unit
    extra = np.stack([face.points[4, :2] - 0.1 * down, face.points[152, :2] + 0.75 * down])
    every = np.concatenate([points - 0.12 * head.unit, points + 0.12 * head.unit, extra])
    height, width = picture.shape[:2]
    low, high = np.floor(every.min(axis=0)).astype(int), np.ceil(every.max(axis=0)).astype(int)
    x0, y0 = int(np.clip(low[0], 0, width - 1)), int(np.clip(low[1], 0, height - 1))
    x1, y1 = int(np.clip(high[0], x0, width - 1)), int(np.clip(high[1], y0, height - 1))
    return x0, y0, x1 - x0 + 1, y1 - y0 + 1


def _bounded(pose: Sequence[float] | NDArray[np.floating]) -> Floats:
    values = np.asarray(pose, np.float32)
    if values.shape != (len(CHANNELS),):
        raise ValueError(f"a pose has {len(CHANNELS)} values ({', '.join(CHANNELS)})")
    low = np.array([0, -1, 0, 0, 0, 0, 0], np.float32)
    return np.clip(np.nan_to_num(values), low, 1)


def _finer(width: int, height: int) -> int:
    return 4 if width * height < 250_000 else 2


def _ramp(value: float) -> float:
    inside = min(1.0, max(0.0, value))
    return inside * inside * (3 - 2 * inside)
