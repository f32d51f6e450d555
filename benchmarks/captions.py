"""Spoken words lit up one by one, and a presenter in a circle, over a video: against MoviePy.

    python benchmarks/captions.py [--quick] [--keep] [--quality draft|standard|high]

Both sides use the same x264 preset and rate factor, the same clips, words, font and ring around
the presenter, and take turns in one run, in the quality of an ordinary film unless asked
otherwise. How alike the two films are is measured too: a faster film must be that film. `--keep`
leaves both in the current folder.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _report import finish
from avatar_core.backend import Size
from avatar_core.ffmpeg import run_ffmpeg
from avatar_core.speech import TimedWord
from renderer.captions.burn import subtitles_document
from renderer.captions.cues import Cue
from renderer.captions.fonts import font_file
from renderer.compose.encoder import PRESETS
from renderer.compose.layouts import presenter_box
from renderer.compose.plates import backing_plate
from renderer.compose.segment import compose_segment
from renderer.compose.spec import BackgroundLayer, Box, PresenterLayer, SegmentSpec
from renderer.script.models import Captions, Quality

_SIZE = Size(1080, 1920)
_FPS = 30
_ROUNDS = 2
_CUE_SECONDS = 2
_STYLE = Captions(style="karaoke")
_WORDS = "Every glass is brewed fresh and served over ice with a slice of lime".split()


@dataclass(frozen=True)
class Scene:
    """What both sides render."""

    background: Path
    presenter: Path
    box: Box
    cues: tuple[Cue, ...]
    seconds: int
    quality: Quality


def draw_landscape(path: Path, size: tuple[int, int]) -> None:
    """Varies as photographs do: the finer the detail, the fainter (1/f), and fine detail is in
    the brightness, hardly in the colour."""
    rng = np.random.default_rng(7)
    total = np.zeros((size[1], size[0], 3))
    for octave in range(2, 10):
        shape = (2**octave * size[1] // size[0], 2**octave, 3 if octave < 5 else 1)
        grains = rng.integers(0, 256, shape, dtype=np.uint8)
        noise = Image.fromarray(np.broadcast_to(grains, (*shape[:2], 3)))
        grown = np.asarray(noise.resize(size, Image.Resampling.BICUBIC), dtype=float)
        total += (grown - 128) / 2**octave
    Image.fromarray((128 + total * 90 / total.std() / 2).clip(0, 255).astype(np.uint8)).save(path)


def make_scene(folder: Path, seconds: int, quality: Quality) -> Scene:
    """A filmed background (a pan over a detailed picture), a moving presenter, captions."""
    box = presenter_box("circle", "bottom-left", 0.38, _SIZE)
    if box is None:
        raise SystemExit("the circle layout shows nobody")
    draw_landscape(folder / "large.png", (1280, 2276))
    pan = f"crop=1080:1920:'200*t/{seconds}':'300*t/{seconds}'"
    encoding = "-c:v libx264 -preset veryfast -crf 18 -pix_fmt yuv420p -colorspace bt709".split()
    to_video = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
    run_ffmpeg(["-v", "error", "-loop", "1", "-framerate", str(_FPS), "-t", str(seconds),
                "-i", str(folder / "large.png"), "-vf", f"{pan},{to_video}", *encoding,
                str(folder / "background.mp4")])  # fmt: skip
    run_ffmpeg(["-v", "error", "-f", "lavfi", "-i",
                f"testsrc2=s={box.width}x{box.height}:r={_FPS}:d={seconds},{to_video}", *encoding,
                str(folder / "presenter.mp4")])  # fmt: skip
    cues = tuple(_cue(i) for i in range(-(-seconds // _CUE_SECONDS)))
    return Scene(folder / "background.mp4", folder / "presenter.mp4", box, cues, seconds, quality)


def _cue(number: int) -> Cue:
    begin, each = number * _CUE_SECONDS, _CUE_SECONDS / 5
    words = [_WORDS[(number * 5 + i) % len(_WORDS)] for i in range(5)]
    timed = (TimedWord(w, begin + i * each, begin + (i + 1) * each) for i, w in enumerate(words))
    return Cue(begin, begin + _CUE_SECONDS, tuple(timed))


def render_ours(scene: Scene, folder: Path) -> Path:
    """The renderer's own steps from a scene to its segment."""
    frames = scene.seconds * _FPS
    text = subtitles_document(_SIZE, frames, _FPS, cues=scene.cues, captions=_STYLE)
    if text is None:
        raise SystemExit("there are no captions")
    work = folder / "work"
    work.mkdir(exist_ok=True)
    spec = SegmentSpec(
        _SIZE, _FPS, frames, (), scene.quality, BackgroundLayer("video", src=scene.background),
        presenter=PresenterLayer(scene.presenter, False, False, scene.box, "circle", 0, frames),
        subtitles=text.text, changes=text.changes,
    )  # fmt: skip
    compose_segment(spec, folder / "ours.mp4", work)
    return folder / "ours.mp4"


