"""Timed words become cues: what is read at once, on the film's own frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from avatar_core.speech import TimedWord
from renderer.captions.graphemes import (
    columns,
    is_ideographic,
    is_unspaced,
    joined,
    needs_space,
    pieces,
)
from renderer.script.models import Captions

_SENTENCE_END = frozenset(".!?…。！？؟।")
_CLAUSE_END = frozenset(",;:—–-，、；：،")
_CLOSERS = "\"'”’)]}»」』）】》"
_TITLES = frozenset("dr mr mrs ms prof st no vs jr sr ts ths gs tp".split())
_HARD_PAUSE = 0.7
_SHORT_GAP = 0.35
_MIN_SECONDS = 1.0
_LINGER = 0.2
_FIRST_LEAD = 0.5
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that are read together from ``start`` to ``end`` (seconds, each on a frame)."""

    start: float
    end: float
    words: tuple[TimedWord, ...]

    @property
    def text(self) -> str:
        """The words as running text, on one line."""
        return joined([word.text for word in self.words])

    def shifted(self, seconds: float) -> Cue:
        """The same cue ``seconds`` later, for instance in film time."""
        moved = (TimedWord(w.text, w.start + seconds, w.end + seconds) for w in self.words)
        return Cue(self.start + seconds, self.end + seconds, tuple(moved))


def split_cues(
    words: Sequence[TimedWord], style: Captions, *, fps: int, until: float | None = None
) -> tuple[Cue, ...]:
    """Divide a narration's words (seconds from its start) into cues.

    Sentences and pauses end a cue; within a sentence the cues are as few as ``max_words`` and
    ``max_chars`` (in columns: a full-width character counts 2) allow, of like length, and end
    at a comma rather than elsewhere. A word longer than the limit stands alone. Starts and ends
    are frames; cues never overlap, short gaps between them are closed, and each stays for a
    second where there is room. The first starts with the narration. The last may stay up to
    ``until`` (seconds); without it, it ends with its last word.
    """
    tokens = _tokens(words)
    groups = [group for sentence in _sentences(tokens) for group in _balanced(sentence, style)]
    return _timed(groups, fps, until)


def _tokens(words: Sequence[TimedWord]) -> list[TimedWord]:
    tokens: list[TimedWord] = []
    clock = 0.0
    for word in words:
        start = max(clock, word.start)
        end = max(start, word.end)
        clock = start
        tokens += _divided(word.text, start, end)
    return tokens


def _divided(text: str, start: float, end: float) -> list[TimedWord]:
    """Split a word that holds spaces or a script without them; time goes by length."""
    parts: list[str] = []
    for written in text.split():
        split = pieces(written)
        if not is_ideographic(split[-1][-1]) and is_unspaced(split[-1][-1]):
            # In Thai and its kin a written space ends a phrase: it must survive the joining.
            split[-1] += " "
        parts += split
    weights = [max(1, columns(part)) for part in parts]
    total = sum(weights)
    timed, done = [], 0
    for part, weight in zip(parts, weights, strict=True):
        begin = start + (end - start) * done / total
        done += weight
        timed.append(TimedWord(part, begin, start + (end - start) * done / total))
    return timed


def _sentences(tokens: Sequence[TimedWord]) -> list[list[TimedWord]]:
    sentences: list[list[TimedWord]] = []
    fresh = True
    for i, token in enumerate(tokens):
        if fresh:
            sentences.append([])
        sentences[-1].append(token)
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        fresh = following is not None and _ends_sentence(token, following)
    return sentences


def _ends_sentence(token: TimedWord, following: TimedWord) -> bool:
    if following.start - token.end >= _HARD_PAUSE:
        return True
    core = token.text.rstrip().rstrip(_CLOSERS)
    if not core or core[-1] not in _SENTENCE_END or core[:-1].casefold() in _TITLES:
        return False
    # "e.g. this": a lower-case letter goes on with the sentence.
    return not following.text[:1].islower()


