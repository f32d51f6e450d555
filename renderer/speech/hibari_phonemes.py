"""From the model's symbols and their durations to phonemes in IPA and words with times."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from avatar_core.speech import TimedPhoneme, TimedWord
from renderer.speech.hibari_model import LATENESS, Phrase

# The model's own letters (https://github.com/hexgrad/misaki, EN_PHONES.md).
_IPA = {
    "A": "eɪ",
    "I": "aɪ",
    "O": "oʊ",
    "Q": "əʊ",
    "W": "aʊ",
    "Y": "ɔɪ",
    "T": "ɾ",
    "ᵊ": "ə",
    "ᵻ": "ɪ",
    "ʤ": "dʒ",
    "ʧ": "tʃ",
}
_STRESS = "ˈˌ"
_LONG = "ː"
# Between two words of one breath the mouth does not rest: up to here a gap is no pause.
_SHORTEST_PAUSE = 0.08


def timed_phonemes(
    phrase: Phrase, seconds: Sequence[float], offset: float, scale: float
) -> tuple[list[TimedPhoneme], list[int]]:
    """The phrase's phonemes and the index of each one's word.

    ``seconds`` is how long each symbol lasts, with the silence before and after; ``offset`` is
    where the phrase begins in the sound, ``scale`` how much slower it is played.
    """
    ends = [max(0.0, end - LATENESS) * scale + offset for end in accumulate(seconds)]
    found: list[TimedPhoneme] = []
    owners: list[int] = []
    start, stress = None, ""
    for i, symbol in enumerate(phrase.symbols[:-1]):
        owner = phrase.owners[i]
        if symbol in _STRESS:
            # The time of a stress mark belongs to its vowel.
            start, stress = ends[i], symbol
        elif symbol == _LONG and found:
            last = found[-1]
            found[-1] = TimedPhoneme(last.ipa + _LONG, last.start, ends[i + 1])
        elif symbol.isalpha() and owner is not None:
            begin = ends[i] if start is None else start
            found.append(TimedPhoneme(stress + _IPA.get(symbol, symbol), begin, ends[i + 1]))
            owners.append(owner)
            start, stress = None, ""
    return _closed(found), owners


def timed_words(
    phrase: Phrase, phonemes: Sequence[TimedPhoneme], owners: Sequence[int]
) -> list[TimedWord]:
    """The phrase's words, from their first phoneme to their last."""
    spans: dict[int, tuple[float, float]] = {}
    for phoneme, owner in zip(phonemes, owners, strict=True):
        start = spans[owner][0] if owner in spans else phoneme.start
        spans[owner] = (start, phoneme.end)
    return [TimedWord(phrase.words[owner], *span) for owner, span in sorted(spans.items())]


def _closed(phonemes: list[TimedPhoneme]) -> list[TimedPhoneme]:
    """The same with the gaps closed that are too short to be pauses."""
    closed = []
    for phoneme, after in zip(phonemes, [*phonemes[1:], None], strict=True):
        end = phoneme.end
        if after is not None and after.start - end < _SHORTEST_PAUSE:
            end = after.start
        closed.append(TimedPhoneme(phoneme.ipa, phoneme.start, end))
    return closed
