"""Pictures and narrations are made ready, long ones cut at silences, and clips joined again."""

from __future__ import annotations

import itertools
import math
import threading
import wave
from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.media import MediaError, probe_video
from backends.sadtalker.engine import EngineNews, EngineTask, Output
from backends.sadtalker.finish import Unusable, join, pick_up, take
from backends.sadtalker.options import SadTalkerOptions
from backends.sadtalker.picture import (
    Box,
    Kept,
    blind_pads,
    found_face,
    mirrored,
    pads_for,
    prepare_picture,
)
from backends.sadtalker.runner import EngineRunner, RunLimits
from backends.sadtalker.sound import (
    OVERLAP_SECONDS,
    Narration,
    Piece,
    pieces,
    read_narration,
    write_piece,
)
from support_house import ROOT
from support_media import noise, write_clip, write_sound, write_wav
from support_sadtalker import SADTALKER, calls, install

PRESENTER = ROOT / "renderer" / "demo" / "assets" / "presenter.png"
RATE = 16_000
TOKEN = CancelToken()


# Pictures


@pytest.mark.parametrize(
    ("mode", "ending", "size", "expected"),
    [
        ("RGB", "jpg", (96, 64), (96, 64)),
        ("RGBA", "png", (64, 64), (64, 64)),
        ("L", "PNG", (64, 96), (64, 96)),
        ("CMYK", "jpeg", (64, 64), (64, 64)),
        ("P", "gif", (64, 64), (64, 64)),
        ("RGB", "webp", (3000, 1500), (1536, 768)),
        ("RGB", "bmp", (100, 2000), (77, 1536)),
    ],
)
def test_any_picture_becomes_a_small_rgb_png(
    tmp_path: Path, mode: str, ending: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    source, target = tmp_path / f"in.{ending}", tmp_path / "out.png"
    noise(size).convert(mode).save(source)
    assert prepare_picture(source, target, 1536).whole
    with Image.open(target) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", expected)


def test_a_photo_taken_sideways_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise((96, 64)).save(tmp_path / "in.jpg", exif=exif)
    prepare_picture(tmp_path / "in.jpg", tmp_path / "out.png", 1536)
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (64, 96)
        assert 0x0112 not in picture.getexif()


def test_what_is_transparent_becomes_a_light_backdrop(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (16, 16, 48, 48))
    picture.save(tmp_path / "in.png")
    prepare_picture(tmp_path / "in.png", tmp_path / "out.png", 1536)
    with Image.open(tmp_path / "out.png") as made:
        assert made.getpixel((0, 0)) == (240, 240, 240)
        assert made.getpixel((32, 32)) == (0, 0, 255)


def test_a_face_in_the_middle_gets_no_more_room(tmp_path: Path) -> None:
    kept = prepare_picture(PRESENTER, tmp_path / "out.png", 512, pad=True)
    assert kept.whole


def test_a_face_at_the_edge_gets_room_and_the_frame_is_remembered(tmp_path: Path) -> None:
    with Image.open(PRESENTER) as picture:
        width, height = picture.size
        # Cut so that the forehead touches the upper edge.
        tight = picture.convert("RGB").crop((0, round(height * 0.33), width, height))
    tight.save(tmp_path / "tight.png")
    kept = prepare_picture(tmp_path / "tight.png", tmp_path / "out.png", 4096, pad=True)
    assert not kept.whole and kept.y > 0.05 and kept.height < 0.95
    face = found_face(tight)
    assert face is not None
    with Image.open(tmp_path / "out.png") as picture:
        left, top = round(kept.x * picture.width), round(kept.y * picture.height)
        assert picture.getpixel((left, top)) == tight.getpixel((0, 0))
        moved = Box(face.left + left, face.top + top, face.right + left, face.bottom + top)
        assert pads_for(moved, Size(*picture.size)) == (0, 0, 0, 0)


boxes = st.tuples(*[st.floats(-50, 1500)] * 2, st.floats(20, 800)).map(
    lambda box: Box(box[0], box[1], box[0] + box[2], box[1] + box[2])
)
sizes = st.tuples(st.integers(64, 1536), st.integers(64, 1536)).map(lambda size: Size(*size))


@given(boxes, sizes)
def test_with_its_room_a_face_is_within_the_picture_as_the_program_measures_it(
    face: Box, size: Size
) -> None:
    left, top, right, bottom = pads_for(face, size)
    assert min(left, top, right, bottom) >= 0
    side = face.right - face.left
    if side > min(size) or face.left < 0 or face.top < 0:
        return  # No more is added than the picture is large.
    width = left + size.width + right
    assert face.left + left >= 0.6 * side - 1
    # Its lower bound is held against the width.
    assert face.bottom + 0.45 * side + top <= width + 1


@given(sizes)
def test_without_a_face_finder_there_is_room_on_all_sides(size: Size) -> None:
    left, top, right, bottom = blind_pads(size)
    assert min(left, top, right, bottom) >= math.floor(min(size) / 4)
    assert left + size.width + right >= 0.67 * size.height + top - 1


def test_where_nobody_finds_faces_every_picture_gets_room(tmp_path: Path) -> None:
    def absent(picture: Image.Image) -> Box | None:
        raise ImportError("no detector here")

    kept = prepare_picture(PRESENTER, tmp_path / "out.png", 256, absent, pad=True)
    assert 0 < kept.x < 0.5 and kept.width < 0.8


@pytest.mark.parametrize("pads", [(3, 0, 0, 5), (50, 70, 0, 0), (0, 0, 90, 64), (7, 7, 7, 7)])
def test_more_room_is_the_picture_mirrored(pads: tuple[int, int, int, int]) -> None:
    picture = noise((32, 24))
    left, top, right, bottom = pads
    expected = np.pad(np.asarray(picture), ((top, bottom), (left, right), (0, 0)), mode="symmetric")
    assert np.array_equal(np.asarray(mirrored(picture, pads)), expected)


# Sound


@pytest.mark.parametrize(
    ("ending", "codec"),
    [("mp3", "libmp3lame"), ("m4a", "aac"), ("ogg", "libopus"), ("flac", "flac")],
)
def test_any_sound_becomes_samples_at_the_engines_rate(
    tmp_path: Path, ending: str, codec: str
) -> None:
    write_sound(tmp_path / f"in.{ending}", codec, 0.5)
    narration = read_narration(tmp_path / f"in.{ending}", tmp_path, RATE, TOKEN)
    assert narration.rate == RATE
    assert narration.seconds == pytest.approx(0.5, abs=0.1)
    assert [path.name for path in tmp_path.iterdir()] == [f"in.{ending}"]


def test_a_list_of_other_files_is_no_sound(tmp_path: Path) -> None:
    write_wav(tmp_path / "secret.wav")
    (tmp_path / "in.wav").write_text(f"ffconcat version 1.0\nfile {tmp_path / 'secret.wav'}\n")
    with pytest.raises(MediaError):
        read_narration(tmp_path / "in.wav", tmp_path, RATE, TOKEN)


@pytest.mark.parametrize(("seconds", "expected"), [(0.02, 0.12), (0.4, 0.4), (0.41, 0.44)])
def test_what_does_not_fill_a_frame_is_filled_with_silence(
    tmp_path: Path, seconds: float, expected: float
) -> None:
    narration = _tone(seconds)
    written = write_piece(narration, Piece(0.0, seconds), tmp_path / "out.wav", 0.1)
    assert written == pytest.approx(expected)
    with wave.open(str(tmp_path / "out.wav")) as sound:
        assert sound.getnframes() % (RATE // 25) == 0
        assert sound.getnframes() / RATE == pytest.approx(expected)


def test_short_narration_stays_in_one_piece() -> None:
    assert pieces(_tone(3.0), 60.0) == pieces(_tone(3.0), None) == (Piece(0.0, 3.0),)


def test_long_narration_is_cut_in_its_silences() -> None:
    spoken = [(0.0, 2.5), (2.9, 5.4), (5.8, 8.0)]
    cut = pieces(_tone(8.0, spoken), 4.0)
    assert [piece.start for piece in cut[1:]] == pytest.approx([2.8, 5.6], abs=0.2)
    for piece in cut[1:]:
        assert not any(start < piece.start < end for start, end in spoken)


@settings(max_examples=60)
@given(st.floats(0.1, 40), st.floats(1.2, 12), st.integers(0, 99))
def test_pieces_cover_everything_once_and_none_is_too_long(
    seconds: float, longest: float, seed: int
) -> None:
    rate = 200
    noisy = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * rate))
    narration = Narration(array("h", noisy.astype("=i2").tobytes()), rate)
    cut = pieces(narration, longest)
    assert (cut[0].start, cut[-1].end) == (0.0, narration.seconds)
    assert all(a.end == b.start for a, b in itertools.pairwise(cut))
    assert all(piece.end > piece.start for piece in cut)
    assert all(piece.seconds <= longest + 1e-6 for piece in cut)
    for piece in cut[1:]:
        assert piece.lead == OVERLAP_SECONDS <= piece.start
        assert piece.start / 0.2 == pytest.approx(round(piece.start / 0.2))


