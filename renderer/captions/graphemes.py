"""What a reader sees as one letter, and which scripts write words without spaces."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_ZWJ = "\u200d"
# Thai and Lao vowels that are written before the consonant they belong to.
_LEADING_VOWELS = frozenset("เแโใไເແໂໃໄ")
_OPENING = frozenset("「『（【《〈〔［｛“‘([{")
_CLOSING = frozenset(
    "、。，．！？：；」』）】》〉〕］｝”’…‥・ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ)]},.!?:;%ๆฯ"
)
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x312F),  # CJK radicals and punctuation, kana, bopomofo
    (0x31A0, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF00, 0xFF9F),  # full-width forms, half-width kana
    (0x20000, 0x3FFFF),
)
_IDEOGRAPHIC_FROM = 0x2E80


@lru_cache(maxsize=4096)
def is_unspaced(character: str) -> bool:
    """Whether words of this character's script stand together without spaces."""
    code = ord(character)
    return any(low <= code <= high for low, high in _UNSPACED)


def is_ideographic(character: str) -> bool:
    """Whether the character is Chinese or Japanese, where a space between words means nothing."""
    return ord(character) >= _IDEOGRAPHIC_FROM and is_unspaced(character)


def columns(text: str) -> int:
    """The width of ``text`` in columns: marks count 0, full-width characters 2, others 1."""
    return sum(map(_columns, text))


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if _extends(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@lru_cache(maxsize=4096)
def _extends(character: str) -> bool:
    code = ord(character)
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf")
        or 0x1F3FB <= code <= 0x1F3FF  # skin tones
        or character in "ะาำຳະາ"
    )


def _is_flag_letter(character: str) -> bool:
    return 0x1F1E6 <= ord(character) <= 0x1F1FF


def graphemes(text: str) -> list[str]:
    """Split ``text`` into clusters that must not be torn apart.

    Close to UAX #29, plus the line-breaking rule that closing punctuation stays with what stands
    before it and opening brackets with what follows.
    """
    clusters: list[str] = []
    for character in text:
        if clusters and _belongs(clusters[-1], character):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters


def _belongs(cluster: str, character: str) -> bool:
    last = cluster[-1]
    if _extends(character) or last == _ZWJ or last in _LEADING_VOWELS or last in _OPENING:
        return True
    if _is_flag_letter(character) and all(map(_is_flag_letter, cluster)):
        return len(cluster) % 2 == 1
    return character in _CLOSING


def pieces(word: str) -> list[str]:
    """Split a written word where a line may break inside it.

    Scripts without spaces break between clusters; a run of other letters stays whole.
    """
    parts: list[str] = []
    whole = False
    for cluster in graphemes(word):
        breakable = is_unspaced(cluster[0]) or is_unspaced(cluster[-1])
        if parts and whole and not breakable:
            parts[-1] += cluster
        else:
            parts.append(cluster)
        whole = not breakable
    return parts


def needs_space(before: str, after: str) -> bool:
    """Whether a space stands between two words in running text."""
    if not before or not after or before[-1].isspace() or after[0].isspace():
        return False
    # In Thai and its kin a written space ends a phrase, and cues carry it within the word.
    return not (is_unspaced(before[-1]) or is_ideographic(after[0]))


def joined(words: list[str] | tuple[str, ...]) -> str:
    """Words as running text."""
    text = ""
    for word in words:
        text += f" {word}" if needs_space(text, word) else word
    return text.rstrip()
