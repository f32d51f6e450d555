"""Portraits and narrations in a form that D-ID takes, whatever they are at home."""

from __future__ import annotations

import io
import re
import wave
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Category
from avatar_core.media import probe_audio, probe_video
from avatar_core.testing import media
from backends.did.media import (
    MOST_PIXELS,
    MOST_SOUND_BYTES,
    Sendable,
    acceptable,
    content_of,
    narration_to_send,
    portrait_to_send,
    without_tail,
)

SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,50}")
PLACE_TAGS = 0x8825
SIDES = st.integers(1, 9000)


def sent(path: Path) -> Sendable:
    return portrait_to_send(path, content_of(path, "picture"))


def spoken(path: Path, work: Path) -> Sendable:
    return narration_to_send(path, content_of(path, "sound"), work, CancelToken())


def opened(sendable: Sendable) -> Image.Image:
    return Image.open(io.BytesIO(sendable.data))


@given(width=SIDES, height=SIDES)
def test_every_size_becomes_one_that_is_accepted_or_is_refused_in_words(
    width: int, height: int
) -> None:
    try:
        found = acceptable(Size(width, height))
    except AvatarError as failure:
        assert failure.category is Category.INVALID_INPUT
        assert max(width, height) / min(width, height) > 300
        return
    assert min(found) >= 160
    assert found.width * found.height <= MOST_PIXELS
    drift = abs(found.width / found.height * height / width - 1)
    assert drift <= 1.5 / min(found), "its shape stays"


@pytest.mark.parametrize("size", [Size(160, 160), Size(1080, 1350), Size(3162, 3162)])
def test_a_size_that_is_accepted_stays(size: Size) -> None:
    assert acceptable(size) == size


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tiff", "gif"])
def test_any_picture_becomes_a_jpeg_with_a_safe_short_name(ending: str, tmp_path: Path) -> None:
    odd = tmp_path / f"Ảnh của Lan (bản cuối) {'x' * 60}.{ending}"
    made = sent(media.portrait(odd))
    assert (opened(made).format, made.media_type, made.warning) == ("JPEG", "image/jpeg", "")
    assert opened(made).size == (256, 320)
    assert SAFE_NAME.fullmatch(made.name) and made.name.endswith(".jpg")


def test_a_small_portrait_is_enlarged_with_a_word_about_it(tmp_path: Path) -> None:
    made = sent(media.portrait(tmp_path / "small.png", Size(80, 100)))
    assert opened(made).size == (160, 200)
    assert "80x100" in made.warning and "160x200" in made.warning


def test_a_portrait_of_too_many_pixels_is_scaled_down(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("L", (4000, 3000), 128).save(path)
    width, height = opened(sent(path)).size
    assert 9_900_000 < width * height <= 10_000_000
    assert width / height == pytest.approx(4 / 3, abs=0.001)


def test_a_portrait_is_sent_upright_and_without_the_place_where_it_was_taken(
    tmp_path: Path,
) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[PLACE_TAGS] = {1: "N", 2: (21.0, 1.0, 42.0)}
    Image.new("RGB", (320, 256), "#a05030").save(path, exif=exif)
    picture = opened(sent(path))
    assert picture.size == (256, 320)
    assert dict(picture.getexif()) == {}


def test_what_is_transparent_becomes_a_light_backdrop(tmp_path: Path) -> None:
    path = tmp_path / "cut-out.png"
    Image.new("RGBA", (200, 200), (0, 0, 0, 0)).save(path)
    assert min(opened(sent(path)).getpixel((100, 100))) > 220  # type: ignore[arg-type]


def test_noise_that_would_be_too_large_is_compressed_harder(tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    Image.effect_noise((3100, 3100), 120).convert("RGB").save(path, compress_level=1)
    assert len(sent(path).data) <= 10_000_000


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\nbut not really"])
def test_a_portrait_that_is_none_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(AvatarError) as caught:
        sent(path)
    assert caught.value.category is Category.INVALID_INPUT
    assert "broken.png" in caught.value.message


def test_a_short_narration_is_sent_as_it_is(tmp_path: Path) -> None:
    path = media.speech(tmp_path / "narration.wav", 1.0)
    made = spoken(path, tmp_path)
    assert made.data == path.read_bytes()
    assert made.media_type == "audio/wav"
    assert SAFE_NAME.fullmatch(made.name) and made.name.endswith(".wav")


def test_a_long_narration_is_sent_as_m4a_of_the_same_length(tmp_path: Path) -> None:
    path = silence(tmp_path / "long.wav", seconds=70)
    assert path.stat().st_size > MOST_SOUND_BYTES
    made = spoken(path, tmp_path)
    assert made.media_type == "audio/mp4" and made.name.endswith(".m4a")
    assert len(made.data) <= MOST_SOUND_BYTES
    (tmp_path / "came.m4a").write_bytes(made.data)
    assert probe_audio(tmp_path / "came.m4a").seconds == pytest.approx(70, abs=0.1)


@pytest.mark.parametrize(("container", "codec"), [("flac", "flac"), ("aiff", "pcm_s16be")])
def test_sound_that_only_calls_itself_a_wav_is_encoded(
    container: str, codec: str, tmp_path: Path
) -> None:
    path = tmp_path / "narration.wav"
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=16_000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=8_000)
        frame.rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert spoken(path, tmp_path).name.endswith(".m4a")


def test_more_than_ten_minutes_are_refused(tmp_path: Path) -> None:
    path = silence(tmp_path / "endless.wav", seconds=601, rate=4000)
    with pytest.raises(AvatarError) as caught:
        spoken(path, tmp_path)
    assert caught.value.category is Category.UNSUPPORTED
    assert "601.0 s" in caught.value.message


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF\x00\x00\x00\x00WAVEfmt "])
def test_a_narration_that_is_none_is_refused_in_words(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(AvatarError) as caught:
        spoken(path, tmp_path)
    assert caught.value.category is Category.INVALID_INPUT


@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.5])
def test_a_tail_is_cut_off_without_encoding_again(seconds: float, tmp_path: Path) -> None:
    clip = media.clip(tmp_path / "talk.mp4", 2.0, fps=25)
    cut = probe_video(without_tail(clip, seconds, CancelToken()))
    assert cut.seconds == pytest.approx(seconds, abs=0.16)
    assert not cut.has_audio


def silence(path: Path, seconds: int, rate: int = 48_000) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"\x01\x00" * (seconds * rate))
    return path
