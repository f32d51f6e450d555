"""The files that the testing kit makes are what they are said to be."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from avatar_core.backend import AvatarClip, AvatarRequest, Size
from avatar_core.clip_check import validate_clip
from avatar_core.errors import AvatarError, Category
from avatar_core.media import probe_audio, probe_picture, probe_video
from avatar_core.testing import accept_any, fake_clip, judge_fakes, media

BAD = sorted(set(media.KINDS) - {"moving"})


def said(path: Path, request: AvatarRequest) -> AvatarClip:
    """What a backend says of the file, true or not."""
    return AvatarClip(path, request.size, float(request.fps), request.duration, "whoever")


@pytest.fixture
def request_(tmp_path: Path) -> AvatarRequest:
    return media.request(tmp_path)


def test_a_request_has_a_picture_and_a_narration_that_can_be_used(request_: AvatarRequest) -> None:
    assert request_.portrait is not None
    assert probe_picture(request_.portrait).size == Size(256, 320)
    assert probe_audio(request_.audio).seconds == request_.duration == 1.0


@pytest.mark.parametrize("seconds", [0.01, 0.2, 1.0, 7.3])
def test_a_narration_is_as_long_as_asked(tmp_path: Path, seconds: float) -> None:
    path = media.speech(tmp_path / "a.wav", seconds)
    assert probe_audio(path).seconds == pytest.approx(seconds, abs=1e-4)


def test_a_narration_sounds_like_syllables_with_pauses_between_phrases(tmp_path: Path) -> None:
    with wave.open(str(media.speech(tmp_path / "a.wav", 3.0))) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
    syllables = np.abs(samples).reshape(-1, 4800).max(axis=1)
    assert (syllables > 5000).sum() == 13
    assert (syllables == 0).sum() == 2


def test_the_key_of_a_request_is_the_same_in_every_folder_and_another_for_another_narration(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    first, second = (media.request(folder) for folder in folders[:2])
    assert first.key == second.key
    assert media.request(folders[2], 1.5).key != first.key
    assert media.request(folders[2], key="mine").key == "mine"


@pytest.mark.parametrize("size", [Size(128, 160), Size(33, 57)])
def test_a_moving_clip_is_sound(tmp_path: Path, size: Size) -> None:
    request = media.request(tmp_path, 2.0, size=size, fps=25)
    path = media.clip(tmp_path / "clip.mp4", 2.0, size, 25)
    clip = validate_clip(said(path, request), request)
    assert (clip.duration, clip.fps) == (2.0, 25.0)
    assert probe_video(path).pix_fmt == "yuv420p"


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("seconds", [0.5, 1.0, 6.0])
def test_a_bad_clip_is_refused(tmp_path: Path, kind: media.ClipKind, seconds: float) -> None:
    request = media.request(tmp_path, seconds)
    clip = said(media.clip(tmp_path / "clip.mp4", seconds, kind=kind), request)
    for judge in (validate_clip, judge_fakes):
        with pytest.raises(AvatarError) as caught:
            judge(clip, request)
        assert caught.value.category is Category.BAD_OUTPUT


def test_a_short_clip_lacks_three_seconds(tmp_path: Path) -> None:
    assert probe_video(media.clip(tmp_path / "a.mp4", 10.0, kind="short")).seconds == 7.0


@pytest.mark.parametrize("kind", BAD)
def test_a_fake_of_a_bad_clip_is_judged_as_what_it_stands_for(
    request_: AvatarRequest, tmp_path: Path, kind: media.ClipKind
) -> None:
    clip = said(fake_clip(tmp_path / "clip.mp4", 1.0, kind), request_)
    assert accept_any(clip, request_) is clip
    with pytest.raises(AvatarError, match=kind) as caught:
        judge_fakes(clip, request_)
    assert caught.value.category is Category.BAD_OUTPUT


def test_a_fake_of_a_good_clip_is_accepted_where_fakes_are_and_nowhere_else(
    request_: AvatarRequest, tmp_path: Path
) -> None:
    clip = said(fake_clip(tmp_path / "clip.mp4", 1.0), request_)
    assert judge_fakes(clip, request_) is clip
    with pytest.raises(AvatarError):
        validate_clip(clip, request_)


def test_a_fake_that_is_not_there_is_bad_output(request_: AvatarRequest, tmp_path: Path) -> None:
    with pytest.raises(AvatarError) as caught:
        judge_fakes(said(tmp_path / "none.mp4", request_), request_)
    assert caught.value.category is Category.BAD_OUTPUT


def test_the_kit_is_imported_without_anything_heavy() -> None:
    heavy = "av numpy PIL pytest requests _pytest hypothesis".split()
    code = (
        "import sys, avatar_core.testing as t; t.ScriptedBackend('x'); t.VirtualClock();"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_of_the_kit_exists() -> None:
    import avatar_core.testing as kit

    assert [name for name in kit.__all__ if getattr(kit, name, None) is None] == []
