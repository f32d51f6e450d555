"""Reading IPA: a phoneme as an engine writes it becomes one or more sounds with their features.

Nothing here knows a language but `ALIASES`. The features are those of the chart of the
International Phonetic Association (revised to 2020).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

# Places of articulation as far as a viewer can tell them apart.
BILABIAL, LABIODENTAL, DENTAL, ALVEOLAR = "bilabial", "labiodental", "dental", "alveolar"
SIBILANT, HUSHING, RHOTIC, PALATAL = "sibilant", "hushing", "rhotic", "palatal"
VELAR, GLOTTAL, LABIAL_GLIDE, LOOSE_LIPS = "velar", "glottal", "labial glide", "loose lips"
VOWEL = "vowel"


@dataclass(frozen=True, slots=True)
class Sound:
    """One articulation. A vowel has ``height`` (0 close, 1 open), ``back`` (0 front, 1 back) and
    ``rounded`` (0 or 1); a consonant may be ``rounded`` on top of its place."""

    place: str
    height: float = 0.0
    back: float = 0.5
    rounded: float = 0.0
    syllabic: bool = False


# Letters that differ only in voice, nasality, airstream or kind of hiss look alike.
_CONSONANTS = {
    BILABIAL: "pbmɓʘʙƥᵐ",
    LOOSE_LIPS: "ɸβ",
    LABIODENTAL: "fvʋɱⱱ",
    DENTAL: "θðǀ",
    ALVEOLAR: "tdnlɾrɗɺɬɮǁǃɫʈɖɳɭɽƭᶑⁿȡȵȶȴ",
    SIBILANT: "sz",
    HUSHING: "ʃʒɕʑʂʐɧ",
    RHOTIC: "ɹɻ",
    PALATAL: "cɟɲçʝjʎʄǂ",
    VELAR: "kɡgŋxɣɰʟɠqɢɴχʁʀʛħʕʜʢʡƙ",
    GLOTTAL: "hɦʔ",
    LABIAL_GLIDE: "wʍɥ",
}
# height, back, rounded
_VOWELS = {
    "i": (0.0, 0.0, 0), "y": (0.0, 0.0, 1), "ɨ": (0.0, 0.5, 0), "ʉ": (0.0, 0.5, 1),
    "ɯ": (0.0, 1.0, 0), "u": (0.0, 1.0, 1), "ɪ": (0.2, 0.2, 0), "ʏ": (0.2, 0.2, 1),
    "ᵻ": (0.2, 0.5, 0), "ᵿ": (0.2, 0.6, 1), "ʊ": (0.2, 0.9, 1), "e": (0.35, 0.0, 0),
    "ø": (0.35, 0.0, 1), "ɘ": (0.35, 0.5, 0), "ɵ": (0.35, 0.5, 1), "ɤ": (0.35, 1.0, 0),
    "o": (0.35, 1.0, 1), "ə": (0.4, 0.5, 0), "ᵊ": (0.3, 0.5, 0), "ɛ": (0.62, 0.0, 0),
    "œ": (0.62, 0.0, 1), "ɜ": (0.6, 0.5, 0), "ɞ": (0.62, 0.5, 1), "ʌ": (0.68, 0.7, 0),
    "ɔ": (0.65, 1.0, 1), "æ": (0.85, 0.0, 0), "ɐ": (0.8, 0.5, 0), "a": (1.0, 0.3, 0),
    "ɶ": (1.0, 0.1, 1), "ɑ": (1.0, 1.0, 0), "ɒ": (0.9, 1.0, 1),
}  # fmt: skip
_SOUNDS = {letter: Sound(place) for place, letters in _CONSONANTS.items() for letter in letters} | {
    letter: Sound(VOWEL, height, back, float(rounded))
    for letter, (height, back, rounded) in _VOWELS.items()
}
_EXPANDED = str.maketrans({
    "ʦ": "ts", "ʣ": "dz", "ʧ": "tʃ", "ʤ": "dʒ", "ʨ": "tɕ", "ʥ": "dʑ", "ꭧ": "tʂ", "ꭦ": "dʐ",
    "ɚ": "ə˞", "ɝ": "ɜ˞", "ʱ": "", "ʰ": "",
})  # fmt: skip
_ROUNDING, _RHOTIC_HOOK = "ʷᵝ̹", "˞"
_SYLLABIC = "̩̍"
# What no letter of the chart comes to: the mouth half open, as for the neutral vowel.
_UNKNOWN = _SOUNDS["ə"]

# Where a language's sound is written with the letter of another: espeak's own name for the
# Vietnamese ư is "y", though its lips are spread; engines that borrow its phonemes say so too.
ALIASES = {"vi": {"y": "ɨ"}}
_STRESS = "ˈˌ"


@lru_cache(maxsize=4096)
def sounds(ipa: str, language: str = "") -> tuple[Sound, ...]:
    """The sounds that ``ipa`` (one phoneme, with any marks) stands for, in their order.

    ``language`` is BCP-47. Empty for what is no sound: a tone, a mark, an engine's remark in
    brackets.
    """
    text = unicodedata.normalize("NFC", ipa).strip()
    if text[:1] in ("(", "[", "<"):
        return ()
    aliases = ALIASES.get(language.split("-")[0].lower(), {})
    found: list[Sound] = []
    for char in text.translate(_EXPANDED):
        if found and char in _ROUNDING:
            found[-1] = replace(found[-1], rounded=max(found[-1].rounded, 0.7))
        elif found and char == _RHOTIC_HOOK:
            found[-1] = replace(found[-1], rounded=max(found[-1].rounded, 0.35))
        elif found and char in _SYLLABIC:
            found[-1] = replace(found[-1], syllabic=True)
        else:
            found += _letter(aliases.get(char, char))
    return tuple(found)


def stress(ipa: str) -> int:
    """2 for the main stress, 1 for a secondary one, 0 for none."""
    mark = ipa[:1]
    return 2 - _STRESS.index(mark) if mark and mark in _STRESS else 0


def _letter(char: str) -> tuple[Sound, ...]:
    if char in _SOUNDS:
        return (_SOUNDS[char],)
    # An accented letter looks like its base; a tilde or another mark alone changes no lips.
    decomposed = unicodedata.normalize("NFD", char.casefold())
    if decomposed[:1] in _SOUNDS:
        return tuple(_SOUNDS[part] for part in decomposed if part in _SOUNDS)
    return (_UNKNOWN,) if unicodedata.category(char) in ("Ll", "Lu", "Lo") else ()
