"""The film's sound as AAC: encoded once from the PCM master, then copied packet by packet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.packets import SegmentFault

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer

SAMPLE_RATE = 48_000
_BIT_RATE = 192_000


def encode_aac(master: Path, target: Path, *, cancel: CancelToken | None = None) -> None:
    """Encode a WAV to AAC in MP4: 48 kHz, stereo, 192 kbit/s; the same WAV gives the same bytes.

    A child process does it, so that scenes are composed meanwhile.
    """
    run_ffmpeg(
        [
            *("-v", "error", "-i", f"file:{master.resolve()}", "-map", "0:a:0"),
            *("-c:a", "aac", "-b:a", str(_BIT_RATE), "-ar", str(SAMPLE_RATE), "-ac", "2"),
            # The encoder's name and version would make the bytes depend on the machine.
            *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"),
            *("-f", "mp4", f"file:{target.resolve()}"),
        ],
        cancel=cancel,
    )


def require_length(sound: AudioStream, frames: int, fps: int) -> None:
    """Raise `SegmentFault` when sound and picture differ by more than one picture."""
    base = sound.time_base
    seconds = float(sound.duration * base) if sound.duration and base else 0.0
    if abs(seconds - frames / fps) > 1 / fps:
        raise SegmentFault(f"the sound lasts {seconds:.3f} s, the picture {frames / fps:.3f} s")


def sound_packets(source: InputContainer) -> Iterator[av.Packet[AudioStream]]:
    """The packets of an encoded sound in order, the encoder's run-in included."""
    for packet in source.demux(source.streams.audio[0]):
        if packet.pts is not None:
            yield packet
