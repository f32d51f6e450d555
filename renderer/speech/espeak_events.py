"""From espeak's events to timed words and phonemes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from avatar_core.speech import TimedPhoneme, TimedWord
from renderer.speech.words import tokens

_WORD, _PHONEME = 1, 7
_LENGTH_MARK = "ː"
_LONGEST_CLOSURE, _SHARE = 0.08, 1 / 3
# The Vietnamese "ư", which is not rounded, is told as the rounded "y".
_LETTERS = {"vi": str.maketrans({"y": "ɨ"})}


@dataclass(slots=True)
class _Span:
    ipa: str
    start: float
    end: float


def timed_phonemes(
    events: Sequence[Sequence[Any]], rate: int, seconds: float, voice: str = ""
) -> tuple[TimedPhoneme, ...]:
    """Each phoneme lasts until the next; those without a name are pauses.

    ``voice`` is what espeak knows it by ("vi-VN-x-south", "de+f3"): some languages' sounds are
    told with letters that mean others in IPA.
    """
    told = [(sample / rate, ipa) for kind, _, sample, ipa in events if kind == _PHONEME]
    marks = [(0.0, ""), *told]
    ends = [start for start, _ in marks[1:]] + [seconds]
    spans = [
        _Span(ipa, start, min(end, seconds)) for (start, ipa), end in zip(marks, ends, strict=True)
    ]
    _give_time(spans)
    letters = _LETTERS.get(voice.partition("+")[0].partition("-")[0].lower(), {})
    return tuple(
        TimedPhoneme(span.ipa.translate(letters), span.start, span.end)
        for span in spans
        if span.ipa and span.end > span.start
    )


def _give_time(spans: Sequence[_Span]) -> None:
    """Sounds that espeak tells without any length get what they are heard in: a stop (Vietnamese
    "đ") the silence before it, in which it is closed; others ("l") the end of the sound before."""
    for before, span in pairwise(spans):
        if span.ipa.strip(_LENGTH_MARK) and span.end <= span.start:
            room = before.end - before.start
            before.end -= room * _SHARE if before.ipa else min(room, _LONGEST_CLOSURE)
            span.start = before.end


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
