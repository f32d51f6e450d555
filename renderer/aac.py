"""The film's sound as AAC packets, encoded once from the PCM master."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renderer.compose.packets import SegmentFault

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import OutputContainer

SAMPLE_RATE = 48_000
_BIT_RATE = 192_000
_FRAME = 1024


def add_aac_stream(output: OutputContainer) -> AudioStream:
    """Add the film's one sound track: AAC, 48 kHz, stereo."""
    stream = output.add_stream("aac", rate=SAMPLE_RATE)
    stream.codec_context.layout = "stereo"
    stream.codec_context.bit_rate = _BIT_RATE
    # The encoder's name and version would make the bytes depend on the machine.
    stream.codec_context.flags |= 1 << 23
    return stream


def aac_packets(
    sound: Path, stream: AudioStream, frames: int, fps: int
) -> Iterator[av.Packet[AudioStream]]:
    """The packets of ``sound`` in order, cut to the length of ``frames`` pictures.

    Raises `SegmentFault` when sound and picture differ by more than one picture.
    """
    wanted = round(frames * SAMPLE_RATE / fps)
    sent = 0
    for chunk in _chunks(sound, wanted):
        chunk.pts = sent
        sent += chunk.samples
        yield from stream.encode(chunk)
    if wanted - sent > SAMPLE_RATE / fps:
        raise SegmentFault(f"the sound has {sent} samples, the picture needs {wanted}")
    yield from stream.encode(None)


def _chunks(sound: Path, wanted: int) -> Iterator[av.AudioFrame]:
    """Frames of the encoder's size; the last one may be shorter."""
    import av

    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
    fifo, left = av.AudioFifo(), wanted
    with av.open(str(sound)) as source:
        for decoded in source.decode(audio=0):
            for frame in resampler.resample(decoded):
                frame.pts = None
                fifo.write(frame)
            while left >= _FRAME and fifo.samples >= _FRAME:
                left -= _FRAME
                yield _read(fifo, _FRAME)
            if left < _FRAME <= fifo.samples:
                break
    last = min(left, fifo.samples)
    if last:
        yield _read(fifo, last)


def _read(fifo: av.AudioFifo, samples: int) -> av.AudioFrame:
    chunk = fifo.read(samples)
    if chunk is None:
        raise SegmentFault("the sound ends before its length says so")
    return chunk
