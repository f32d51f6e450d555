"""A card with the speaker's name, drawn where there is no portrait to show."""

from __future__ import annotations

import colorsys
import hashlib
import unicodedata

from PIL import Image, ImageChops, ImageDraw

from avatar_core.backend import Size
from backends.static.fonts import drawable, font

_WHITE = (255, 255, 255)
_SMOOTH = 4


def draw_card(speaker: str, size: Size) -> Image.Image:
    """An RGB picture of ``size``: a quiet gradient, a circle with the initials, the name below.

    The colours come from the name, so that a speaker keeps them through the film.
    """
    card = _gradient(size, *_colours(speaker))
    name = drawable(" ".join(unicodedata.normalize("NFC", speaker).split()))
    short = min(size)
    radius = short * 0.24
    # Next to a name the circle moves up a little, so that both together stand in the middle.
    centre = (size.width / 2, size.height / 2 - (short * 0.08 if name else 0))
    _circle(card, centre, radius)
    draw = ImageDraw.Draw(card)
    if name:
        draw.text(
            centre, _initials(name), fill=_WHITE, font=font(radius * 0.8, bold=True), anchor="mm"
        )
        _name(draw, name, size, centre[1] + radius + short * 0.11)
    else:
        _silhouette(card, centre, radius)
    return card


def _colours(speaker: str) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Two dark, related colours on which white letters can be read."""
    hue = hashlib.sha256(speaker.encode("utf-8", "replace")).digest()[0] / 256
    return _rgb(hue, 0.40, 0.45), _rgb(hue + 0.09, 0.20, 0.50)


def _rgb(hue: float, lightness: float, saturation: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _gradient(size: Size, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    ramp = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), ramp)


def _circle(card: Image.Image, centre: tuple[float, float], radius: float) -> None:
    _blend(card, centre, radius, _WHITE, 0.16, [("ellipse", (0, 0, 2, 2))])


def _silhouette(card: Image.Image, centre: tuple[float, float], radius: float) -> None:
    """Head and shoulders, inside the circle, where there is no name to show."""
    head = ("ellipse", (0.68, 0.42, 1.32, 1.06))
    shoulders = ("ellipse", (0.40, 1.18, 1.60, 2.60))
    _blend(card, centre, radius, _WHITE, 0.85, [head, shoulders], inside=True)


def _blend(
    card: Image.Image,
    centre: tuple[float, float],
    radius: float,
    colour: tuple[int, int, int],
    opacity: float,
    ellipses: list[tuple[str, tuple[float, float, float, float]]],
    *,
    inside: bool = False,
) -> None:
    """Ellipses in units of the radius, drawn large and scaled down for smooth edges."""
    side = max(2, round(radius * 2))
    unit = side * _SMOOTH / 2
    mask = Image.new("L", (side * _SMOOTH, side * _SMOOTH))
    pen = ImageDraw.Draw(mask)
    for _, box in ellipses:
        pen.ellipse([edge * unit for edge in box], fill=round(255 * opacity))
    if inside:
        whole = Image.new("L", mask.size)
        ImageDraw.Draw(whole).ellipse([0, 0, 2 * unit, 2 * unit], fill=255)
        mask = ImageChops.multiply(mask, whole)
    mask = mask.resize((side, side), Image.Resampling.LANCZOS)
    card.paste(colour, (round(centre[0] - side / 2), round(centre[1] - side / 2)), mask)


def _initials(name: str) -> str:
    """The first letters of the first and the last word: "Nguyễn Thị Lan" is NL."""
    words = [word for word in name.split() if word[0].isalnum()] or name.split()
    picked = [words[0], words[-1]] if len(words) > 1 else [words[0]]
    return "".join(word[0] for word in picked).upper()


def _name(draw: ImageDraw.ImageDraw, name: str, size: Size, middle: float) -> None:
    """The name on one line: smaller where it is long, cut with an ellipsis where it is endless."""
    room = size.width * 0.86
    largest, smallest = min(size) * 0.085, min(size) * 0.045
    width = draw.textlength(name, font=font(largest))
    height = max(smallest, largest * min(1.0, room / max(1.0, width)))
    chosen = font(height)
    shown = name
    while len(shown) > 1 and draw.textlength(shown, font=chosen) > room:
        shown = shown.rstrip("…")[:-1].rstrip() + "…"
    draw.text((size.width / 2, middle), shown, fill=_WHITE, font=chosen, anchor="mm")
