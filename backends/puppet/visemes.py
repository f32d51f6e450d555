"""From a sound to the mouth that makes it: targets for the channels of `mouth_track`.

A target holds where each channel would go if there were time, and how much the sound insists on
it (its dominance in `coarticulation`): /b/ insists on closed lips and on nothing else, /h/ on
nothing at all. They follow from articulatory features, so every language is covered, also sounds
that no engine here has yet spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from backends.puppet import ipa
from backends.puppet.ipa import Sound
from backends.puppet.mouth_track import CHANNELS

Seven = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Viseme:
    """``target`` and ``weight`` have a number for each of `CHANNELS`, weights 0..1 and a bit.

    ``press`` and ``tuck`` in the target ask for a contact that must be reached: those two
    channels are not blended.
    """

    target: Seven
    weight: Seven
    share: float = 1.0


def _seven(**channels: float) -> Seven:
    return tuple(channels.get(name, 0.0) for name in CHANNELS)


# A pause: the mouth as it is in the portrait.
REST = Viseme(_seven(), _seven(jaw=1.2, wide=1.2, round=1.2, teeth=1.2, tongue=1.2))

_CONSONANTS = {
    ipa.BILABIAL: (_seven(jaw=0.1, press=1.0),
                   _seven(jaw=0.7, wide=0.1, round=0.1, teeth=0.3, tongue=0.1)),
    ipa.LOOSE_LIPS: (_seven(jaw=0.1, press=0.6, round=0.15),
                     _seven(jaw=0.8, wide=0.2, round=0.3, teeth=0.5, tongue=0.1)),
    ipa.LABIODENTAL: (_seven(jaw=0.14, wide=0.05, tuck=1.0, teeth=0.8),
                      _seven(jaw=0.9, wide=0.25, round=0.4, teeth=1.0, tongue=0.1)),
    ipa.DENTAL: (_seven(jaw=0.24, wide=0.15, teeth=0.7, tongue=1.0),
                 _seven(jaw=0.7, wide=0.2, round=0.2, teeth=0.8, tongue=1.0)),
    ipa.ALVEOLAR: (_seven(jaw=0.2, wide=0.15, teeth=0.45, tongue=0.85),
                   _seven(jaw=0.55, wide=0.15, round=0.1, teeth=0.6, tongue=1.0)),
    ipa.SIBILANT: (_seven(jaw=0.1, wide=0.3, teeth=0.95, tongue=0.2),
                   _seven(jaw=1.0, wide=0.35, round=0.25, teeth=1.0, tongue=0.6)),
    ipa.HUSHING: (_seven(jaw=0.14, wide=-0.3, round=0.55, teeth=0.8, tongue=0.2),
                  _seven(jaw=0.95, wide=0.6, round=0.8, teeth=0.9, tongue=0.6)),
    ipa.RHOTIC: (_seven(jaw=0.22, wide=-0.2, round=0.4, teeth=0.4, tongue=0.3),
                 _seven(jaw=0.6, wide=0.4, round=0.5, teeth=0.4, tongue=0.5)),
    ipa.PALATAL: (_seven(jaw=0.16, wide=0.5, teeth=0.5, tongue=0.3),
                  _seven(jaw=0.6, wide=0.45, round=0.15, teeth=0.4, tongue=0.5)),
    ipa.VELAR: (_seven(jaw=0.26, wide=0.05, teeth=0.35),
                _seven(jaw=0.4, wide=0.08, round=0.08, teeth=0.2, tongue=0.5)),
    ipa.GLOTTAL: (_seven(jaw=0.35, teeth=0.35),
                  _seven(jaw=0.06, wide=0.02, round=0.02, teeth=0.05, tongue=0.1)),
    ipa.LABIAL_GLIDE: (_seven(jaw=0.12, wide=-0.65, round=0.95, teeth=0.05),
                       _seven(jaw=0.9, wide=1.0, round=1.1, teeth=0.7, tongue=0.3)),
}  # fmt: skip
# The jaw of the close and of the open vowels; rounding takes some of the opening away.
_CLOSE, _OPEN, _ROUNDING = 0.2, 0.86, 0.2
# How the jaw answers to none, secondary and main stress.
_STRESS = (0.88, 0.97, 1.1)


@lru_cache(maxsize=4096)
def visemes(phoneme: str, language: str = "") -> tuple[Viseme, ...]:
    """The visemes of one phoneme in IPA as engines write it, with its marks; a diphthong or an
    affricate has several, a tone has none. ``language`` is BCP-47."""
    stressed = ipa.stress(phoneme)
    found, after_vowel = [], False
    for sound in ipa.sounds(phoneme, language):
        if sound.place == ipa.VOWEL:
            found.append(_vowel(sound, _STRESS[stressed], 0.8 if after_vowel else 1.0))
            after_vowel = True
        else:
            found.append(_consonant(sound))
    return tuple(found)


def rounded_closure(strength: float) -> Viseme:
    """The velar that closes the lips too, as Vietnamese has after rounded vowels."""
    target = _seven(jaw=0.16, wide=-0.2, round=0.45, press=strength)
    return Viseme(target, _seven(jaw=0.7, wide=0.4, round=0.5, teeth=0.3, tongue=0.3))


def _vowel(sound: Sound, stress: float, share: float) -> Viseme:
    height, back, rounded = sound.height, sound.back, sound.rounded
    jaw = (_CLOSE + (_OPEN - _CLOSE) * height) * (1 - _ROUNDING * rounded) * stress
    spread = 0.75 * (1 - back) * (1 - 0.6 * height)
    drawn = 0.7 - 0.4 * height
    target = _seven(
        jaw=jaw,
        wide=spread * (1 - rounded) - drawn * rounded,
        round=rounded * (1 - 0.5 * height),
        teeth=(0.4 + 0.25 * (1 - back)) * (1 - 0.75 * rounded),
        tongue=0.15 * (1 - back) * (1 - height),
    )
    weight = _seven(jaw=1.0, wide=0.8, round=0.8 + 0.3 * rounded, teeth=0.6, tongue=0.6)
    return Viseme(target, weight, share)


def _consonant(sound: Sound) -> Viseme:
    target, weight = _CONSONANTS[sound.place]
    if sound.rounded:
        jaw, wide, ring, *rest = target
        target = (jaw, wide - 0.4 * sound.rounded, max(ring, sound.rounded), *rest)
        weight = (weight[0], max(weight[1], 0.6), max(weight[2], 0.8), *weight[3:])
    if sound.syllabic:
        target = (target[0] + 0.08, *target[1:])
    return Viseme(target, weight, 1.0 if sound.syllabic else 0.7)
