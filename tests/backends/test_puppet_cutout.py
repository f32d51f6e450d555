"""A portrait that is cut out already: its clip lets the scene's background be seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from avatar_core.backend import AvatarClip, AvatarRequest, Job, Size
from avatar_core.clip_check import validate_clip
from avatar_core.testing.media import speech
from backends.puppet.backend import PuppetBackend
from backends.puppet.config import PuppetOptions
from backends.puppet.cutout import spread, without_backdrop
from backends.puppet.life import CHANNELS
from backends.puppet.mouth_track import CHANNELS as MOUTH
from backends.puppet.portraits import find_face
from backends.puppet.stage import Player, Stage
from renderer.compose.spec import BackgroundLayer, Box, PresenterLayer
from support_compose import SIZE as FILM
from support_compose import composed, spec_of
from support_house import ROOT

SIZE = Size(96, 120)
MAGENTA, HAIR = (255, 0, 255), (24, 20, 60)


def outline(size: tuple[int, int]) -> Image.Image:
    """Head and shoulders with a soft edge: 255 inside."""
    width, height = size
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    draw.ellipse((0.24 * width, 0.12 * height, 0.76 * width, 0.78 * height), fill=255)
    draw.ellipse((0.1 * width, 0.72 * height, 0.9 * width, 1.6 * height), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(1.5))


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's presenter in a dark hood; magenta hides where nothing is seen."""
    path = tmp_path_factory.mktemp("cut") / "lan.png"
    with Image.open(ROOT / "renderer" / "demo" / "assets" / "presenter.png") as whole:
        picture = whole.convert("RGB").resize((320, 400))
    mask = outline(picture.size)
    inside = mask.filter(ImageFilter.MinFilter(15)).point(lambda value: 255 if value == 255 else 0)
    picture.paste(HAIR, mask=inside.point(lambda value: 255 - value))
    picture.paste(MAGENTA, mask=mask.point(lambda value: 255 if value == 0 else 0))
    picture.putalpha(mask)
    picture.save(path)
    return path


def asked(folder: Path, portrait: Path, size: Size = SIZE, cutout: bool = True) -> AvatarRequest:
    sound = speech(folder / "narration.wav", 1.0)
    options = PuppetOptions(cutout=cutout, head_motion=2)
    return AvatarRequest(portrait, sound, 1.0, size, 10, options=options)


def make(request: AvatarRequest, folder: Path) -> AvatarClip:
    return validate_clip(PuppetBackend().generate(request, Job(folder)), request)


def seen(clip: AvatarClip) -> np.ndarray:
    """RGBA of every frame, as a decoder gives it that knows of alpha."""
    with av.open(str(clip.path)) as container:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        packets = [packet for packet in container.demux(video=0) if packet.size]
        frames = [frame for packet in packets for frame in decoder.decode(packet)]
        frames += decoder.decode(None)
    return np.stack([frame.to_ndarray(format="rgba") for frame in frames]).astype(int)


def test_a_cut_out_clip_is_transparent_where_the_portrait_is_and_moves_with_the_head(
    tmp_path: Path, cut: Path
) -> None:
    clip = make(asked(tmp_path, cut), tmp_path)
    alpha = seen(clip)[..., 3]
    assert clip.has_alpha and clip.size == SIZE and clip.duration == pytest.approx(1.0, abs=0.06)
    assert alpha[:, :8, :8].max() < 8 and alpha[:, 50:70, 40:56].min() > 247
    edge = np.ptp(alpha, axis=0)
    assert edge[10:70].max() > 60 and edge[:4].max() < 8


