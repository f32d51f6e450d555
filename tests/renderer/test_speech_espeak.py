"""espeak in its own process: a hundred languages, exact times, and every way it can fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.speech import Speech, SpeechRequest, Voice
from renderer.speech import espeak_process
from renderer.speech.espeak import LANGUAGES, EspeakEngine
from renderer.speech.espeak_events import timed_phonemes
from renderer.speech.espeak_voices import choose, find_installation, list_voices
from support_speech import job

INSTALLATION = find_installation()
pytestmark = pytest.mark.skipif(INSTALLATION is None, reason='needs pip install ".[espeak]"')


def say(folder: Path, text: str, language: str = "vi-VN", **voice: object) -> Speech:
    request = SpeechRequest(text, Voice(language=language, **voice))  # type: ignore[arg-type]
    return EspeakEngine().speak(request, job(folder))


def scripted(*program: str) -> EspeakEngine:
    """The engine with another program in espeak's place."""
    return EspeakEngine((sys.executable, "-c", "\n".join(program)))


def test_vietnamese_words_are_timed_one_by_one(tmp_path: Path) -> None:
    speech = say(tmp_path, "Uống một lần là ghiền!")
    assert [w.text for w in speech.words] == ["Uống", "một", "lần", "là", "ghiền!"]
    edges = [edge for word in speech.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[-1] <= speech.duration


def test_a_number_is_one_word_however_many_are_said(tmp_path: Path) -> None:
    words = {
        w.text: w for w in say(tmp_path, "Ly trà này chỉ 39.000đ, uống “một lần” thôi — nhé.").words
    }
    assert list(words) == [
        "Ly",
        "trà",
        "này",
        "chỉ",
        "39.000đ,",
        "uống",
        "“một",
        "lần”",
        "thôi —",
        "nhé.",
    ]
    number = words["39.000đ,"]
    assert number.end - number.start > 0.8


def test_letters_beyond_the_basic_plane_move_no_word(tmp_path: Path) -> None:
    texts = [w.text for w in say(tmp_path, "one 😀 two 𝒳 three", "en-US").words]
    assert texts[0].startswith("one")
    assert texts[-1] == "three"


def heard(speech: Speech) -> list[str]:
    return [phoneme.ipa.strip("ˈˌː") for phoneme in speech.phonemes]


@pytest.mark.parametrize("voice", [None, "vi-vn-x-south", "vi+f2"])
def test_the_vietnamese_u_with_a_horn_is_told_as_unrounded(
    tmp_path: Path, voice: str | None
) -> None:
    request = SpeechRequest("tư, tu, ly, ước", Voice(id=voice, language="vi-VN"))
    told = heard(EspeakEngine().speak(request, job(tmp_path)))
    assert [ipa.strip("-") for ipa in told if ipa[0] in "iyɨu"] == ["ɨ", "u", "i", "ɨə"]


def test_a_rounded_y_of_another_language_stays_one(tmp_path: Path) -> None:
    assert "y" in heard(say(tmp_path, "Tu as vu la rue?", "fr-FR"))


def test_the_vietnamese_d_with_a_stroke_has_a_name_and_a_time(tmp_path: Path) -> None:
    speech = say(tmp_path, "đi đâu đó, được da")
    stops = [phoneme for phoneme in speech.phonemes if phoneme.ipa == "ɗ"]
    assert len(stops) == 4
    assert all(0.0 < stop.end - stop.start <= 0.081 for stop in stops)
    edges = [edge for phoneme in speech.phonemes for edge in (phoneme.start, phoneme.end)]
    assert edges == sorted(edges)
    followers = [
        b for a, b in zip(speech.phonemes, speech.phonemes[1:], strict=False) if a in stops
    ]
    assert all(vowel.start == stop.end for stop, vowel in zip(stops, followers, strict=True))


def test_a_sound_that_is_told_without_length_shares_the_one_before_it() -> None:
    events = [(7, 1, 0, "f"), (7, 1, 100, "ˈɛ"), (7, 1, 400, "l"), (7, 1, 400, "m"),
              (7, 1, 500, "ː"), (7, 1, 500, "")]  # fmt: skip
    told = [(p.ipa, round(p.start, 2), round(p.end, 2)) for p in timed_phonemes(events, 1000, 1.0)]
    assert told == [("f", 0.0, 0.1), ("ˈɛ", 0.1, 0.3), ("l", 0.3, 0.4), ("m", 0.4, 0.5)]


def test_phonemes_lie_on_the_sound(tmp_path: Path) -> None:
    speech = say(tmp_path, "Chỉ một ly, uống là ghiền!")
    with wave.open(str(speech.path)) as sound:
        rate = sound.getframerate()
        raw = np.abs(np.frombuffer(sound.readframes(sound.getnframes()), "<i2"))
    vowels = [p for p in speech.phonemes if p.ipa[0] in "ˈˌ"]
    assert len(vowels) == 6
    for vowel in vowels:
        assert raw[int(vowel.start * rate) : int(vowel.end * rate)].max() > 0.3 * raw.max()
    gaps = [b.start - a.end for a, b in zip(speech.phonemes, speech.phonemes[1:], strict=False)]
    pause = gaps.index(max(gaps))
    silence = raw[
        int((speech.phonemes[pause].end + 0.03) * rate) : int(
            speech.phonemes[pause + 1].start * rate
        )
    ]
    assert len(silence) > 0.05 * rate
    assert silence.max() < 0.05 * raw.max(), "the pause at the comma"


@pytest.mark.parametrize(("speed", "factor"), [(0.5, 2.0), (2.0, 0.5)])
def test_speed_changes_the_length(tmp_path: Path, speed: float, factor: float) -> None:
    text = "Bạn có biết trà sữa ngon nhất khi nào không?"
    usual = say(tmp_path, text).duration
    assert say(tmp_path, text, speed=speed).duration == pytest.approx(usual * factor, rel=0.3)


def test_pitch_raises_the_voice_and_keeps_the_length(tmp_path: Path) -> None:
    low, high = say(tmp_path, "aaa", pitch=0.7), say(tmp_path / ".", "aaa", pitch=1.4)
    assert low.duration == pytest.approx(high.duration, rel=0.05)


@pytest.mark.parametrize(
    ("language", "voice_id", "file"),
    [
        ("vi-VN", None, "vi"),
        ("vi", "vi-vn-x-south", "vi-VN-x-south"),
        ("vi", "Vietnamese (Southern)", "vi-VN-x-south"),
        ("vi", "vi-vn-x-soth", "vi-VN-x-south"),
        ("vi", "no such voice", "vi"),
        ("en-US", None, "en-US"),
        ("en-AU", None, "en"),
        ("en", "en-gb+f2", "en+f2"),
        ("en", "en-us+nonsense", "en-US"),
        ("zh-TW", None, "cmn"),
        ("zh-HK", None, "yue"),
        ("nb-NO", None, "nb"),
        ("no", None, "nb"),
        ("pt-BR", None, "pt-BR"),
        ("es-MX", None, "es-419"),
        ("xx", None, None),
    ],
)
def test_the_voice_that_fits_is_chosen(
    language: str, voice_id: str | None, file: str | None
) -> None:
    assert INSTALLATION is not None
    voices = list_voices(INSTALLATION.data)
    assert choose(Voice(voice_id, language), voices, INSTALLATION.data).file == file


def test_an_unknown_voice_is_told(tmp_path: Path) -> None:
    assert "no voice 'nga'" in say(tmp_path, "Chào", id="nga").warnings[0]


def test_every_listed_language_has_a_voice() -> None:
    assert INSTALLATION is not None
    voices = list_voices(INSTALLATION.data)
    lacking = [
        one for one in LANGUAGES if choose(Voice(None, one), voices, INSTALLATION.data).file is None
    ]
    assert lacking == []
    assert len(EspeakEngine().voices()) > 100


def test_a_language_it_lacks_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(AvatarError) as caught:
        say(tmp_path, "hello", "xx-XX")
    assert caught.value.category is Category.UNSUPPORTED


def test_a_text_of_ten_thousand_letters_is_spoken_whole(tmp_path: Path) -> None:
    text = ("Uống một lần là ghiền luôn. " * 400)[:10_000].rsplit(" ", 1)[0]
    speech = say(tmp_path, text)
    assert len(speech.words) == len(text.split())
    assert speech.duration > 300


def test_a_data_folder_with_a_very_long_path_ends_nothing(tmp_path: Path) -> None:
    assert INSTALLATION is not None
    folder = tmp_path.joinpath(*["a" * 60] * 4)
    folder.mkdir(parents=True)
    data = folder / "espeak-ng-data"
    shutil.copytree(INSTALLATION.data, data, ignore=shutil.ignore_patterns("[!evip]*_dict"))
    result = order_of(tmp_path, data=str(data), voice="vi")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out.wav").stat().st_size > 5000


def test_a_missing_data_folder_is_an_error_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = order_of(tmp_path, data=str(tmp_path / "empty" / "data"))
    assert result.returncode == espeak_process.FAILED
    assert b"data folder" in result.stderr


def order_of(folder: Path, **changes: str) -> subprocess.CompletedProcess[bytes]:
    """The child process by itself, as the engine starts it."""
    assert INSTALLATION is not None
    order = {
        "library": str(INSTALLATION.library),
        "data": str(INSTALLATION.data),
        "voice": "vi",
        "text": "Xin chào",
        "rate": 175,
        "pitch": 50,
        "sound": str(folder / "out.wav"),
        "events": str(folder / "out.json"),
        **changes,
    }
    program = [sys.executable, "-I", "-S", espeak_process.__file__]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin is not None and child.stderr is not None
        child.stdin.write(json.dumps(order).encode() + b"\n")
        child.stdin.flush()
        child.wait(300)
        printed = child.stderr.read()
    return subprocess.CompletedProcess(program, child.returncode, b"", printed)


def test_the_child_ends_when_its_parent_is_gone() -> None:
    program = [sys.executable, "-I", "-S", espeak_process.__file__]
    child = subprocess.Popen(program, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(300) == espeak_process.FAILED


def test_a_crash_of_the_child_is_told_and_leaves_us_alive(tmp_path: Path) -> None:
    with pytest.raises(AvatarError) as caught:
        scripted("import os", "os.abort()").speak(
            SpeechRequest("Chào", Voice(language="vi")), job(tmp_path)
        )
    assert caught.value.category is Category.BACKEND_BUG
    assert "crashed" in caught.value.message
    assert "docs install#updating" in caught.value.advice


def test_what_the_child_says_before_it_gives_up_is_passed_on(tmp_path: Path) -> None:
    engine = scripted("import sys", "print('no voice today', file=sys.stderr)", "sys.exit(3)")
    with pytest.raises(AvatarError, match="no voice today") as caught:
        engine.speak(SpeechRequest("Chào", Voice(language="vi")), job(tmp_path))
    assert caught.value.category is Category.SERVER


HANGING = ("import pathlib, time", "pathlib.Path('{}').touch()", "time.sleep(600)")


def test_a_hanging_child_is_killed_when_the_work_is_cancelled(tmp_path: Path) -> None:
    started = tmp_path / "started"
    engine = scripted(*(line.format(started) for line in HANGING))
    running = job(tmp_path)

    def cancel_when_started() -> None:
        while not started.exists():
            running.cancel.wait(0.01)
        running.cancel.cancel()

    canceller = threading.Thread(target=cancel_when_started)
    canceller.start()
    begin = time.monotonic()
    with pytest.raises(Cancelled):
        engine.speak(SpeechRequest("Chào", Voice(language="vi")), running)
    canceller.join()
    assert time.monotonic() - begin < 300


def test_a_hanging_child_is_killed_at_the_deadline(tmp_path: Path) -> None:
    engine = scripted(*(line.format(tmp_path / "started") for line in HANGING))
    late = job(tmp_path, deadline=0.0, clock=lambda: 1.0)
    with pytest.raises(AvatarError) as caught:
        engine.speak(SpeechRequest("Chào", Voice(language="vi")), late)
    assert caught.value.category is Category.TIMEOUT


def test_the_library_is_never_loaded_into_this_process(tmp_path: Path) -> None:
    say(tmp_path, "Chào")
    assert "espeakng_loader" not in sys.modules


def test_without_the_extra_the_check_names_the_command() -> None:
    # An interpreter that cannot find the package.
    code = (
        "import importlib.machinery as m\n"
        "real = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = classmethod(lambda c, n, p=None, t=None:"
        " None if n == 'espeakng_loader' else real(n, p, t))\n"
        "from renderer.speech.espeak import EspeakEngine\n"
        "health = EspeakEngine().check()\n"
        "print(health.ok, health.advice)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False")
    # By this Python: another one's pip would install beside us.
    assert sys.executable in done.stdout
    assert '-m pip install "avatar-core[espeak]"' in done.stdout
