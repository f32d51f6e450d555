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
    return _upper_teeth(inside, opening, colours, showing)


def _hollow(opening: Opening, colours: Palette) -> Floats:
    # Lighter along the lips, whose wet inner sides catch what light comes in.
    near = np.minimum(opening.over, 1.5 * opening.under)
    glow = 1 + 1.1 * np.exp(-near / 0.03)
    result: Floats = colours.dark * (glow * _sides(opening, 0.5))[..., None]
    return result


def _tongue(inside: Floats, opening: Opening, colours: Palette, showing: Showing) -> Floats:
    # A mound behind the lower teeth; when it speaks, its tip rises to the upper ones.
    height = 0.12 * showing.jaw**1.3 + 0.16 * showing.tongue
    width = 0.8 - 0.2 * showing.tongue
    top = height * np.clip(1 - (opening.along / width) ** 2, 0, 1) ** 0.6
    cover = _step((top - opening.over) / (0.035 + 0.03 * showing.jaw))
    light = (0.45 + 0.4 * _step((top - opening.over) / 0.09)) * (1 + 0.4 * showing.tongue)
    light = light * (0.72 + 0.28 * _step(opening.over / 0.035)) * _under_lip(opening, 0.12)
    light = light * (1 - 0.1 * np.exp(-((opening.along / 0.14) ** 2)) * _step(height / 0.12))
    return _over(inside, colours.tongue * light[..., None], cover * _sides(opening, 0.6))


def _lower_teeth(inside: Floats, opening: Opening, colours: Palette, showing: Showing) -> Floats:
    height = 0.045 * float(_step((showing.jaw - 0.4) / 0.6)) - 0.012
    if height <= 0:
        return inside
    soft = max(0.016, 1.2 * opening.pixel)
    cover = _step((height - opening.over) / soft) * _step((0.6 - np.abs(opening.along)) / 0.3)
    light = (0.6 - 0.25 * np.abs(opening.along)) * _under_lip(opening, 0.15)
    return _over(inside, _dimmed(colours, light), (0.25 + 0.4 * colours.detail) * cover)


def _upper_teeth(inside: Floats, opening: Opening, colours: Palette, showing: Showing) -> Floats:
    soft = max(0.012, 1.2 * opening.pixel)
    shown = -0.03 + 0.125 * showing.teeth * (1 - 0.25 * showing.teeth)
    lines = colours.detail * _gaps(opening)
    edge = shown - 0.03 * opening.along**2 - 0.008 * lines
    cover = _step((edge - opening.row) / soft) * _step((0.95 - np.abs(opening.along)) / 0.35)
    light = 1.0 - 0.6 * np.abs(opening.along) ** 1.8
    light = light * (1 - 0.13 * lines) * _under_lip(opening, 0.055)
    return _over(inside, _dimmed(colours, light), cover)


def _gaps(opening: Opening) -> Floats:
    """1 on the lines between neighbouring teeth, 0 within a tooth."""
    side, width = np.abs(opening.along), max(0.025, 1.2 * opening.pixel)
    lines = [np.exp(-(((side - place) / width) ** 2)) for place in _TEETH]
    result: Floats = np.maximum.reduce(lines)
    return result


def _under_lip(opening: Opening, reach: float) -> Floats:
    """The shadow that the upper lip throws, ``reach`` deep."""
    result: Floats = 0.5 + 0.5 * _step(opening.under / reach)
    return result


def _dimmed(colours: Palette, light: Floats) -> Floats:
    """The teeth in that light."""
    # What little light there is comes through and past the lips, and is redder for it.
    redder = 1 + np.array([-0.25, 0.05, 0.1], np.float32) * colours.colour
    result: Floats = colours.teeth * light[..., None] ** redder
    return result


def _sides(opening: Opening, reach: float) -> Floats:
    result: Floats = 0.3 + 0.7 * _step((1 - np.abs(opening.along)) / reach)
    return result


def _over(below: Floats, colour: Floats, cover: Floats) -> Floats:
    result: Floats = below + (colour - below) * cover[..., None]
    return result


def _step(value: Floats | np.floating | float) -> Floats:
    # Not np.clip, which takes longer to begin than to do this little.
    inside = np.minimum(np.maximum(value, 0), 1)
    result: Floats = np.asarray(inside * inside * (3 - 2 * inside), np.float32)
    return result
