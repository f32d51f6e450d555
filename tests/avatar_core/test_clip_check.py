"""Validation of a backend's clip: what is sound passes with its real numbers, the rest does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from avatar_core.backend import AvatarClip, AvatarRequest, Size
from avatar_core.errors import AvatarError, Category
from avatar_core.media import validate_clip
from support_media import noise, write_clip, write_wav


def request_for(seconds: float) -> AvatarRequest:
    return AvatarRequest(None, Path("speech.wav"), seconds, Size(64, 48), 30)


def claimed(path: Path, *, still: bool = False) -> AvatarClip:
    """A clip as a careless backend describes it: every number is wrong."""
    return AvatarClip(path, Size(1, 1), 1.0, 99.0, "careless", still=still)


@pytest.mark.parametrize("still", [False, True])
@pytest.mark.parametrize("fps", [24, 25, 30])
def test_a_sound_clip_gets_its_real_numbers(tmp_path: Path, fps: int, still: bool) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=fps * 2, fps=fps)
    clip = validate_clip(claimed(path, still=still), request_for(2.0))
    assert (clip.size, clip.fps, clip.has_alpha) == (Size(64, 48), fps, False)
    assert clip.duration == pytest.approx(2.0)
    assert (clip.backend, clip.still) == ("careless", still)


def test_alpha_is_found(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mov", 30, codec="qtrle", pix_fmt="argb")
    assert validate_clip(claimed(path), request_for(1.0)).has_alpha


def test_a_still_portrait_passes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", picture=lambda number: noise())
    assert validate_clip(claimed(path), request_for(1.0)).size == Size(64, 48)


@pytest.mark.parametrize(
    ("frames", "narration", "fits"),
    [
        (30, 1.0, True),
        (37, 1.0, True),
        (23, 1.0, True),
        (39, 1.0, False),
        (21, 1.0, False),
        (309, 10.0, True),
        (330, 10.0, False),
        (1, 60.0, False),
    ],
)
def test_the_length_fits_the_narration_within_a_quarter_second_or_a_twentieth(
    tmp_path: Path, frames: int, narration: float, fits: bool
) -> None:
    clip = claimed(write_clip(tmp_path / "a.mp4", frames))
    if fits:
        assert validate_clip(clip, request_for(narration)).duration == pytest.approx(frames / 30)
        return
    with pytest.raises(AvatarError, match="but the narration lasts") as caught:
        validate_clip(clip, request_for(narration))
    assert caught.value.category is Category.BAD_OUTPUT


def flat(colour: str) -> Callable[[Path], object]:
    return lambda path: write_clip(path, picture=lambda n: Image.new("RGB", (64, 48), colour))


def flashing(path: Path) -> Path:
    colours = ("black", "white", "red")
    return write_clip(path, picture=lambda n: Image.new("RGB", (64, 48), colours[n % 3]))


def cut(path: Path) -> None:
    write_clip(path, 30, codec="mpeg4", picture=lambda n: noise((320, 240), n))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def damaged(path: Path) -> None:
    """Whole to look at, but its second half is noise."""
    write_clip(path.with_suffix(".mkv"), 30, picture=lambda n: noise((320, 240), n)).rename(path)
    whole = path.read_bytes()
    middle = len(whole) // 3
    path.write_bytes(whole[:middle] + bytes(range(255, -1, -1)) * ((len(whole) - middle) // 256))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "no such video"),
    "a folder": (Path.mkdir, "folder"),
    "empty": (Path.touch, "empty"),
    "a web page": (lambda p: p.write_text("<html>502 Bad Gateway</html>"), "not a video"),
    "sound only": (lambda p: write_wav(p), "no picture"),
    "cut off": (cut, ""),
    "damaged": (damaged, ""),
    "all black": (flat("black"), "one flat colour"),
    "all green": (flat("#00ff00"), "one flat colour"),
    "flashing": (flashing, "one flat colour"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_clip_that_is_no_presenter_is_bad_output(tmp_path: Path, case: str) -> None:
    make, sentence = BAD[case]
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(AvatarError) as caught:
        validate_clip(claimed(path), request_for(1.0))
    assert caught.value.category is Category.BAD_OUTPUT
    assert sentence in caught.value.message


def test_a_clip_that_fades_in_from_black_is_fine(tmp_path: Path) -> None:
    def fade(number: int) -> Image.Image:
        return Image.new("RGB", (64, 48)) if number < 10 else noise()

    clip = claimed(write_clip(tmp_path / "a.mp4", picture=fade))
    assert validate_clip(clip, request_for(1.0)).fps == 30


def test_a_transparent_clip_with_somebody_in_it_is_fine(tmp_path: Path) -> None:
    def person(number: int) -> Image.Image:
        picture = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
        picture.paste(noise((20, 30), number), (20, 10))
        return picture

    path = write_clip(tmp_path / "a.mov", picture=person, codec="qtrle", pix_fmt="argb")
    assert validate_clip(claimed(path), request_for(1.0)).has_alpha


def test_a_wholly_transparent_clip_shows_nobody(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "a.mov",
        picture=lambda n: Image.new("RGBA", (64, 48), (0, 0, 0, 0)),
        codec="qtrle",
        pix_fmt="argb",
    )
    with pytest.raises(AvatarError, match="flat"):
        validate_clip(claimed(path), request_for(1.0))


def test_a_still_clip_of_one_colour_shows_what_its_portrait_shows(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    flat("white")(path)
    assert validate_clip(claimed(path, still=True), request_for(1.0)).size == Size(64, 48)
