"""Signals as arrays and WAV files for the sound tests; 48 kHz, full scale 1.0."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
Signal = NDArray[np.float64]


def write_wav(path: Path, signal: Signal) -> Path:
    """A 16-bit WAV of a signal of shape (n,) or (n, 2); what exceeds full scale is clipped."""
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1 if signal.ndim == 1 else signal.shape[1])
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes((np.clip(signal, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> Signal:
    """A 16-bit stereo WAV as an array of shape (n, 2); asserts its form."""
    with wave.open(str(path), "rb") as stream:
        assert stream.getparams()[:3] == (2, 2, RATE)
        raw = np.frombuffer(stream.readframes(stream.getnframes()), "<i2")
    return raw.reshape(-1, 2) / 32767


def tone(seconds: float, frequency: float, level: float) -> Signal:
    return np.asarray(level * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE))


def speechlike(seconds: float, level: float) -> Signal:
    """Noise in three bursts a second, the same every time."""
    count = int(seconds * RATE)
    noise = np.random.default_rng(7).standard_normal(count) * level
    return np.asarray(noise * (np.sin(2 * np.pi * 3 * np.arange(count) / RATE) > -0.3))


def level_of(signal: Signal, frequency: float) -> float:
    """The amplitude of one frequency in a mono signal."""
    phase = 2j * np.pi * frequency * np.arange(len(signal)) / RATE
    return float(2 * abs(np.mean(signal * np.exp(-phase) * np.hanning(len(signal)) * 2)))
