"""How well each moment of a recording fits each kind of sound; good enough to lay known text on.

A network of one hidden layer that learnt from a formant synthesizer (benchmarks/train_listener.py).
Alone it would recognise little; with the text given, it only has to say where each sound is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("models") / "recogniser.npz"
# Sounds that are alike to hear; the first is silence, and the gap before a stop.
CLASSES = (
    "", "ptkcqʔʈ", "bdɡɖɟg", "m", "nɲŋɳ", "fθɸ", "vðβ", "s", "zʒʑ", "ʃɕʂ", "lɫʎ", "rɹɾʁ", "wuʊʍ",
    "jiɪyʏ", "eɛøœ", "aæɐ", "ɑʌɔɒo", "əɜɨɚ", "hxχɣç",
)  # fmt: skip
SILENCE, ANYTHING = 0, len(CLASSES)
_CLASS = {letter: number for number, letters in enumerate(CLASSES) for letter in letters}
# Neighbouring moments that are heard together, in hops of `hearing`.
_CONTEXT = (-8, -4, 0, 4, 8)
# Hops that are looked at together: bounds the memory, whatever the length.
_AT_ONCE = 4096
# How much rarity in the lessons is made up for.
_EVENING = 0.7
# What is not known may be anything but silence, a little less likely than its best guess.
_UNKNOWN = 0.5


def classes_of(ipa: str) -> list[int]:
    """The kinds of sound in one phoneme, in their order; empty if none is known."""
    return [_CLASS[letter] for letter in ipa if letter in _CLASS]


def scores(loudness: NDArray[np.float64]) -> NDArray[np.float64]:
    """(hops, classes + 1): logarithms of how well each class fits; the last is `ANYTHING`."""
    parts = range(0, len(loudness), _AT_ONCE)
    return np.concatenate(
        [_scored(in_context(loudness, start, start + _AT_ONCE)) for start in parts]
    )


def chances(loudness: NDArray[np.float64]) -> NDArray[np.float64]:
    """(hops, classes): how likely each class is; they add up to 1."""
    likely = np.exp(scores(loudness)[:, :ANYTHING])
    return np.asarray(likely / likely.sum(axis=1, keepdims=True))


def _scored(around: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = _weights()
    inside = np.tanh(around @ weights["w1"] + weights["b1"])
    raw = inside @ weights["w2"] + weights["b2"]
    raw -= raw.max(axis=1, keepdims=True)
    raw -= np.log(np.exp(raw).sum(axis=1, keepdims=True))
    raw -= _EVENING * weights["prior"]
    return np.column_stack([raw, raw[:, 1:].max(axis=1) - _UNKNOWN])


def in_context(
    loudness: NDArray[np.float64], start: int = 0, end: int | None = None
) -> NDArray[np.float64]:
    """The hops from ``start`` to ``end``: (hops, bands) to (hops, bands * moments together)."""
    last = len(loudness) - 1
    hops = np.arange(start, len(loudness) if end is None else min(end, len(loudness)))
    return np.hstack([loudness[np.clip(hops + shift, 0, last)] for shift in _CONTEXT])


@cache
def _weights() -> dict[str, NDArray[np.float64]]:
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}
