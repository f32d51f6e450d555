"""When words are heard in a sound whose timing nobody knows: pauses meet punctuation.

The sound is cut into stretches of voice. Each pause between two of them is laid on the gap
between two words that lies near the same share of the voice, preferably one with punctuation
(a shortest path over pauses and gaps); within a stretch, time is shared by syllables.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from renderer.speech.sound import loudness
from renderer.speech.words import Span, letters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FRAME = 0.01
_PAUSE = 0.14
_CLICK = 0.04
# Costs in seconds of distance. A pause is ignored at a price that grows with its length: a short
# one may be a closed mouth within a word. To put it where no mark is written costs, too.
_IGNORE = 0.1
_IGNORE_SECOND = 2.5
_UNMARKED = 0.5
_WEAK = 0.12
# In letters.
_SYLLABLE = 2.5
_VOWELS = re.compile(r"[aeiouyæœøɑəаеёиоуыэюяαεηιουω]+")


def estimate_words(words: Sequence[str], sound: Path) -> list[Span]:
    """Start and end in seconds of each of ``words`` in ``sound`` (48 kHz, mono, PCM)."""
    if not words:
        return []
    stretches = voiced(loudness(sound))
    return _spread(words, stretches, _borders(words, stretches))


def voiced(levels: NDArray[np.float32]) -> list[Span]:
    """The stretches of voice, in seconds, by loudness (one value each 10 ms)."""
    import numpy as np

    if not len(levels):
        return [(0.0, 0.0)]
    # Between the room's noise and the voice; a recording without pauses has no noise to see.
    floor, voice = (float(level) for level in np.percentile(levels, (10, 95)))
    threshold = max(min(floor * 2.5, voice * 0.3), voice * 0.06, 1e-4)
    edges = np.flatnonzero(np.diff(np.pad((levels > threshold).astype(np.int8), 1)))
    runs = [(float(a) * _FRAME, float(b) * _FRAME) for a, b in edges.reshape(-1, 2)]
    stretches = _joined([run for run in runs if run[1] - run[0] >= _CLICK] or runs)
    return stretches or [(0.0, len(levels) * _FRAME)]


def _joined(runs: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in runs:
        if joined and start - joined[-1][1] < _PAUSE:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def word_length(word: str) -> float:
    """How long ``word`` takes to say, in letters."""
    decomposed = unicodedata.normalize("NFD", word.casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    syllables = len(_VOWELS.findall(plain)) + sum(char.isnumeric() for char in plain)
    return _SYLLABLE * max(1, syllables) + letters(word)


def _border_cost(word: str) -> float:
    """What it costs to pause after ``word``."""
    tail = word.rstrip("\"'”’»)]")
    if tail.endswith((".", "!", "?", "…", "。", "！", "？")):
        return 0.0
    return _WEAK if tail.endswith((",", ";", ":", "—", "–", "-", "、", "，")) else _UNMARKED


def _borders(words: Sequence[str], stretches: Sequence[Span]) -> dict[int, int]:
    """Which stretch begins with which word: number of the word -> number of the stretch."""
    lengths = [word_length(word) for word in words]
    voice = sum(end - start for start, end in stretches)
    expected = [done / sum(lengths) * voice for done in accumulate(lengths)][:-1]
    pauses = list(accumulate(end - start for start, end in stretches))[:-1]
    lengths = [after[0] - before[1] for before, after in pairwise(stretches)]
    ignoring = [_IGNORE + _IGNORE_SECOND * length for length in lengths]
    costs = [_border_cost(word) for word in words[:-1]]
    return _path(expected, costs, pauses, ignoring)


def _path(
    expected: Sequence[float],
    costs: Sequence[float],
    pauses: Sequence[float],
    ignoring: Sequence[float],
) -> dict[int, int]:
    """The cheapest way to lay pauses on gaps, both in order; a pause may also be left out."""
    gaps = len(expected)
    # best[g]: the cheapest so far if no gap from g on is taken yet.
    best = [0.0] * (gaps + 1)
    choices: list[list[int | None]] = []
    for pause, ignored in zip(pauses, ignoring, strict=True):
        chosen: list[int | None] = [None] * (gaps + 1)
        after = [cost + ignored for cost in best]
        cheapest, at = math.inf, None
        for gap in range(gaps):
            cost = best[gap] + abs(expected[gap] - pause) + costs[gap]
            if cost < cheapest:
                cheapest, at = cost, gap
            if cheapest < after[gap + 1]:
                after[gap + 1], chosen[gap + 1] = cheapest, at
        best = after
        choices.append(chosen)
    return _retraced(choices, gaps)


def _retraced(choices: Sequence[Sequence[int | None]], gaps: int) -> dict[int, int]:
    borders, limit = {}, gaps
    for number in reversed(range(len(choices))):
        gap = choices[number][limit]
        if gap is not None:
            borders[gap + 1] = number + 1
            limit = gap
    return borders


def _spread(words: Sequence[str], stretches: Sequence[Span], borders: dict[int, int]) -> list[Span]:
    spans: list[Span] = []
    starts = [0, *sorted(borders)]
    for first, last in zip(starts, [*starts[1:], len(words)], strict=True):
        begin = borders.get(first, 0)
        end = borders.get(last, len(stretches))
        spans += _fill([word_length(word) for word in words[first:last]], stretches[begin:end])
    return spans


def _fill(lengths: Sequence[float], stretches: Sequence[Span]) -> list[Span]:
    """Share the voice of ``stretches`` by ``lengths``."""
    voice = sum(end - start for start, end in stretches)
    marks = [0.0, *(done / sum(lengths) * voice for done in accumulate(lengths))]
    return [
        (_at(stretches, start, opens=True), _at(stretches, end, opens=False))
        for start, end in pairwise(marks)
    ]


def _at(stretches: Sequence[Span], voice: float, *, opens: bool) -> float:
    """When ``voice`` seconds of voice have been heard; at a pause, its end if something opens."""
    for start, end in stretches[:-1]:
        length = end - start
        if voice < length - 1e-9 or (voice <= length + 1e-9 and not opens):
            return start + voice
        voice -= length
    start, end = stretches[-1]
    return min(end, start + max(0.0, voice))
