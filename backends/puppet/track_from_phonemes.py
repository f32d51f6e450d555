"""The mouth's track from timed phonemes: what is heard when becomes what is seen when."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from avatar_core.speech import TimedPhoneme
from backends.puppet import ipa
from backends.puppet.coarticulation import (
    JAW,
    PRESS,
    ROUND,
    TEETH,
    TUCK,
    WIDE,
    Segments,
    curves,
    frame_count,
    unhurried,
)
from backends.puppet.lip_options import LipOptions
from backends.puppet.mouth_track import CHANNELS, MouthTrack
from backends.puppet.visemes import REST, Viseme, rounded_closure, visemes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Span = tuple[float, float, Viseme]

# A shorter silence is bridged; in a longer one the mouth comes to rest.
_SHORTEST_PAUSE = 0.1
# The share of their lead that lips give up at the end of a phrase, where they outlast the voice.
_LINGER = 0.4
# Below this the lips do not even close any more: a mouth without expression keeps still.
_FAINT = 0.25
_DEFAULTS = LipOptions()


def track_from_phonemes(
    phonemes: Sequence[TimedPhoneme],
    seconds: float,
    fps: float,
    options: LipOptions = _DEFAULTS,
    language: str = "",
) -> MouthTrack:
    """The track for ``seconds`` of sound, as many frames as cover it.

    ``phonemes`` may come in any order and overlap; those that are no sound, or outside the sound,
    are left out. The same arguments give the same track. ``language`` is BCP-47 and matters only
    where an engine writes a language's sounds with letters that mean others in IPA.
    """
    frames = frame_count(seconds, fps)
    ordered = _ordered(phonemes, seconds)
    spans = list(_with_rests(_spans(ordered, language), seconds, options.lead))
    segments = vary(_segments(spans), options)
    values = express(curves(segments, frames, fps, options.lead), options)
    return MouthTrack(unhurried(values, fps), fps)


def _ordered(phonemes: Iterable[TimedPhoneme], seconds: float) -> list[TimedPhoneme]:
    usable = [
        p for p in phonemes
        if math.isfinite(p.start) and math.isfinite(p.end) and 0 <= p.start < min(p.end, seconds)
    ]  # fmt: skip
    return sorted(usable, key=lambda phoneme: (phoneme.start, phoneme.end))


def _spans(phonemes: Sequence[TimedPhoneme], language: str) -> Iterator[Span]:
    """Each viseme with its time; a phoneme's time is shared among its visemes."""
    for i, phoneme in enumerate(phonemes):
        parts = visemes(phoneme.ipa, language)
        end = phoneme.end
        if i + 1 < len(phonemes):
            end = min(end, phonemes[i + 1].start)
        if _closes_the_lips_too(phonemes, i, language):
            parts = (rounded_closure(0.5),)
        whole = sum(part.share for part in parts)
        start = phoneme.start
        for part in parts:
            stop = start + (end - phoneme.start) * part.share / whole
            yield start, stop, part
            start = stop


def _closes_the_lips_too(phonemes: Sequence[TimedPhoneme], i: int, language: str) -> bool:
    """Vietnamese final /k/ and /ŋ/ after a rounded vowel are said with closed lips."""
    if not language.lower().startswith("vi") or i == 0 or phonemes[i].ipa not in ("k", "ŋ"):
        return False
    before = ipa.sounds(phonemes[i - 1].ipa, language)
    after = ipa.sounds(phonemes[i + 1].ipa, language) if i + 1 < len(phonemes) else ()
    # Before a vowel or a glide it may begin the next word, where the lips are free.
    begins = bool(after) and after[0].place in (ipa.VOWEL, ipa.LABIAL_GLIDE)
    vowel = len(before) == 1 and before[0].place == ipa.VOWEL
    return vowel and before[0].rounded > 0 and not begins


def _with_rests(spans: Iterable[Span], seconds: float, lead: float) -> Iterator[Span]:
    """The same without gaps: short ones bridged, long ones at rest, rest before and after."""
    before: Span = (-1.0, 0.0, REST)
    end = seconds + lead + 1.0
    for span in [*spans, (end, end + 1.0, REST)]:
        gap = span[0] - before[1]
        if before[2] is REST or gap >= _SHORTEST_PAUSE:
            linger = 0.0 if before[2] is REST else min(lead * _LINGER, gap / 2)
            rest_from = before[1] + linger
            yield before[0], rest_from, before[2]
            if span[0] > rest_from:
                yield rest_from, span[0], REST
        else:
            yield before[0], max(before[1], span[0]), before[2]
        before = span
    yield before


def _segments(spans: Sequence[Span]) -> Segments:
    times = np.array([(start, end) for start, end, _ in spans])
    return Segments(
        times[:, 0],
        np.maximum.accumulate(times[:, 1]),
        np.array([viseme.target for _, _, viseme in spans]),
        np.array([viseme.weight for _, _, viseme in spans]),
    )


def vary(segments: Segments, options: LipOptions) -> Segments:
    """Small differences, so that no two sounds are made exactly alike."""
    chance = np.random.default_rng(options.seed).standard_normal((len(segments.start), 3))
    chance = np.clip(chance, -2, 2) * options.variety
    target = segments.target.copy()
    for channel, column, size in ((JAW, 0, 0.08), (WIDE, 1, 0.1), (ROUND, 2, 0.06)):
        target[:, channel] *= 1 + size * chance[:, column]
    return Segments(segments.start, segments.end, target, segments.weight)


def express(values: NDArray[np.float32], options: LipOptions) -> NDArray[np.float32]:
    """The curves scaled by expressiveness and kept in each channel's range; contacts stay."""
    scaled = values.copy()
    scaled[:, [JAW, WIDE, ROUND, TEETH]] *= options.expressiveness
    scaled[:, [PRESS, TUCK]] *= min(1.0, options.expressiveness / _FAINT)
    low = np.zeros(len(CHANNELS), np.float32)
    low[WIDE] = -1.0
    return np.asarray(np.clip(scaled, low, np.float32(1.0)))
