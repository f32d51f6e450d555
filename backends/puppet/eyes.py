"""Eyes that blink and glance: the upper lid of the picture itself, drawn down over the eye.

A blink moves the lash line as it is down to the lower lid and stretches the skin right above it
behind; the brow, the rims of glasses and everything further away stay where they are. Places are
seen from the eye, as in `eye_outline`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.eye_outline import Opening, bilinear, luma, openings, sample
from backends.puppet.lid_skin import grain, lid_colour, roundness
from backends.puppet.splines import smoothstep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.face import Face

# How far the lid is drawn over the lower edge, so that nothing of the eye remains (in openings).
_OVERLAP = 0.15
_LASHES_LEAST, _LASHES_MOST, _SKIN = 0.07, 0.5, 0.24
# The line that marks a lid's edge: its height (in openings), how dark, and what needs none.
_LINE, _LINE_SHADE, _CLEAR = 0.12, 0.6, 0.45
# How high lashes curl (in openings), and how much of them and of the fold a shut eye hides.
_CURL, _GONE, _SOFT = 0.36, 0.7, 0.08
# How much of a fallen lid has the colour of bare skin rather than that of the strip above the eye.
_BARE = 0.95
# In what part of a fallen lid the skin above the eye goes over into it (1 / share).
_FOLD = 2.5
_LID_STEPS, _GLANCE_STEPS = 12, 80
_KEPT = 96
_CORNER, _BESIDE = 0.04, 0.26
# Where along an eye (p) lashes and skin are measured: a little beyond the corners.
_ALONG = np.linspace(-0.2, 1.2, 57)


def eyes_of(picture: NDArray[np.uint8], face: Face) -> tuple[EyeRig, ...]:
    """The eyes of ``face`` that can blink: open, large enough, not behind dark glasses."""
    return tuple(EyeRig(picture, opening) for opening in openings(picture, face))


class EyeRig:
    """One eye; ``region`` is x, y, width and height of the patch in the picture."""

    def __init__(self, picture: NDArray[np.uint8], opening: Opening) -> None:
        self._eye = opening
        self.region = _region(picture, opening)
        x, y, width, height = self.region
        self._rest = picture[y : y + height, x : x + width].copy()
        self._p, self._q = _coordinates(opening, self.region)
        inner = np.clip(self._p, 0.0, 1.0)
        self._upper = np.polyval(opening.upper, inner)
        gap = np.maximum(np.polyval(opening.lower, inner) - self._upper, 0.0)
        # The curves need not meet at the corners exactly; beyond them nothing is open.
        ends = np.minimum(self._p, 1.0 - self._p)
        self._gap = gap * smoothstep(ends / (2.0 * _CORNER) + 0.5)
        self._fall = self._gap + _OVERLAP * opening.height * smoothstep(ends / _CORNER / 3.0)
        # The corners keep their lashes and shades.
        self._inner = smoothstep((ends + _CORNER) / _BESIDE)
        self._picture = picture
        lashes = _lash_heights(picture, opening)
        self._lashes = np.interp(self._p, _ALONG, lashes)
        self._lid = lid_colour(picture, opening, lashes, _ALONG, self._p)
        self._grain = grain(picture, opening, self._p, self._q)
        self._strip = self._skin_above(lashes)
        self._faint = np.interp(self._p, _ALONG, self._faintness(lashes))
        self._made: OrderedDict[tuple[int, int, int], NDArray[np.uint8]] = OrderedDict()

    @staticmethod
    def state(lid: float, gaze_x: float, gaze_y: float) -> tuple[int, int, int]:
        """The nearest of the states that are drawn; (0, 0, 0) is the eye as it is."""
        step = round(min(max(lid, 0.0), 1.0) * _LID_STEPS)
        glances = (0, 0) if step == _LID_STEPS else (gaze_x, gaze_y)
        return step, *(round(g * _GLANCE_STEPS) for g in glances)  # type: ignore[return-value]

    def patch(self, state: tuple[int, int, int]) -> NDArray[np.uint8]:
        """The region's pixels (height, width, 3) in that state; not to be changed."""
        if state == (0, 0, 0):
            return self._rest
        if state in self._made:
            self._made.move_to_end(state)
            return self._made[state]
        lid, across, down = state
        drawn = self._drawn(lid / _LID_STEPS, across / _GLANCE_STEPS, down / _GLANCE_STEPS)
        self._made[state] = drawn
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return drawn

    def _drawn(self, lid: float, gaze_x: float, gaze_y: float) -> NDArray[np.uint8]:
        edge = self._upper + lid * self._fall
        ball = self._glancing(gaze_x, gaze_y)
        skin = self._lowered(edge)
        pixel = 1.0 / self._eye.width
        # Half a pixel to either side: an edge as soft as those of the picture.
        over = smoothstep((edge - self._q) / (2.0 * pixel) + 0.5)[..., None]
        whole = np.where(edge[..., None] > self._upper[..., None], over, 0.0)
        drawn = ball + (skin - ball) * whole
        return np.asarray(np.clip(drawn + 0.5, 0, 255).astype(np.uint8))

    def _lowered(self, edge: NDArray[np.floating]) -> NDArray[np.floating]:
        """The lid drawn down to ``edge``: lashes as they are, the skin above them stretched."""
        fall = edge - self._upper
        skin = _SKIN * self._eye.height
        begin = self._upper - self._lashes - skin
        # From the top of the strip to the lashes' new place: a part of this length is stretched.
        length = skin + fall
        share = np.clip((self._q - begin) / length, 0.0, 1.0)
        source = np.where(self._q < edge - self._lashes, begin + share * skin, self._q - fall)
        source = np.where(self._q < begin, self._q, source)
        colours = sample(self._picture, self._eye, self._p, source)
        # A strip drawn out to many times its height shows as streaks: there a soft one is better.
        far = smoothstep(fall / skin) * (self._q > begin) * (share < 1.0)
        bare = self._bare(share)
        plain = far * self._inner * smoothstep(share * _FOLD) * smoothstep((1.0 - share) * 5.0)
        colours = colours + (bare - colours) * plain[..., None]
        colours = colours + (self._lid - colours) * self._smoothed_out(colours, edge)[..., None]
        return np.asarray(colours * (1.0 - self._line(edge, fall))[..., None])

    def _bare(self, share: NDArray[np.floating]) -> NDArray[np.floating]:
        """The skin above the lashes at ``share`` of its height, blurred along the eye; towards the
        middle of a lid that is drawn out ever more the colour of lids."""
        rows, columns = self._strip.shape[:2]
        y = np.clip(share * (rows - 1), 0.0, rows - 1.001)
        x = np.clip((self._p - _ALONG[0]) / (_ALONG[1] - _ALONG[0]), 0.0, columns - 1.001)
        soft = bilinear(self._strip, x, y)
        middle = _BARE * smoothstep(5.0 * share * (1.0 - share))
        lid = self._lid * roundness(share, self._p)[..., None] + self._grain
        return soft + (lid - soft) * middle[..., None]

    def _smoothed_out(
        self, colours: NDArray[np.floating], edge: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """How much of what is dark above the eye is gone: a fold is drawn smooth by the lid that
        falls below it, and lashes that curl up go down with it."""
        height = (self._upper - self._lashes - self._q) / (_CURL * self._eye.height)
        # From well above the eye to where the lashes are now.
        near = (1.0 - np.clip(height, 0.0, 1.0)) * smoothstep(
            (edge - self._lashes - self._q) / (_SOFT * self._eye.height)
        )
        light = np.maximum(luma(self._lid), 1.0)
        dark = smoothstep((1.0 - luma(colours) / light) / _CLEAR)
        return np.asarray(
            _GONE * dark * near * smoothstep(2.0 * (edge - self._upper) / self._eye.height)
        )

    def _line(self, edge: NDArray[np.floating], fall: NDArray[np.floating]) -> NDArray[np.floating]:
        """How much darker the lid's edge is drawn: a lid that falls has a line there, also where
        a painter left out the lashes."""
        reach = (edge - self._q) / (_LINE * self._eye.height)
        near = smoothstep(1.0 - np.abs(reach - 0.5))
        return np.asarray(
            _LINE_SHADE * self._faint * near * smoothstep(4.0 * fall / self._eye.height)
        )

    def _glancing(self, gaze_x: float, gaze_y: float) -> NDArray[np.floating]:
        """The eyeball turned: what is between the lids moves, the lids do not."""
        if not gaze_x and not gaze_y:
            return self._rest.astype(np.float64)
        across = gaze_x * (1.0 if self._eye.along[0] > 0 else -1.0)
        depth = np.clip((self._q - self._upper) / np.maximum(self._gap, 1e-6), 0.0, 1.0)
        inner = np.clip(self._p, 0.0, 1.0)
        free = smoothstep(4.0 * depth) * smoothstep(4.0 * (1.0 - depth))
        free = free * smoothstep(3.0 * inner) * smoothstep(3.0 * (1.0 - inner))
        moved = sample(self._picture, self._eye, self._p - across * free, self._q - gaze_y * free)
        return np.where(free[..., None] > 0, moved, self._rest)

    def _skin_above(self, lashes: NDArray[np.floating]) -> NDArray[np.floating]:
        """The strip that a falling lid draws out, from its top to the lashes: (rows, along, 3)."""
        q = np.polyval(self._eye.upper, np.clip(_ALONG, 0.0, 1.0)) - lashes
        q = q - np.linspace(1.0, 0.0, 12)[:, None] * _SKIN * self._eye.height
        colours = sample(self._picture, self._eye, np.broadcast_to(_ALONG, q.shape), q)
        along = np.moveaxis(colours, 1, 0)
        return np.moveaxis(_along(_along(along)), 0, 1)

    def _faintness(self, lashes: NDArray[np.floating]) -> NDArray[np.floating]:
        """0 where the lashes are dark beside the lid, 1 where nothing marks its edge."""
        q = np.polyval(self._eye.upper, np.clip(_ALONG, 0.0, 1.0)) - np.outer(
            np.linspace(0.0, 1.0, 9), lashes
        )
        dark = luma(sample(self._picture, self._eye, np.broadcast_to(_ALONG, q.shape), q)).min(0)
        lid = float(np.median(luma(self._lid)))
        return _along(np.clip(1.0 - (lid - dark) / (_CLEAR * max(lid, 1.0)), 0.0, 1.0))


def _region(picture: NDArray[np.uint8], eye: Opening) -> tuple[int, int, int, int]:
    """An even-edged rectangle around everything that a blink or a glance can change."""
    p = np.linspace(0.0, 1.0, 33)
    top = np.polyval(eye.upper, p) - (_LASHES_MOST + _SKIN) * eye.height
    bottom = np.polyval(eye.lower, p) + _OVERLAP * eye.height
    rows = np.concatenate([top, bottom])
    points = eye.origin + np.outer(np.tile(p, 2), eye.along) + np.outer(rows, eye.down)
    low = np.floor((points.min(axis=0) - 2) / 2).astype(int) * 2
    high = np.ceil((points.max(axis=0) + 3) / 2).astype(int) * 2
    left, above = (max(0, int(v)) for v in low)
    right, below = min(int(high[0]), picture.shape[1]), min(int(high[1]), picture.shape[0])
    return left, above, right - left, below - above


def _coordinates(
    eye: Opening, region: tuple[int, int, int, int]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    x, y, width, height = region
    across, up = np.meshgrid(np.arange(x, x + width), np.arange(y, y + height))
    rest_x, rest_y = across - eye.origin[0], up - eye.origin[1]
    square = float(eye.along @ eye.along)
    p = (rest_x * eye.along[0] + rest_y * eye.along[1]) / square
    return p, (rest_x * eye.down[0] + rest_y * eye.down[1]) / square


def _lash_heights(picture: NDArray[np.uint8], eye: Opening) -> NDArray[np.floating]:
    """How far the lashes (or the liner of a drawing) reach above the lid's edge, along `_ALONG`:
    to where it is no longer nearer to their darkness than to the skin's light."""
    up = np.linspace(0.0, 0.6, 31)[:, None] * eye.height
    q = np.polyval(eye.upper, np.clip(_ALONG, 0.0, 1.0)) - up
    light = luma(sample(picture, eye, np.broadcast_to(_ALONG, q.shape), q))
    skin, dark = np.percentile(light, 80, axis=0), light[:14].min(axis=0)
    # The first dark that is met: what is dark above a lighter lid is its fold.
    shaded = light < (skin + dark) / 2
    above = (np.arange(31)[:, None] >= shaded.argmax(axis=0)) & ~shaded
    found = np.where(above.any(axis=0), up[above.argmax(axis=0), 0], 0.0) + 0.04 * eye.height
    found = np.where(skin - dark > 12.0, found, 0.0)
    found = np.clip(found, _LASHES_LEAST * eye.height, _LASHES_MOST * eye.height)
    # One line of lashes: where it seems much thicker than elsewhere it is a fold in the shade,
    # or the wing of a liner at the outer corner.
    usual = float(np.median(found[12:45]))
    most = usual * np.interp(_ALONG, (0.1, 0.35), (3.5, 1.7))
    return _along(np.clip(found, 0.6 * usual, most))


def _along(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Smoothed from corner to corner (the first axis)."""
    kernel = np.hanning(15)[1:-1] / np.hanning(15).sum()
    columns = values.reshape(len(values), -1)
    padded = np.pad(columns, ((6, 6), (0, 0)), mode="edge")
    smooth = [np.convolve(padded[:, c], kernel, "valid") for c in range(columns.shape[1])]
    return np.stack(smooth, axis=1).reshape(values.shape)
