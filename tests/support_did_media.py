"""What a D-ID talk is made of: uploads that are looked into, and a talking video that plays."""

from __future__ import annotations

import functools
import io
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from avatar_core.backend import Size
from avatar_core.testing import media

FPS = 25
# Without `stitch` only the cropped face comes back, this large.
CROPPED = Size(512, 512)
_RATE = 16_000


def picture_size(content: bytes) -> Size | None:
    """Width and height of a JPEG or PNG, None for anything else."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
            picture.verify()
            return Size(*picture.size)
    except (OSError, SyntaxError, ValueError):
        return None


def sound_seconds(content: bytes) -> float | None:
    """How long a recording is, every sample of it decoded; None for what is no sound."""
    try:
        with av.open(io.BytesIO(content)) as sound:
            stream = sound.streams.audio[0]
            samples = sum(frame.samples for frame in sound.decode(stream))
            return samples / stream.rate
    except (av.FFmpegError, IndexError, ValueError):
        return None


@functools.lru_cache(maxsize=64)
def talk_video(seconds: float, size: Size, kind: str = "moving", container: str = "mp4") -> bytes:
    """The video of a talk with its sound, as the service delivers it.

    ``kind`` is one of `avatar_core.testing.media.KINDS`: what is wrong with it.
    """
    with tempfile.TemporaryDirectory() as folder:
        silent = media.clip(Path(folder) / "silent.mp4", seconds, size, FPS, kind)  # type: ignore[arg-type]
        if kind in ("html", "truncated"):
            return silent.read_bytes()
        return _with_sound(silent, Path(folder) / f"talk.{container}", seconds)


def _with_sound(silent: Path, target: Path, seconds: float) -> bytes:
    """The picture as it is, beside a quiet hum as long as the narration was."""
    with (
        av.open(str(silent)) as source,
        av.open(str(target), "w", options={"movflags": "+faststart"}) as out,
    ):
        picture = out.add_stream_from_template(source.streams.video[0])
        sound = out.add_stream("aac", rate=_RATE, layout="mono")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                out.mux(packet)
        hum = np.sin(np.arange(round(seconds * _RATE)) * 2 * np.pi * 110 / _RATE) * 0.05
        frame = av.AudioFrame.from_ndarray(hum.astype("f4").reshape(1, -1), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = _RATE, 0, Fraction(1, _RATE)
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return target.read_bytes()
