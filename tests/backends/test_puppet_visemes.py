"""Sounds and the mouths that make them, in every language that the engines write in IPA."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import Job
from avatar_core.speech import SpeechRequest, Voice
from backends.puppet import ipa
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.visemes import REST, Viseme, visemes
from renderer.speech.espeak import EspeakEngine

# What espeak-ng 1.52 was heard to say, over 12,000 English words and all Vietnamese syllables.
ENGLISH = """
    aɪ aɪə aɪɚ aʊ b d dʒ eɪ f h i iə iː j k l m n n̩ oʊ p s t tʃ uː v w x z æ ð ŋ ɐ ɑː ɑːɹ ɔ ɔɪ ɔː
    ɔːɹ ə əl ɚ ɛ ɛɹ ɜː ɡ ɪ ɪɹ ɹ ɾ ʃ ʊ ʊɹ ʌ ʒ ʔ θ ᵻ a eə r əʊ ɒ ʊə a: aː e eː o oː əɹ ɜ ʉ ʉɹ ʉː ʌɹ ʌʉ
    ʍ aa oə t̪ ɑə ɔə æʊ
""".split()  # fmt: skip
VIETNAMESE = """
    w j c ŋ n m p ɲ k t̪ z a i tʃ yə iɛ ɛ s aː ɣ uə ɔ t ə əː e iə h y əɪ o b v l f u x əʊ ɪ aɪ ɡ e-
    ʝ cr kh ʐ aːʊ ə- aːɪ u- ɔ-
