"""The skin of a lid that nobody sees while the eye is open: its colour, its roundness, its grain.

All of it is taken from the skin around the eye. Places are seen from the eye, as in `eye_outline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.eye_outline import Opening, luma, sample
from backends.puppet.splines import smoothstep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Field = NDArray[np.floating]
    Picture = NDArray[np.uint8]

# How far above the lashes and below the eye skin is looked at (in openings; the cheek in widths).
_SOCKET, _BAGS, _CHEEK = 0.55, (0.3, 0.85), (0.35, 0.75)
# How much of a lid's colour is that of the skin above it, below it and of the cheek.
_SHARES = (0.4, 0.4, 0.2)
# A lid lies over a ball: its light in the fold above it, where it bows out most, and at its lashes.
_ROUND = ((0.0, 0.5, 1.0), (0.95, 1.0, 0.94))
_AT_CORNERS = 0.1
# What is finer than this (widths) is grain; how much more than half of it are there may be.
_FINE, _GRAIN = 0.05, 1.5


def lid_colour(picture: Picture, eye: Opening, lashes: Field, along: Field, p: Field) -> Field:
    """The lid's colours (..., 3) at ``p``; ``lashes`` is how high they reach at ``along``."""
    inner = np.clip(along, 0.0, 1.0)
    steps = np.linspace(0.15, 1.0, 8)[:, None]
    above = np.polyval(eye.upper, inner) - lashes - steps * _SOCKET * eye.height
    below = np.polyval(eye.lower, inner) + (_BAGS[0] + _BAGS[1] * steps) * eye.height
    cheek = np.polyval(eye.lower, inner) + _CHEEK[0] + (_CHEEK[1] - _CHEEK[0]) * steps
    upper, lower, around = (
        _usual(sample(picture, eye, np.broadcast_to(along, q.shape), q))
        for q in (above, below, cheek)
    )
    # The geometric mean: skin in half a shade is as red as in the light, not grey.
    logs = [np.log(colours + 1.0) for colours in (upper, lower, around)]
    mixed = np.exp(np.average(logs, axis=0, weights=_SHARES)) - 1.0
    # A parabola from corner to corner.
    smooth = np.polynomial.Polynomial
    return np.stack([smooth.fit(along, mixed[:, c], 2)(p) for c in range(3)], axis=-1)


def roundness(share: Field, p: Field) -> Field:
    """The light on a lid as a factor, ``share`` of the way from its fold to its lashes."""
    upright = np.interp(share, *_ROUND)
    ends = np.minimum(p, 1.0 - p)
    return np.asarray(upright * (1.0 - _AT_CORNERS * smoothstep(1.0 - ends / 0.32)))


def grain(picture: Picture, eye: Opening, p: Field, q: Field) -> Field:
    """What makes the skin below the eye no plain surface, at as many places (..., 1), in levels."""
    inner = np.clip(p, 0.0, 1.0)
    # Upside down, so that neighbours stay neighbours.
    place = 2.0 * np.polyval(eye.lower, inner) + 0.15 * eye.height - q
    place = np.clip(place, np.polyval(eye.lower, inner), None)
    light = [
        luma(sample(picture, eye, p + across, place + down))
        for across in (-_FINE, 0.0, _FINE)
        for down in (-_FINE, 0.0, _FINE)
    ]
    fine = light[4] - np.mean(light, axis=0)
    # What stands out of the usual grain is a line: lashes, a crease, the pen's stroke.
    usual = max(_GRAIN * float(np.median(np.abs(fine))), 1e-3)
    return np.asarray(usual * np.tanh(fine / usual))[..., None]


def _usual(colours: Field) -> Field:
    """Of each column of (rows, columns, 3), the mean of the lighter half but for the lightest."""
    order = np.argsort(luma(colours), axis=0)[len(colours) // 3 : -1]
    return np.asarray(np.take_along_axis(colours, order[..., None], axis=0).mean(axis=0))
