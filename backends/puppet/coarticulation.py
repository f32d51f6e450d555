"""From targets in time to smooth curves: how neighbouring sounds share the mouth.

Blending follows Cohen and Massaro, "Modeling coarticulation in synthetic visual speech" (1993):
each segment's dominance falls off exponentially around it, D(t) = w exp(-distance / reach), and
a channel is the dominance-weighted mean of the targets. It is the sum over the nearest segments
only, so work and memory grow with the length alone. Contacts (lips on each other, lip on teeth)
are not blended: a mean of "closed" and "open" would never close. They are laid over the rest as
bumps that stay at their height for a frame or longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.mouth_track import CHANNELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

JAW, WIDE, ROUND, PRESS, TUCK, TEETH, TONGUE = range(len(CHANNELS))
_BLENDED = np.array([JAW, WIDE, ROUND, TEETH, TONGUE])
# Curves are made at this rate and smoothed before frames are taken out of them.
_RATE = 100.0
_SMOOTHING = 0.02
_NEIGHBOURS = 4
# Full dominance ends this long before the segment does, or after a quarter of a shorter one.
_EDGE = 0.05
# Seconds in which dominance falls to 1/e; lips round early, so anticipation reaches further.
_BEFORE, _AFTER = 0.04, 0.03
# A contact comes and goes in this time, and may give this much of the sound at each side to it.
_RAMP, _YIELD = 0.066, 0.02
# More than one frame, so that a frame surely falls into it.
_HELD_FRAMES = 1.02
_NOTHING = 0.004
# Lips part and meet by no more than this in a second: as shares of the widest opening of lively
# speech (two to three centimetres), which is about as fast as measured lips ever are; and the lower
# one leaves the teeth, or comes to them, no faster than this.
_SPEED, _TUCK_SPEED = 12.0, 21.0
# How much of an opening a tucked lip leaves.
_TUCKED = 0.6
# The largest count of frames that arithmetic alone adds to a sound.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Segments:
    """``start`` and ``end`` (n,) are seconds, ascending; ``target`` and ``weight`` are
    (n, channels)."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    target: NDArray[np.float64]
    weight: NDArray[np.float64]


def frame_count(seconds: float, fps: float) -> int:
    """How many frames cover ``seconds`` of sound; at least one."""
    return max(1, math.ceil(seconds * fps - _ROUNDING))


def seen_at(frames: int, fps: float, lead: float) -> NDArray[np.float64]:
    """For each frame the second of the sound that it shows: the one in the middle of the time it
    stands, ``lead`` seconds later."""
    return np.asarray((np.arange(frames) + 0.5) / fps + lead, np.float64)


def curves(segments: Segments, frames: int, fps: float, lead: float) -> NDArray[np.float32]:
    """The channels (frames, channels), ``lead`` seconds ahead of the sound."""
    values = np.zeros((frames, len(CHANNELS)))
    if len(segments.start):
        seen = seen_at(frames, fps, lead)
        values[:, _BLENDED] = _blended(segments, seen)
        for channel in (PRESS, TUCK):
            chosen = segments.target[:, channel] > 0
            values[:, channel] = contacts(
                segments.start[chosen], segments.end[chosen], segments.target[chosen, channel],
                seen, fps,
            )  # fmt: skip
    return settled(values)


