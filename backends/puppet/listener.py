"""From what is heard to what lips probably do, for recordings of which nobody knows the phonemes.

Two opinions are averaged, because each is right where the other is wrong (docs/puppet.md has the
figures). The first is a rule without any training: open lips let the bands of 1.2 to 4.5 kHz out,
a closed or nasal tract leaves only those below 600 Hz. It agrees best with real people's lips.
The second asks the `recogniser` which kinds of sound it may be, and how open lips are on those; it
knows sounds apart that the rule confuses, but trusts clean voices too much. How wide, round or
closed lips are is told by a small network that learnt from a formant synthesizer too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet import hearing, recogniser
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.visemes import visemes

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("models") / "listener.npz"
OUTPUTS = ("opening", "wide", "round", "press", "teeth")
_LOW, _HIGH = slice(1, 4), slice(7, 16)
_LOW_SHARE = 0.3
# How much the recogniser's opinion counts beside the rule's.
_TRUST = 0.35
# How much lips narrow where the sound is gone for a moment, as it is in the gap of a stop; in
# deviations, for silence beside the loudest. So many hops to either side are compared.
_GAP, _NEAR = 1.0, 12
# How much likelier lips are closed for each deviation that the rule has them narrower.
_AGREED = 0.1
# Back from loudness to power (`hearing.perceived`).
_POWER = 5.0
_SMOOTHING, _GAP_SMOOTHING = 3.0, 2.0
# The voice may be gone for so many hops (a stop, a breath) before the mouth comes to rest.
_HOLD = 10
# Speech lies within so many decibels of its loudest, and above its room; both are of the mean
# square. Below the last of full scale nobody speaks at all.
_RANGE, _ABOVE_ROOM, _FADE, _SILENCE = 38.0, 6.0, 6.0, -65.0
# A recording that varies less than this is a hum or a hiss.
_LEAST_VARIETY = 9.0
# The mean power in the bands of a full-scale sine: what decibels are measured against.
_FULL_SCALE = 1e4


@dataclass(frozen=True, slots=True)
class Heard:
    """All (hops,) at `hearing.HOPS_PER_SECOND`. ``opening`` is 0 for lips as good as closed and
    1 for the widest of this recording; ``voice`` is 0 in pauses; the rest are as the channels of
    `mouth_track`, -1 to 1 for ``wide`` and 0 to 1 for the others."""

    opening: NDArray[np.float64]
    wide: NDArray[np.float64]
    round: NDArray[np.float64]
    press: NDArray[np.float64]
    teeth: NDArray[np.float64]
    voice: NDArray[np.float64]


def listen(levels: NDArray[np.float64]) -> Heard:
    """What the lips do in a recording, given its bands (`hearing.bands`)."""
    voice = voice_in(levels)
    active = voice > 0.5
    if not active.any():
        still = np.zeros(len(levels))
        return Heard(still, still, still, still, still, still)
    loudness = hearing.perceived(levels)
    guess = hearing.smoothed(network(loudness), _SMOOTHING)
    rule = hearing.smoothed(by_rule(loudness), _SMOOTHING)
    kinds = hearing.smoothed(by_kinds(loudness), _SMOOTHING)
    graded = _graded(rule, active)
    opening = (1 - _TRUST) * graded + _TRUST * _graded(kinds, active)
    opening -= _GAP * _gaps(loudness.sum(axis=1), active)
    held = _held(voice)
    # Learnt from clear voices only, the network alone closes lips too readily on others.
    press = guess[:, 3] - _AGREED * np.clip(graded, -2.0, 2.0)
    return Heard(
        _scaled(opening, active) * held,
        np.clip(guess[:, 1], -1.0, 1.0) * held,
        np.clip(guess[:, 2], 0.0, 1.0) * held,
        np.clip(press, 0.0, 1.0) * held,
        np.clip(guess[:, 4], 0.0, 1.0) * held,
        held,
    )


def by_rule(loudness: NDArray[np.float64]) -> NDArray[np.float64]:
    """The opening by the balance of high and low bands, in no particular unit."""
    high, low = (
        (loudness[:, part] ** _POWER).sum(axis=1) ** (1 / _POWER) for part in (_HIGH, _LOW)
    )
    return np.asarray(np.maximum(high - _LOW_SHARE * low, 0.0))


def by_kinds(loudness: NDArray[np.float64]) -> NDArray[np.float64]:
    """The opening that is to be expected, given how likely each kind of sound is; 0 to 1."""
    return np.asarray(recogniser.chances(loudness) @ _openings())


def network(loudness: NDArray[np.float64]) -> NDArray[np.float64]:
    """`OUTPUTS` for each hop, (hops, 5), by a network of one hidden layer."""
    weights = _weights()
    inside = np.tanh(loudness @ weights["w1"] + weights["b1"])
    return np.asarray(inside @ weights["w2"] + weights["b2"])


def voice_in(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where somebody is heard, 0 in pauses and in noise, with soft edges."""
    if not len(levels):
        return np.zeros(0)
    decibels = 10 * np.log10(levels.sum(axis=1) / _FULL_SCALE + 1e-12)
    loud, room = (float(np.percentile(decibels, share)) for share in (95, 5))
    long = len(levels) > hearing.HOPS_PER_SECOND
    if loud < _SILENCE or (long and loud - room < _LEAST_VARIETY):
        return np.zeros(len(levels))
    # A recording without pauses shows no room: what is near its loudest is voice all the same.
    floor = max(min(room + _ABOVE_ROOM, loud - 20.0), loud - _RANGE)
    return np.asarray(np.clip((decibels - floor) / _FADE, 0.0, 1.0))


