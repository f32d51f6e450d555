"""The normal form of every narration, and the way into it: PCM, 48 kHz, mono, 16 bits."""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 48_000
_BYTES = 2
_BLOCK = RATE
# Engines and microphones hiss around -60 dBFS; the weakest consonants lie above -50.
_SILENCE_RMS = 32_768 * 10 ** (-50 / 20)
_FRAME = RATE // 100


class NotSound(Exception):
    """What was to be decoded is no sound; the message says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """``samples`` at 48 kHz; ``stated`` is the length in seconds that the file claims, where its
    container states it exactly; ``damaged`` counts packets that could not be decoded."""

    samples: int
    stated: float | None
    damaged: int


def create_wav(path: Path, rate: int = RATE) -> wave.Wave_write:
    """A WAV file to be written: PCM, mono, 16 bits."""
    sound = wave.open(str(path), "wb")  # noqa: SIM115
    sound.setnchannels(1)
    sound.setsampwidth(_BYTES)
    sound.setframerate(rate)
    return sound


def write_silence(sound: wave.Wave_write, samples: int) -> None:
    """Append ``samples`` of silence."""
    for start in range(0, samples, _BLOCK):
        sound.writeframesraw(bytes(_BYTES * min(_BLOCK, samples - start)))


def silent_wav(path: Path, samples: int) -> None:
    """A silent file in the normal form; where the disk can, it takes no room."""
    size = samples * _BYTES
    header = struct.pack("<4sI4s4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16)
    header += struct.pack("<HHIIHH", 1, 1, RATE, RATE * _BYTES, _BYTES, 8 * _BYTES)
    with path.open("wb") as stream:
        stream.write(header + struct.pack("<4sI", b"data", size))
        stream.truncate(stream.tell() + size)


def copy_samples(source: Path, target: wave.Wave_write, start: int, end: int) -> None:
    """Append the samples ``start`` to ``end`` of a file in the normal form."""
    with wave.open(str(source), "rb") as sound:
        sound.setpos(start)
        while start < end:
            block = sound.readframes(min(_BLOCK, end - start))
            if not block:
                return
            target.writeframesraw(block)
            start += len(block) // _BYTES


def convert(
    source: Path, target: Path, tick: Callable[[float], None], *, tempo: float = 1.0
) -> Decoded:
    """Decode any sound file into the normal form, a little at a time.

    ``tick`` gets the seconds done so far. ``tempo`` speaks faster (over 1) or slower at the same
    pitch. Raises `NotSound` for a file without sound.
    """
    import av

    try:
        # Only "file": a playlist in disguise must not make the decoder fetch something else.
        with av.open(str(source), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.audio:
                raise NotSound("it holds no sound")
            with create_wav(target) as sound:
                damaged = _decode(container, sound, tick, tempo)
                samples = sound.tell()
            return Decoded(samples, _stated_seconds(source, container), damaged)
    except av.FFmpegError as failure:
        raise NotSound("it is not a sound file that can be decoded, or it is damaged") from failure


def _decode(
    container: Any, sound: wave.Wave_write, tick: Callable[[float], None], tempo: float
) -> int:
    import av

    stream = container.streams.audio[0]
    damaged = 0
    resample = _resampler(tempo)
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            damaged += 1
            continue
        for frame in frames:
            for block in resample(frame):
                sound.writeframesraw(block)
        tick(sound.tell() / RATE)
    for block in resample(None):
        sound.writeframesraw(block)
    return damaged


def _resampler(tempo: float) -> Callable[[Any], Iterator[bytes]]:
    """Turns decoded frames into blocks of the normal form; None flushes it."""
    import av

    normal = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    stretch = _Stretch(tempo) if tempo != 1.0 else None

    def resample(frame: Any) -> Iterator[bytes]:
        blocks = normal.resample(frame)
        if stretch is not None:
            blocks = [out for block in blocks for out in stretch(block)]
            blocks += stretch(None) if frame is None else []
        for block in blocks:
            yield block.to_ndarray().tobytes()

    return resample


class _Stretch:
    """Speaks faster or slower at the same pitch."""

    def __init__(self, tempo: float) -> None:
        import av

        # The graph must outlive its filters, which do not hold it.
        self._graph = graph = av.filter.Graph()
        self._source = graph.add_abuffer(
            sample_rate=RATE, format="s16", layout="mono", time_base=Fraction(1, RATE)
        )
        self._sink = graph.add("abuffersink")
        graph.link_nodes(self._source, graph.add("atempo", str(tempo)), self._sink).configure()

    def __call__(self, frame: Any) -> list[Any]:
        import av

        self._source.push(frame)
        out = []
        while True:
            try:
                out.append(self._sink.pull())
            except (av.BlockingIOError, av.EOFError):
                return out


def _stated_seconds(source: Path, container: Any) -> float | None:
    """The length a container's header states; None where it would be a guess."""
    name = container.format.name.split(",")[0]
    if name == "wav":
        return _wav_seconds(source)
    stream = container.streams.audio[0]
    if name in ("mov", "flac") and stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return None


def _wav_seconds(source: Path) -> float | None:
    # The decoder takes a cut-off file's size for its length, so the header is read here.
    with source.open("rb") as stream:
        if stream.read(4) != b"RIFF":
            return None
        stream.seek(12)
        bytes_per_second = 0
        while len(head := stream.read(8)) == 8:
            name, size = head[:4], int.from_bytes(head[4:], "little")
            if name == b"data":
                # Programs that write into a pipe cannot know the size and put one of these.
                unknown = size in (0, 0x7FFFFFFF, 0xFFFFFFFF) or size >= 0x7FFFF000
                return None if unknown or not bytes_per_second else size / bytes_per_second
            if name == b"fmt ":
                bytes_per_second = int.from_bytes(stream.read(16)[8:12], "little")
                size -= 16
            stream.seek(size + size % 2, 1)
    return None


def loudness(path: Path) -> NDArray[np.float32]:
    """Root mean square (0-1) of every 10 ms of a file in the normal form."""
    import numpy as np

    parts = []
    with wave.open(str(path), "rb") as sound:
        while block := sound.readframes(_BLOCK):
            samples = np.frombuffer(block, "<i2").astype(np.float32) / 32_768
            whole = len(samples) // _FRAME * _FRAME
            parts.append(np.sqrt((samples[:whole].reshape(-1, _FRAME) ** 2).mean(axis=1)))
            if whole < len(samples):
                parts.append(np.sqrt((samples[whole:] ** 2).mean(keepdims=True)))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def sounding(path: Path) -> tuple[int, int] | None:
    """First and last sample (48 kHz) of what is louder than silence, None if nothing is."""
    import numpy as np

    loud = np.flatnonzero(loudness(path) * 32_768 > _SILENCE_RMS)
    if not len(loud):
        return None
    return int(loud[0]) * _FRAME, (int(loud[-1]) + 1) * _FRAME
