"""A scene's `visual`, a MoviePy clip or a function that makes one, as a video background."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, InputError
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.encoder import BT709
from renderer.compose.graph import TO_BT709

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SOUND_RATE = 48_000
_ADVICE = "A visual is a MoviePy clip, or a function that takes the seconds and returns one."


def visual_to_video(
    visual: Any,
    frames: int,
    size: Size,
    fps: int,
    target: Path,
    *,
    scene: str,
    color: str = "#000000",
    cancel: CancelToken | None = None,
    on_progress: Callable[[float], None] = lambda fraction: None,
) -> Path | None:
    """Render at most ``frames`` frames of a visual to ``target`` (MP4).

    Returns its sound (a WAV beside ``target``), None when it has none. The clip keeps its own
    proportions and is stored no larger than covers ``size``; what is transparent shows ``color``.
    A shorter clip gives a shorter video. Raises `InputError` naming ``scene`` for a visual that
    fails or is no clip, `Cancelled`.
    """
    with _blamed_on(scene):
        clip = visual(frames / fps) if callable(visual) and not _is_clip(visual) else visual
        if not _is_clip(clip):
            raise InputError(f"it is a {type(clip).__name__}, not a MoviePy clip.")
        lasting = min(clip.duration or frames / fps, frames / fps)
        count = max(1, round(lasting * fps))
        height, width = _pixels(clip, 0.0, color).shape[:2]
    own = Size(width, height)
    run_ffmpeg(
        [
            *("-v", "error", "-f", "rawvideo", "-pixel_format", "rgb24"),
            *("-video_size", str(own), "-framerate", str(fps), "-i", "pipe:0"),
            # Without subsampled colours odd sizes work, and the film is subsampled only once.
            *("-vf", f"scale={_bound(own, size)}:{TO_BT709},format=yuv444p,{BT709}"),
            *("-an -c:v libx264 -preset ultrafast -crf 10 -threads 4".split()),
            *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "mp4"),
            f"file:{target.resolve()}",
        ],
        feed=_frames(clip, own, count, fps, color, scene),
        cancel=cancel,
        on_frame=lambda frame: on_progress(min(1.0, frame / count)),
    )
    with _blamed_on(scene):
        return _sound(clip, lasting, target)


def _bound(own: Size, size: Size) -> str:
    scale = min(1.0, max(size.width / own.width, size.height / own.height))
    return f"{max(1, round(own.width * scale))}:{max(1, round(own.height * scale))}"


def _is_clip(value: Any) -> bool:
    from moviepy import VideoClip

    return isinstance(value, VideoClip)


def _frames(
    clip: Any, size: Size, frames: int, fps: int, color: str, scene: str
) -> Iterator[bytes]:
    with _blamed_on(scene):
        for i in range(frames):
            pixels = _pixels(clip, i / fps, color)
            if pixels.shape[:2] != (size.height, size.width):
                raise InputError(f"its picture changes its size at {i / fps:.2f} s.")
            yield pixels.tobytes()


def _pixels(clip: Any, at: float, color: str) -> NDArray[np.uint8]:
    """The picture at ``at`` seconds as height x width x 3 bytes."""
    import numpy as np

    picture = np.asarray(clip.get_frame(at))
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    if clip.mask is not None:
        from PIL import ImageColor

        alpha = np.asarray(clip.mask.get_frame(at), dtype=np.float32)[..., None]
        plain = np.array(ImageColor.getrgb(color)[:3], dtype=np.float32)
        picture = picture[..., :3] * alpha + plain * (1 - alpha)
    return np.ascontiguousarray(picture[..., :3]).clip(0, 255).astype(np.uint8)


def _sound(clip: Any, seconds: float, target: Path) -> Path | None:
    if clip.audio is None:
        return None
    path = target.with_suffix(".wav")
    lasting = min(seconds, clip.audio.duration or seconds)
    sound = clip.audio.subclipped(0, lasting)
    sound.write_audiofile(str(path), fps=_SOUND_RATE, nbytes=2, codec="pcm_s16le", logger=None)
    return path


@contextlib.contextmanager
def _blamed_on(scene: str) -> Iterator[None]:
    """Whatever a user's own function raises is a mistake in the script, told in one sentence."""
    try:
        yield
    except (Cancelled, GeneratorExit):
        raise
    except InputError as failure:
        raise InputError(
            f"Scene {scene!r}: its visual cannot be used: {failure.message}",
            key="visual",
            advice=_ADVICE,
        ) from failure
    except Exception as failure:
        raise InputError(
            f"Scene {scene!r}: its visual failed with {type(failure).__name__}: {failure}.",
            key="visual",
            advice=_ADVICE,
        ) from failure
