"""From espeak's events to timed words and phonemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from avatar_core.speech import TimedPhoneme, TimedWord
from renderer.speech.words import tokens

_WORD, _PHONEME = 1, 7


def timed_phonemes(
    events: Sequence[Sequence[Any]], rate: int, seconds: float
) -> tuple[TimedPhoneme, ...]:
    """Each phoneme lasts until the next; those without a name are pauses."""
    sounds = [(sample / rate, ipa) for kind, _, sample, ipa in events if kind == _PHONEME]
    ends = [start for start, _ in sounds[1:]] + [seconds]
    return tuple(
        TimedPhoneme(ipa, start, min(end, seconds))
        for (start, ipa), end in zip(sounds, ends, strict=True)
        if ipa and end > start
    )


def timed_words(
    text: str, events: Sequence[Sequence[Any]], phonemes: Sequence[TimedPhoneme], rate: int
) -> tuple[TimedWord, ...]:
    """The words of ``text``, each from its first to its last phoneme."""
    words = tokens(text)
    begins = _begins([token.start for token in words], events, rate)
    spans: dict[int, tuple[float, float]] = {}
    at = 0
    for phoneme in phonemes:
        while at + 1 < len(begins) and begins[at + 1][0] <= phoneme.start:
            at += 1
        index = begins[at][1] if begins else 0
        spans[index] = (spans.get(index, (phoneme.start, 0.0))[0], phoneme.end)
    return tuple(TimedWord(words[i].text, *span) for i, span in sorted(spans.items()) if words)


def _begins(
    starts: Sequence[int], events: Sequence[Sequence[Any]], rate: int
) -> list[tuple[float, int]]:
    """When which word begins. A number is told as several words at places inside it, so an
    event counts for the word in which its place lies."""
    begins, index = [], 0
    for kind, position, sample, _ in events:
        if kind == _WORD:
            while index + 1 < len(starts) and starts[index + 1] < position:
                index += 1
            begins.append((sample / rate, index))
    return begins
