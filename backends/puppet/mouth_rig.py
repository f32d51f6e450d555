"""A portrait's mouth that moves: the picture around it for every pose."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backends.puppet.cavity import Showing, paint
from backends.puppet.face import Face
from backends.puppet.lips import MOVES, Head, Rest, controls
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.own_teeth import OwnTeeth, own_teeth
from backends.puppet.palette import palette
from backends.puppet.places import BentLips, Places, mouth_part
from backends.puppet.seam import find_seam
from backends.puppet.warp import Floats, Grid, Pixels, Texture, thin_plate

# Steps of each channel between 0 and 1: about one for each pixel that something moves by (shares of
# the mouth's width), within bounds that keep small mouths smooth and poses few.
_REACH = np.array([0.31, 0.1, 0.155, 0.05, 0.05, 0.08, 0.08], np.float32)
_FEWEST = np.array([24, 10, 12, 10, 10, 6, 6], np.float32)
_MOST = 48
_JAW_EDGE = (152, 148, 377, 176, 400, 149, 378, 150, 379, 136, 365, 172, 397, 58, 288)


class MouthRig:
    """Draws the mouth, the lower cheeks, the jaw and the chin of one portrait.

    ``picture`` is RGB, (height, width, 3), or RGBA where parts of it are transparent; ``face`` has
    its points in the picture's pixels. ``memory`` bounds what poses drawn before may keep, in
    bytes. Not for several threads at once.
    """

    def __init__(self, picture: Pixels, face: Face, memory: int = 96_000_000) -> None:
        face = Face(face.points - np.array([0.5, 0.5, 0], np.float32), face.presence)
        self._head = Head.of(face)
        self._box = _region(picture, face, self._head)
        x, y, width, height = self._box
        self._rest = np.ascontiguousarray(picture[y : y + height, x : x + width])
        self._rest.setflags(write=False)
        picture = picture[..., :3]
        self._still = self._rest[..., :3]
        self._seam = find_seam(picture, face)
        self._colours = palette(picture, face, self._head)
        self._grid = Grid.over(width, height, max(2.0, self._head.unit / 18))
        rest = self._seam.rest(face)
        self._gap = float(rest.gap.max())
        self._fields = self._bases(face, rest)
        self._texture = Texture(self._rest, _finer(width, height))
        self._part = mouth_part(self._seam, self._head, self._box)
        rows, columns = self._part
        across, down = (np.arange(length, dtype=np.float32) for length in (width, height))
        points = np.meshgrid(across[columns], down[rows])
        self._spread = self._grid.spread_over(rows, columns, 4)
        self._pixels = Places.of(np.stack(points, axis=-1), self._seam, (x, y))
        self._teeth = self._own_teeth()
        self._points = self._grid.points
        self._nodes = Places.of(self._points, self._seam, (x, y))
        self._kept: OrderedDict[bytes, Pixels] = OrderedDict()
        self._room = max(1, memory // max(1, self._rest.nbytes))
        self._steps = np.clip(np.rint(1.2 * _REACH * self._head.unit), _FEWEST, _MOST)

    @property
    def region(self) -> tuple[int, int, int, int]:
        """The part of the picture that `patch` replaces: x, y, width, height in pixels."""
        return self._box

    @property
    def states(self) -> int:
        """How many poses are kept ready."""
        return len(self._kept)

    def patch(self, pose: Sequence[float] | NDArray[np.floating]) -> Pixels:
        """The region in ``pose`` (a value per channel of `mouth_track.CHANNELS`), as RGB or RGBA.

        Read only. Equal to the portrait along the region's border, and everywhere where the mouth
        rests. Poses are rounded to steps too small to see, so that they can be kept.
        """
        steps = np.rint(_bounded(pose) * self._steps).astype(np.int8)
        key = steps.tobytes()
        kept = self._kept.get(key)
        if kept is None:
            kept = (
                self._drawn(steps.astype(np.float32) / self._steps) if steps.any() else self._rest
            )
            kept.setflags(write=False)
            self._kept[key] = kept
            if len(self._kept) > self._room:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return kept

    def _bases(self, face: Face, rest: Rest) -> Floats:
        """The fields of all moves: (moves, above and below the seam x rows x columns x 2)."""
        window = self._grid.window(0.14)[..., None, None]
        origin, scale = np.array(self._box[:2], np.float32), self._head.unit
        nodes = self._grid.points / scale
        border = self._grid.border(9) / scale
        fields = []
        for upper in (True, False):
            given = controls(face, self._head, rest, upper)
            points = np.concatenate([(given.points - origin) / scale, border])
            moves = np.zeros((len(points), 2 * len(MOVES)), np.float32)
            moves[: len(given.points)] = given.moves.transpose(0, 2, 1).reshape(
                len(given.points), -1
            )
            field = thin_plate(points, moves, nodes, 2e-4)
            weighed = field.reshape(*nodes.shape[:2], 2, -1) * window
            fields.append(np.moveaxis(weighed, -1, 0).reshape(len(MOVES), -1))
        return np.hstack(fields)

    def _own_teeth(self) -> OwnTeeth | None:
        if not self._seam.opened:
            return None
        return own_teeth(self._still[self._part], self._pixels, self._colours)

    def _drawn(self, pose: Floats) -> Pixels:
        weights = self._weights(pose)
        nodes = self._points
        back = self._grid.inverse(_sum(weights, self._fields).reshape(2, *nodes.shape))
        above, below = back
        mixed = below + self._nodes.share(back) * (above - below)
        wanted = np.stack([
            self._texture.columns(nodes[..., 0] - mixed[0]),
            self._texture.rows(nodes[..., 1] - mixed[1]),
        ])  # fmt: skip
        columns, rows = self._grid.spread(wanted)
        lips = self._pixels.bent(back, self._spread)
        columns[self._part] = self._texture.columns(lips.xs)
        rows[self._part] = self._texture.rows(lips.ys)
        image = self._texture.read(columns, rows)
        self._finish(image[self._part][..., :3], lips, weights, pose)
        for edge in (np.s_[:1], np.s_[-1:], np.s_[:, :1], np.s_[:, -1:]):
            image[edge] = self._rest[edge]
        return image

    def _weights(self, pose: Floats) -> Floats:
        jaw, wide, ring, press, tuck, teeth, _ = (float(v) for v in pose)
        free = 1 - press
        jaw = jaw * free * (1 - 0.8 * tuck)
        lift = 0.0 if self._seam.opened else teeth * float(_ramp(jaw / 0.2))
        # Rounded lips cover the teeth that a smile shows, and a lip that is tucked in meets them.
        close = press + free * max(0.55 * ring, 0.6 * tuck)
        moves = (jaw, wide * (1 - 0.7 * ring), ring, close, press, tuck * free, lift)
        return np.array(moves, np.float32)

    def _open_by(self, weights: Floats) -> float:
        """About how far the lips part, in pixels: closed ones must not show a hair of the inside,
        though the fields on both sides of the seam agree only to a fraction of a pixel."""
        jaw, _, _, close, _, tuck, lift = (float(weight) for weight in weights)
        rest = (1 - min(1.0, close)) * self._gap
        return rest + self._head.unit * (0.3 * jaw + 0.03 * (tuck + lift))

    def _finish(self, image: Pixels, lips: BentLips, weights: Floats, pose: Floats) -> None:
        """Paint the inside where the lips leave a gap, and where they newly meet, their line."""
        if self._seam.opened and pose[3] > 0:
            shade = lips.contact(float(pose[3]), self._head.unit, self._colours.colour)
            image[:] = np.rint(image * shade)
        gap = lips.gap * min(1.0, self._open_by(weights))
        rows, columns = np.flatnonzero(gap.any(axis=1)), np.flatnonzero(gap.any(axis=0))
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        teeth = float(max(pose[5], weights[5])) if self._teeth is None else 0.0
        showing = Showing(float(weights[0]), teeth, float(pose[6]))
        inside = paint(self._pixels.opening(lips, part, self._head.unit), self._colours, showing)
        if self._seam.opened:
            # The portrait's own teeth stay; what else it shows between its lips goes as they move.
            moved = _ramp(float(np.abs(weights).max()) / 0.25)
            if self._teeth is not None:
                own = self._teeth.kept[part][..., None]
                inside = inside + (self._teeth.picture[part] - inside) * own
            rest = (1 - moved) * self._pixels.inside[part][..., None]
            inside = inside + (self._still[self._part][part] - inside) * rest
        cover = gap[part][..., None]
        image[part] = np.rint(image[part] * (1 - cover) + inside * cover)


def _region(picture: Pixels, face: Face, head: Head) -> tuple[int, int, int, int]:
    points = face.points[[*_JAW_EDGE, 205, 425], :2]
    down = head.axes[1, :2] * head.unit
    extra = np.stack([face.points[4, :2] - 0.1 * down, face.points[152, :2] + 0.75 * down])
    every = np.concatenate([points - 0.12 * head.unit, points + 0.12 * head.unit, extra])
    height, width = picture.shape[:2]
    low, high = np.floor(every.min(axis=0)).astype(int), np.ceil(every.max(axis=0)).astype(int)
    # Even edges where there is room: four pixels share their colours in a video.
    (x0, x1), (y0, y1) = (
        _even(low[axis], high[axis], most) for axis, most in ((0, width), (1, height))
    )
    return x0, y0, x1 - x0, y1 - y0


def _even(low: int, high: int, most: int) -> tuple[int, int]:
    """The first pixel from ``low`` to ``high`` and the one after the last, within ``most``."""
    first = int(np.clip(low, 0, most - 1)) // 2 * 2
    last = int(np.clip(high, first, most - 1))
    return first, min(most, (last // 2 + 1) * 2)


def _bounded(pose: Sequence[float] | NDArray[np.floating]) -> Floats:
    values = np.asarray(pose, np.float32)
    if values.shape != (len(CHANNELS),):
        raise ValueError(f"a pose has {len(CHANNELS)} values ({', '.join(CHANNELS)})")
    low = np.array([0, -1, 0, 0, 0, 0, 0], np.float32)
    return np.clip(np.nan_to_num(values), low, 1)


def _sum(weights: Floats, fields: Floats) -> Floats:
    """weights @ fields; many weights are nought."""
    total: Floats = np.zeros(fields.shape[1], np.float32)
    for number in np.flatnonzero(weights):
        total += weights[number] * fields[number]
    return total


def _finer(width: int, height: int) -> int:
    return 4 if width * height < 250_000 else 2


def _ramp(value: float) -> float:
    inside = min(1.0, max(0.0, value))
    return inside * inside * (3 - 2 * inside)
