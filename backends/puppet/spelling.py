"""From written words to the sounds they are probably said with, for laying text on a recording.

English is read by the rules and the lexicon of hibari-tts, Vietnamese by its spelling, which is
regular; other Latin spelling by its letters, which is enough to find a word again in a sound. A
word that cannot be read (figures, other scripts) has no sounds and may sound like anything.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

Spoken = tuple[str, ...]

# hibari's own letters (https://github.com/hexgrad/misaki, EN_PHONES.md).
_ENGLISH = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "T": "ɾ", "ᵊ": "ə", "ᵻ": "ɪ",
    "ʤ": "dʒ", "ʧ": "tʃ",
}  # fmt: skip
_STRESS, _LENGTH = "ˈˌ", "ː"
# Northern speech; see L. C. Thompson, A Vietnamese Reference Grammar (1965), chapter 1.
_ONSETS = {
    "ngh": "ŋ", "ng": "ŋ", "nh": "ɲ", "gh": "ɣ", "gi": "z", "ch": "tʃ", "kh": "x", "ph": "f",
    "th": "t", "tr": "tʃ", "qu": "k w", "đ": "d", "c": "k", "d": "z", "g": "ɣ", "r": "z", "x": "s",
    **{letter: letter for letter in "bhklmnpstv"},
}  # fmt: skip
_NUCLEI = {
    "iê": "iə", "yê": "iə", "ia": "iə", "ya": "iə", "ươ": "ɨə", "ưa": "ɨə", "uô": "uə", "ua": "uə",
    "oo": "ɔ", "a": "aː", "ă": "a", "â": "ə", "e": "ɛ", "ê": "e", "i": "i", "y": "i", "o": "ɔ",
    "ô": "o", "ơ": "əː", "u": "u", "ư": "ɨ",
}  # fmt: skip
_CODAS = {
    "ch": "k", "ng": "ŋ", "nh": "ɲ", "c": "k", "m": "m", "n": "n", "p": "p", "t": "t", "i": "j",
    "y": "j", "o": "w", "u": "w",
}  # fmt: skip
_TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))


def _any(table: dict[str, str]) -> str:
    return "|".join(sorted(table, key=len, reverse=True))


_SYLLABLE = re.compile(
    rf"(?P<onset>{_any(_ONSETS)})?(?P<glide>[ou](?=[aăâeêyơ]))??"
    rf"(?P<nucleus>{_any(_NUCLEI)})(?P<coda>{_any(_CODAS)})?"
)
# Letters that belong together first. Good for Latin spelling anywhere, perfect nowhere.
_LETTERS = {
    "sch": "ʃ", "sh": "ʃ", "ch": "tʃ", "th": "θ", "ph": "f", "ng": "ŋ", "qu": "k w", "ck": "k",
    "ß": "s", "ä": "ɛ", "ö": "ø", "ü": "y", "ñ": "ɲ", "ç": "s", "ø": "ø", "æ": "æ", "œ": "œ",
    "a": "a", "e": "ɛ", "i": "i", "o": "o", "u": "u", "y": "i", "c": "k", "g": "ɡ", "j": "j",
    "q": "k", "r": "r", "x": "k s", "ł": "w", "ı": "ɨ", "å": "o", "đ": "d",
    **{letter: letter for letter in "bdfhklmnpstvwz"},
}  # fmt: skip
_LETTER = re.compile(_any(_LETTERS))


def spoken(words: Sequence[str], language: str) -> list[Spoken]:
    """For each of ``words`` its sounds in IPA, empty where they are not known.

    ``language`` is BCP-47.
    """
    primary = language.split("-")[0].lower()
    if primary == "en":
        return _english(words)
    read = _vietnamese if primary == "vi" else _by_letters
    return [() if any(c.isdigit() for c in word) else read(word) for word in words]


def _english(words: Sequence[str]) -> list[Spoken]:
    """All at once, because a word is said according to its neighbours."""
    if not words:
        return []
    reader = _reader()
    try:
        with _reading:
            tokens = reader.phonemize_tokens(reader.tokenize(" ".join(words)))
    except Exception:
        # hibari 0.2.1 fails on odd characters ("¹A"); nearly right is good enough here.
        return [_by_letters(word) for word in words]
    found: list[list[str]] = [[] for _ in words]
    ends, at = [], 0
    for word in words:
        at += len(word) + 1
        ends.append(at)
    at = index = 0
    for token in tokens:
        while index + 1 < len(words) and at >= ends[index]:
            index += 1
        found[index] += _in_ipa(token.phonemes or "")
        at += len(token.text) + len(token.whitespace)
    return [tuple(sounds) for sounds in found]


def _in_ipa(letters: str) -> list[str]:
    """hibari's letters one by one; a stress goes to the vowel behind it, a length to the one
    before."""
    found: list[str] = []
    stress = ""
    for letter in letters:
        if letter in _STRESS:
            stress = letter
        elif letter == _LENGTH and found:
            found[-1] += letter
        elif letter.isalpha():
            found.append(stress + _ENGLISH.get(letter, letter))
            stress = ""
    return found


def _vietnamese(word: str) -> Spoken:
    plain = unicodedata.normalize("NFD", word.casefold()).translate(_TONES)
    plain = re.sub(r"[^\w]", "", unicodedata.normalize("NFC", plain))
    match = _SYLLABLE.fullmatch(plain)
    if match is None:
        return _by_letters(word)
    onset, glide, nucleus, coda = match.group("onset", "glide", "nucleus", "coda")
    # Of "gì" the i is written once and counts twice.
    onset = "gi" if onset == "g" and nucleus == "i" else onset
    return (
        *(_ONSETS[onset].split() if onset else ()),
        *(("w",) if glide else ()),
        _NUCLEI[nucleus],
        *((_CODAS[coda],) if coda else ()),
    )


def _by_letters(word: str) -> Spoken:
    whole = unicodedata.normalize("NFC", word.casefold())
    known = "".join(
        char if char in _LETTERS else unicodedata.normalize("NFD", char)[0] for char in whole
    )
    return tuple(sound for part in _LETTER.findall(known) for sound in _LETTERS[part].split())


_reading = threading.Lock()


@cache
def _reader() -> Any:
    from hibari.g2p import G2P

    return G2P()
