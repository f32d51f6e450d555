"""Chance that is the same everywhere: numbers and smooth noise from a seed, by hashing alone.

The generators of numpy promise their streams only within a version; whole-number hashing gives
the same bits on every machine, and any number of a sequence without those before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.splines import spline_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

# SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_CHANNEL = 0xD1342543DE82EF95
_WORD = 2**64


def uniform(seed: int, channel: int, index: NDArray[np.int64]) -> NDArray[np.floating]:
    """A number from 0 up to 1 for each index (negative ones too)."""
    with np.errstate(over="ignore"):
        start = np.uint64((seed * 0x2545F4914F6CDD1D + (channel + 1) * _CHANNEL) % _WORD)
        mixed = _mixed(start + (index + 1).astype(np.uint64) * _STEP)
        return (_mixed(mixed ^ start) >> np.uint64(11)).astype(np.float64) / 2**53


def _mixed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


def one(seed: int, channel: int, index: int) -> float:
    """One number of `uniform`."""
    return float(uniform(seed, channel, np.array([index], dtype=np.int64))[0])


def noise(
    seed: int, channel: int, time: NDArray[np.floating], period: float
) -> NDArray[np.floating]:
    """Smooth noise around 0, within -1 and 1 (deviation 0.4), that turns about every ``period``.

    A uniform cubic B-spline through one chance value a ``period`` (the unit of ``time``): its
    second derivative is continuous, so that nothing jerks.
    """
    place = time / period
    first = np.floor(place)
    f = place - first
    base = first.astype(np.int64)
    total = np.zeros_like(place)
    for step, weight in enumerate(spline_weights(f)):
        total += weight * (2.0 * uniform(seed, channel, base + step) - 1.0)
    return total