""".split()  # fmt: skip


def one(phoneme: str, language: str = "") -> Viseme:
    (found,) = visemes(phoneme, language)
    return found


def channel(phoneme: str, name: str, language: str = "") -> float:
    return one(phoneme, language).target[CHANNELS.index(name)]


@pytest.mark.parametrize("phoneme", ["p", "b", "m", "ɓ", "pʰ", "bʲ", "m̩", "mː", "p̚", "m̥", "ʘ"])
def test_lips_close_on(phoneme: str) -> None:
    assert channel(phoneme, "press") == 1
    assert channel(phoneme, "tuck") == 0


@pytest.mark.parametrize("phoneme", ["f", "v", "ʋ", "ɱ", "fː", "vʲ"])
def test_the_lower_lip_meets_the_teeth_on(phoneme: str) -> None:
    assert channel(phoneme, "tuck") == 1
    assert channel(phoneme, "press") == 0


@pytest.mark.parametrize("phoneme", ["u", "uː", "ˈuː", "ʊ", "y", "ʉ", "o", "w", "ʍ", "kʷ", "õ"])
def test_lips_are_round_on(phoneme: str) -> None:
    assert channel(phoneme, "round") > 0.6
    assert channel(phoneme, "wide") < -0.1


@pytest.mark.parametrize("phoneme", ["i", "iː", "ˈiː", "ɪ", "e", "ĩ", "j"])
def test_lips_are_spread_on(phoneme: str) -> None:
    assert channel(phoneme, "wide") > 0.35
    assert channel(phoneme, "round") == 0


@pytest.mark.parametrize("phoneme", ["l", "n", "t", "d", "θ", "ð", "t̪", "ɾ", "ɫ", "ɖ"])
def test_the_tongue_is_behind_the_teeth_on(phoneme: str) -> None:
    assert channel(phoneme, "tongue") > 0.8


@pytest.mark.parametrize("phoneme", ["s", "z", "ʃ", "ʒ", "ɕ", "ʂ"])
def test_the_teeth_are_together_and_seen_on(phoneme: str) -> None:
    assert channel(phoneme, "teeth") >= 0.8
    assert channel(phoneme, "jaw") < 0.2


def test_open_vowels_open_the_mouth_further_than_close_ones() -> None:
    openings = [channel(vowel, "jaw") for vowel in "iɪeɛæa"]
    assert openings == sorted(openings)
    assert openings[-1] > 4 * openings[0]
    ring = [channel(vowel, "round") for vowel in "ɒɔou"]
    assert ring == sorted(ring)


def test_a_consonant_made_inside_leaves_the_lips_to_its_neighbours() -> None:
    for phoneme in ("k", "ŋ", "h", "ʔ", "χ"):
        weight = dict(zip(CHANNELS, one(phoneme).weight, strict=True))
        assert max(weight["wide"], weight["round"]) < 0.1
        assert weight["jaw"] < 0.5


@pytest.mark.parametrize(
    ("phoneme", "places"),
    [
        ("aɪ", "vowel vowel"), ("aɪə", "vowel vowel vowel"), ("iɛ", "vowel vowel"),
        ("tʃ", "alveolar hushing"), ("t͡s", "alveolar sibilant"), ("ʤ", "alveolar hushing"),
        ("p͡f", "bilabial labiodental"), ("k͡p", "velar bilabial"), ("ɔːɹ", "vowel rhotic"),
        ("kh", "velar glottal"), ("ɚ", "vowel"), ("ç", "palatal"), ("é", "vowel"),
    ],
)  # fmt: skip
def test_what_is_several_sounds_is_read_as_several(phoneme: str, places: str) -> None:
    assert [sound.place for sound in ipa.sounds(phoneme)] == places.split()


@pytest.mark.parametrize(
    "phoneme", ["", " ", "˥", "˧˥", "1", "(en)", "(vi-hue)", "ˈ", "ː", ".", "↗"]
)
def test_what_is_no_sound_has_no_mouth(phoneme: str) -> None:
    assert visemes(phoneme) == ()


def test_marks_change_the_size_and_not_the_kind() -> None:
    assert one("aː") == one("a")
    assert one("ã") == one("a")
    assert one("a̰") == one("a")
    assert channel("ˈa", "jaw") > channel("ˌa", "jaw") > channel("a", "jaw")
    assert channel("ˈa", "wide") == channel("a", "wide")
    assert channel("n̩", "jaw") > channel("n", "jaw")


def test_the_vietnamese_u_with_a_horn_is_spread_though_espeak_writes_y() -> None:
    assert channel("ˈy", "round", "vi-VN") == 0
    assert channel("ˈy", "round", "fr-FR") > 0.9


def test_an_unknown_letter_half_opens_the_mouth() -> None:
    assert one("Ж") == one("ə")


def test_rest_is_the_portrait_as_it_is() -> None:
    assert not any(REST.target)


@pytest.mark.parametrize(("language", "symbols"), [("en", ENGLISH), ("vi", VIETNAMESE)])
def test_every_symbol_that_espeak_says_is_known(language: str, symbols: list[str]) -> None:
    assert [symbol for symbol in symbols if not visemes(symbol, language)] == []
    assert unknown("".join(symbols)) == set()


def test_every_letter_that_hibari_can_say_is_known() -> None:
    letters = json.loads((files("hibari") / "assets" / "vocab.json").read_text("utf-8"))
    # Its capitals are turned into IPA by the engine; Q and S are in no lexicon.
    own = set("AIOQSTWY")
    assert unknown("".join(x for x in letters if x.isalpha() and x not in own)) == set()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-US", "The quick brown fox jumps over the lazy dog; measure this thing, a rhythm!"),
        ("vi-VN", "Xin chào, tôi là người Việt: được, uống, khuya, nghỉ phép, giữa đường, ướt."),
    ],
)
def test_what_espeak_says_now_is_known(language: str, text: str, tmp_path: Path) -> None:
    said = EspeakEngine().speak(SpeechRequest(text, Voice(language=language)), Job(tmp_path))
    assert len(said.phonemes) > 30
    assert unknown("".join(p.ipa for p in said.phonemes)) == set()


def unknown(text: str) -> set[str]:
    """The letters that are read only because everything is."""
    neutral = ipa.sounds("ə")
    return {c for c in text if c.isalpha() and c != "ə" and ipa.sounds(c) == neutral}


@given(st.text(max_size=12), st.sampled_from(["", "en", "vi-VN"]))
def test_any_text_at_all_is_read_into_valid_targets(text: str, language: str) -> None:
    for viseme in visemes(text, language):
        assert len(viseme.target) == len(viseme.weight) == len(CHANNELS)
        assert all(-1 <= value <= 1 for value in viseme.target)
        assert all(0 <= weight <= 1.3 for weight in viseme.weight)
        assert viseme.share > 0
