"""How far music steps back: a gain curve that follows the narration."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from renderer.audio.plan import RATE
from renderer.audio.sources import Samples, WavReader
from renderer.script.models import Ducking

BLOCK = RATE // 100
_READ_BLOCKS = 1000
# Speech is what lies within this share (-30 dB) of a narration's loudest hundredth of a second.
_SPEECH = 0.032
_AUDIBLE = 3e-4
# Music must not pump up between two words or sentences: it waits for a pause of a second.
_HOLD_BLOCKS = 100


class GainCurve:
    """The music's gain, known every 10 ms and straight (in dB) between."""

    def __init__(self, decibels: NDArray[np.float32]) -> None:
        self._decibels = decibels

    def at(self, start: int, count: int) -> Samples:
        """The factor for each of ``count`` samples from ``start``; shape (count, 1)."""
        first = start // BLOCK
        last = (start + count) // BLOCK + 2
        known = self._decibels[first:last]
        where = (np.arange(start, start + count, dtype=np.float64)) / BLOCK - first
        level = np.interp(where, np.arange(len(known)), known)
        return np.power(10.0, level / 20)[:, None].astype(np.float32)


def gain_curve(
    speech: Iterable[tuple[int, int, WavReader]], samples: int, ducking: Ducking
) -> GainCurve:
    """The curve for narrations given as (start sample, samples, reader).

    Music is ``amount_db`` down when a word begins: it falls over ``attack`` seconds before and
    rises over ``release`` seconds after, both straight in dB. A compressor keyed by the voice
    would duck as deep as the voice happens to be loud; here the depth is what was asked for.
    """
    active = np.zeros(samples // BLOCK + 2, np.float64)
    for start, length, reader in speech:
        heard = _bridged(_activity(reader, length))
        first = start // BLOCK
        span = active[first : first + len(heard) + 1]
        # A narration need not begin on a block: each of its blocks covers parts of two.
        span[: len(heard)] = np.maximum(span[: len(heard)], heard[: len(span)])
        span[1:] = np.maximum(span[1:], heard[: len(span) - 1])
    depth = _sloped(active, 0.01 / ducking.release)
    depth = _sloped(depth[::-1], 0.01 / ducking.attack)[::-1]
    return GainCurve((-ducking.amount_db * depth).astype(np.float32))


def _activity(reader: WavReader, length: int) -> NDArray[np.bool_]:
    """In which 10 ms blocks of its first ``length`` samples somebody speaks."""
    levels = []
    step = _READ_BLOCKS * BLOCK
    for start in range(0, length, step):
        count = min(step, length - start)
        count += -count % BLOCK
        power = np.square(reader.read(start, count)).mean(axis=1)
        levels.append(np.sqrt(power.reshape(-1, BLOCK).mean(axis=1)))
    reader.close()
    level = np.concatenate(levels) if levels else np.zeros(0, np.float32)
    loudest = float(level.max(initial=0.0))
    return level > max(_AUDIBLE, loudest * _SPEECH)


def _bridged(active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the gaps between words."""
    spoken = np.flatnonzero(active)
    bridged = active.copy()
    for before, after in itertools.pairwise(spoken.tolist()):
        if 1 < after - before <= _HOLD_BLOCKS:
            bridged[before:after] = True
    return bridged


def _sloped(level: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Let ``level`` fall by at most ``step`` from one block to the next."""
    ramp = np.arange(len(level)) * step
    return np.asarray(np.maximum.accumulate(level + ramp) - ramp)
