"""Which written word is heard when: what an engine said is laid over what the captions show."""

from __future__ import annotations

import bisect
import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from avatar_core.speech import TimedWord
from renderer.script.markup import Spoken
from renderer.speech.sound import RATE

Span = tuple[float, float]

# Shorter than a frame, nobody sees a caption; where time is scarce, words get less.
_SHORTEST = 0.02
# How many letters' time a figure or a sign takes when it is read out: "7" is "seven".
_FIGURE_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its punctuation, and where it stands in its text (characters, end excluded)."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words of ``text``. A mark that stands alone goes with the word before it (or after)."""
    found: list[Token] = []
    opening: int | None = None
    for start, end in _chunks(text):
        if any(char.isalnum() for char in text[start:end]):
            start, opening = (start if opening is None else opening), None
            found.append(Token(text[start:end], start, end))
        elif found:
            found[-1] = Token(text[found[-1].start : end], found[-1].start, end)
        else:
            opening = start if opening is None else opening
    return found


def place_words(
    pieces: Sequence[Spoken], heard: Sequence[TimedWord], seconds: float
) -> tuple[TimedWord, ...]:
    """The written words of ``pieces``, timed by the words that were ``heard``.

    One written word may be heard as several ("39.000đ") and the other way round. The result is
    in order, inside the sound, and gives every word some time.
    """
    spoken = tokens("".join(piece.spoken for piece in pieces))
    written = tokens("".join(piece.written for piece in pieces))
    clock = _Clock(spoken, _align(spoken, heard))
    reading = _Reading(pieces)
    spans = [
        (clock.opens(reading.at(word.start)), clock.closes(reading.at(word.end)))
        for word in written
    ]
    return tuple(
        TimedWord(" ".join(word.text.split()), start, end)
        for word, (start, end) in zip(written, settle(spans, seconds), strict=True)
    )


def settle(spans: Sequence[Span], seconds: float) -> list[Span]:
    """Put ``spans`` in order and inside ``seconds``; each keeps or gets some time."""
    total = round(seconds * RATE)
    count = len(spans)
    if total < 2 * count:
        return [(seconds * i / count, seconds * (i + 1) / count) for i in range(count)]
    shortest = min(round(_SHORTEST * RATE), total // max(1, count))
    starts, ends, cursor = [0] * count, [0] * count, 0
    for i, (start, end) in enumerate(spans):
        starts[i] = max(cursor, min(total, round(start * RATE)))
        ends[i] = cursor = max(starts[i] + shortest, min(total, round(end * RATE)))
    limit = total
    for i in reversed(range(count)):
        ends[i] = min(ends[i], limit)
        starts[i] = limit = min(starts[i], ends[i] - shortest)
    return [(start / RATE, end / RATE) for start, end in zip(starts, ends, strict=True)]


def letters(word: str) -> float:
    """How long a word takes to say, in letters; never 0."""
    count = 0.0
    for char in word:
        if char.isalpha():
            count += 1
        elif char.isnumeric() or unicodedata.category(char) in ("Sc", "Sm"):
            count += _FIGURE_LETTERS
        elif char == "%":
            count += 2 * _FIGURE_LETTERS
    return count or 0.5


def _chunks(text: str) -> Iterable[tuple[int, int]]:
    start = None
    for i, char in enumerate(text):
        if char.isspace():
            if start is not None:
                yield start, i
            start = None
        elif start is None:
            start = i
    if start is not None:
        yield start, len(text)


def _align(spoken: Sequence[Token], heard: Sequence[TimedWord]) -> list[Span]:
    """When each spoken token is heard. Equal words are anchors, between them letters decide."""
    ours = [_folded(token.text) for token in spoken]
    theirs = [_folded(word.text) for word in heard]
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    spans: list[Span] = []
    at, heard_at = 0, 0
    for start, heard_start, size in matcher.get_matching_blocks():
        between = heard[heard_at:heard_start]
        edge = _edge(heard, heard_start)
        spans += _share(spoken[at:start], between, edge)
        spans += [(word.start, word.end) for word in heard[heard_start : heard_start + size]]
        at, heard_at = start + size, heard_start + size
    return spans


def _edge(heard: Sequence[TimedWord], index: int) -> float:
    """The time before ``heard[index]``, for words that nobody heard."""
    if index < len(heard):
        return heard[index].start
    return heard[-1].end if heard else 0.0


def _share(spoken: Sequence[Token], heard: Sequence[TimedWord], edge: float) -> list[Span]:
    """Spread the time of ``heard`` over ``spoken``."""
    if not heard:
        return [(edge, edge)] * len(spoken)
    if len(spoken) == len(heard):
        return [(word.start, word.end) for word in heard]
    ours = _shares([letters(token.text) for token in spoken])
    theirs = _shares([letters(word.text) for word in heard])
    return [
        (_opens(heard, theirs, start), _closes(heard, theirs, end)) for start, end in pairwise(ours)
    ]


def _shares(weights: Sequence[float]) -> list[float]:
    total = sum(weights) or 1.0
    return [0.0, *(done / total for done in accumulate(weights))]


def _opens(heard: Sequence[TimedWord], shares: Sequence[float], share: float) -> float:
    index = min(max(bisect.bisect_right(shares, share + 1e-9) - 1, 0), len(heard) - 1)
    return _within(heard[index], shares, index, share)


def _closes(heard: Sequence[TimedWord], shares: Sequence[float], share: float) -> float:
    index = min(max(bisect.bisect_left(shares, share - 1e-9) - 1, 0), len(heard) - 1)
    return _within(heard[index], shares, index, share)


def _within(word: TimedWord, shares: Sequence[float], index: int, share: float) -> float:
    width = shares[index + 1] - shares[index]
    fraction = (share - shares[index]) / width if width else 0.0
    return word.start + (word.end - word.start) * min(1.0, max(0.0, fraction))


def _folded(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFC", word.casefold()) if char.isalnum())


class _Reading:
    """Where a place in the written text stands in the spoken text."""

    def __init__(self, pieces: Sequence[Spoken]) -> None:
        self._pieces = [piece for piece in pieces if piece.written]
        self._written = [0, *accumulate(len(piece.written) for piece in self._pieces)]
        self._spoken = [0, *accumulate(len(piece.spoken) for piece in self._pieces)]

    def at(self, place: int) -> float:
        """Proportional inside a piece that is spoken otherwise than written."""
        index = min(bisect.bisect_right(self._written, place), len(self._pieces)) - 1
        piece = self._pieces[index]
        inside = place - self._written[index]
        return self._spoken[index] + inside * len(piece.spoken) / len(piece.written)


class _Clock:
    """When a place in the spoken text is heard; the silence between two words is a jump."""

    def __init__(self, spoken: Sequence[Token], spans: Sequence[Span]) -> None:
        self._starts = [token.start for token in spoken]
        self._ends = [token.end for token in spoken]
        self._spans = spans

    def opens(self, place: float) -> float:
        """When what begins at ``place`` begins: never inside the word before it."""
        index = bisect.bisect_right(self._ends, place + 1e-9)
        return self._at(min(index, len(self._ends) - 1), place)

    def closes(self, place: float) -> float:
        """When what ends at ``place`` ends: never inside the word after it."""
        index = bisect.bisect_left(self._starts, place - 1e-9) - 1
        return self._at(max(index, 0), place)

    def _at(self, index: int, place: float) -> float:
        if not self._spans:
            return 0.0
        start, end = self._spans[index]
        inside = (place - self._starts[index]) / (self._ends[index] - self._starts[index])
        return start + (end - start) * min(1.0, max(0.0, inside))
