"""The neural English voice: its sound, and the times it states for it."""

from __future__ import annotations

import itertools
import threading
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.speech import Speech, SpeechRequest, Voice
from renderer.speech import hibari_model
from renderer.speech.hibari import HibariEngine
from support_speech import job

VOICELESS = set("ptkfθsʃh") | {"tʃ"}


def say(folder: Path, text: str, **voice: object) -> Speech:
    return HibariEngine().speak(SpeechRequest(text, Voice(**voice)), job(folder))  # type: ignore[arg-type]


def samples(speech: Speech) -> tuple[np.ndarray, int]:
    with wave.open(str(speech.path)) as sound:
        raw = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768
        return raw, sound.getframerate()


def in_order(speech: Speech) -> bool:
    return all(
        0 <= one.start < one.end <= speech.duration + 1e-6 and one.end <= after.start + 1e-6
        for row in (speech.words, speech.phonemes)
        for one, after in itertools.zip_longest(row, row[1:], fillvalue=row[-1])
        if one is not after
    )


def test_the_stated_length_is_the_files_and_times_lie_inside(tmp_path: Path) -> None:
    speech = say(tmp_path, "Papa bought a big copper teapot. Kate paid for it!")
    sound, rate = samples(speech)
    assert speech.duration == len(sound) / rate
    assert in_order(speech)
    assert [w.text for w in speech.words] == (
        "Papa bought a big copper teapot. Kate paid for it!".split()
    )


@pytest.mark.parametrize("speed", [0.7, 1.0, 1.5])
def test_vowels_stand_where_the_sound_is_loud(tmp_path: Path, speed: float) -> None:
    """The times are worth nothing if they fit no better than shifted ones."""
    speech = say(tmp_path, "Success takes patience, so fish and chips cost less.", speed=speed)
    sound, rate = samples(speech)
    hop = rate // 100
    level = np.abs(sound[: len(sound) // hop * hop]).reshape(-1, hop).mean(axis=1)
    label = np.zeros(len(level))
    for phoneme in speech.phonemes:
        voiced = phoneme.ipa not in VOICELESS
        label[int(phoneme.start * 100) : int(phoneme.end * 100)] = voiced
    fit = {s: np.corrcoef(label, np.roll(level, s))[0, 1] for s in range(-10, 11)}
    best = max(fit, key=lambda shift: fit[shift])
    assert fit[best] > 0.4
    assert abs(best) <= 3, "more than 30 ms off"


def test_a_letter_p_begins_with_closed_lips_and_silence(tmp_path: Path) -> None:
    speech = say(tmp_path, "A copper paper.")
    sound, rate = samples(speech)
    starts = [phoneme.start for phoneme in speech.phonemes if phoneme.ipa == "p"]
    assert len(starts) == 3
    for start in starts:
        # The model states times in steps of 25 ms.
        around = np.abs(sound[int((start - 0.025) * rate) : int((start + 0.035) * rate)])
        tens = around[: len(around) // (rate // 100) * (rate // 100)].reshape(-1, rate // 100)
        assert tens.max(axis=1).min() < 0.02 * np.abs(sound).max()


def test_phonemes_are_ipa(tmp_path: Path) -> None:
    said = "".join(p.ipa for p in say(tmp_path, "My boys now chew gold jam.").phonemes)
    for sound in ("aɪ", "ɔɪ", "aʊ", "tʃ", "oʊ", "dʒ"):
        assert sound in said
    assert not set(said) & set("AIOQWYTʤʧ"), "the model's own letters must not leak"


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("7", "sˈɛvən"),
        ("$5", "fˈaɪvdˈɑlɚz"),
        ("Dr. Lee", "dˈɑktəɹlˈi"),
        ("3rd", "θˈɜɹd"),
        ("10%", "tˈɛnpɚsˈɛnt"),
    ],
)
def test_figures_and_abbreviations_are_read_out(tmp_path: Path, text: str, phonemes: str) -> None:
    said = "".join(p.ipa for p in say(tmp_path, text).phonemes)
    assert said.replace("ɚ", "əɹ") == phonemes.replace("ɚ", "əɹ")


def test_the_same_text_gives_the_same_file(tmp_path: Path) -> None:
    first = say(tmp_path, "The same again.").path.read_bytes()
    assert say(tmp_path, "The same again.").path.read_bytes() == first


@pytest.mark.parametrize(("speed", "factor"), [(0.5, 2.0), (2.0, 0.5), (1.25, 0.8)])
def test_speed_changes_the_length(tmp_path: Path, speed: float, factor: float) -> None:
    text = "Speed changes how long a sentence lasts, as everybody knows."
    usual = say(tmp_path, text).duration
    assert say(tmp_path, text, speed=speed).duration == pytest.approx(usual * factor, rel=0.12)


def test_pitch_keeps_the_length_and_the_times_inside(tmp_path: Path) -> None:
    text = "Pitch is another matter."
    usual, high = say(tmp_path, text), say(tmp_path, text, pitch=1.2)
    assert high.duration == pytest.approx(usual.duration, rel=0.1)
    assert in_order(high)
    assert samples(high)[1] == 28_800


def test_a_pitch_out_of_range_is_told(tmp_path: Path) -> None:
    assert "1.25" in say(tmp_path, "Hello.", pitch=2.0).warnings[0]


def test_a_word_in_another_script_is_left_out_with_a_warning(tmp_path: Path) -> None:
    speech = say(tmp_path, "Say 你好 to her.")
    assert [w.text for w in speech.words] == ["Say", "to", "her."]
    assert "你好" in speech.warnings[0]


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [("¹A", "w ˈʌ n ˈeɪ"), ("Look at ¹A now.", "l ˈʊ k æ t w ˈʌ n ˈeɪ n ˈaʊ")],
)
def test_raised_figures_are_read_out(tmp_path: Path, text: str, phonemes: str) -> None:
    speech = say(tmp_path, text)
    assert [word.text for word in speech.words] == text.split()
    assert speech.warnings == ()
    assert " ".join(p.ipa for p in speech.phonemes) == phonemes