def _moviepy_words(cue: Cue) -> list[Any]:
    """A clip for every word while its line is read, and one in colour while it is spoken."""
    from moviepy import TextClip

    def text(word: str, color: str) -> TextClip:
        return TextClip(
            font=str(font_file(700)), text=word, font_size=round(_STYLE.size * _SIZE.height),
            color=color, stroke_color="black", stroke_width=4, margin=(4, 20),
        )  # fmt: skip

    plain = [text(word.text, _STYLE.color) for word in cue.words]
    gap = round(_STYLE.size * _SIZE.height * 0.2)
    x = (_SIZE.width - sum(clip.w for clip in plain) - gap * (len(plain) - 1)) // 2
    y, clips = round(_SIZE.height * 0.83), []
    for word, clip in zip(cue.words, plain, strict=True):
        spoken = text(word.text, _STYLE.active_color).with_start(word.start)
        line = clip.with_start(cue.start).with_duration(cue.end - cue.start)
        clips.append(line.with_position((x, y)))
        clips.append(spoken.with_duration(word.end - word.start).with_position((x, y)))
        x += clip.w + gap
    return clips


def render_moviepy(scene: Scene, folder: Path) -> Path:
    """What anybody would write with MoviePy."""
    from moviepy import CompositeVideoClip, ImageClip, VideoFileClip

    box, (preset, crf) = scene.box, PRESETS[scene.quality]
    y, x = np.mgrid[0 : box.height, 0 : box.width] - box.width / 2
    inside = np.clip(box.width / 2 - np.hypot(x, y), 0, 1)
    presenter = VideoFileClip(str(scene.presenter), audio=False)
    presenter = presenter.with_mask(ImageClip(inside, is_mask=True)).with_position((box.x, box.y))
    captions = [clip for cue in scene.cues for clip in _moviepy_words(cue)]
    plate = backing_plate("circle", box.size, folder / "backing.raw")
    pixels = np.frombuffer(plate.path.read_bytes(), np.uint8).reshape(*plate.size[::-1], 4)
    backing = ImageClip(pixels).with_position((box.x + plate.x, box.y + plate.y))
    background = VideoFileClip(str(scene.background), audio=False)
    film = CompositeVideoClip([background, backing, presenter, *captions]).with_duration(
        scene.seconds
    )
    film.write_videofile(
        str(folder / "moviepy.mp4"), fps=_FPS, codec="libx264", preset=preset,
        ffmpeg_params=["-crf", str(crf)], audio=False, logger=None,
    )  # fmt: skip
    return folder / "moviepy.mp4"


def likeness(one: Path, other: Path) -> float:
    """Mean structural similarity in grey of every 15th frame."""
    picked = "select='not(mod(n,15))',setpts=N,format=gray"
    graph = f"[0:v]{picked}[a];[1:v]{picked}[b];[a][b]ssim"
    films = ["-i", str(one), "-i", str(other)]
    printed = run_ffmpeg(["-v", "info", *films, "-filter_complex", graph, "-f", "null", "-"])
    return float(re.findall(r"All:([0-9.]+)", printed)[-1])


def main() -> None:
    # Neither side is charged for starting Python.
    import av  # noqa: F401
    import moviepy  # noqa: F401

    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--quality", choices=list(PRESETS), default="standard")
    asked = parser.parse_args()
    seconds = 5 if asked.quick else 20
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scene = make_scene(folder, seconds, asked.quality)
        times: dict[str, list[float]] = {"ours": [], "MoviePy": []}
        for _ in range(_ROUNDS):
            for name, render in (("ours", render_ours), ("MoviePy", render_moviepy)):
                started = time.perf_counter()
                render(scene, folder)
                times[name].append(time.perf_counter() - started)
                print(f"{name}: {times[name][-1]:.2f} s")
        alike = likeness(folder / "ours.mp4", folder / "moviepy.mp4")
        if asked.keep:
            for name in ("ours.mp4", "moviepy.mp4"):
                Path(name).write_bytes((folder / name).read_bytes())
    # What else runs on the machine only ever adds time.
    ours, theirs = min(times["ours"]), min(times["MoviePy"])
    finish(
        "captions",
        {
            "seconds_of_film": seconds,
            "quality": asked.quality,
            "ours_seconds": round(ours, 2),
            "moviepy_seconds": round(theirs, 2),
            "times_faster": round(theirs / ours, 1),
            "likeness_ssim": alike,
        },
        {
            "at least 6 times faster": ("times_faster", ">=", 6),
            "both films show the same": ("likeness_ssim", ">=", 0.9),
        },
    )


if __name__ == "__main__":
    main()
