"""Text laid on a recording: how words are read, where their sounds are found, and when not."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.backend import AvatarRequest, Job, Size
from avatar_core.speech import Speech, SpeechRequest, TimedWord, Voice
from backends.puppet import hearing, recogniser
from backends.puppet.aligner import Word, align
from backends.puppet.lip_options import LipOptions
from backends.puppet.lip_sources import mouth_track
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.spelling import spoken
from backends.puppet.track_from_phonemes import track_from_phonemes
from backends.puppet.track_from_sound import track_from_bands
from backends.puppet.track_from_text import phonemes_in, track_from_text
from renderer.speech.espeak import EspeakEngine
from renderer.speech.hibari import HibariEngine

JAW, PRESS = CHANNELS.index("jaw"), CHANNELS.index("press")
ENGLISH = "My mother put a piece of warm apple pie on the blue plate. Bob ate it by himself."
VIETNAMESE = "Mẹ tôi mua bốn cái bánh bao. Bà ngoại bảo bé Minh phải ăn cơm rồi mới được xem phim."
TEXTS = {"hibari": ENGLISH, "espeak en": ENGLISH, "espeak vi": VIETNAMESE}


@pytest.fixture(scope="module", params=list(TEXTS))
def voice(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str, Speech]:
    engine = HibariEngine() if request.param == "hibari" else EspeakEngine()
    language = "vi-VN" if request.param.endswith("vi") else "en-US"
    text = TEXTS[request.param]
    said = engine.speak(
        SpeechRequest(text, Voice(language=language)), Job(tmp_path_factory.mktemp("speech"))
    )
    return text, language, said


@pytest.mark.parametrize(
    ("language", "word", "sounds"),
    [
        ("vi", "được", "dɨək"), ("vi-VN", "Nguyễn", "ŋwiən"), ("vi", "quê", "kwe"),
        ("vi", "già", "zaː"), ("vi", "gì", "zi"), ("vi", "khuya", "xwiə"), ("vi", "xoong", "sɔŋ"),
        ("vi", "nghiêng", "ŋiəŋ"), ("vi", "huỳnh", "hwiɲ"), ("vi", "oai", "waːj"),
        ("vi", "“phở”,", "fəː"), ("vi", "mua", "muə"), ("vi", "pizza", "pizza"),
        ("en-US", "bread!", "bɹˈɛd"), ("en", "boat", "bˈoʊt"), ("en-GB", "5", "fˈaɪv"),
        ("de", "Straße", "strassɛ"), ("de-DE", "Schuh", "ʃuh"), ("es", "señor", "sɛɲor"),
        ("pl", "łódź", "wodz"), ("tr", "ılık", "ɨlɨk"), ("fr", "quinze", "kwinzɛ"),
    ],
)  # fmt: skip
def test_words_are_read(language: str, word: str, sounds: str) -> None:
    assert "".join(spoken([word], language)[0]) == sounds


@pytest.mark.parametrize(
    ("language", "word"),
    [("vi", "2024"), ("de", "3."), ("ru", "Привет"), ("zh", "你好"), ("en", "–"), ("vi", "…")],
)
def test_what_cannot_be_read_has_no_sounds(language: str, word: str) -> None:
    assert spoken([word], language) == [()]


def test_english_words_keep_their_places() -> None:
    words = "Hello, Dr. Smith paid $5 in 1999 for it's well-known ( – ) bread!".split()
    sounds = spoken(words, "en-US")
    assert len(sounds) == len(words)
    assert [bool(one) for one in sounds] == [any(c.isalnum() for c in word) for word in words]
    assert sounds[2] == ("s", "m", "ˈɪ", "θ")
    assert spoken([], "en") == []


@given(
    st.lists(st.text(min_size=1, max_size=12).filter(lambda t: len(t.split()) == 1), max_size=5),
    st.sampled_from(["en", "vi", "de", ""]),
)
@settings(deadline=None, max_examples=60)
def test_any_words_at_all_can_be_asked_for(words: list[str], language: str) -> None:
    assert len(spoken(words, language)) == len(words)


def test_sounds_are_found_where_they_are_said(voice: tuple[str, str, Speech]) -> None:
    text, language, said = voice
    found = phonemes_in(hearing.bands(said.path), text, (), language)
    assert found is not None
    assert found.fit > -1.7
    times = [(p.start, p.end) for p in found.phonemes]
    assert all(start < end for start, end in times)
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(times))
    true = [p.start for p in said.phonemes if p.ipa in ("b", "m")]
    seen = [p.start for p in found.phonemes if p.ipa in ("b", "m")]
    assert len(true) == len(seen)
    assert np.median(np.abs(np.subtract(true, seen))) < 0.04


def test_lips_close_on_nearly_every_b_and_m(voice: tuple[str, str, Speech]) -> None:
    text, language, said = voice
    made = track_from_text(
        hearing.bands(said.path), text, (), said.duration, 25, LipOptions(), language
    )
    assert made is not None
    closed = np.flatnonzero(made.values[:, PRESS] == 1) / 25
    true = [(p.start, p.end) for p in said.phonemes if p.ipa in ("b", "m", "p")]
    met = [
        bool(((closed > start - 0.16) & (closed < end - 0.02)).any())
        for start, end in true if start > 0.1
    ]  # fmt: skip
    assert np.mean(met) > 0.85


def test_the_text_makes_the_mouth_truer_than_the_sound_alone(
    voice: tuple[str, str, Speech],
) -> None:
    text, language, said = voice
    levels, still = hearing.bands(said.path), LipOptions(variety=0)
    true = track_from_phonemes(said.phonemes, said.duration, 25, still, language).values
    read = track_from_text(levels, text, (), said.duration, 25, still, language)
    heard = track_from_bands(levels, said.duration, 25, still).values
    assert read is not None
    mouths = [v[:, JAW] * (1 - v[:, PRESS]) for v in (true, read.values, heard)]
    truer, alone = (float(np.corrcoef(mouths[0], mouth)[0, 1]) for mouth in mouths[1:])
    assert truer > max(alone + 0.05, 0.7)


def test_rough_times_of_the_words_are_enough(voice: tuple[str, str, Speech]) -> None:
    text, language, said = voice
    levels = hearing.bands(said.path)
    rough = tuple(TimedWord(w.text, w.start + 0.5, w.end + 0.5) for w in said.words)
    exact, found = (phonemes_in(levels, text, words, language) for words in (said.words, rough))
    assert exact is not None
    assert found is not None
    assert exact.phonemes == found.phonemes


def test_another_text_is_noticed(voice: tuple[str, str, Speech]) -> None:
    _, language, said = voice
    other = "Sixteen yellow horses, she whispers, scissors and sugar; she shoots, she scores." * 2
    levels = hearing.bands(said.path)
    made = track_from_text(levels, other, (), said.duration, 25, LipOptions(), "de")
    assert made is None
    request = AvatarRequest(
        None, said.path, said.duration, Size(64, 64), 25, text=other, language="de"
    )
    heard = track_from_bands(levels, said.duration, 25)
    assert np.array_equal(mouth_track(request).values, heard.values)
    assert language


def test_text_comes_before_the_sound_alone(voice: tuple[str, str, Speech]) -> None:
    text, language, said = voice
    request = AvatarRequest(
        None, said.path, said.duration, Size(64, 64), 25, text=text, language=language
    )
    read = track_from_text(
        hearing.bands(said.path), text, (), said.duration, 25, LipOptions(), language
    )
    assert read is not None
    assert np.array_equal(mouth_track(request).values, read.values)


@pytest.mark.parametrize("text", ["", "   ", "…", "你好 世界", "12 34 56", "one " * 500])
def test_where_there_is_nothing_to_find_the_sound_decides(
    text: str, voice: tuple[str, str, Speech]
) -> None:
    _, _, said = voice
    levels = hearing.bands(said.path)
    assert track_from_text(levels, text, (), said.duration, 25, LipOptions(), "vi") is None


def test_a_word_that_cannot_be_read_does_not_confuse_the_others(tmp_path: Path) -> None:
    text = "Bà mua 25 cái bánh bao mới."
    said = EspeakEngine().speak(SpeechRequest(text, Voice(language="vi")), Job(tmp_path))
    found = phonemes_in(hearing.bands(said.path), text, (), "vi")
    assert found is not None
    true = [p.start for p in said.phonemes if p.ipa in ("b", "m")]
    seen = [p.start for p in found.phonemes if p.ipa in ("b", "m")]
    # Of the figure's own sounds none is known ("hai mươi lăm" has an m).
    near = [min(abs(at - other) for other in true) for at in seen]
    assert np.median(near) < 0.05


def test_silence_has_no_words() -> None:
    assert phonemes_in(np.zeros((300, hearing.BANDS)), "hello there", (), "en") is None
    assert phonemes_in(np.zeros((0, hearing.BANDS)), "hello there", (), "en") is None


@given(
    st.integers(1, 400),
    st.lists(
        st.tuples(st.lists(st.sampled_from(["b", "a", "s", "tʃ", "aɪ", "§"]), max_size=4),
                  st.floats(-5, 20)),
        max_size=8,
    ),
    st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None, max_examples=80)
def test_any_recording_takes_any_text_or_refuses_it(
    hops: int, words: list[tuple[list[str], float]], seed: int
) -> None:
    loudness = np.random.default_rng(seed).random((hops, hearing.BANDS))
    found = align(loudness, [Word(tuple(sounds), about) for sounds, about in words])
    if found is not None:
        assert [p.ipa for p in found.phonemes] == [s for sounds, _ in words for s in sounds]
        assert all(0 <= p.start < p.end <= hops / 100 for p in found.phonemes)
        assert found.fit <= 0.5


def test_the_recogniser_has_a_score_for_each_class_and_for_anything() -> None:
    loudness = np.random.default_rng(1).random((50, hearing.BANDS))
    assert recogniser.scores(loudness).shape == (50, len(recogniser.CLASSES) + 1)
    assert recogniser.classes_of("ˈtʃː") == [1, 9]
    assert recogniser.classes_of("˥") == []


def test_ten_minutes_are_aligned_in_seconds() -> None:
    piece = np.random.default_rng(2).random((600, hearing.BANDS))
    loudness = np.tile(piece, (100, 1))
    words = [Word(("b", "a", "n", "a"), n * 0.4) for n in range(1_500)]
    started = time.thread_time()
    assert align(loudness, words) is not None
    assert time.thread_time() - started < 15
