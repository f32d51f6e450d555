"""The static backend: it delivers, whatever it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from avatar_core.attempt import contained
from avatar_core.backend import AvatarClip, AvatarRequest, Job, NoOptions, Size
from avatar_core.errors import EnvironmentFault
from avatar_core.framing import crop_box
from avatar_core.media import validate_clip
from avatar_core.plugins import load_plugins
from backends.static.backend import StaticBackend
from backends.static.card import draw_card
from backends.static.config import StaticOptions
from support_media import noise
from support_plugins import python

PORTRAIT = Size(64, 96)


def make(
    folder: Path,
    portrait: Path | None,
    seconds: float = 1.0,
    size: Size = PORTRAIT,
    **more: object,
) -> AvatarClip:
    """A clip of the backend, validated as the chain does it."""
    request = AvatarRequest(portrait, folder / "a.wav", seconds, size, 30, **more)  # type: ignore[arg-type]
    return validate_clip(StaticBackend().generate(request, Job(folder)), request)


def first_frame(clip: AvatarClip) -> np.ndarray:
    with av.open(str(clip.path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def test_it_comes_in_as_a_plugin_and_is_always_healthy() -> None:
    assert load_plugins(only="static").backends.load("static") is StaticBackend
    assert StaticBackend().check().ok
    needs = StaticBackend.capabilities
    assert not (needs.needs_network or needs.uploads or needs.costs_money or needs.needs_gpu)


@pytest.mark.parametrize("seconds", [0.01, 1.0, 1.01, 3.3, 2.0000000001])
def test_the_portrait_is_shown_for_as_many_frames_as_the_narration_needs(
    tmp_path: Path, seconds: float
) -> None:
    noise((64, 96)).save(tmp_path / "lan.png")
    clip = make(tmp_path, tmp_path / "lan.png", seconds)
    frames = {0.01: 1, 1.0: 30, 1.01: 31, 3.3: 99, 2.0000000001: 60}[seconds]
    assert clip.duration == pytest.approx(frames / 30)
    assert (clip.size, clip.fps, clip.still, clip.warnings) == (Size(64, 96), 30.0, True, ())
    assert np.abs(first_frame(clip).astype(int) - np.asarray(noise((64, 96)))).mean() < 6


def test_a_tall_portrait_keeps_its_head(tmp_path: Path) -> None:
    body = Image.new("RGB", (100, 400), "navy")
    body.paste((255, 255, 255), (0, 0, 100, 120))
    body.save(tmp_path / "lan.png")
    frame = first_frame(make(tmp_path, tmp_path / "lan.png", size=Size(96, 96)))
    assert (frame[:50] > 200).mean() > 0.9


@pytest.mark.parametrize("size", [Size(160, 90), Size(192, 96), Size(300, 40)])
@pytest.mark.parametrize("height", [100, 125, 400])
def test_a_wide_picture_keeps_the_face_from_hair_to_chin(
    tmp_path: Path, size: Size, height: int
) -> None:
    person = Image.new("RGB", (100, height), "navy")
    person.paste((255, 255, 0), (30, round(0.15 * height), 70, round(0.15 * height) + 60))
    person.save(tmp_path / "lan.png")
    frame = first_frame(make(tmp_path, tmp_path / "lan.png", size=size)).astype(int)
    face = np.flatnonzero(frame[:, size.width // 2, 0] - frame[:, size.width // 2, 2] > 150)
    assert face[0] > 0 and face[-1] < size.height - 1
    assert len(face) / size.height == pytest.approx(0.6, abs=0.06)


@pytest.mark.parametrize("size", [Size(160, 90), Size(96, 96), Size(90, 160)])
def test_a_wide_photo_fills_every_shape(tmp_path: Path, size: Size) -> None:
    photo = noise((160, 90))
    photo.save(tmp_path / "lan.png")
    frame = first_frame(make(tmp_path, tmp_path / "lan.png", size=size))
    # What is blurred has lost its grain.
    assert min(np.diff(frame[:, edge].astype(int), axis=0).std() for edge in (2, -3)) > 3


def test_the_focus_of_the_crop_can_be_chosen(tmp_path: Path) -> None:
    body = Image.new("RGB", (100, 400), "white")
    body.paste((0, 0, 0), (0, 200, 100, 400))
    body.save(tmp_path / "lan.png")
    means = [
        first_frame(make(tmp_path, tmp_path / "lan.png", options=StaticOptions(focus=focus))).mean()
        for focus in (0.0, 1.0)
    ]
    assert means[0] > 200 > 50 > means[1]


def test_a_transparent_portrait_stands_before_a_backdrop(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (64, 96), (0, 0, 0, 0))
    picture.paste(noise((32, 32)), (16, 16))
    picture.save(tmp_path / "lan.png")
    frame = first_frame(make(tmp_path, tmp_path / "lan.png"))
    assert frame[80, 5].min() > 200


@pytest.mark.parametrize("options", [NoOptions(), StaticOptions()])
def test_options_of_another_backend_do_not_disturb_it(tmp_path: Path, options: object) -> None:
    assert make(tmp_path, None, options=options).still


BAD: dict[str, Callable[[Path], object]] = {
    "missing": lambda p: None,
    "a folder": Path.mkdir,
    "empty": Path.touch,
    "text": lambda p: p.write_text("hello"),
    "cut off": lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_portrait_that_cannot_be_used_becomes_a_card_and_a_warning(
    tmp_path: Path, case: str
) -> None:
    portrait = tmp_path / "lan.png"
    BAD[case](portrait)
    clip = make(tmp_path, portrait, speaker="Lan")
    (warning,) = clip.warnings
    assert str(portrait) in warning
    assert "A drawn card is shown instead." in warning


def test_without_a_portrait_there_is_a_card_and_a_warning(tmp_path: Path) -> None:
    clip = make(tmp_path, None, speaker="Lan")
    assert clip.warnings == ("Lan has no portrait: a drawn card is shown instead.",)


@pytest.mark.parametrize("strip", [(1, 4000), (4000, 1), (1, 1)])
def test_a_portrait_of_an_absurd_shape_costs_no_more_than_another(
    tmp_path: Path, strip: tuple[int, int]
) -> None:
    Image.new("RGB", strip, "white").save(tmp_path / "lan.png")
    assert make(tmp_path, tmp_path / "lan.png").size == Size(64, 96)


@settings(max_examples=25, deadline=None)
@given(
    speaker=st.text(max_size=40),
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    seconds=st.floats(0.001, 3),
)
@example(speaker="Nguyễn Thị Thùy Dương", width=108, height=192, seconds=1)
@example(speaker="😀", width=9, height=300, seconds=1)
@example(speaker="\ud800", width=64, height=64, seconds=1)
def test_it_delivers_for_every_name_size_and_length(
    tmp_path: Path, speaker: str, width: int, height: int, seconds: float
) -> None:
    clip = make(tmp_path, None, seconds, Size(width, height), speaker=speaker)
    assert clip.size == Size(width + width % 2, height + height % 2)


@given(
    source=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    target=st.tuples(st.integers(2, 2000), st.integers(2, 2000)),
    focus=st.floats(0, 1),
)
def test_a_crop_lies_in_the_picture_and_has_the_shape_of_the_target(
    source: tuple[int, int], target: tuple[int, int], focus: float
) -> None:
    left, top, right, bottom = crop_box(Size(*source), Size(*target), focus)
    assert 0 <= left < right <= source[0] and 0 <= top < bottom <= source[1]
    assert (right - left) / (bottom - top) == pytest.approx(target[0] / target[1], rel=1e-6)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device to write to")
def test_a_full_disk_is_told_as_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "still.mp4").symlink_to("/dev/full")
    request = AvatarRequest(None, tmp_path / "a.wav", 1.0, PORTRAIT, 30, speaker="Lan")
    with pytest.raises(EnvironmentFault, match="disk is full"), contained("static"):
        StaticBackend().generate(request, Job(tmp_path))


def test_a_card_belongs_to_its_name() -> None:
    cards = [np.asarray(draw_card(name, Size(96, 96))) for name in ("Lan", "Lan", "Minh")]
    assert (cards[0] == cards[1]).all()
    assert (cards[0] != cards[2]).any()


def test_vietnamese_letters_are_drawn_and_not_left_out() -> None:
    plain, accented = (np.asarray(draw_card(n, Size(400, 400))) for n in ("Duong", "Dường"))
    letters = [(card[300:] > 230).all(axis=2).sum() for card in (plain, accented)]
    assert letters[1] > letters[0] > 0


def test_it_needs_neither_the_network_nor_a_library_for_it(tmp_path: Path) -> None:
    result = python(f"""
        import socket, sys
        from pathlib import Path
        from avatar_core.backend import AvatarRequest, Job, Size
        from backends.static.backend import StaticBackend

        folder = Path({str(tmp_path)!r})
        request = AvatarRequest(None, folder / "a.wav", 1.0, Size(64, 64), 30, speaker="Lan")

        def refuse(event, arguments):
            if event.startswith("socket."):
                raise SystemExit(event)

        sys.addaudithook(refuse)
        StaticBackend().generate(request, Job(folder))
        print([m for m in ("requests", "moviepy", "onnxruntime") if m in sys.modules])
    """)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
