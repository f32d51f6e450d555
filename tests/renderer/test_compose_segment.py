from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, InputError
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.segment import compose_segment
from renderer.compose.spec import BackgroundLayer, Box, PictureLayer, PresenterLayer
from renderer.script.models import Fit
from support_compose import (
    FPS,
    SIZE,
    compose,
    composed,
    flat_picture,
    frames_of,
    grey_steps,
    near,
    spec_of,
    steps_seen,
    write_clip,
    write_picture,
)

RED, GREEN, BLUE = (255, 0, 0), (27, 67, 50), (0, 0, 255)
WHOLE = Box(0, 0, *SIZE)


def presenter(clip: Path, **changed: Any) -> PresenterLayer:
    values: dict[str, Any] = {
        "still": False, "has_alpha": False, "box": WHOLE, "shape": "rect",
        "start": 0, "frames": 15, **changed,
    }  # fmt: skip
    return PresenterLayer(clip, **values)


def flat_clip(path: Path, color: tuple[int, ...], size: tuple[int, int] = (90, 160)) -> Path:
    return write_clip(path, [np.full((size[1], size[0], len(color)), color, np.uint8)] * 3)


@pytest.mark.parametrize("color", [RED, GREEN, BLUE, (255, 255, 255), (0, 0, 0), (232, 236, 241)])
def test_a_background_colour_survives(tmp_path: Path, color: tuple[int, int, int]) -> None:
    layer = BackgroundLayer("color", color="#{:02x}{:02x}{:02x}".format(*color))
    assert near(composed(spec_of(background=layer), tmp_path)[7, 100, 90], color)


@pytest.mark.parametrize("color", [RED, GREEN])
@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize("alpha", [True, False])
def test_a_presenters_colours_survive(
    tmp_path: Path, color: tuple[int, int, int], still: bool, alpha: bool
) -> None:
    clip = flat_clip(tmp_path / "p.mov", (*color, 255) if alpha else color)
    layer = presenter(clip, still=still, has_alpha=alpha, box=Box(20, 40, 120, 120), shape="circle")
    assert near(composed(spec_of(presenter=layer), tmp_path)[7, 100, 80], color)


@pytest.mark.parametrize("motion", ["none", "zoom_in", "pan_left"])
def test_a_pictures_colours_survive(tmp_path: Path, motion: Any) -> None:
    picture = flat_picture(tmp_path / "p.png", GREEN)
    layer = BackgroundLayer("image", src=picture, motion=motion)
    frames = composed(spec_of(background=layer), tmp_path)
    assert all(near(frame[100, 90], GREEN) for frame in frames)


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_a_videos_colours_survive_in_the_custom_of_its_size(tmp_path: Path, matrix: str) -> None:
    size = (320, 240) if matrix == "bt601" else (1280, 720)
    picture = flat_picture(tmp_path / "p.png", GREEN, size)
    chain = f"scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p"
    run_ffmpeg(["-v", "error", "-loop", "1", "-t", "0.2", "-i", str(picture), "-vf", chain,
                str(tmp_path / "v.mp4")])  # fmt: skip
    layer = BackgroundLayer("video", src=tmp_path / "v.mp4")
    assert near(composed(spec_of(background=layer), tmp_path)[7, 100, 90], GREEN)


