"""Portraits and narrations in a form that D-ID takes.

Its limits, measured and published: pictures are JPEG or PNG, at least 160 pixels on each side, at
most 10 MB and about ten million pixels (more is taken first and refused when a talk is ordered);
sound is at most 6 MB and ten minutes; names are at most 50 of a few letters.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Category, InputError

if TYPE_CHECKING:
    from PIL.Image import Image

SHORTEST_SIDE = 160
MOST_PIXELS = 10_000_000
MOST_PICTURE_BYTES = 10_000_000
MOST_SOUND_BYTES = 6_000_000
MOST_SECONDS = 600.0
# Ten minutes of it are 4.8 MB.
_SOUND_BITRATE = "64k"
_QUALITIES = (95, 88, 75, 60)


@dataclass(frozen=True, slots=True)
class Sendable:
    """A file as it is uploaded; ``warning`` is a sentence for the user, "" where all is well."""

    name: str
    data: bytes
    media_type: str
    warning: str = ""


def content_of(path: Path, what: str) -> str:
    """A hash of the file. Raises `AvatarError` (invalid_input) where it cannot be read."""
    from avatar_core.media_error import require_file

    with _told():
        require_file(path, what)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def portrait_to_send(path: Path, content: str) -> Sendable:
    """The picture upright, as a JPEG without what cameras write into files (places among it).

    Smaller and larger ones are scaled to the limits. Raises `AvatarError` (invalid_input).
    """
    from avatar_core.framing import fill
    from avatar_core.pictures import load_picture

    with _told():
        picture = load_picture(path)
    own = Size(*picture.size)
    size = acceptable(own)
    data = _as_jpeg(fill(picture, size, 0.5))
    warning = ""
    if size.width > own.width:
        warning = f"The portrait has only {own} pixels; it was sent to D-ID enlarged to {size}."
    return Sendable(f"portrait-{content[:12]}.jpg", data, "image/jpeg", warning)


def acceptable(size: Size) -> Size:
    """``size``, or the nearest one of its shape that is accepted.

    Raises `AvatarError` (invalid_input) for a strip so narrow that there is none.
    """
    width, height = size
    grown = max(1.0, SHORTEST_SIDE / min(size))
    shrunk = min(1.0, math.sqrt(MOST_PIXELS / (width * height * grown * grown)))
    if grown > 1:
        wanted = Size(math.ceil(width * grown), math.ceil(height * grown))
    else:
        wanted = Size(int(width * shrunk), int(height * shrunk))
    if min(wanted) < SHORTEST_SIDE or wanted.width * wanted.height > MOST_PIXELS:
        raise AvatarError(
            Category.INVALID_INPUT,
            f"The portrait has {size} pixels: too narrow a strip for D-ID.",
            advice=f"Use a portrait of at least {SHORTEST_SIDE} pixels on each side.",
        )
    return wanted


def narration_to_send(path: Path, content: str, work_dir: Path, cancel: CancelToken) -> Sendable:
    """A WAV as it is while it is small enough, else in AAC (M4A).

    Raises `AvatarError`: invalid_input for what is no sound, unsupported for more than ten
    minutes.
    """
    from avatar_core.media import probe_audio

    with _told():
        info = probe_audio(path)
    if info.seconds > MOST_SECONDS:
        raise AvatarError(
            Category.UNSUPPORTED,
            f"The narration lasts {info.seconds:.1f} s; D-ID takes {MOST_SECONDS:.0f} s.",
            advice="Split the scene, or choose another backend for it.",
        )
    name = f"narration-{content[:12]}"
    if info.codec.startswith("pcm_") and path.stat().st_size <= MOST_SOUND_BYTES:
        data = path.read_bytes()
        if data[:4] == b"RIFF":
            return Sendable(f"{name}.wav", data, "audio/wav")
    return Sendable(f"{name}.m4a", _as_m4a(path, work_dir, cancel), "audio/mp4")


def without_tail(clip: Path, seconds: float, cancel: CancelToken) -> Path:
    """A copy of ``clip`` beside it that ends after ``seconds``, without its sound.

    Nothing is encoded again, so the end may be a few frames late. Raises `AvatarError`
    (bad_output).
    """
    from avatar_core.ffmpeg import FfmpegError, run_ffmpeg

    target = clip.with_name(f"cut{clip.suffix}")
    what = ["-map", "0:v:0", "-c", "copy", "-t", f"{seconds:.6f}", "-movflags", "+faststart"]
    try:
        run_ffmpeg(["-i", str(clip), *what, str(target)], cancel=cancel)
    except FfmpegError as failure:
        message = f"The clip from D-ID cannot be cut to its length: {failure}"
        raise AvatarError(Category.BAD_OUTPUT, message) from failure
    return target


def _as_jpeg(picture: Image) -> bytes:
    for quality in _QUALITIES:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality, subsampling=0 if quality > 90 else 2)
        if data.tell() <= MOST_PICTURE_BYTES:
            return data.getvalue()
    raise AvatarError(Category.INVALID_INPUT, "The portrait stays too large for D-ID as a JPEG.")


def _as_m4a(path: Path, work_dir: Path, cancel: CancelToken) -> bytes:
    from avatar_core.ffmpeg import FfmpegError, run_ffmpeg

    target = work_dir / "narration.m4a"
    sound = ["-vn", "-ac", "1", "-ar", "24000", "-c:a", "aac", "-b:a", _SOUND_BITRATE]
    try:
        run_ffmpeg(["-i", str(path), *sound, str(target)], cancel=cancel)
    except FfmpegError as failure:
        raise AvatarError(
            Category.INVALID_INPUT, f"The narration cannot be encoded: {failure}"
        ) from failure
    return target.read_bytes()


@contextmanager
def _told() -> Iterator[None]:
    """A file that cannot be used is invalid input."""
    try:
        yield
    except InputError as failure:
        where = InputError(failure.message, file=failure.file, line=failure.line, key=failure.key)
        raise AvatarError(Category.INVALID_INPUT, str(where), advice=failure.advice) from failure
