"""How loud a narration is at every frame, when somebody speaks, and which syllables stand out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backends.puppet.ipa import stress
from backends.puppet.mono import mono_pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from avatar_core.speech import TimedPhoneme

_RATE = 8000
_HOP = 80
HOPS_PER_SECOND = _RATE / _HOP
# Speech lies within this many decibels below its own loudest syllables.
_RANGE_DB = 30.0
# Below this (of full scale) it is no voice, however the rest of the file sounds.
_SILENCE_DB = -55.0
_SPEAKING = 0.3
_SYLLABLE_SECONDS, _PHRASE_SECONDS = 0.05, 0.6
# Two emphasised syllables are further apart than this.
_APART_SECONDS = 0.45
_LEAST_STRENGTH = 0.25


@dataclass(frozen=True, slots=True)
class Voice:
    """``level`` (0 silent, 1 as loud as this voice gets) and ``speaking`` (0 a pause, 1 in the
    middle of a phrase, smooth) have one number a frame. ``accents`` are rows of seconds and
    strength (0-1), in their order."""

    level: NDArray[np.floating]
    speaking: NDArray[np.floating]
    accents: NDArray[np.floating]


def voice_of(audio: Path, frames: int, fps: float, phonemes: Sequence[TimedPhoneme] = ()) -> Voice:
    """What the sound in ``audio`` calls for; stressed vowels of ``phonemes`` are its accents.

    Reads the file piece by piece. Raises `MediaError`.
    """
    hops = _levels(_decibels(_energies(mono_pieces(audio, _RATE))))
    level = _smooth(hops, _SYLLABLE_SECONDS)
    loud = _smooth((level > _SPEAKING).astype(np.float64), 0.25)
    speaking = np.clip(loud * 1.6 - 0.15, 0.0, 1.0)
    accents = _stressed(level, phonemes) if phonemes else _peaks(level)
    middles = (np.arange(frames) + 0.5) / fps * HOPS_PER_SECOND
    return Voice(_at(middles, level), _at(middles, speaking), accents)


def _at(places: NDArray[np.floating], hops: NDArray[np.floating]) -> NDArray[np.floating]:
    if not len(hops):
        return np.zeros_like(places)
    return np.asarray(np.interp(places, np.arange(len(hops)) + 0.5, hops, right=0.0))


def _energies(pieces: Iterable[NDArray[np.float32]]) -> NDArray[np.floating]:
    """The mean square of every `_HOP` samples; what is no number counts as silence."""
    rest = np.zeros(0, dtype=np.float64)
    found: list[NDArray[np.floating]] = []
    for piece in pieces:
        whole = np.concatenate([rest, np.nan_to_num(piece.astype(np.float64), posinf=0, neginf=0)])
        count = len(whole) // _HOP
        found.append((whole[: count * _HOP].reshape(count, _HOP) ** 2).mean(axis=1))
        rest = whole[count * _HOP :]
    if len(rest):
        found.append(np.array([(rest**2).mean()]))
    return np.concatenate(found) if found else np.zeros(0)


def _decibels(energies: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(10.0 * np.log10(energies + 1e-10))


def _levels(decibels: NDArray[np.floating]) -> NDArray[np.floating]:
    """0 at `_RANGE_DB` under the loud syllables of this very voice, 1 at them."""
    if not len(decibels):
        return decibels
    top = float(np.percentile(decibels, 97))
    if top < _SILENCE_DB:
        return np.zeros_like(decibels)
    return np.asarray(np.clip((decibels - top + _RANGE_DB) / _RANGE_DB, 0.0, 1.0))


def _smooth(values: NDArray[np.floating], seconds: float) -> NDArray[np.floating]:
    """A running mean over twice ``seconds``, taken twice: a triangle, so nothing is delayed."""
    half = max(1, round(seconds * HOPS_PER_SECOND / 2))
    for _ in range(2):
        padded = np.concatenate([np.zeros(half + 1), values, np.zeros(half)])
        sums = np.cumsum(padded)
        values = (sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1)
    return values


def _peaks(level: NDArray[np.floating]) -> NDArray[np.floating]:
    """Syllables that are louder than the phrase around them."""
    if len(level) < 3:
        return np.zeros((0, 2))
    above = level - _smooth(level, _PHRASE_SECONDS)
    inner = above[1:-1]
    tops = np.flatnonzero((inner >= above[:-2]) & (inner > above[2:]) & (inner > 0.05)) + 1
    return _apart((tops + 0.5) / HOPS_PER_SECOND, above[tops])


def _stressed(
    level: NDArray[np.floating], phonemes: Sequence[TimedPhoneme]
) -> NDArray[np.floating]:
    """Vowels with the mark of stress, as strong as they are loud beside the phrase."""
    marked = [p for p in phonemes if stress(p.ipa) == 2]
    if not marked:
        return _peaks(level)
    seconds = np.array([(p.start + p.end) / 2 for p in marked])
    above = level - _smooth(level, _PHRASE_SECONDS)
    places = np.clip(seconds * HOPS_PER_SECOND, 0, max(0, len(level) - 1)).astype(int)
    return _apart(seconds, above[places] if len(level) else np.zeros(len(seconds)))


def _apart(seconds: NDArray[np.floating], gains: NDArray[np.floating]) -> NDArray[np.floating]:
    """Those that no stronger one is close to, in their order; the strongest has strength 1."""
    order = np.argsort(seconds, kind="stable")
    when, gain = seconds[order], gains[order]
    best = float(gain.max()) if len(gain) else 0.0
    if best <= 0.0:
        return np.zeros((0, 2))
    begin = np.searchsorted(when, when - _APART_SECONDS)
    end = np.searchsorted(when, when + _APART_SECONDS, side="right")
    alone = [gain[i] >= gain[a:b].max() for i, (a, b) in enumerate(zip(begin, end, strict=True))]
    kept = np.array(alone) & (gain >= _LEAST_STRENGTH * best)
    return np.column_stack([when[kept], gain[kept] / best])