def disc(path: Path, size: tuple[int, int]) -> Path:
    """A white disc on black, as large as the shorter side allows."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    inside = np.hypot(x - size[0] / 2, y - size[1] / 2) < min(size) * 0.4
    return write_picture(path, np.repeat((inside * 255)[..., None], 3, 2))


def outline(frame: Any) -> tuple[int, int]:
    """Width and height of what is bright."""
    bright = frame[..., 1] > 128
    return int(bright.any(axis=0).sum()), int(bright.any(axis=1).sum())


@pytest.mark.parametrize("fit", ["cover", "contain", "blur"])
@pytest.mark.parametrize("kind", ["image", "video"])
def test_no_fit_stretches_a_picture(tmp_path: Path, fit: Fit, kind: Any) -> None:
    source = disc(tmp_path / "d.png", (300, 280))
    if kind == "video":
        pixels = np.asarray(Image.open(source))
        source = write_clip(tmp_path / "d.mov", [pixels] * 2)
    layer = BackgroundLayer(kind, src=source, fit=fit)
    frame = composed(spec_of(background=layer), tmp_path)[7]
    # Only the sharp middle: above and below it is blurred.
    height = {"cover": 320, "contain": 168, "blur": 168}[fit]
    middle = frame[160 - height // 2 : 160 + height // 2]
    width, tall = outline(middle)
    assert width == pytest.approx(min(tall, 180), abs=5)
    assert tall == pytest.approx({"cover": 256, "contain": 134, "blur": 134}[fit], abs=5)


def test_contain_fills_the_rest_with_the_colour(tmp_path: Path) -> None:
    picture = flat_picture(tmp_path / "p.png", RED, (300, 100))
    layer = BackgroundLayer("image", src=picture, fit="contain", color="#1b4332")
    frame = composed(spec_of(background=layer), tmp_path)[7]
    assert near(frame[20, 90], GREEN) and near(frame[160, 90], RED) and near(frame[300, 90], GREEN)


def test_a_background_box_leaves_the_other_half_alone(tmp_path: Path) -> None:
    for kind, source in (
        ("image", flat_picture(tmp_path / "p.png", RED)),
        ("video", flat_clip(tmp_path / "v.mov", RED)),
    ):
        box = Box(0, 0, 180, 160)
        layer = BackgroundLayer(kind, src=source, color="#1b4332", box=box)  # type: ignore[arg-type]
        frame = composed(spec_of(background=layer), tmp_path)[7]
        assert near(frame[80, 90], RED, 4) and near(frame[240, 90], GREEN)


@pytest.mark.parametrize(
    ("layer", "seen"),
    [
        ({"when_short": "freeze"}, [0, 1, 2, 3, 4] + [4] * 10),
        ({"when_short": "loop"}, [0, 1, 2, 3, 4] * 3),
        ({"when_short": "slow"}, [i // 3 for i in range(15)]),
    ],
)
def test_a_short_video_lasts_as_its_scene_asks(
    tmp_path: Path, layer: dict[str, Any], seen: list[int]
) -> None:
    video = grey_steps(tmp_path / "v.mov", 5)
    background = BackgroundLayer("video", src=video, **layer)
    shown = steps_seen(composed(spec_of(background=background), tmp_path))
    assert np.abs(np.array(shown) - seen).max() <= (1 if layer["when_short"] == "slow" else 0)
    assert shown[-1] == 4


def test_a_long_video_is_trimmed_or_runs_faster(tmp_path: Path) -> None:
    video = grey_steps(tmp_path / "v.mov", 20)
    trimmed = BackgroundLayer("video", src=video)
    assert steps_seen(composed(spec_of(background=trimmed, frames=10), tmp_path)) == list(range(10))
    faster = BackgroundLayer("video", src=video, when_long="speed_up")
    shown = steps_seen(composed(spec_of(background=faster, frames=10), tmp_path))
    assert shown[0] == 0 and shown[-1] >= 17 and shown == sorted(shown)


def test_a_video_of_another_rate_keeps_its_speed(tmp_path: Path) -> None:
    video = grey_steps(tmp_path / "v.mov", 20, fps=30)
    background = BackgroundLayer("video", src=video)
    shown = steps_seen(composed(spec_of(background=background, frames=9), tmp_path))
    assert all(abs(step - 2 * i) <= 1 for i, step in enumerate(shown))


def test_a_video_filmed_upright_is_turned(tmp_path: Path) -> None:
    pixels = np.zeros((90, 160, 3), np.uint8)
    pixels[:, :80] = RED
    write_clip(tmp_path / "flat.mov", [pixels] * 3)
    run_ffmpeg(["-v", "error", "-display_rotation", "90", "-i", str(tmp_path / "flat.mov"),
                "-c", "copy", str(tmp_path / "v.mov")])  # fmt: skip
    background = BackgroundLayer("video", src=tmp_path / "v.mov")
    frame = composed(spec_of(background=background), tmp_path)[5]
    top, bottom = frame[60, 90], frame[260, 90]
    assert near(top, RED, 6) != near(bottom, RED, 6)


def test_a_transparent_video_shows_the_colour_behind_it(tmp_path: Path) -> None:
    pixels = np.zeros((160, 90, 4), np.uint8)
    pixels[:80] = (*RED, 255)
    video = write_clip(tmp_path / "v.mov", [pixels] * 3)
    layer = BackgroundLayer("video", src=video, color="#1b4332")
    frame = composed(spec_of(background=layer), tmp_path)[5]
    assert near(frame[60, 90], RED, 4) and near(frame[260, 90], GREEN, 4)


def test_a_clip_is_held_before_its_first_and_after_its_last_frame(tmp_path: Path) -> None:
    clip = grey_steps(tmp_path / "p.mov", 6)
    spec = spec_of(presenter=presenter(clip, start=4, frames=6))
    assert steps_seen(composed(spec, tmp_path)) == [0] * 4 + [0, 1, 2, 3, 4, 5] + [5] * 5


def test_a_clip_longer_than_its_narration_stops_with_it(tmp_path: Path) -> None:
    clip = grey_steps(tmp_path / "p.mov", 12)
    spec = spec_of(presenter=presenter(clip, start=0, frames=6))
    assert steps_seen(composed(spec, tmp_path))[5:] == [5] * 10


def test_a_circle_cuts_the_presenter_out_with_a_soft_edge(tmp_path: Path) -> None:
    clip = flat_clip(tmp_path / "p.mov", RED)
    box = Box(30, 100, 120, 120)
    spec = spec_of(presenter=presenter(clip, box=box, shape="circle"), quality="high")
    frame = composed(spec, tmp_path)[7].astype(int)
    assert near(frame[160, 90], RED) and near(frame[102, 32], GREEN, 12)
    # Down the slope of the edge colours pass over in steps: neither a stair nor a smear.
    softened = ((frame[110:140, 30:150, 1] > 40) & (frame[110:140, 30:150, 1] < 215)).sum(axis=1)
    assert softened.min() >= 2 and softened.max() < 60


def test_a_transparent_presenter_stands_on_the_lower_edge_before_the_background(
    tmp_path: Path,
) -> None:
    pixels = np.zeros((100, 100, 4), np.uint8)
    pixels[20:, 30:70] = (*RED, 255)
    clip = write_clip(tmp_path / "p.mov", [pixels] * 3)
    frame = composed(spec_of(presenter=presenter(clip, has_alpha=True)), tmp_path)[7]
    assert (
        near(frame[318, 90], RED, 6) and near(frame[200, 20], GREEN) and near(frame[100, 90], GREEN)
    )


def test_transparency_in_webm_is_seen(tmp_path: Path) -> None:
    pixels = np.zeros((160, 90, 4), np.uint8)
    pixels[80:] = (*RED, 255)
    source = write_clip(tmp_path / "p.mov", [pixels] * 3)
    run_ffmpeg(["-v", "error", "-i", str(source), "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p",
                "-lossless", "1", str(tmp_path / "p.webm")])  # fmt: skip
    spec = spec_of(presenter=presenter(tmp_path / "p.webm", has_alpha=True))
    frame = composed(spec, tmp_path)[7]
    assert near(frame[60, 90], GREEN, 4) and near(frame[260, 90], RED, 40)


def test_an_overlay_is_seen_in_its_frames_only(tmp_path: Path) -> None:
    badge = flat_picture(tmp_path / "b.png", RED)
    spec = spec_of(
        pictures=(PictureLayer(badge, "center", 0.5, 1.0, 5, 9),), subtitles=None,
        background=BackgroundLayer("video", src=flat_clip(tmp_path / "v.mov", GREEN)),
    )  # fmt: skip
    shown = [near(frame[160, 90], RED, 5) for frame in composed(spec, tmp_path)]
    assert shown == [5 <= i < 9 for i in range(15)]


def test_an_overlays_opacity_and_transparency_are_kept(tmp_path: Path) -> None:
    pixels = np.zeros((80, 80, 4), np.uint8)
    pixels[:, :40] = (255, 255, 255, 255)
    badge = write_picture(tmp_path / "b.png", pixels)
    layer = PictureLayer(badge, "center", 0.5, 0.5, 0, 15)
    spec = spec_of(pictures=(layer,), background=BackgroundLayer("color", color="#000000"))
    frame = composed(spec, tmp_path)[7]
    assert near(frame[160, 60], (128, 128, 128), 4) and near(frame[160, 120], (0, 0, 0), 4)


ASS = """[Script Info]
ScriptType: v4.00+
PlayResX: 180
PlayResY: 320
YCbCr Matrix: TV.709

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, Bold, Alignment, MarginV
Style: Default,Be Vietnam Pro,40,&H000000FF,1,5,0