def _balanced(tokens: Sequence[TimedWord], style: Captions) -> list[list[TimedWord]]:
    """The cheapest way to cut a sentence: few cues first, then like lengths and good breaks."""
    count = len(tokens)
    best = [0.0] + [math.inf] * count
    origin = [0] * (count + 1)
    fill = _Fill(tokens, style)
    for i in range(count):
        for j in range(i + 1, count + 1):
            load = fill.of(i, j)
            if load > 1 + _TOLERANCE and j > i + 1:
                break
            cost = best[i] + 1 + load * load + _break_cost(tokens, j)
            if cost < best[j]:
                best[j], origin[j] = cost, i
    groups, end = [], count
    while end:
        groups.append(list(tokens[origin[end] : end]))
        end = origin[end]
    return groups[::-1]


class _Fill:
    """How full a cue of some of the tokens is, as a share of the tighter limit.

    Running sums, so that a narration of thousands of characters is cut in no time.
    """

    def __init__(self, tokens: Sequence[TimedWord], style: Captions) -> None:
        before = ["", *(token.text for token in tokens)]
        self._spaces = [needs_space(b, t.text) for b, t in zip(before, tokens, strict=False)]
        self._trailing = [token.text != token.text.rstrip() for token in tokens]
        widths = (columns(t.text) + s for t, s in zip(tokens, self._spaces, strict=True))
        self._columns = list(itertools.accumulate(widths, initial=0))
        # A cluster of a script without spaces is about half a word.
        weights = (0.5 if is_unspaced(token.text[0]) else 1.0 for token in tokens)
        self._words = list(itertools.accumulate(weights, initial=0.0))
        self._style = style

    def of(self, first: int, last: int) -> float:
        letters = self._columns[last] - self._columns[first]
        letters -= self._spaces[first] + self._trailing[last - 1]
        words = self._words[last] - self._words[first]
        return max(letters / self._style.max_chars, words / self._style.max_words)


def _break_cost(tokens: Sequence[TimedWord], at: int) -> float:
    if at == len(tokens):
        return 0.0
    core = tokens[at - 1].text.rstrip().rstrip(_CLOSERS)
    pause = tokens[at].start - tokens[at - 1].end
    clause = 0.35 if core and core[-1] in _CLAUSE_END else 0.0
    return -clause - min(0.3, max(0.0, pause))


def _timed(groups: Sequence[list[TimedWord]], fps: int, until: float | None) -> tuple[Cue, ...]:
    starts, merged = _starts(groups, fps)
    cues = []
    for i, (start, tokens) in enumerate(zip(starts, merged, strict=True)):
        following = starts[i + 1] if i + 1 < len(starts) else None
        end = _end(start, tokens, following, fps, until)
        cues.append(Cue(start / fps, end / fps, tuple(tokens)))
    return tuple(cues)


def _starts(groups: Sequence[list[TimedWord]], fps: int) -> tuple[list[int], list[list[TimedWord]]]:
    """The frame on which each cue starts; cues that fall on one frame become one."""
    starts: list[int] = []
    merged: list[list[TimedWord]] = []
    for tokens in groups:
        first = not starts and tokens[0].start <= _FIRST_LEAD
        frame = 0 if first else round(tokens[0].start * fps)
        if starts and frame <= starts[-1]:
            merged[-1] += tokens
        else:
            starts.append(frame)
            merged.append(list(tokens))
    return starts, merged


def _end(
    start: int, tokens: Sequence[TimedWord], following: int | None, fps: int, until: float | None
) -> int:
    """The frame on which a cue ends: with its last word, later where there is room."""
    spoken = max(start + 1, math.ceil(tokens[-1].end * fps - _TOLERANCE))
    wanted = max(start + round(_MIN_SECONDS * fps), spoken + round(_LINGER * fps))
    if following is None:
        room = math.floor((until or 0.0) * fps + _TOLERANCE)
        return max(spoken, min(wanted, room))
    if following - spoken <= _SHORT_GAP * fps:
        return following
    return min(wanted, following)
