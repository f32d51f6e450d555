"""Sounds from strangers: only containers that hold sound and nothing else are opened at all."""

from __future__ import annotations

import re
from pathlib import Path

from avatar_core.media import MediaError, open_media
from backends.colab.server.refusals import Refusal

# By the first bytes. A playlist or a list of files to join would make ffmpeg open other files of
# this machine, and is recognised by it whatever the name: so nothing else gets that far.
_HEADS = (
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "wav"),
    (re.compile(rb"RF64....WAVE", re.DOTALL), "wav"),
    (re.compile(rb"fLaC"), "flac"),
    (re.compile(rb"OggS"), "ogg"),
    (re.compile(rb"ID3|\xff[\xf2\xf3\xfa\xfb]"), "mp3"),
    (re.compile(rb"\xff[\xf0\xf1\xf8\xf9]"), "aac"),
    (re.compile(rb"....ftyp", re.DOTALL), "m4a"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "webm"),
)
_HEAD_BYTES = 16
_SHORTEST_SECONDS = 0.04


def sound_format(path: Path) -> str:
    """The ending that fits what ``path`` holds; raises `Refusal`."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    for pattern, ending in _HEADS:
        if pattern.match(head):
            return ending
    raise Refusal("not_a_sound")


def measured(path: Path, most: float) -> float:
    """How long the sound is, decoded (s); no more of it than ``most`` seconds is ever decoded, as
    a small file can hold days of silence. Raises `Refusal`."""
    try:
        seconds = _decoded(path, most)
    except MediaError as failure:
        raise Refusal("not_a_sound", failure.message.partition("\n")[0][:200]) from failure
    if seconds > most:
        raise Refusal("audio_too_long", f"The narration is longer than {most:g} s.")
    if seconds < _SHORTEST_SECONDS:
        raise Refusal("not_a_sound", "The sound is empty.")
    return seconds


def _decoded(path: Path, most: float) -> float:
    import av

    seconds = 0.0
    with open_media(path, "sound") as container:
        if not container.streams.audio:
            raise MediaError("The file has no sound in it.")
        for packet in container.demux(audio=0):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                # A damaged packet is skipped, as players do.
                continue
            seconds += sum(_seconds(frame) for frame in frames)
            if seconds > most:
                break
    return seconds


def _seconds(frame: object) -> float:
    samples, rate = getattr(frame, "samples", 0), getattr(frame, "sample_rate", 0)
    return float(samples / rate) if rate else 0.0
