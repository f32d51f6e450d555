"""From a scene's markup to what is spoken at a stretch, and the pauses between."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from renderer.script.markup import Break, Piece, Spoken, has_words

_JOINERS = frozenset("\u200d\ufe0e\ufe0f\u20e3")
# Below lie signs that are read out (№ ™ °), above arrows, symbols and emoji.
_PICTURES_FROM = 0x2190


@dataclass(frozen=True, slots=True)
class Utterance:
    """Text that is spoken at a stretch; ``pieces`` keep what captions show instead."""

    pieces: tuple[Spoken, ...]

    @property
    def text(self) -> str:
        """What the engine gets."""
        return "".join(piece.spoken for piece in self.pieces)


def utterances(pieces: Sequence[Piece]) -> tuple[Utterance | Break, ...]:
    """Cut at the pauses. Emoji are not spoken; marks without a word stay with their neighbour."""
    found: list[Utterance | Break] = []
    stretch: list[Spoken] = []
    for piece in pieces:
        if isinstance(piece, Spoken):
            stretch.append(Spoken(piece.written, speakable(piece.spoken)))
            continue
        if _has_words(stretch):
            found.append(Utterance(tuple(stretch)))
            stretch = []
        found.append(piece)
    if _has_words(stretch):
        found.append(Utterance(tuple(stretch)))
    elif stretch:
        _append(found, stretch)
    return tuple(found)


def speakable(text: str) -> str:
    """``text`` with a space for everything that no voice can say: emoji, control characters."""
    return "".join(" " if _is_mute(char) else char for char in text)


def _is_mute(char: str) -> bool:
    category = unicodedata.category(char)
    if category in ("Cc", "Cs", "Co", "Cn"):
        return not char.isspace()
    # Skin tones are "Sk", all other pictures "So".
    return char in _JOINERS or (category in ("So", "Sk") and ord(char) >= _PICTURES_FROM)


def _has_words(stretch: Sequence[Spoken]) -> bool:
    return any(has_words(piece.spoken) for piece in stretch)


def _append(found: list[Utterance | Break], stretch: Sequence[Spoken]) -> None:
    for i in reversed(range(len(found))):
        last = found[i]
        if isinstance(last, Utterance):
            found[i] = Utterance((*last.pieces, *stretch))
            return
