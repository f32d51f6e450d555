"""Probing sound and video: what people really have works, what is broken is told in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_core.backend import Size
from avatar_core.media import MediaError, probe_audio, probe_video
from support_media import noise, write_clip, write_sound, write_wav, write_wav_header

TONE = np.sin(np.arange(12_000) / 10)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_plain_wav_is_measured_exactly(tmp_path: Path, channels: int) -> None:
    info = probe_audio(write_wav(tmp_path / "a.wav", 1.25, 24_000, channels))
    assert (info.seconds, info.rate, info.channels) == (1.25, 24_000, channels)


@pytest.mark.parametrize(
    ("tag", "body", "bits", "codec"),
    [
        (0xFFFE, (TONE * 8000).astype("<i2").tobytes(), 16, "pcm_s16le"),
        (3, TONE.astype("<f4").tobytes(), 32, "pcm_f32le"),
        (1, (TONE * 100 + 128).astype("u1").tobytes(), 8, "pcm_u8"),
    ],
    ids=["WAVE_FORMAT_EXTENSIBLE", "32-bit float", "8-bit"],
)
def test_unusual_wav_files_work(
    tmp_path: Path, tag: int, body: bytes, bits: int, codec: str
) -> None:
    info = probe_audio(write_wav_header(tmp_path / "a.wav", tag, body, bits, 24_000))
    assert (info.seconds, info.codec) == (0.5, codec)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp3", "libmp3lame"),
        ("a.ogg", "libopus"),
        ("a.opus", "libopus"),
        ("a.m4a", "aac"),
        ("a.flac", "flac"),
    ],
)
def test_compressed_recordings_work(tmp_path: Path, name: str, codec: str) -> None:
    info = probe_audio(write_sound(tmp_path / name, codec, 2.0))
    assert info.seconds == pytest.approx(2.0, abs=0.1)
    assert info.rate == 48_000


NAMES = ["with space.wav", 'it\'s "quoted".wav', "giọng đọc 声.wav", "-leading.wav", "12:30.wav"]


@pytest.mark.parametrize("name", NAMES)
def test_any_file_name_works(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe_audio(Path(name)).seconds == 1.0


def _nothing(path: Path) -> None:
    del path


def _cut(path: Path) -> None:
    write_wav(path, 4.0)
    path.write_bytes(path.read_bytes()[:50_000])


def _cut_m4a(path: Path) -> None:
    whole = write_sound(path.with_suffix(".m4a"), "aac", 4.0).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


BAD_SOUND: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (_nothing, "no such sound file"),
    "folder": (Path.mkdir, "This is a folder"),
    "empty": (Path.touch, "empty (0 bytes)"),
    "a device": (lambda p: p.symlink_to("/dev/zero"), "a pipe or a device"),
    "a circle of links": (lambda p: p.symlink_to(p), "cannot be read"),
    "text": (lambda p: p.write_text("hello " * 100), "not a sound file"),
    "random bytes": (lambda p: p.write_bytes(bytes(range(256)) * 50), "sound"),
    "a video without sound": (lambda p: write_clip(p.with_suffix(".mp4")).rename(p), "no sound"),
    "a picture": (lambda p: noise().save(p, "PNG"), "no sound"),
    "header only": (lambda p: write_wav(p, 0.0), "no sound"),
    "cut off": (_cut, "cut off"),
    "cut off in a container": (_cut_m4a, "damaged"),
}


@pytest.mark.parametrize("case", BAD_SOUND)
def test_sound_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path, case: str) -> None:
    make, sentence = BAD_SOUND[case]
    path = tmp_path / "speech.wav"
    make(path)
    with pytest.raises(MediaError) as caught:
        probe_audio(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_playlist_cannot_make_us_open_anything_on_the_network(tmp_path: Path) -> None:
    path = tmp_path / "song.m3u8"
    path.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(MediaError):
        probe_audio(path)


@pytest.mark.parametrize("fps", [24, 25, 30, 60])
def test_a_video_is_described_as_it_is(tmp_path: Path, fps: int) -> None:
    info = probe_video(write_clip(tmp_path / "a.mp4", frames=12, fps=fps))
    assert (info.size, info.fps, info.frames) == (Size(64, 48), fps, 12)
    assert (info.codec, info.pix_fmt) == ("h264", "yuv420p")
    assert (info.has_alpha, info.has_audio) == (False, False)
    assert info.seconds == pytest.approx(12 / fps)


def test_alpha_is_seen_in_the_format_of_the_pixels(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mov", 3, codec="qtrle", pix_fmt="argb")
    assert probe_video(path).has_alpha


BAD_VIDEO: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (_nothing, "no such video file"),
    "folder": (Path.mkdir, "This is a folder"),
    "empty": (Path.touch, "empty (0 bytes)"),
    "text": (lambda p: p.write_text("hello " * 100), "not a video file"),
    "sound only": (lambda p: write_sound(p, "aac"), "no picture"),
    "cut off": (
        lambda p: p.write_bytes(write_clip(p, 60).read_bytes()[:2000]),
        "not a video file that can be read",
    ),
}


@pytest.mark.parametrize("case", BAD_VIDEO)
def test_a_video_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path, case: str) -> None:
    make, sentence = BAD_VIDEO[case]
    path = tmp_path / "background.mp4"
    make(path)
    with pytest.raises(MediaError) as caught:
        probe_video(path)
    assert sentence in str(caught.value)


def test_an_animated_gif_is_a_video_too(tmp_path: Path) -> None:
    frames: list[Image.Image] = [noise(seed=n) for n in range(3)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    assert probe_video(path).frames == 3
