"""Small real files for tests: sound, pictures and clips made on the spot."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image


def write_wav(path: Path, seconds: float = 1.0, rate: int = 24_000, channels: int = 1) -> Path:
    """A 440 Hz tone as 16-bit PCM."""
    samples = round(seconds * rate)
    tone = (np.sin(np.arange(samples) * 2 * math.pi * 440 / rate) * 8000).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(tone, channels).tobytes())
    return path


def write_wav_header(path: Path, format_tag: int, body: bytes, bits: int, rate: int) -> Path:
    """A mono WAV with any format tag; 0xFFFE is WAVE_FORMAT_EXTENSIBLE (of PCM)."""
    block = bits // 8
    fmt = struct.pack("<HHIIHH", format_tag, 1, rate, rate * block, block, bits)
    if format_tag == 0xFFFE:
        pcm = bytes.fromhex("0100000000001000800000aa00389b71")
        fmt += struct.pack("<HHI", 22, bits, 4) + pcm
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", len(body)) + body
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks)
    return path


def write_sound(path: Path, codec: str, seconds: float = 1.0, rate: int = 48_000) -> Path:
    """A tone in any container and codec that ffmpeg can write."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        tone = np.sin(np.arange(round(seconds * rate)) * 2 * math.pi * 440 / rate) * 8000
        frame = av.AudioFrame.from_ndarray(tone.astype("<i2").reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(
            stream.format, stream.layout, stream.rate, frame_size=stream.frame_size or 1024
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def noise(size: tuple[int, int] = (64, 48), seed: int = 0) -> Image.Image:
    """A picture with something in every corner."""
    grid = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize(size, Image.Resampling.BILINEAR)


def write_clip(
    path: Path,
    frames: int = 30,
    fps: int = 30,
    picture: Callable[[int], Image.Image] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
) -> Path:
    """A video whose frame ``n`` is ``picture(n)``."""
    draw = picture or (lambda number: noise(seed=number))
    pictures: Iterable[Image.Image] = (draw(number) for number in range(frames))
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps)
        stream.width, stream.height = draw(0).size
        stream.pix_fmt = pix_fmt
        for image in pictures:
            out.mux(stream.encode(av.VideoFrame.from_image(image)))
        out.mux(stream.encode(None))
    return path
