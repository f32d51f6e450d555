"""Pictures as the encoder wants them: brightness in full, colour at half the size (yuv420p)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.uint8]

# BT.709 in limited range (ITU-R BT.709-6, items 3.2 to 3.5), times 2^16.
_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722
_ONE = 1 << 16
_TO_Y = [round(share * 219 / 255 * _ONE) for share in (_RED, _GREEN, _BLUE)]
_TO_U = [round(v * 112 / 255 / (1 - _BLUE) * _ONE) for v in (-_RED, -_GREEN, 1 - _BLUE)]
_TO_V = [round(v * 112 / 255 / (1 - _RED) * _ONE) for v in (1 - _RED, -_GREEN, -_BLUE)]


class Planes(NamedTuple):
    """``y`` is (height, width), ``u`` and ``v`` (height / 2, width / 2), all uint8."""

    y: Plane
    u: Plane
    v: Plane


class Box(NamedTuple):
    """A rectangle in pixels; one that lies in planes has even edges."""

    x: int
    y: int
    width: int
    height: int

    @property
    def part(self) -> tuple[slice, slice]:
        """The rows and columns of a picture."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def halved(self) -> Box:
        """The same place in a plane of half the size."""
        return Box(self.x // 2, self.y // 2, self.width // 2, self.height // 2)

    def even(self) -> Box:
        """Widened to even edges."""
        x, y = self.x // 2 * 2, self.y // 2 * 2
        right, below = self.x + self.width, self.y + self.height
        return Box(x, y, right + right % 2 - x, below + below % 2 - y)

    def inside(self, other: Box) -> Box:
        """The same place counted from ``other``'s corner."""
        return Box(self.x - other.x, self.y - other.y, self.width, self.height)

    def meets(self, other: Box) -> bool:
        """Whether the two have a pixel in common."""
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and self.y < other.y + other.height and other.y < self.y + self.height

    def around(self, other: Box) -> Box:
        """The smallest box that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        below = max(self.y + self.height, other.y + other.height)
        return Box(x, y, right - x, below - y)


def planes_of(picture: Plane) -> Planes:
    """From RGB, (height, width, 3) uint8 with even sides. Whole-number arithmetic alone: the same
    planes on every machine."""
    red, green, blue = (picture[..., c].astype(np.int32) for c in range(3))
    y = _weighed(_TO_Y, red, green, blue, 16)
    red, green, blue = (_quartered(channel) for channel in (red, green, blue))
    u, v = (_weighed(to, red, green, blue, 128, shift=18) for to in (_TO_U, _TO_V))
    return Planes(y, u, v)


def _weighed(
    to: list[int],
    red: NDArray[np.int32],
    green: NDArray[np.int32],
    blue: NDArray[np.int32],
    offset: int,
    shift: int = 16,
) -> Plane:
    total = red * np.int32(to[0])
    total += green * np.int32(to[1])
    total += blue * np.int32(to[2])
    total += np.int32((offset << shift) + (1 << (shift - 1)))
    total >>= shift
    return total.astype(np.uint8)


def _quartered(channel: NDArray[np.int32]) -> NDArray[np.int32]:
    """The sum of every four pixels."""
    rows = channel[::2] + channel[1::2]
    return np.asarray(rows[:, ::2] + rows[:, 1::2])


def cut(planes: Planes, box: Box) -> Planes:
    """The planes of a part of the picture (views); ``box`` has even edges."""
    half = box.halved()
    return Planes(planes.y[box.part], planes.u[half.part], planes.v[half.part])
