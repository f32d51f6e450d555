"""Where in a recording each sound of a known text is said: forced alignment.

The best path through the text's sounds (A. J. Viterbi, 1967), given how well each moment fits each
of them. Between words there may be a pause. Only sounds that can be said around a moment are looked
at, so work and memory grow with the length of the recording and not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avatar_core.speech import TimedPhoneme
from backends.puppet import hearing, recogniser

if TYPE_CHECKING:
    from numpy.typing import NDArray

# No sound is shorter than this many hops.
_SHORTEST = 2
# How far off, in hops, the first estimate of a word's time may be.
_REACH = 300
_IMPOSSIBLE = -1e9
_STAY, _STEP, _SKIP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Word:
    """What to look for: its sounds in IPA (none: it may sound like anything), and when about, in
    seconds."""

    sounds: tuple[str, ...]
    about: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """``fit`` is how much worse the text fits than the best guess without it, the mean over its
    sounds of logarithms: 0 is perfect, under -1.7 it is probably another text."""

    phonemes: tuple[TimedPhoneme, ...]
    fit: float


@dataclass(frozen=True, slots=True)
class _States:
    """A chain of states. ``kind`` (n,) is a column of the scores, ``sound`` (n,) the number of
    the phoneme or -1 for a pause, ``about`` (n,) the expected hop; ``free`` says that a state may
    be repeated, ``optional`` that it may be left out."""

    kind: NDArray[np.int64]
    sound: NDArray[np.int64]
    about: NDArray[np.int64]
    free: NDArray[np.bool_]
    optional: NDArray[np.bool_]
    names: tuple[str, ...]


def align(loudness: NDArray[np.float64], words: Sequence[Word]) -> Alignment | None:
    """The words' sounds with their times, given `hearing.perceived`; None where the recording is
    too short for them or nothing is to be said."""
    states = _states(words)
    if not states.names or len(states.kind) > len(loudness):
        return None
    scores = recogniser.scores(loudness)
    path = _path(scores, states)
    return None if path is None else _alignment(path, scores, states)


def _states(words: Sequence[Word]) -> _States:
    rows: list[tuple[int, int, float, bool, bool]] = []
    names: list[str] = []
    for word in words:
        rows.append((recogniser.SILENCE, -1, word.about, True, True))
        # A word that cannot be read is passed over, but only where something is heard.
        for sound in word.sounds or ("",):
            known = recogniser.classes_of(sound) or [recogniser.ANYTHING]
            for kind in known:
                part = (kind, len(names), word.about)
                rows += [(*part, False, False)] * (_SHORTEST - 1) + [(*part, True, False)]
            names.append(sound)
    rows.append((recogniser.SILENCE, -1, words[-1].about if words else 0.0, True, True))
    about = np.array([row[2] for row in rows]) * hearing.HOPS_PER_SECOND
    return _States(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.round(about).astype(np.int64),
        np.array([row[3] for row in rows]),
        np.array([row[4] for row in rows]),
        tuple(names) if any(names) else (),
    )


def _window(states: _States, hops: int) -> tuple[NDArray[np.int64], int]:
    """For each hop the first state that is looked at, and how many."""
    about = np.maximum.accumulate(states.about)
    at = np.arange(hops)
    first = np.searchsorted(about, at - _REACH)
    last = np.searchsorted(about, at + _REACH, side="right")
    width = int(min(max(int((last - first).max()), 1) + 2, len(about)))
    first = np.minimum(first, len(about) - width)
    # The beginning and the end of the text belong to those of the recording.
    first[0] = 0
    first[-1] = len(about) - width
    return np.maximum.accumulate(first), width


def _path(scores: NDArray[np.float64], states: _States) -> NDArray[np.int64] | None:
    """The state at each hop; None if the text cannot be brought into the recording."""
    first, width = _window(states, len(scores))
    # A margin of two on the left, for stepping and skipping into the window.
    best = np.full(width + 2, _IMPOSSIBLE)
    best[2:4] = scores[0, states.kind[:2]]
    came = np.zeros((len(scores), width), np.int8)
    free = np.where(states.free, 0.0, _IMPOSSIBLE)
    skip = np.full(len(free), _IMPOSSIBLE)
    skip[2:][states.optional[1:-1]] = 0.0
    for hop in range(1, len(scores)):
        start = first[hop]
        best = _shifted(best, start - first[hop - 1])
        here = slice(start, start + width)
        ways = np.stack([best[2:] + free[here], best[1:-1], best[:-2] + skip[here]])
        came[hop] = ways.argmax(axis=0)
        best[2:] = ways.max(axis=0) + scores[hop, states.kind[here]]
        best[:2] = _IMPOSSIBLE
    return _retraced(best[2:], came, first)


def _shifted(best: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """The same window further along the chain."""
    if not by:
        return best
    moved = np.full(len(best), _IMPOSSIBLE)
    kept = best[by:]
    moved[: len(kept)] = kept
    return moved


def _retraced(
    best: NDArray[np.float64], came: NDArray[np.int8], first: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    hops, width = came.shape
    # The last state is a pause that may be left out.
    state = width - 1 if width < 2 or best[-1] >= best[-2] else width - 2
    if best[state] <= _IMPOSSIBLE / 2:
        return None
    path = np.zeros(hops, np.int64)
    state += int(first[-1])
    for hop in range(hops - 1, -1, -1):
        path[hop] = state
        if hop:
            state -= int(came[hop, state - first[hop]])
    return path


def _alignment(path: NDArray[np.int64], scores: NDArray[np.float64], states: _States) -> Alignment:
    sound = states.sound[path]
    said = sound >= 0
    fits = scores[np.arange(len(path)), states.kind[path]] - scores[:, :-1].max(axis=1)
    edges = np.flatnonzero(np.diff(sound, prepend=-2, append=-2))
    # A hop stands for what is around its middle.
    times = np.maximum(edges - 0.5, 0.0) / hearing.HOPS_PER_SECOND
    found = [
        TimedPhoneme(states.names[sound[edge]], float(start), float(end))
        for edge, start, end in zip(edges, times, times[1:], strict=False)
        if sound[edge] >= 0 and states.names[sound[edge]]
    ]
    return Alignment(tuple(found), float(fits[said].mean()) if said.any() else -np.inf)
