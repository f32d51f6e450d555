"""Where the presenter and the background stand in each layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from avatar_core.backend import Size
from renderer.compose.spec import Box, Shape
from renderer.script.models import Layout, Position

# Shares of the frame that players cover with buttons, titles and captions.
_UPRIGHT_TOP, _UPRIGHT_BOTTOM, _UPRIGHT_SIDE = 0.08, 0.22, 0.055
_WIDE_MARGIN = 0.05
# Up to this ratio of width to height a film is watched on a phone held upright.
_UPRIGHT_UP_TO = 1.05
_CORNER_RATIO = 5 / 4


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels that stay free at each side."""

    left: int
    top: int
    right: int
    bottom: int


def safe_margins(size: Size) -> Margins:
    """What stays free around things that must be seen in full."""
    if size.width <= size.height * _UPRIGHT_UP_TO:
        side = round(size.width * _UPRIGHT_SIDE)
        top, bottom = round(size.height * _UPRIGHT_TOP), round(size.height * _UPRIGHT_BOTTOM)
        return Margins(side, top, side, bottom)
    margin = round(size.height * _WIDE_MARGIN)
    return Margins(margin, margin, margin, margin)


def anchored(inner: Size, position: Position, size: Size) -> tuple[int, int]:
    """The top left corner (x, y) of ``inner`` at one of the nine anchors of a frame."""
    free = safe_margins(size)
    x, y = (size.width - inner.width) // 2, (size.height - inner.height) // 2
    words = position.split("-")
    if "left" in words:
        x = free.left
    if "right" in words:
        x = size.width - free.right - inner.width
    if "top" in words:
        y = free.top
    if "bottom" in words:
        y = size.height - free.bottom - inner.height
    # What is larger than the safe area may lie outside it, but not outside the frame.
    return (
        even(max(0, min(x, size.width - inner.width))),
        even(max(0, min(y, size.height - inner.height))),
    )


def even(value: float) -> int:
    """The nearest even number downwards."""
    return int(value) // 2 * 2


def presenter_box(layout: Layout, position: Position, scale: float, size: Size) -> Box | None:
    """Where the presenter stands; None in the layout ``none``.

    ``scale`` is the presenter's width as a share of the frame's shorter side (``circle``,
    ``corner``). The box's size is what is asked of the backend.
    """
    return _BOXES[layout](position, scale, size)


def presenter_shape(layout: Layout) -> Shape:
    """The outline into which the presenter is cut."""
    return _SHAPES.get(layout, "rect")


def background_box(layout: Layout, position: Position, size: Size) -> Box:
    """The part of the frame that the background covers."""
    whole = Box(0, 0, size.width, size.height)
    if layout != "split":
        return whole
    presenter = _split(position, 1.0, size)
    if presenter.width == size.width:
        return Box(0, presenter.height if presenter.y == 0 else 0, size.width,
                   size.height - presenter.height)  # fmt: skip
    return Box(presenter.width if presenter.x == 0 else 0, 0,
               size.width - presenter.width, size.height)  # fmt: skip


def _full(position: Position, scale: float, size: Size) -> Box:
    del position, scale
    return Box(0, 0, size.width, size.height)


def _circle(position: Position, scale: float, size: Size) -> Box:
    side = max(2, even(min(size) * scale))
    return Box(*anchored(Size(side, side), position, size), side, side)


def _corner(position: Position, scale: float, size: Size) -> Box:
    width = max(2, even(min(size) * scale))
    height = min(max(2, even(width * _CORNER_RATIO)), size.height)
    return Box(*anchored(Size(width, height), position, size), width, height)


def _split(position: Position, scale: float, size: Size) -> Box:
    del scale
    if size.height >= size.width:
        height = even(size.height / 2)
        y = 0 if position.startswith("top") else size.height - height
        return Box(0, y, size.width, height)
    width = even(size.width / 2)
    x = 0 if position.endswith("left") else size.width - width
    return Box(x, 0, width, size.height)


def _none(position: Position, scale: float, size: Size) -> None:
    del position, scale, size


_BOXES: dict[str, Callable[[Position, float, Size], Box | None]] = {
    "full": _full,
    "circle": _circle,
    "corner": _corner,
    "split": _split,
    "none": _none,
}
_SHAPES: dict[str, Shape] = {"circle": "circle", "corner": "rounded"}
