"""Frames and the narration become a clip, while the frames are being drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.errors import AvatarError, Category
from avatar_core.ffmpeg import FfmpegError, run_ffmpeg

if TYPE_CHECKING:
    from avatar_core.backend import Job, Size

# The clip is encoded once more as part of a scene: it is kept better than what comes out there.
_PRESET, _CRF = "veryfast", "15"
_BT709 = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
# Surround sound becomes stereo, a voice alone stays one; whole numbers know no infinity.
_AFORMAT = "aformat=sample_fmts=s16:channel_layouts=mono|stereo"
# A key frame at least as often, so that a film can begin to play anywhere.
_GOP_SECONDS = 2
_NEWS_SECONDS = 0.2
# What finding the face and listening to the narration is of the whole.
_BEFORE = 0.05


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be encoded: ``count`` frames of ``size`` (even), ``fps`` a second. With ``alpha``
    they are yuva420p, else yuv420p."""

    size: Size
    fps: int
    count: int
    alpha: bool = False

    @property
    def suffix(self) -> str:
        return ".webm" if self.alpha else ".mp4"


def encode(frames: Iterable[memoryview], film: Film, audio: Path, target: Path, job: Job) -> None:
    """Write an MP4 (H.264, yuv420p, BT.709, AAC) of ``frames`` with the sound of ``audio``; with
    alpha a WebM (VP9, Opus), as H.264 knows none.

    The frames are drawn in a thread while ffmpeg, a process of its own, encodes those before.
    Raises `Cancelled`, `AvatarError` (timeout) at the job's deadline, `DiskFull`.
    """
    try:
        run_ffmpeg(
            [*_input(film, audio), *_output(film, target)],
            cancel=job.cancel,
            feed=_watched(frames, film, job),
        )
    except FfmpegError as failure:
        raise AvatarError(
            Category.BAD_OUTPUT,
            f"The clip could not be encoded: {failure}",
            advice="Look at `avatar doctor`: the ffmpeg that it names may be unable to do it.",
        ) from failure


def _input(film: Film, audio: Path) -> list[str]:
    width, height = film.size
    pixels = "yuva420p" if film.alpha else "yuv420p"
    raw = ["-f", "rawvideo", "-pix_fmt", pixels, "-video_size", f"{width}x{height}"]
    return [
        *(*raw, "-framerate", str(film.fps), "-i", "pipe:0"),
        *("-protocol_whitelist", "file", "-i", f"file:{audio.absolute()}"),
    ]


def _output(film: Film, target: Path) -> list[str]:
    codecs = _with_alpha() if film.alpha else _without_alpha()
    return [
        *("-map", "0:v", "-map", "1:a:0", "-map_metadata", "-1"),
        *(*codecs, "-g", str(_GOP_SECONDS * film.fps), "-vf", _BT709),
        *("-af", _AFORMAT, "-ar", "48000", f"file:{target.absolute()}"),
    ]


def _without_alpha() -> list[str]:
    # Without B-frames a packet's time is its frame's number: the clip begins at nought.
    picture = f"-c:v libx264 -preset {_PRESET} -crf {_CRF} -bf 0 -pix_fmt yuv420p"
    return [*picture.split(), *"-c:a aac -b:a 128k -movflags +faststart -f mp4".split()]


def _with_alpha() -> list[str]:
    # In its live mode the encoder is many times faster; alpha allows no reference from the future.
    picture = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -crf 18 -b:v 0"
    still = "-lag-in-frames 0 -auto-alt-ref 0 -pix_fmt yuva420p"
    return [*picture.split(), *still.split(), *"-c:a libopus -b:a 96k -f webm".split()]


def _watched(frames: Iterable[memoryview], film: Film, job: Job) -> Iterator[memoryview]:
    """The frames, with news for the job in between; ends the work at its deadline."""
    begun = job.clock()
    told = -math.inf
    for number, frame in enumerate(frames):
        now = job.clock()
        if now - told >= _NEWS_SECONDS:
            told = now
            _in_time(job)
            share = _BEFORE + (1 - _BEFORE) * number / film.count
            job.progress(share, _left(now - begun, number, film.count))
        yield frame


def _in_time(job: Job) -> None:
    if job.remaining is not None and job.remaining <= 0:
        raise AvatarError(
            Category.TIMEOUT,
            "The clip was not finished in the time it had.",
            advice="Allow more time (deadline.scene), or make the scene shorter or smaller.",
        )


def _left(seconds: float, done: int, count: int) -> str:
    """How long the rest will take if it goes on like this."""
    news = f"drawn {done} of {count} frames"
    return f"{news}, {seconds * (count - done) / done:.0f} s left" if done else news