# Joining


def test_joined_clips_are_as_long_as_the_narration_to_the_frame(tmp_path: Path) -> None:
    sound = write_wav(tmp_path / "voice.wav", 2.33)
    parts = [Piece(0.0, 1.0), Piece(1.0, 1.8, 0.2), Piece(1.8, 2.33, 0.2)]
    takes = []
    for number, piece in enumerate(parts):
        frames = math.ceil(piece.seconds * 25 - 1e-6)
        path = tmp_path / f"{number}.mp4"
        write_clip(path, frames, 25, lambda n, k=number: Image.new("RGB", (64, 48), (80 * k, 9, 9)))
        takes.append(take(path, piece, piece.seconds))
    target = tmp_path / "clip.mp4"
    info = join(takes, sound, 2.33, Kept(), target, TOKEN)
    assert (info.frames, info.size, info.has_audio) == (59, Size(64, 48), True)
    reds = [_red(target, frame) for frame in (0, 18, 22, 27, 40, 50, 58)]
    # The first, the same, half way into the second, the second ... the third.
    assert reds[0] < 10 and reds[1] < 10 and 20 < reds[2] < 70
    assert reds[3] == pytest.approx(80, abs=8) and reds[4] == pytest.approx(80, abs=8)
    assert reds[5] == reds[6] == pytest.approx(160, abs=8)


