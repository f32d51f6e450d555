"""Recordings of any kind become one normal form; what is none is told with its file."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from avatar_core.errors import AvatarError, Cancelled, Category, InputError
from avatar_core.ffmpeg import ffmpeg_exe, run_ffmpeg
from avatar_core.speech import SpeechRequest
from renderer.speech.recording import RecordingEngine, decode_recording
from renderer.speech.sound import RATE, convert, silent_wav, sounding
from support_speech import job, tones

SECONDS = 1.5


def encoded(folder: Path, name: str, *arguments: str) -> Path:
    source = tones(folder / "source.wav", [(1.0, 0.5)], rate=44_100)
    target = folder / name
    run_ffmpeg(["-i", str(source), *arguments, str(target)])
    return target


def no_tick(seconds: float) -> None:
    assert seconds >= 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plain.wav", ["-c:a", "pcm_s16le"]),
        ("eight bits.wav", ["-c:a", "pcm_u8", "-ar", "8000"]),
        ("float.wav", ["-c:a", "pcm_f32le"]),
        ("extensible.wav", ["-c:a", "pcm_s24le", "-ac", "6"]),
        ("ghi âm.mp3", ["-c:a", "libmp3lame"]),
        ("it's.ogg", ["-c:a", "libvorbis"]),
        ("-dash.opus", ["-c:a", "libopus", "-ar", "48000"]),
        ("voice.m4a", ["-c:a", "aac"]),
        ("voice.flac", ["-c:a", "flac"]),
        ("film.mp4", ["-f", "lavfi", "-i", "color=red:s=64x64:d=1.5", "-c:a", "aac"]),
        ("wrong ending.wav", ["-c:a", "libmp3lame", "-f", "mp3"]),
    ],
)
def test_every_usual_recording_becomes_the_normal_form(
    tmp_path: Path, name: str, arguments: list[str]
) -> None:
    source, target = encoded(tmp_path, name, *arguments), tmp_path / "normal.wav"
    decoded = decode_recording(source, target, no_tick)
    with wave.open(str(target)) as sound:
        assert sound.getparams()[:4] == (1, 2, RATE, decoded.samples)
    # Coders add up to a tenth of a second of their own silence.
    assert decoded.samples / RATE == pytest.approx(SECONDS, abs=0.1)
    loud = sounding(target)
    assert loud is not None
    assert (loud[1] - loud[0]) / RATE == pytest.approx(1.0, abs=0.1)


def test_a_wav_written_into_a_pipe_has_no_length_and_is_no_worse(tmp_path: Path) -> None:
    source, target = tones(tmp_path / "a.wav", [(1.0, 0.0)]), tmp_path / "piped.wav"
    command = [ffmpeg_exe(), "-v", "error", "-i", str(source), "-f", "wav", "-"]
    target.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    assert decode_recording(target, tmp_path / "out.wav", no_tick).samples == RATE


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def text_file(path: Path) -> None:
    path.write_text("This is no sound. " * 50)


def only_a_header(path: Path) -> None:
    tones(path, [])


def half_a_wav(path: Path) -> None:
    content = tones(path, [(2.0, 0.0)]).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def half_an_m4a(path: Path) -> None:
    whole = encoded(path.parent, "whole.m4a", "-c:a", "aac")
    path.write_bytes(whole.read_bytes()[:3000])


def half_a_flac(path: Path) -> None:
    whole = encoded(path.parent, "whole.flac", "-c:a", "flac")
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])


def no_audio(path: Path) -> None:
    run_ffmpeg(["-f", "lavfi", "-i", "color=red:s=64x64:d=0.2", "-f", "mp4", str(path)])


def a_playlist_in_disguise(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.wav\n")


def a_folder(path: Path) -> None:
    path.mkdir()


def nothing_at_all(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (empty_file, "empty file"),
        (text_file, "not a sound file"),
        (only_a_header, "no sound in it"),
        (half_a_wav, "cut off"),
        (half_an_m4a, "damaged"),
        (half_a_flac, "cut off"),
        (no_audio, "holds no sound"),
        (a_playlist_in_disguise, "not a sound file"),
        (a_folder, "cannot be read"),
        (nothing_at_all, "does not exist"),
    ],
)
def test_an_unusable_recording_is_told_with_its_file_and_the_next_step(
    tmp_path: Path, make: Callable[[Path], None], says: str
) -> None:
    source = tmp_path / "voice.wav"
    make(source)
    with pytest.raises(InputError, match=says) as caught:
        decode_recording(source, tmp_path / "out.wav", no_tick)
    assert caught.value.file == source
    assert caught.value.advice


def test_the_engine_speaks_a_recording(tmp_path: Path) -> None:
    source = tones(tmp_path / "a.wav", [(1.0, 0.0)])
    speech = RecordingEngine().speak(SpeechRequest("", recording=source), job(tmp_path))
    assert speech.duration == 1.0
    assert speech.warnings == ()


def test_the_engine_without_a_recording_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AvatarError) as caught:
        RecordingEngine().speak(SpeechRequest("Hello"), job(tmp_path))
    assert caught.value.category is Category.UNSUPPORTED
    assert "audio:" in caught.value.advice


def test_reading_a_recording_can_be_cancelled(tmp_path: Path) -> None:
    source = tones(tmp_path / "a.wav", [(1.0, 0.0)])
    cancelled = job(tmp_path)
    cancelled.cancel.cancel()
    with pytest.raises(Cancelled):
        RecordingEngine().speak(SpeechRequest("", recording=source), cancelled)


@pytest.mark.parametrize("tempo", [0.5, 0.8, 1.25, 2.0])
def test_tempo_changes_the_length_and_nothing_else(tmp_path: Path, tempo: float) -> None:
    source = tones(tmp_path / "a.wav", [(2.0, 0.0)])
    decoded = convert(source, tmp_path / "out.wav", no_tick, tempo=tempo)
    assert decoded.samples / RATE == pytest.approx(2.0 / tempo, rel=0.02)


def test_an_hour_of_silence_takes_its_length_and_no_room(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    silent_wav(path, 3600 * RATE)
    with wave.open(str(path)) as sound:
        assert sound.getnframes() == 3600 * RATE
        assert not any(sound.readframes(1000))
    assert path.stat().st_size == 44 + 2 * 3600 * RATE