[Events]
Format: Layer, Start, End, Style, Text
Dialogue: 0,0:00:00.32,0:00:00.58,Default,{\\p1}m 0 0 l 100 0 100 100 0 100
"""


@pytest.mark.parametrize("changes", [None, (0, 5, 9)])
def test_subtitles_are_burnt_in_their_frames_and_colours(tmp_path: Path, changes: Any) -> None:
    frames = composed(spec_of(subtitles=ASS, changes=changes, frames=60), tmp_path)
    shown = [near(frame[160, 90], RED, 4) for frame in frames]
    assert shown == [5 <= i < 9 for i in range(60)]


@pytest.mark.parametrize(
    "name", ["-i.png", 'it\'s "odd" [1], 100%.png', "trà sữa 茶.png", "a b.png"]
)
def test_odd_file_names_are_only_names(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "o'dd [x] ü"
    folder.mkdir()
    picture = flat_picture(folder / name, RED)
    clip = flat_clip(folder / (name + ".mov"), GREEN)
    spec = spec_of(
        background=BackgroundLayer("video", src=clip),
        pictures=(PictureLayer(picture, "center", 0.5, 1.0, 0, 15),), subtitles=ASS,
    )  # fmt: skip
    frame = composed(spec, folder)[2]
    assert near(frame[160, 90], RED, 5) and near(frame[20, 20], GREEN)


def test_the_same_spec_gives_the_same_bytes(tmp_path: Path) -> None:
    clip = grey_steps(tmp_path / "p.mov", 8)
    picture = disc(tmp_path / "d.png", (300, 280))
    for i, spec in enumerate(
        (
            spec_of(background=BackgroundLayer("image", src=picture), cuts=(4, 9)),
            spec_of(background=BackgroundLayer("image", src=picture, motion="pan_up"),
                    presenter=presenter(clip, box=Box(20, 20, 90, 90), shape="circle")),
        )
    ):  # fmt: skip
        first, second = (compose(spec, tmp_path, f"{i}{run}.mp4") for run in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_segments_of_all_kinds_have_one_header_and_even_times(tmp_path: Path) -> None:
    picture = disc(tmp_path / "d.png", (300, 280))
    specs = [
        spec_of(),
        spec_of(background=BackgroundLayer("image", src=picture, motion="zoom_out"), cuts=(3, 11)),
        spec_of(background=BackgroundLayer("video", src=grey_steps(tmp_path / "v.mov", 4))),
        spec_of(frames=70),
    ]
    headers = set()
    for i, spec in enumerate(specs):
        with av.open(str(compose(spec, tmp_path, f"{i}.mp4"))) as film:
            stream = film.streams.video[0]
            headers.add(bytes(stream.codec_context.extradata))
            packets = [packet for packet in film.demux(stream) if packet.size]
            assert stream.time_base == Fraction(1, FPS * 1024)
            assert (
                [p.pts for p in packets]
                == [p.dts for p in packets]
                == [i * 1024 for i in range(spec.frames)]
            )
            assert all(packets[cut].is_keyframe for cut in spec.cuts)
            assert len(film.streams) == 1
    assert len(headers) == 1


def test_a_zoom_moves_smoothly(tmp_path: Path) -> None:
    """The edge of a shape moves by fractions of a pixel and never back."""
    picture = disc(tmp_path / "d.png", (720, 1280))
    layer = BackgroundLayer("image", src=picture, motion="zoom_in")
    size = Size(360, 640)
    frames = composed(spec_of(size=size, background=layer, frames=30, quality="high"), tmp_path)
    widths = frames[:, 320, :, 1].astype(float).sum(axis=1) / 255
    steps = np.diff(widths)
    assert steps.min() > 0 and steps.max() < 2.5 * np.median(steps)


@pytest.mark.parametrize("content", [b"", b"This is a text, not a film."])
def test_an_unreadable_video_is_named_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"v\.mp4"):
        composed(spec_of(background=BackgroundLayer("video", src=tmp_path / "v.mp4")), tmp_path)


def test_an_unreadable_picture_is_named_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"p\.png"):
        composed(spec_of(background=BackgroundLayer("image", src=tmp_path / "p.png")), tmp_path)


def test_an_unknown_colour_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no colour"):
        composed(spec_of(background=BackgroundLayer("color", color="blurple")), tmp_path)


def test_a_cancelled_composition_stops_and_says_so(tmp_path: Path) -> None:
    cancel = CancelToken()
    spec = spec_of(
        background=BackgroundLayer("video", src=grey_steps(tmp_path / "v.mov", 4)),
        frames=100_000, size=Size(1280, 720),
    )  # fmt: skip
    (tmp_path / "w").mkdir()
    with pytest.raises(Cancelled):
        compose_segment(spec, tmp_path / "s.mp4", tmp_path / "w", cancel=cancel,
                        on_progress=lambda fraction: cancel.cancel())  # fmt: skip


def test_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    work = tmp_path / "w"
    work.mkdir()
    compose_segment(spec_of(), tmp_path / "s.mp4", work, on_progress=told.append)
    assert told == sorted(told) and told[-1] == 1.0
    assert len(frames_of(tmp_path / "s.mp4")) == 15
