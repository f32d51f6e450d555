"""Still scenes: six pictures of five seconds each, against the obvious MoviePy script.

    python benchmarks/still_scenes.py [--quick]

Both sides use the same x264 preset and rate factor and take turns in one run. Ours includes a
sound track, MoviePy's has none.
"""

from __future__ import annotations

import sys
import tempfile
import time
import wave
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _films import draw_picture
from _quality import ssim_to_pictures
from _report import finish
from avatar_core.backend import Size
from renderer.aac import encode_aac
from renderer.assemble import Part, assemble
from renderer.compose.encoder import PRESETS
from renderer.compose.segment import compose_segment
from renderer.compose.spec import BackgroundLayer, SegmentSpec
from renderer.verify import verify_film

_SIZE = Size(1080, 1920)
_FPS = 30
_SECONDS = 5
_FRAMES = _SECONDS * _FPS
_WORKERS = 2
# What SSIM itself varies by between two encodes that nobody can tell apart.
_TOLERANCE = 0.0005


def write_silence(path: Path, seconds: int) -> None:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(2)
        stream.setsampwidth(2)
        stream.setframerate(48_000)
        stream.writeframes(bytes(4 * 48_000 * seconds))


def render_ours(pictures: Sequence[Path], folder: Path) -> Path:
    """The renderer's own steps from pictures to film."""

    def segment(i: int) -> Path:
        work = folder / f"work{i}"
        work.mkdir(exist_ok=True)
        background = BackgroundLayer("image", src=pictures[i])
        spec = SegmentSpec(_SIZE, _FPS, _FRAMES, (), "standard", background)
        compose_segment(spec, folder / f"segment{i}.mp4", work)
        return folder / f"segment{i}.mp4"

    with ThreadPoolExecutor(_WORKERS) as pool:
        parts = [Part(path, 0, _FRAMES) for path in pool.map(segment, range(len(pictures)))]
    write_silence(folder / "silence.wav", len(pictures) * _SECONDS)
    film = folder / "ours.mp4"
    encode_aac(folder / "silence.wav", folder / "silence.m4a")
    assemble(parts, folder / "silence.m4a", film, size=_SIZE, fps=_FPS)
    verify_film(film, len(pictures) * _FRAMES, _FPS, _SIZE)
    return film


def render_moviepy(pictures: Sequence[Path], folder: Path) -> Path:
    """What anybody would write with MoviePy."""
    from moviepy import ImageClip, concatenate_videoclips

    preset, crf = PRESETS["standard"]
    clips = [ImageClip(str(picture)).with_duration(_SECONDS) for picture in pictures]
    film = folder / "moviepy.mp4"
    concatenate_videoclips(clips).write_videofile(
        str(film), fps=_FPS, codec="libx264", preset=preset,
        ffmpeg_params=["-crf", str(crf)], audio=False, logger=None,
    )  # fmt: skip
    return film


def timed(render: Callable[[Sequence[Path], Path], Path], pictures: Sequence[Path], folder: Path
          ) -> tuple[float, Path]:  # fmt: skip
    started = time.perf_counter()
    film = render(pictures, folder)
    return time.perf_counter() - started, film


def main() -> None:
    # Neither side is charged for starting Python.
    import av  # noqa: F401
    import moviepy  # noqa: F401

    quick = "--quick" in sys.argv[1:]
    scenes, rounds = (4, 2) if quick else (6, 3)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pictures = [folder / f"picture{i}.png" for i in range(scenes)]
        for i, picture in enumerate(pictures):
            draw_picture(picture, i, _SIZE)
        ours, theirs = [], []
        for i in range(rounds):
            seconds, our_film = timed(render_ours, pictures, folder)
            ours.append(seconds)
            seconds, their_film = timed(render_moviepy, pictures, folder)
            theirs.append(seconds)
            print(f"round {i + 1}: ours {ours[-1]:.2f} s, MoviePy {theirs[-1]:.2f} s")
        our_ssim = ssim_to_pictures(our_film, pictures, _FRAMES, "bt709")
        their_ssim = ssim_to_pictures(their_film, pictures, _FRAMES, "bt601")
        sizes = our_film.stat().st_size, their_film.stat().st_size
    # What else runs on the machine only ever adds time.
    faster = min(theirs) / min(ours)
    finish(
        "still_scenes",
        {
            "ours_seconds": round(min(ours), 2),
            "moviepy_seconds": round(min(theirs), 2),
            "times_faster": round(faster, 1),
            "ours_ssim": our_ssim,
            "moviepy_ssim": their_ssim,
            "ssim_gain": round(our_ssim - their_ssim, 5),
            "ours_bytes": sizes[0],
            "moviepy_bytes": sizes[1],
        },
        {
            "at least 8 times faster (aim 15)": ("times_faster", ">=", 8),
            "no less quality": ("ssim_gain", ">=", -_TOLERANCE),
        },
    )


if __name__ == "__main__":
    main()
