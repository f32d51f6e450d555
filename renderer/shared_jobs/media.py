"""Narrations joined into one sound, and the clip that is made of it cut into parts again."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from avatar_core.backend import AvatarClip
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Category
from avatar_core.ffmpeg import FfmpegError, run_ffmpeg
from renderer.shared_jobs.forming import Part, SharedJob
from renderer.speech.sound import RATE, copy_samples, create_wav, write_silence

# What is cut is encoded once more with the scene: nothing may be lost here that can be seen.
_CRF = "12"
_ROUNDING = 1e-6


def join_sounds(job: SharedJob, target: Path) -> Path:
    """Write the parts' narrations (PCM, 48 kHz, mono) at their places, silence between them and
    in place of those that are no longer in the film."""
    with create_wav(target) as sound:
        for part in job.wanted:
            write_silence(sound, round(part.start * RATE) - sound.tell())
            copy_samples(part.request.audio, sound, 0, round(part.request.duration * RATE))
        write_silence(sound, round(job.request.duration * RATE) - sound.tell())
    return target


def cut_part(clip: AvatarClip, part: Part, target: Path, cancel: CancelToken) -> AvatarClip:
    """The ``part`` of a joined clip, exact to the frame, without sound.

    Raises `AvatarError` (bad_output) where it cannot be cut, `Cancelled`, `DiskFull`.
    """
    first = round(part.start * clip.fps)
    frames = max(1, math.ceil(part.request.duration * clip.fps - _ROUNDING))
    trim = f"trim=start_frame={first}:end_frame={first + frames},setpts=PTS-STARTPTS"
    encoded = ["-c:v", "libx264", "-preset", "veryfast", "-crf", _CRF, "-pix_fmt", "yuv420p"]
    try:
        run_ffmpeg(
            [
                *("-protocol_whitelist", "file", "-i", f"file:{clip.path.absolute()}", "-an"),
                *("-vf", trim, *encoded, "-f", "mp4", f"file:{target.absolute()}"),
            ],
            cancel=cancel,
        )
    except FfmpegError as failure:
        raise AvatarError(
            Category.BAD_OUTPUT, f"The clip of several scenes could not be cut: {failure}"
        ) from failure
    return replace(clip, path=target, duration=frames / clip.fps)