def test_its_edge_has_no_hem_of_a_backdrop_or_of_what_was_hidden(tmp_path: Path, cut: Path) -> None:
    """Laid on green in a film, nothing is magenta and nothing light."""
    clip = make(asked(tmp_path, cut, Size(*FILM)), tmp_path)
    layer = PresenterLayer(
        clip.path, still=False, has_alpha=True, box=Box(0, 0, *FILM), shape="rect", start=0,
        frames=15,
    )  # fmt: skip
    green = BackgroundLayer("color", color="#0a5a1e")
    film = composed(spec_of(background=green, presenter=layer, quality="high"), tmp_path)
    frame = film[7].astype(int)
    assert np.abs(frame[4:12, 4:12] - (10, 90, 30)).max() < 6
    red, middle, blue = frame[..., 0], frame[..., 1], frame[..., 2]
    assert not ((red > middle + 60) & (blue > middle + 40)).any()
    # Downwards, green becomes dark and is nowhere lighter on its way.
    for column in (FILM.width // 2, FILM.width // 3, 2 * FILM.width // 3):
        line = frame[:, column].sum(axis=1)
        dark = int(np.argmax(np.abs(frame[:, column] - HAIR).max(axis=1) < 20))
        assert dark > 8 and line[: dark + 1].max() < 150


def test_a_portrait_without_transparency_stays_whole_and_the_user_is_told(
    tmp_path: Path, cut: Path
) -> None:
    with Image.open(cut) as picture:
        picture.convert("RGB").save(tmp_path / "whole.png")
    clip = make(asked(tmp_path, tmp_path / "whole.png"), tmp_path)
    assert not clip.has_alpha and clip.path.suffix == ".mp4"
    assert any("no transparent part" in warning for warning in clip.warnings)


def test_nobody_gets_transparency_who_did_not_ask_for_it(tmp_path: Path, cut: Path) -> None:
    clip = make(asked(tmp_path, cut, cutout=False), tmp_path)
    assert not clip.has_alpha and not any("transparent" in said for said in clip.warnings)


def test_one_portrait_serves_both_kinds_of_clips(tmp_path: Path, cut: Path) -> None:
    backend = PuppetBackend()
    kinds = []
    for cutout in (True, False, True):
        request = asked(tmp_path, cut, cutout=cutout)
        kinds.append(backend.generate(replace(request, duration=0.2), Job(tmp_path)).has_alpha)
    assert kinds == [True, False, True]


def test_beside_a_portrait_that_is_narrower_than_the_frame_nothing_is_seen(
    tmp_path: Path, cut: Path
) -> None:
    alpha = seen(make(asked(tmp_path, cut, Size(240, 96)), tmp_path))[..., 3]
    assert alpha[:, :, :40].max() < 8 and alpha[:, :, -40:].max() < 8
    assert alpha[:, 40:60, 110:130].min() > 240


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_where_all_is_seen_a_cut_out_frame_is_any_other_frame(seed: int) -> None:
    whole, opaque = stages()
    rng = np.random.default_rng(seed)
    mouth = rng.uniform(0, 1, len(MOUTH)).astype(np.float32)
    alive = (rng.uniform(-0.05, 0.05, len(CHANNELS))).astype(np.float32)
    frames = [np.array(Player(s).frame(s.mouth_patch(mouth), alive)) for s in (whole, opaque)]
    count = len(frames[0])
    assert (frames[1][:count] == frames[0]).all() and (frames[1][count:] == 255).all()


_STAGES: list[Stage] = []


def stages() -> list[Stage]:
    """The same portrait without alpha, and with an alpha that lets all be seen."""
    if not _STAGES:
        with Image.open(ROOT / "renderer" / "demo" / "assets" / "presenter.png") as picture:
            square = picture.convert("RGB").resize((200, 200), box=(0, 100, 1024, 1124))
        pixels = np.asarray(square)
        face = find_face(pixels).face
        everything = np.full(pixels.shape[:2], 255, np.uint8)
        _STAGES.extend([Stage(pixels, face), Stage(pixels, face, alpha=everything)])
    return _STAGES


def test_a_chin_against_nothing_falls_with_the_jaw() -> None:
    """A mascot may have no neck: what is seen of it goes as far down as its chin does."""
    whole, _ = stages()
    chin = int(whole.moves.box.y + whole.moves.box.height)
    mouth = whole.mouth.region
    alpha = np.full(whole.still.y.shape, 255, np.uint8)
    below = mouth[1] + round(0.7 * mouth[3])
    alpha[below:chin] = 0
    with Image.open(ROOT / "renderer" / "demo" / "assets" / "presenter.png") as picture:
        square = picture.convert("RGB").resize((200, 200), box=(0, 100, 1024, 1124))
    stage = Stage(whole.picture, find_face(np.asarray(square)).face, alpha=alpha)
    jaw, still = np.zeros(len(MOUTH), np.float32), np.zeros(len(CHANNELS), np.float32)
    jaw[MOUTH.index("jaw")] = 1
    frame = np.array(Player(stage).frame(stage.mouth_patch(jaw), still))[-alpha.size :]
    column = frame.reshape(alpha.shape)[:, mouth[0] + mouth[2] // 2]
    assert int((column > 127).sum()) > int((alpha[:, 0] > 127).sum()) + 1


# Colours


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), width=st.integers(1, 40), height=st.integers(1, 40))
def test_colours_spread_over_what_is_not_seen_and_nowhere_else(
    seed: int, width: int, height: int
) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(60, 190, (height, width, 3), dtype=np.uint8)
    alpha = (rng.uniform(size=(height, width)) < 0.3).astype(np.uint8) * 255
    picture[alpha == 0] = 255
    result = spread(picture, alpha)
    shown = alpha > 0
    assert (result[shown] == picture[shown]).all()
    if shown.any():
        low, high = picture[shown].min(axis=0).astype(int), picture[shown].max(axis=0).astype(int)
        assert (result >= low - 1).all() and (result <= high + 1).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_backdrop_is_taken_off_as_it_was_laid_under(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = rng.integers(0, 256, (8, 8, 4), dtype=np.uint8)
    own[..., 3] = rng.integers(40, 256, (8, 8))
    backdrop = Image.new("RGBA", (8, 8), (232, 234, 238, 255))
    laid = Image.alpha_composite(backdrop, Image.fromarray(own)).convert("RGB")
    back = without_backdrop(np.asarray(laid), own[..., 3], (232, 234, 238))
    wrong = np.abs(back.astype(int) - own[..., :3]) * (own[..., 3:] / 255)
    assert wrong.max() <= 1.5
