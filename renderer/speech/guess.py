"""How long a text will take to say, before anybody says it: within a fifth for most voices."""

from __future__ import annotations

import re
from collections.abc import Sequence

from renderer.script.markup import Break
from renderer.speech.estimate import word_length
from renderer.speech.utterances import Utterance
from renderer.speech.words import tokens

# In seconds; fitted to hibari (English) and espeak (English, Vietnamese, German, Chinese ...).
_LETTER = 0.04
_EDGES = 0.25
_SENTENCE = 0.35
_CLAUSE = 0.15

_SENTENCE_ENDS = re.compile(r"[.!?…](?=\s)|[。！？](?=.)", re.S)
_CLAUSE_ENDS = re.compile(r"[,;:](?=\s)|[、，；：]")
# Writing in which one sign is a syllable, or in which no space shows where a word ends: what a
# sign takes beyond a letter, in letters.
_DENSE = (
    (re.compile(r"[\u3040-\u30ff\u3400-\u9fff]"), 4.5),
    (re.compile(r"[\uac00-\ud7a3]"), 3.0),
    (re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"), 0.75),
)


def guess_seconds(parts: Sequence[Utterance | Break], speed: float = 1.0) -> float:
    """Seconds of ``parts`` at ``speed`` (a factor around 1); pauses count as they are written."""
    return sum(
        part.seconds if isinstance(part, Break) else _utterance_seconds(part.text, speed)
        for part in parts
    )


def _utterance_seconds(text: str, speed: float) -> float:
    letters = sum(word_length(token.text) for token in tokens(text))
    letters += sum(extra * len(signs.findall(text)) for signs, extra in _DENSE)
    pauses = _SENTENCE * len(_SENTENCE_ENDS.findall(text.strip()))
    pauses += _CLAUSE * len(_CLAUSE_ENDS.findall(text.strip()))
    return _EDGES + (_LETTER * letters + pauses) / speed