def _held(voice: NDArray[np.float64]) -> NDArray[np.float64]:
    """The voice with its short gaps closed, rising and falling as fast as lips do."""
    padded = np.pad(voice, _HOLD)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _HOLD + 1).max(axis=1)
    far = np.lib.stride_tricks.sliding_window_view(np.pad(near, _HOLD // 2, mode="edge"), _HOLD + 1)
    return hearing.smoothed(far.min(axis=1), _SMOOTHING)


def _gaps(loud: NDArray[np.float64], active: NDArray[np.bool_]) -> NDArray[np.float64]:
    """0 at what is loudest nearby, 1 in silence beside the loudest of the recording."""
    smooth = hearing.smoothed(loud, _GAP_SMOOTHING)
    near = np.lib.stride_tricks.sliding_window_view(
        np.pad(smooth, _NEAR, mode="edge"), 2 * _NEAR + 1
    ).max(axis=1)
    most = max(float(np.percentile(loud[active], 95)), 1e-6)
    return np.asarray(np.clip((near - smooth) / most, 0.0, 1.0))


def _graded(values: NDArray[np.float64], active: NDArray[np.bool_]) -> NDArray[np.float64]:
    """In deviations from this recording's mean, so that opinions can be averaged."""
    spoken = values[active]
    return np.asarray((values - spoken.mean()) / (spoken.std() + 1e-3))


def _scaled(values: NDArray[np.float64], active: NDArray[np.bool_]) -> NDArray[np.float64]:
    """0 at the most closed moments of the speech, 1 at the widest."""
    closed, wide = np.percentile(values[active], (0.5, 99))
    return np.asarray(np.clip((values - closed) / max(wide - closed, 0.5), 0.0, 1.0))


@cache
def _openings() -> NDArray[np.float64]:
    """How open lips are on each of `recogniser.CLASSES`, the mean of its sounds."""
    jaw, press, tuck = (CHANNELS.index(name) for name in ("jaw", "press", "tuck"))
    means = []
    for letters in recogniser.CLASSES:
        targets = [visemes(letter)[0].target for letter in letters]
        openings = [t[jaw] * (1 - t[press]) * (1 - 0.6 * t[tuck]) for t in targets]
        means.append(float(np.mean(openings)) if openings else 0.0)
    return np.array(means)


@cache
def _weights() -> dict[str, NDArray[np.float64]]:
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}
