"""The mouth's track from a recording alone, when nobody knows which sounds are in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet import hearing
from backends.puppet.coarticulation import (
    JAW,
    PRESS,
    ROUND,
    TEETH,
    WIDE,
    contacts,
    frame_count,
    seen_at,
    settled,
    unhurried,
)
from backends.puppet.lip_options import LipOptions
from backends.puppet.listener import Heard, listen
from backends.puppet.mouth_track import CHANNELS, MouthTrack
from backends.puppet.track_from_phonemes import express

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The jaw at the most closed and at the widest moment of the recording. Who speaks keeps lips a
# little apart between closures; less than this could hardly be seen as a gap.
_LEAST, _MOST = 0.15, 0.9
# How much of the guess about teeth is shown, and how slowly it changes (hops): teeth that come and
# go make a gap look now wider, now narrower.
_TEETH, _TEETH_SMOOTHING = 0.45, 7.0
# What is averaged over many sounds is too tame for each of them.
_BOLDER = 1.3
# Lips close where a closure is more likely than this, and hardly for longer than this.
_LIKELY, _LONGEST = 0.65, 0.25
# In hops: how smooth the curves are, and how long the mouth may take to rest after the very end.
_SMOOTHING, _ENDING = 2.0, 12
# How much and how slowly one stretch of speech differs from the next.
_VARIETY, _VARIETY_SECONDS = 0.07, 0.6
_DEFAULTS = LipOptions()


def track_from_sound(
    audio: Path, seconds: float, fps: float, options: LipOptions = _DEFAULTS
) -> MouthTrack:
    """The track for the recording in ``audio``, as many frames as cover ``seconds``.

    Any rate and number of channels; silence, and sound that nobody speaks in, leave the mouth at
    rest. The same arguments give the same track. Raises `MediaError` for what is no sound.
    """
    return track_from_bands(hearing.bands(audio), seconds, fps, options)


def track_from_bands(
    levels: NDArray[np.float64], seconds: float, fps: float, options: LipOptions = _DEFAULTS
) -> MouthTrack:
    """The same from what `hearing` made of the sound."""
    frames = frame_count(seconds, fps)
    values = np.zeros((frames, len(CHANNELS)))
    heard = listen(levels)
    if heard.voice.any():
        seen = seen_at(frames, fps, options.lead)
        for channel, curve in _curves(heard, options).items():
            values[:, channel] = _at(seen, curve)
        start, end = _closures(heard)
        values[:, PRESS] = contacts(start, end, np.ones(len(start)), seen, fps)
    return MouthTrack(unhurried(express(settled(values), options), fps), fps)


def _curves(heard: Heard, options: LipOptions) -> dict[int, NDArray[np.float64]]:
    jaw = (_LEAST + (_MOST - _LEAST) * heard.opening) * heard.voice
    jaw = jaw * (1 + _VARIETY * options.variety * _drift(len(jaw), options.seed))
    return {
        JAW: jaw,
        WIDE: heard.wide * _BOLDER,
        ROUND: heard.round * _BOLDER,
        TEETH: hearing.smoothed(heard.teeth, _TEETH_SMOOTHING) * _TEETH * heard.voice,
    }


def _at(seen: NDArray[np.float64], curve: NDArray[np.float64]) -> NDArray[np.float64]:
    # A sound that is cut off in mid-word still lets the mouth come to rest.
    ended = hearing.smoothed(np.pad(curve, (0, _ENDING)), _SMOOTHING)
    return np.interp(seen, np.arange(len(ended)) / hearing.HOPS_PER_SECOND, ended, right=0.0)


def _closures(heard: Heard) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From when to when lips are closed on each other, in seconds."""
    likely = np.diff(np.pad((heard.press > _LIKELY).astype(np.int8), 1))
    start = np.flatnonzero(likely == 1) / hearing.HOPS_PER_SECOND
    end = (np.flatnonzero(likely == -1) - 1) / hearing.HOPS_PER_SECOND
    brief = end - start < _LONGEST
    return start[brief], end[brief]


def _drift(count: int, seed: int) -> NDArray[np.float64]:
    """Slow noise of deviation about 1, the same for the same seed."""
    knots = int(count / (_VARIETY_SECONDS * hearing.HOPS_PER_SECOND)) + 3
    chance = np.clip(np.random.default_rng(seed).standard_normal(knots), -2, 2)
    at = np.arange(count) / (_VARIETY_SECONDS * hearing.HOPS_PER_SECOND)
    smooth = hearing.smoothed(chance, 0.7)
    return np.asarray(np.interp(at, np.arange(knots), smooth))
