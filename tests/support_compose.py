"""Small specs, clips and frames for tests of composition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatar_core.backend import Size
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.segment import compose_segment
from renderer.compose.spec import BackgroundLayer, SegmentSpec

SIZE = Size(180, 320)
FPS = 15
Frames = NDArray[np.uint8]


def spec_of(**changed: Any) -> SegmentSpec:
    """A second of dark green in 180x320, changed as asked."""
    values: dict[str, Any] = {
        "size": SIZE, "fps": FPS, "frames": 15, "cuts": (), "quality": "draft",
        "background": BackgroundLayer("color", color="#1b4332"), **changed,
    }  # fmt: skip
    return SegmentSpec(**values)


def compose(spec: SegmentSpec, folder: Path, name: str = "segment.mp4") -> Path:
    work = folder / f"work-{name}"
    work.mkdir(exist_ok=True)
    compose_segment(spec, folder / name, work)
    return folder / name


def frames_of(path: Path) -> Frames:
    """All pictures as RGB, shape (frames, height, width, 3)."""
    with av.open(str(path)) as film:
        return np.stack([f.to_ndarray(format="rgb24") for f in film.decode(video=0)])


def composed(spec: SegmentSpec, folder: Path) -> Frames:
    return frames_of(compose(spec, folder))


def near(pixel: Any, color: tuple[int, int, int], by: int = 3) -> bool:
    return bool(np.abs(np.asarray(pixel, dtype=int) - color).max() <= by)


def write_picture(path: Path, pixels: Any, **options: Any) -> Path:
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, **options)
    return path


def flat_picture(path: Path, color: tuple[int, ...], size: tuple[int, int] = (64, 64)) -> Path:
    return write_picture(path, np.full((size[1], size[0], len(color)), color))


def write_clip(
    path: Path, pictures: list[Frames], fps: int = FPS, codec: str = "png", pixels: str = "rgb24"
) -> Path:
    """A video without loss; RGB or, with "rgba", transparent."""
    height, width = pictures[0].shape[:2]
    given = "rgba" if pictures[0].shape[2] == 4 else "rgb24"
    source = ["-f", "rawvideo", "-pixel_format", given, "-video_size", f"{width}x{height}"]
    run_ffmpeg(
        ["-v", "error", *source, "-framerate", str(fps), "-i", "pipe:0", "-c:v", codec,
         "-pix_fmt", pixels if given == "rgb24" else "rgba", f"file:{path}"],
        feed=[np.ascontiguousarray(picture).tobytes() for picture in pictures],
    )  # fmt: skip
    return path


def grey_steps(path: Path, count: int, size: tuple[int, int] = (90, 160), fps: int = FPS) -> Path:
    """A clip whose frame number i is grey with the value 20 + 10 i."""
    pictures = [np.full((size[1], size[0], 3), 20 + 10 * i, np.uint8) for i in range(count)]
    return write_clip(path, pictures, fps)


def steps_seen(frames: Frames, at: tuple[int, int] = (160, 90)) -> list[int]:
    """Which frame of `grey_steps` is seen in each frame at row and column ``at``."""
    return [round((int(frame[at[0], at[1], 0]) - 20) / 10) for frame in frames]
