"""A portrait and a narration as the server can surely read them, and no larger than it needs."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.errors import AvatarError, Category, InputError
from backends.colab.api import Upload

if TYPE_CHECKING:
    from PIL.Image import Image

# SadTalker shrinks larger faces itself, and misplaces them afterwards.
LONGEST_SIDE = 1536
# It hears no higher rate, and the film has its own sound.
RATE = 16_000
# One frame of its 25 a second.
SHORTEST_SECONDS = 0.04


def prepared(portrait: Path | None, audio: Path) -> Upload:
    """Raises `AvatarError` (invalid_input) for what is no picture, or no sound."""
    if portrait is None:
        raise AvatarError(
            Category.INVALID_INPUT,
            "The speaker has no portrait.",
            advice="Name one in the script: speakers.NAME.portrait.",
        )
    with _told():
        return Upload(picture(portrait), sound(audio))


def picture(path: Path) -> bytes:
    """An upright PNG in RGB, its long side at most 1536 pixels."""
    from PIL.Image import Resampling

    from avatar_core.pictures import load_picture

    loaded = load_picture(path)
    shown = _without_alpha(loaded)
    shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Resampling.LANCZOS)
    out = io.BytesIO()
    shown.save(out, "PNG")
    return out.getvalue()


def sound(path: Path) -> bytes:
    """A WAV of one channel, 16 bits and 16 kHz."""
    from avatar_core.media import MediaError, probe_audio

    # It also notices what is cut off, which decoding alone passes over.
    if probe_audio(path).seconds < SHORTEST_SECONDS:
        raise MediaError("The narration is too short to be spoken.", file=path)
    out = io.BytesIO()
    with wave.open(out, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        for piece in _resampled(path):
            written.writeframes(piece)
    return out.getvalue()


def _resampled(path: Path) -> Iterator[bytes]:
    from av import AudioResampler

    from avatar_core.media import open_media

    resampler = AudioResampler("s16", "mono", RATE)
    with open_media(path, "sound") as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                yield piece.to_ndarray().tobytes()
        for piece in resampler.resample(None):
            yield piece.to_ndarray().tobytes()


def _without_alpha(picture: Image) -> Image:
    if picture.mode != "RGBA":
        return picture
    from PIL import Image

    ground = Image.new("RGB", picture.size, (255, 255, 255))
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


@contextmanager
def _told() -> Iterator[None]:
    """A file that cannot be used is invalid input, whoever calls."""
    try:
        yield
    except InputError as failure:
        where = InputError(failure.message, file=failure.file)
        raise AvatarError(Category.INVALID_INPUT, str(where), advice=failure.advice) from failure
