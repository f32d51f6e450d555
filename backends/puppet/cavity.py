"""The inside of an open mouth: shade, teeth and tongue, painted where the lips leave a gap.

Painted softly and darkly: an inside that is a little too dim still looks like a mouth, a white
bar does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.puppet.palette import Palette

Floats = NDArray[np.floating]

# Widths of the upper teeth from the middle outwards as shares of the mouth's half (averages of
# anatomy, seen from the front: the row bends backwards, so the outer ones look narrower).
_TEETH = (0.0, 0.31, 0.54, 0.76, 0.92)


@dataclass(frozen=True, slots=True)
class Opening:
    """The gap at its pixels. ``along`` is -1 to 1 between the corners; ``row`` how far below the
    upper lip's resting edge, ``under`` how far below its edge now, ``over`` how far above the lower
    lip's edge; all in units of the mouth's width. ``pixel`` is one pixel in that unit."""

    along: Floats
    row: Floats
    under: Floats
    over: Floats
    pixel: float


@dataclass(frozen=True, slots=True)
class Showing:
    """0 to 1: how far the jaw is down, the upper teeth show, the tongue's tip is raised."""

    jaw: float
    teeth: float
    tongue: float


def paint(opening: Opening, colours: Palette, showing: Showing) -> Floats:
    """The inside's RGB, 0 to 255, at every pixel of ``opening``."""
    inside = _hollow(opening, colours)
    inside = _tongue(inside, opening, colours, showing)
    inside = _lower_teeth(inside, opening, colours, showing)
    inside = _upper_teeth(inside, opening, colours, showing)
    return inside * _shadow(opening)[..., None]


def _hollow(opening: Opening, colours: Palette) -> Floats:
    # Lighter towards the lower lip, whose wet inner side catches what light comes in.
    glow = 0.9 + 0.9 * np.exp(-opening.over / 0.035)
    result: Floats = colours.dark * glow[..., None]
    return result


def _upper_teeth(inside: Floats, opening: Opening, colours: Palette, showing: Showing) -> Floats:
    soft = max(0.014, 1.2 * opening.pixel)
    edge = 0.1 * showing.teeth - 0.03 - 0.03 * opening.along**2
    cover = _step((edge - opening.row) / soft) * _step((0.86 - np.abs(opening.along)) / 0.3)
    light = 0.98 - 0.55 * np.abs(opening.along) ** 1.7
    if not colours.drawn:
        light = light * (1 - 0.16 * _gaps(opening))
    light = light * (0.86 + 0.14 * _step((edge - opening.row) / 0.05 - 0.3))
    return _over(inside, colours.teeth * light[..., None], cover)


def _gaps(opening: Opening) -> Floats:
    """1 on the lines between neighbouring teeth, 0 within a tooth."""
    side, width = np.abs(opening.along), max(0.02, 1.2 * opening.pixel)
    lines = [np.exp(-(((side - place) / width) ** 2)) for place in _TEETH]
    result: Floats = np.maximum.reduce(lines)
    return result


def _lower_teeth(inside: Floats, opening: Opening, colours: Palette, showing: Showing) -> Floats:
    height = 0.05 * _step((showing.jaw - 0.45) / 0.6) - 0.012
    soft = max(0.016, 1.2 * opening.pixel)
    cover = _step((height - opening.over) / soft) * _step((0.62 - np.abs(opening.along)) / 0.3)
    light = 0.55 - 0.25 * np.abs(opening.along)
    return _over(inside, colours.teeth * light[..., None], 0.8 * cover)


def _tongue(inside: Floats, opening: Opening, colours: Palette, showing: Showing) -> Floats:
    # A mound behind the lower teeth; when it speaks, its tip rises to the upper ones.
    height = 0.12 * (0.4 + 0.6 * showing.jaw) + 0.17 * showing.tongue
    width = 0.75 - 0.2 * showing.tongue
    top = height * np.sqrt(np.clip(1 - (opening.along / width) ** 2, 0, 1))
    cover = _step((top - opening.over) / 0.045)
    light = 0.62 + 0.3 * _step(opening.over / max(height, 1e-3))
    return _over(inside, colours.tongue * light[..., None], 0.9 * cover)


def _shadow(opening: Opening) -> Floats:
    upper = 0.5 + 0.5 * _step(opening.under / 0.07)
    lower = 0.75 + 0.25 * _step(opening.over / 0.03)
    sides = 0.35 + 0.65 * _step((1 - np.abs(opening.along)) / 0.35)
    result: Floats = upper * lower * sides
    return result


def _over(below: Floats, colour: Floats, cover: Floats) -> Floats:
    result: Floats = below + (colour - below) * cover[..., None]
    return result


def _step(value: Floats | np.floating | float) -> Floats:
    inside = np.clip(value, 0, 1)
    result: Floats = np.asarray(inside * inside * (3 - 2 * inside), np.float32)
    return result
