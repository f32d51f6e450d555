"""When a face blinks, and how its lids go down and up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.chance import one

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.emphasis import Voice

# People who talk blink every 2 to 10 s, 4 on the average.
_SHORTEST, _LONGEST = 2.0, 10.0
# No blink in a clip's first and last moments: a film may hold those frames.
_FIRST, _LAST = 0.6, 0.5
# The lids fall in a tenth of a second, rest, and rise more than twice as slowly.
_CLOSING, _SHUT, _OPENING = 0.085, 0.03, 0.19
_PAUSE_REACH = 0.5
_CHANCE = 100


def blinks(
    time: NDArray[np.floating], voice: Voice, rate: float, seed: int
) -> NDArray[np.floating]:
    """How far the lids are closed (0-1) at each moment of ``time`` (seconds); ``rate`` 1 is how
    often people do, 0 never."""
    lids = np.zeros_like(time)
    for when, depth in schedule(time, voice, rate, seed):
        begin, end = np.searchsorted(time, [when, when + _CLOSING + _SHUT + _OPENING])
        lids[begin:end] = np.maximum(lids[begin:end], depth * _lid(time[begin:end] - when))
    return lids


def schedule(
    time: NDArray[np.floating], voice: Voice, rate: float, seed: int
) -> list[tuple[float, float]]:
    """The beginning of every blink in seconds, and how deep it goes."""
    if rate <= 0 or not len(time):
        return []
    found: list[tuple[float, float]] = []
    last = float(time[-1]) - _CLOSING - _SHUT - _OPENING - _LAST
    before = _FIRST - 0.5 * _interval(seed, 0, rate)
    while True:
        number = len(found) + 1
        when = max(_FIRST, before + _interval(seed, number, rate))
        pause = _at_a_pause(when, time, voice)
        if pause >= _FIRST and _SHORTEST <= (pause - before) * rate <= _LONGEST:
            when = pause
        if when > last:
            return found
        found.append((when, 1.0 if one(seed, _CHANCE + 2, number) < 0.85 else 0.8))
        before = when


def _interval(seed: int, number: int, rate: float) -> float:
    """From `_SHORTEST` to `_LONGEST`, short ones more often: as a product of two chances is."""
    chance = one(seed, _CHANCE, number) * one(seed, _CHANCE + 1, number)
    return (_SHORTEST + (_LONGEST - _SHORTEST) * chance) / rate


def _at_a_pause(when: float, time: NDArray[np.floating], voice: Voice) -> float:
    """People blink where a phrase ends: the nearest such moment, if there is one close by."""
    begin, end = np.searchsorted(time, [max(_FIRST, when - _PAUSE_REACH), when + _PAUSE_REACH])
    near = voice.speaking[begin:end]
    falls = np.flatnonzero((near[:-1] >= 0.5) & (near[1:] < 0.5))
    if not len(falls):
        return when
    moments = time[begin + 1 + falls]
    return float(moments[np.argmin(np.abs(moments - when))])


def _lid(t: NDArray[np.floating]) -> NDArray[np.floating]:
    """0 to 1 and back, ``t`` seconds after a blink began."""
    down = np.clip(t / _CLOSING, 0.0, 1.0)
    up = np.clip((t - _CLOSING - _SHUT) / _OPENING, 0.0, 1.0)
    return np.asarray(down * down * (3.0 - 2.0 * down) * (1.0 - up) ** 2 * (1.0 + 2.0 * up))