def settled(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The finished track: lips that close on each other let go of the teeth, and what is next to
    nothing is nothing, so that a mouth at rest is the portrait's."""
    values[:, TUCK] *= 1 - values[:, PRESS] ** 2
    values[np.abs(values) < _NOTHING] = 0.0
    return values.astype(np.float32)


def unhurried(values: NDArray[np.float32], fps: float) -> NDArray[np.float32]:
    """The track with lips that never move faster than people's, in place.

    What is closed stays closed and what is tucked stays tucked as far as there is time; what comes
    right before or after it opens less wide, as it does in fast speech.
    """
    values[:, TUCK] = _held_back(values[:, TUCK], _TUCK_SPEED / fps)
    free = (1 - values[:, PRESS]) * (1 - _TUCKED * values[:, TUCK])
    opening = values[:, JAW] * free
    slow = _held_back(opening, _SPEED / fps)
    share = np.divide(slow, opening, out=np.ones_like(opening), where=opening > slow)
    values[:, JAW] *= share
    return values


def _held_back(curve: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """The highest curve below ``curve`` that changes by at most ``step`` from frame to frame."""
    slope = step * np.arange(len(curve))
    rising = np.minimum.accumulate(curve - slope) + slope
    falling = np.minimum.accumulate((rising + slope)[::-1])[::-1] - slope
    # Not a rounding error above what was asked, nor below nothing.
    return np.asarray(np.clip(falling.astype(np.float32), 0, curve))


def _blended(segments: Segments, seen: NDArray[np.float64]) -> NDArray[np.float64]:
    margin = 3 * _SMOOTHING
    count = max(2, math.ceil((seen[-1] - seen[0] + 2 * margin) * _RATE) + 1)
    grid = seen[0] - margin + np.arange(count) / _RATE
    smooth = _smoothed(_dominated(segments, grid))
    return np.column_stack([np.interp(seen, grid, column) for column in smooth.T])


def _dominated(segments: Segments, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = (segments.start + segments.end) / 2
    length = segments.end - segments.start
    core = length / 2 - np.minimum(length / 4, _EDGE)
    weight = segments.weight[:, _BLENDED]
    pull = weight * segments.target[:, _BLENDED]
    nearest = np.searchsorted(segments.end, grid)
    total = np.full((len(grid), len(_BLENDED)), 1e-9)
    values = np.zeros_like(total)
    for offset in range(-_NEIGHBOURS, _NEIGHBOURS + 1):
        index = nearest + offset
        there = (index >= 0) & (index < len(middle))
        index = np.clip(index, 0, len(middle) - 1)
        distance = grid - middle[index]
        outside = np.maximum(0.0, np.abs(distance) - core[index])
        reach = np.where(distance < 0, _BEFORE, _AFTER)
        dominance = (np.exp(-outside / reach) * there)[:, None]
        total += dominance * weight[index]
        values += dominance * pull[index]
    return np.asarray(values / total)


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A Gaussian over time: bounds speed and acceleration of everything that is blended."""
    width = math.ceil(3 * _SMOOTHING * _RATE)
    kernel = np.exp(-0.5 * (np.arange(-width, width + 1) / (_SMOOTHING * _RATE)) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((width, width), (0, 0)), mode="edge")
    return np.column_stack([np.convolve(column, kernel, "valid") for column in padded.T])


def contacts(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    height: NDArray[np.float64],
    seen: NDArray[np.float64],
    fps: float,
) -> NDArray[np.float64]:
    """The bumps of a contact channel at ``seen`` (seconds): up in `_RAMP`, held at ``height``
    for the sound, down again. ``start`` and ``end`` (n,) are ascending."""
    if not len(start):
        return np.zeros(len(seen))
    start, end = _held(start, end, seen, fps)
    after = np.searchsorted(start, seen, side="right")
    before = np.maximum(after - 1, 0)
    after = np.minimum(after, len(start) - 1)
    bumps = [
        height[i] * _bump(np.maximum(np.maximum(start[i] - seen, seen - end[i]), 0.0))
        for i in (before, after)
    ]
    return np.asarray(np.maximum(*bumps))


def _held(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    seen: NDArray[np.float64],
    fps: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From when to when each contact is full: at least for a frame, and within the clip."""
    least = _HELD_FRAMES / fps
    middle = (start + end) / 2
    half = np.maximum((end - start) / 2 - _YIELD, least / 2)
    # What sounds first is formed before the clip begins, and must be seen all the same.
    first = np.clip(middle - half, seen[0], seen[-1])
    last = np.clip(middle + half, seen[0], seen[-1])
    return first, np.maximum.accumulate(last)


def _bump(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.minimum(distance / _RAMP, 1.0)))
