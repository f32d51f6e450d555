"""A picture of where the points of a face are, for a person who corrects them by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from backends.puppet.canonical import LEFT_EYE, LOWER_LIP, OVAL, RIGHT_EYE, UPPER_LIP, place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.face import Face

_SIDE = 1280
_MARGIN = 0.3
_COLOURS = {
    "mouth": (255, 120, 120),
    "left_eye": (130, 255, 130),
    "right_eye": (130, 200, 255),
    "face": (255, 230, 110),
}
_GRID, _CURVE, _DARK = (255, 255, 255, 70), (255, 255, 255, 150), (0, 0, 0)
# A label stands on the side of its point that faces away from the others: anchor and direction.
_SIDES = {
    "left": ("rm", -1, 0),
    "right": ("lm", 1, 0),
    "top": ("mb", 0, -1),
    "bottom": ("mt", 0, 1),
    "chin": ("mt", 0, 1),
    "line": ("lm", 1, 0),
    "inner_top": ("lm", 1, 0),
    "inner_bottom": ("lm", 1, 0),
}


@dataclass(frozen=True, slots=True)
class _View:
    """The part of the picture that is shown, in its pixels, and how much it is enlarged."""

    left: float
    top: float
    right: float
    bottom: float
    scale: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.left) * self.scale, (y - self.top) * self.scale

    def size(self) -> tuple[int, int]:
        return (
            max(1, round((self.right - self.left) * self.scale)),
            max(1, round((self.bottom - self.top) * self.scale)),
        )


def draw_preview(
    picture: Image.Image, face: Face, names: list[str], unit: float = 1.0
) -> Image.Image:
    """The face enlarged, with the outlines of all its points, the named ones as crosses, and a
    grid whose numbers are coordinates in the sidecar; those are ``unit`` times the pixels."""
    view = _view(picture, face.points)
    shown = picture.resize(
        view.size(),
        Image.Resampling.LANCZOS,
        box=(view.left, view.top, view.right, view.bottom),
        reducing_gap=2.0,
    )
    # A little darker, so that the drawing stands out on light skin.
    shown = shown.point(lambda value: value * 0.8).convert("RGBA")
    layer = Image.new("RGBA", shown.size)
    draw = ImageDraw.Draw(layer)
    _draw_grid(draw, view, unit)
    for ring in _rings():
        draw.line([view.at(*face.points[i, :2]) for i in ring], fill=_CURVE, width=2)
    _draw_points(draw, view, {name: place(face.points, name) for name in names})
    _draw_legend(draw, layer.height)
    return Image.alpha_composite(shown, layer).convert("RGB")


def _view(picture: Image.Image, points: NDArray[np.float32]) -> _View:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    margin = float((high - low).max()) * _MARGIN
    left, top = (max(0.0, float(v) - margin) for v in low)
    right = max(left + 1, min(float(picture.width), float(high[0]) + margin))
    bottom = max(top + 1, min(float(picture.height), float(high[1]) + margin))
    left, top = min(left, picture.width - 1.0), min(top, picture.height - 1.0)
    return _View(left, top, right, bottom, _SIDE / max(right - left, bottom - top))


def _rings() -> Iterator[tuple[int, ...]]:
    for ring in (OVAL, LEFT_EYE, RIGHT_EYE):
        yield (*ring, ring[0])
    yield from (UPPER_LIP[0], LOWER_LIP[0], UPPER_LIP[-1], LOWER_LIP[-1])


def _draw_grid(draw: ImageDraw.ImageDraw, view: _View, unit: float) -> None:
    step = _round_step(160 / view.scale * unit)
    width, height = view.size()
    font = ImageFont.load_default(14)
    for value in _multiples(view.left * unit, view.right * unit, step):
        x, _ = view.at(value / unit, 0)
        draw.line([(x, 0), (x, height)], fill=_GRID)
        _text(draw, (x + 3, 3), f"x {value:g}", (255, 255, 255), font, "la")
    for value in _multiples(view.top * unit, view.bottom * unit, step):
        _, y = view.at(0, value / unit)
        draw.line([(0, y), (width, y)], fill=_GRID)
        _text(draw, (3, y + 2), f"y {value:g}", (255, 255, 255), font, "la")


def _draw_points(
    draw: ImageDraw.ImageDraw, view: _View, places: Mapping[str, NDArray[np.floating]]
) -> None:
    font = ImageFont.load_default(16)
    for name, where in places.items():
        part, _, key = name.partition(".")
        x, y = view.at(float(where[0]), float(where[1]))
        for colour, width in ((_DARK, 5), (_COLOURS[part], 2)):
            draw.line([(x - 8, y), (x + 8, y)], fill=colour, width=width)
            draw.line([(x, y - 8), (x, y + 8)], fill=colour, width=width)
        anchor, right, down = _SIDES[key]
        _text(draw, (x + 12 * right, y + 12 * down), key, _COLOURS[part], font, anchor)


def _draw_legend(draw: ImageDraw.ImageDraw, height: int) -> None:
    font, x = ImageFont.load_default(18), 60.0
    for part, colour in _COLOURS.items():
        _text(draw, (x, height - 12), part, colour, font, "ls")
        x += draw.textlength(part, font=font) + 24


def _text(
    draw: ImageDraw.ImageDraw,
    where: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    anchor: str,
) -> None:
    # Pillow without FreeType has one small font only, and that knows no anchors.
    real = isinstance(font, ImageFont.FreeTypeFont)
    draw.text(
        where, text, fill=colour, font=font, anchor=anchor if real else None,
        stroke_width=2 if real else 0, stroke_fill=_DARK,
    )  # fmt: skip


def _multiples(low: float, high: float, step: float) -> Iterator[float]:
    for count in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield count * step


def _round_step(least: float) -> float:
    """1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(least, 1.0)))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= least)
