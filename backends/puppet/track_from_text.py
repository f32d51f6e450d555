"""The mouth's track from a recording and the text that is read in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from avatar_core.speech import TimedWord
from backends.puppet import hearing, spelling
from backends.puppet.aligner import Alignment, Word, align
from backends.puppet.coarticulation import JAW, unhurried
from backends.puppet.lip_options import LipOptions
from backends.puppet.listener import voice_in
from backends.puppet.mouth_track import MouthTrack
from backends.puppet.track_from_phonemes import track_from_phonemes
from backends.puppet.track_from_sound import track_from_bands

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A text that fits worse than this is not what is said; see `Alignment.fit`.
_LEAST_FIT = -1.7
# How much of the jaw the text decides; the rest follows the sound, which knows the emphasis.
_TEXT_SHARE = 0.5
_DEFAULTS = LipOptions()


def track_from_text(
    levels: NDArray[np.float64],
    text: str,
    words: Sequence[TimedWord],
    seconds: float,
    fps: float,
    options: LipOptions = _DEFAULTS,
    language: str = "en-US",
) -> MouthTrack | None:
    """The track for a sound (`hearing.bands`) in which ``text`` is said.

    ``words`` are the text's with their times, which may be rough; empty if nobody knows. None if
    the text is not what is said, or cannot be read in this language.
    """
    found = phonemes_in(levels, text, words, language)
    if found is None or found.fit < _LEAST_FIT:
        return None
    track = track_from_phonemes(found.phonemes, seconds, fps, options, language)
    heard = track_from_bands(levels, seconds, fps, options)
    track.values[:, JAW] *= _TEXT_SHARE
    track.values[:, JAW] += (1 - _TEXT_SHARE) * heard.values[:, JAW]
    unhurried(track.values, fps)
    return track


def phonemes_in(
    levels: NDArray[np.float64], text: str, words: Sequence[TimedWord], language: str
) -> Alignment | None:
    """When each sound of ``text`` is said; None if it cannot be found."""
    timed = [(word.text, (word.start + word.end) / 2) for word in words]
    timed = timed or _spread(text.split(), voice_in(levels))
    timed = [(word, about) for word, about in timed if any(char.isalnum() for char in word)]
    sounds = spelling.spoken([word for word, _ in timed], language)
    # Where half of the words cannot be read, the rest is found by chance only.
    if sum(map(bool, sounds)) * 2 <= len(sounds):
        return None
    wanted = [Word(one, about) for one, (_, about) in zip(sounds, timed, strict=True)]
    return align(hearing.perceived(levels), wanted)


def _spread(words: Sequence[str], voice: NDArray[np.float64]) -> list[tuple[str, float]]:
    """Words with rough times: the voice is shared among them by their letters."""
    if not words or not voice.any():
        return []
    lengths = [len(word) + 1 for word in words]
    ends = np.array(list(accumulate(lengths)))
    middles = (ends - np.array(lengths) / 2) / ends[-1]
    spoken = np.cumsum(voice) / voice.sum()
    hops = np.searchsorted(spoken, middles)
    return [
        (word, float(hop) / hearing.HOPS_PER_SECOND) for word, hop in zip(words, hops, strict=True)
    ]