@given(st.text(alphabet="¹²½①Ⅳ٣๓𝟙AaB19.,-$%'/é한😀ª₂ ", max_size=8))
@settings(deadline=None, max_examples=150)
def test_no_text_at_all_confuses_the_reader(text: str) -> None:
    for phrase, _ in hibari_model.load(hibari_model.DEFAULT_VOICE).phrases(text):
        assert len(phrase.symbols) == len(phrase.owners)


@pytest.mark.parametrize("text", ["🎉🎉", "你好", "...", " ", "—"])
def test_a_text_of_which_nothing_can_be_said_is_bad_input(tmp_path: Path, text: str) -> None:
    with pytest.raises(AvatarError) as caught:
        say(tmp_path, text)
    assert caught.value.category is Category.INVALID_INPUT


def test_another_language_is_not_spoken_in_english(tmp_path: Path) -> None:
    with pytest.raises(AvatarError) as caught:
        say(tmp_path, "Xin chào", language="vi-VN")
    assert caught.value.category is Category.UNSUPPORTED


def test_an_unknown_voice_becomes_the_nearest_with_a_warning(tmp_path: Path) -> None:
    assert "'heart'" in say(tmp_path, "Hello.", id="hart").warnings[0]


@pytest.mark.parametrize(
    "text",
    [
        "word " * 400,
        "comma, " * 300,
        "a" * 3000,
        "1" * 400,
        "antidisestablishmentarianism" * 20,
        "(((" * 200 + "end",
        "[link](/x/) *bold* <b> & $ % £5 #1 @home C++ 1/2 °C",
    ],
)
def test_phrases_never_grow_beyond_what_the_model_takes(text: str) -> None:
    phrases = [phrase for phrase, _ in hibari_model.load("heart").phrases(text)]
    assert max(len(phrase.symbols) for phrase in phrases) <= hibari_model.MAX_SYMBOLS + 1
    assert sum(len(phrase.words) for phrase in phrases) > 0


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    text = ("She went to the market to buy bread and butter for tea, " * 8).strip(", ")
    phrases = [p for p, _ in hibari_model.load("heart").phrases(text)]
    assert len(phrases) > 1
    assert all(phrase.words[-1].endswith(",") for phrase in phrases[:-1])


def test_a_long_narration_reports_progress_and_can_be_cancelled(tmp_path: Path) -> None:
    seen: list[float] = []
    running = job(tmp_path, on_progress=lambda fraction, _: stop_soon(fraction))

    def stop_soon(fraction: float) -> None:
        seen.append(fraction)
        if len(seen) == 3:
            running.cancel.cancel()

    with pytest.raises(Cancelled):
        HibariEngine().speak(SpeechRequest("A short sentence. " * 500), running)
    assert len(seen) == 3
    assert seen == sorted(seen)
    assert seen[-1] < 0.1


def test_threads_share_one_model_and_give_the_same_sound(tmp_path: Path) -> None:
    sounds: dict[int, bytes] = {}

    def work(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        sounds[number] = say(folder, "Many voices, one model.").path.read_bytes()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sounds) == 4
    assert len(set(sounds.values())) == 1


def test_a_model_without_the_durations_speaks_without_timing(tmp_path: Path) -> None:
    from hibari.voices import voice_path

    assert hibari_model._open(Path(voice_path("heart")))[0]
    # Another release may call the tensor otherwise: the name is what makes it timed.
    renamed = tmp_path / "other.onnx"
    content = Path(voice_path("heart")).read_bytes()
    renamed.write_bytes(content.replace(b"/Clip_output_0", b"/Other_tensor0"))
    timed, session = hibari_model._open(renamed)
    assert not timed
    assert len(session.get_outputs()) == 6
