"""Where text stands in the picture: nine anchors, safe areas, and what must not be covered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from avatar_core.backend import Size
from renderer.script.models import Captions, Position

# Phones round the corners of the picture and players lay their controls over its edges.
SIDE_MARGIN = 0.06
EDGE_MARGIN = 0.03
_GAP = 0.012
# From one line to the next, in ems: close, but room for the marks of Vietnamese capitals.
LINE_PITCH = 1.25

_ALIGNMENT: dict[str, int] = {
    "bottom-left": 1,
    "bottom": 2,
    "bottom-right": 3,
    "left": 4,
    "center": 5,
    "right": 6,
    "top-left": 7,
    "top": 8,
    "top-right": 9,
}


def row(position: Position) -> str:
    """``top``, ``middle`` or ``bottom``."""
    return ("bottom", "middle", "top")[(_ALIGNMENT[position] - 1) // 3]


@dataclass(frozen=True, slots=True)
class Spot:
    """A point in px and the ASS alignment (numpad) of the text that hangs there."""

    alignment: int
    x: float
    y: float

    @property
    def tag(self) -> str:
        return rf"{{\an{self.alignment}\pos({self.x:.2f},{self.y:.2f})}}"

    def corner(self, width: float, height: float) -> tuple[float, float]:
        """The left upper corner of a block of this size that hangs here."""
        across, down = (self.alignment - 1) % 3, (self.alignment - 1) // 3
        return self.x - width * across / 2, self.y - height * (2 - down) / 2

    def lines(self, count: int, em: float) -> list[Spot]:
        """Where each line of a block hangs, by its lower edge.

        Lines are placed one by one because libass would set them as far apart as the font's
        tallest letter asks for.
        """
        pitch = em * LINE_PITCH
        top = self.corner(0, count * pitch)[1]
        alignment = (self.alignment - 1) % 3 + 1
        return [Spot(alignment, self.x, top + (i + 1) * pitch) for i in range(count)]


def spot(size: Size, position: Position, from_edge: float) -> Spot:
    """The anchor ``position``, ``from_edge`` px away from the upper or lower edge."""
    alignment = _ALIGNMENT[position]
    x = (size.width * SIDE_MARGIN, size.width / 2, size.width * (1 - SIDE_MARGIN))
    y = {"bottom": size.height - from_edge, "middle": size.height / 2, "top": from_edge}
    return Spot(alignment, x[(alignment - 1) % 3], y[row(position)])


class Shelves:
    """The free room at each anchor and edge; labels pile up instead of covering each other."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._used: dict[str, float] = {}
        self._pictures: dict[str, tuple[float, float]] = {}

    def place(self, position: Position, height: float, edge: float | None = None) -> Spot:
        """The next free spot at this anchor for a block ``height`` px high."""
        base = self._size.height * EDGE_MARGIN if edge is None else edge
        used = self._used.get(position, 0.0)
        if row(position) == "middle":
            found = spot(self._size, position, 0)
            lower = used + height / 2 if used else 0.0
            self._used[position] = lower + height / 2 + self.gap
            return Spot(found.alignment, found.x, found.y + lower)
        free = self._beyond_picture(position, max(base, used), height)
        self._used[position] = free + height + self.gap
        return spot(self._size, position, free)

    def taken(self, at: str) -> float:
        """How many px from the edge of row ``at`` are in use at any of its anchors."""
        return max((used for name, used in self._used.items() if _row_of(name) == at), default=0.0)

    def reserve(self, positions: Iterable[Position], upto: float) -> None:
        """Keep everything at these anchors ``upto`` px away from the edge, or from the middle."""
        for position in positions:
            self._used[position] = max(self._used.get(position, 0.0), upto)

    def keep_clear(self, position: Position, top: float, bottom: float) -> None:
        """A picture stands at this anchor between these px from the upper edge."""
        height = self._size.height
        upper = row(position) == "top"
        self._pictures[position] = (top, bottom) if upper else (height - bottom, height - top)

    def beyond_pictures(self, at: str, start: float, height: float) -> float:
        """``start`` (px from the edge of row ``at``), or more where a block would hit a picture."""
        for name in sorted(name for name in self._pictures if _row_of(name) == at):
            start = self._beyond_picture(name, start, height)
        return start

    def _beyond_picture(self, position: str, start: float, height: float) -> float:
        near, far = self._pictures.get(position, (0.0, 0.0))
        hit = start < far and start + height > near + self.gap
        return far + self.gap if hit else start

    @property
    def gap(self) -> float:
        return self._size.height * _GAP


def _row_of(name: str) -> str:
    return ("bottom", "middle", "top")[(_ALIGNMENT[name] - 1) // 3]


def caption_margin(size: Size, style: Captions, shelves: Shelves) -> float:
    """How far captions stand from their edge, in px: as asked for, but clear of labels and of a
    picture there."""
    asked = max(style.margin, EDGE_MARGIN) * size.height
    free = max(asked, shelves.taken(style.position))
    return shelves.beyond_pictures(style.position, free, caption_height(size, style))


def caption_height(size: Size, style: Captions) -> float:
    """The px that two lines of captions need."""
    return 2 * style.size * size.height * LINE_PITCH


def room(size: Size) -> float:
    """The px between the safe areas left and right."""
    return size.width * (1 - 2 * SIDE_MARGIN)
