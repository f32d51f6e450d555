"""The engine ``file``: a recording of your own instead of a synthetic voice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from avatar_core.backend import Health, Job
from avatar_core.errors import AvatarError, Category, InputError
from avatar_core.speech import Speech, SpeechEngine, SpeechRequest
from renderer.speech.sound import RATE, Decoded, NotSound, convert

_FORMATS = "Give a WAV, MP3, OGG, FLAC or M4A recording."
# A file cut off in its middle still decodes; what it lacks against its own header gives it away.
_WHOLE = 0.95


class RecordingEngine(SpeechEngine):
    """Brings ``request.recording`` into the normal form; knows no timing."""

    name: ClassVar[str] = "file"

    def check(self) -> Health:
        return Health(True, "Recordings can be read.")

    def speak(self, request: SpeechRequest, job: Job) -> Speech:
        if request.recording is None:
            raise AvatarError(
                Category.UNSUPPORTED,
                "The engine file plays recordings and there is none.",
                advice='Give the scene an "audio:", or choose an engine that speaks.',
            )
        target = job.work_dir / "recording.wav"
        decoded = decode_recording(
            request.recording, target, lambda seconds: job.progress(0, f"{seconds:.0f} s")
        )
        return Speech(
            target, decoded.samples / RATE, warnings=recording_warnings(request.recording, decoded)
        )


def decode_recording(source: Path, target: Path, tick: Callable[[float], None]) -> Decoded:
    """Write ``source`` as WAV (PCM, 48 kHz, mono) to ``target``.

    Raises `InputError`, which names the file, for one that is missing, empty, no sound, without
    an audio stream or cut off.
    """
    require_content(source)
    try:
        decoded = convert(source, target, tick)
    except NotSound as failure:
        raise InputError(
            f"The recording cannot be used: {failure}.", file=source, advice=_FORMATS
        ) from failure
    if not decoded.samples:
        raise InputError("The recording has no sound in it.", file=source, advice=_FORMATS)
    seconds = decoded.samples / RATE
    if decoded.stated is not None and seconds < decoded.stated * _WHOLE:
        raise InputError(
            f"The recording is cut off: it should last {decoded.stated:.1f} s "
            f"and ends after {seconds:.1f} s.",
            file=source,
            advice="Copy or export it again.",
        )
    return decoded


def require_content(source: Path) -> None:
    """Raise `InputError` for a recording that is missing, unreadable or empty."""
    try:
        with source.open("rb") as stream:
            empty = not stream.read(1)
    except FileNotFoundError as failure:
        raise InputError(
            "The recording does not exist.", file=source, advice="Correct the path."
        ) from failure
    except OSError as failure:
        raise InputError(
            f"The recording cannot be read: {failure.strerror or failure}.",
            file=source,
            advice=_FORMATS,
        ) from failure
    if empty:
        raise InputError("The recording is an empty file.", file=source, advice=_FORMATS)


def recording_warnings(source: Path, decoded: Decoded) -> tuple[str, ...]:
    """What the user should know of a recording that could be decoded."""
    if not decoded.damaged:
        return ()
    return (f"{source.name} is damaged in {decoded.damaged} places; they are left out.",)
