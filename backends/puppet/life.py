"""What a living face does besides speaking: blinks, glances, a head that is never quite still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.blinks import blinks
from backends.puppet.chance import noise, one
from backends.puppet.config import PuppetOptions
from backends.puppet.splines import smoothstep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backends.puppet.emphasis import Voice

# yaw, pitch, roll   radians: turned to the picture's right, chin lowered, tilted clockwise
# x, y               the head's shift to the right and down, in heights of the face
# breath             0 breathed out, 1 breathed in
# brow               0 as in the portrait, 1 raised as high as speakers do
# lid                0 open as in the portrait, 1 shut
# gaze_x, gaze_y     the glance to the right and down, in widths of an eye
CHANNELS = ("yaw", "pitch", "roll", "x", "y", "breath", "brow", "lid", "gaze_x", "gaze_y")

_DEGREE = 0.017453292519943295
# Rest at both ends, so that a film can hold the first and the last frame without a jump.
_EASE_IN, _EASE_OUT = 0.7, 0.5
_BREATH_SECONDS = 4.2
_GLANCE_SECONDS, _SHORTEST_GLANCE = 2.8, 0.7
_SACCADE_SECONDS = 0.06
_FARTHEST_GLANCE = 0.05
# Channels of chance; blinks have their own module and start at 100.
_YAW, _PITCH, _ROLL, _X, _Y, _BREATH, _BROW, _NOD, _GLANCE = (10 * n for n in range(9))


@dataclass(frozen=True, slots=True)
class Life:
    """``values`` is (frames, len(CHANNELS)) float32; frame n is shown from n / fps on."""

    values: NDArray[np.float32]
    fps: float


def live(voice: Voice, fps: float, options: PuppetOptions, seed: int) -> Life:
    """A presenter's life for as many frames as ``voice`` has.

    The same arguments give the same numbers; ``seed`` should differ between scenes, or all of
    them begin with the same movements.
    """
    frames = len(voice.level)
    time = np.arange(frames) / fps
    still = _at_rest(time, frames / fps)
    values = np.zeros((frames, len(CHANNELS)))
    values[:, :5] = _head(time, voice, options, seed) * still[:, None]
    values[:, 5] = _breath(time, seed) * min(1.0, options.head_motion) * still
    values[:, 6] = _brow(time, voice, options, seed) * still
    values[:, 7] = blinks(time, voice, options.blink, seed)
    values[:, 8:] = _glances(time, voice, options.gaze, seed) * still[:, None]
    return Life(values.astype(np.float32), fps)


def _at_rest(time: NDArray[np.floating], seconds: float) -> NDArray[np.floating]:
    """0 at the very first and last frame, 1 in between."""
    ends = np.minimum(time / _EASE_IN, (seconds - time) / _EASE_OUT)
    return smoothstep(ends)


def _head(
    time: NDArray[np.floating], voice: Voice, options: PuppetOptions, seed: int
) -> NDArray[np.floating]:
    """Slow noise, livelier while speaking, and a nod for every accent: yaw, pitch, roll, x, y."""
    calm = 0.5 + 0.5 * voice.speaking

    def drift(channel: int, slow: float, quick: float) -> NDArray[np.floating]:
        lively = noise(seed, channel + 1, time, quick) * voice.speaking
        return noise(seed, channel, time, slow) * calm + 0.3 * lively

    yaw = 3.8 * _DEGREE * drift(_YAW, 2.6, 0.9)
    pitch = 1.9 * _DEGREE * drift(_PITCH, 2.9, 0.8)
    roll = 1.6 * _DEGREE * drift(_ROLL, 3.4, 1.2)
    shift = 0.014 * drift(_X, 3.1, 1.3) + 0.10 * yaw
    lift = 0.007 * drift(_Y, 3.7, 1.1)
    motion = np.column_stack([yaw, pitch, roll, shift, lift]) * options.head_motion
    nods = _nods(time, voice.accents, seed) * options.head_motion * options.expressiveness
    motion[:, 1] += 2.2 * _DEGREE * nods
    motion[:, 4] += 0.008 * nods
    return motion


def _nods(
    time: NDArray[np.floating], accents: NDArray[np.floating], seed: int
) -> NDArray[np.floating]:
    """A dip at each accent, as deep as it is strong; now and then the head goes up instead."""
    total = np.zeros_like(time)
    for number, (when, strength) in enumerate(accents):
        fate = one(seed, _NOD, number)
        size = strength * (0.3 + 0.7 * one(seed, _NOD + 1, number))
        _add_bump(total, time, when, 0.20, 0.34, -0.6 * size if fate < 0.25 else size)
    return np.clip(total, -1.0, 1.0)


def _brow(
    time: NDArray[np.floating], voice: Voice, options: PuppetOptions, seed: int
) -> NDArray[np.floating]:
    """Up on the strongest accents, and a little up and down between them."""
    total = 0.22 * noise(seed, _BROW, time, 1.7) * voice.speaking
    for number, (when, strength) in enumerate(voice.accents):
        if strength > 0.45 and one(seed, _BROW + 1, number) < 0.55:
            _add_bump(total, time, when - 0.03, 0.22, 0.55, float(strength))
    return np.clip(total, -0.3, 1.0) * options.expressiveness


def _add_bump(
    total: NDArray[np.floating],
    time: NDArray[np.floating],
    when: float,
    rise: float,
    fall: float,
    size: float,
) -> None:
    """Add a smooth hill whose top is at ``when``, in place."""
    begin, end = np.searchsorted(time, [when - rise, when + fall])
    t = time[begin:end] - when
    total[begin:end] += size * smoothstep(1.0 - np.where(t < 0, -t / rise, t / fall))


def _breath(time: NDArray[np.floating], seed: int) -> NDArray[np.floating]:
    """In a little quicker than out, never twice the same length."""
    phase = time / _BREATH_SECONDS + 0.22 * noise(seed, _BREATH, time, 5.0) + one(seed, _BREATH, 0)
    part = phase - np.floor(phase)
    return np.where(part < 0.42, smoothstep(part / 0.42), smoothstep((1.0 - part) / 0.58))


def _glances(
    time: NDArray[np.floating], voice: Voice, size: float, seed: int
) -> NDArray[np.floating]:
    """Where the eyes look: mostly at the viewer, at times a little aside, in quick steps."""
    glances = np.zeros((len(time), 2))
    begin, number = _GLANCE_SECONDS / 2, 0
    end_of_time = float(time[-1]) if len(time) else 0.0
    before: NDArray[np.floating] = np.zeros(2)
    while begin < end_of_time:
        target = _target(seed, number) * size * _FARTHEST_GLANCE
        step = smoothstep((time - begin) / _SACCADE_SECONDS)[:, None]
        first = int(np.searchsorted(time, begin))
        glances[first:] = (before + (target - before) * step)[first:]
        before = target
        begin += _SHORTEST_GLANCE + 2 * (_GLANCE_SECONDS - _SHORTEST_GLANCE) * one(
            seed, _GLANCE + 1, number
        )
        number += 1
    return glances


def _target(seed: int, number: int) -> NDArray[np.floating]:
    """Half of the time, and after every look aside, the viewer."""
    if number % 2 or one(seed, _GLANCE + 2, number) < 0.35:
        return np.zeros(2)
    across, down = (2 * one(seed, _GLANCE + n, number) - 1 for n in (3, 4))
    return np.array([across, 0.4 * down])