def test_a_long_narration_is_made_in_parts_and_comes_back_as_one(tmp_path: Path) -> None:
    root = install(tmp_path / "SadTalker")
    noise((64, 64)).save(tmp_path / "a.png")
    write_wav(tmp_path / "b.wav", 3.1)
    news: list[EngineNews] = []
    (tmp_path / "job").mkdir()
    task = EngineTask(tmp_path / "a.png", tmp_path / "b.wav", SadTalkerOptions(), tmp_path / "job")
    runner = EngineRunner(SADTALKER, root, limits=RunLimits(chunk=1.4))
    result = runner.run(task, news.append, threading.Event())
    assert probe_video(result.video).frames == 78
    assert sum(call["seconds"] for call in calls(root)) == pytest.approx(3.5, abs=0.05)
    assert max(call["seconds"] for call in calls(root)) <= 1.4
    assert "3 parts" in result.warnings[0]
    fractions = [one.fraction for one in news]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert any(one.message.startswith("part 2 of 3: ") for one in news)


def test_only_what_lies_in_the_jobs_folder_is_picked_up(tmp_path: Path) -> None:
    job, other = tmp_path / "job", tmp_path / "other.mp4"
    (job / "out").mkdir(parents=True)
    other.write_bytes(b"of someone else")
    (job / "out" / "mine.mp4").write_bytes(b"mine")
    odd = ("a\0b.mp4", "a" * 5000, "", ".", "\ud800")
    for named in (str(other), "../other.mp4", "gone.mp4", None, *odd):
        assert pick_up(Output(), job, named, tmp_path).name == "mine.mp4"
    (job / "out" / "mine.mp4").unlink()
    with pytest.raises(Unusable) as caught:
        pick_up(Output(), job, str(other), tmp_path)
    assert caught.value.fault.code == "no_video"


def _tone(seconds: float, spoken: list[tuple[float, float]] | None = None) -> Narration:
    times = np.arange(round(seconds * RATE)) / RATE
    loud = np.zeros_like(times, dtype=bool)
    for start, end in spoken or [(0.0, seconds)]:
        loud |= (times >= start) & (times < end)
    wave_ = np.where(loud, np.sin(times * 2 * math.pi * 200) * 8000, 0).astype("<i2")
    return Narration(array("h", wave_.tobytes()), RATE)


def _red(path: Path, number: int) -> float:
    import av

    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == number:
                return float(frame.to_ndarray(format="rgb24")[..., 0].mean())
    raise AssertionError(f"there is no frame {number}")
