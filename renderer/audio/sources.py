"""Sound files as samples: any media file becomes a WAV once, then is read piece by piece."""

from __future__ import annotations

import contextlib
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatar_core.cancel import CancelToken
from avatar_core.errors import InputError
from avatar_core.ffmpeg import FfmpegError, run_ffmpeg
from renderer.audio.plan import RATE

Samples = NDArray[np.float32]
_JOIN = RATE // 200


class WavReader:
    """A 48 kHz 16-bit WAV as float samples of shape (n, 2), full scale 1.0.

    Opened when first read, so that a film of a thousand scenes holds few files open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: wave.Wave_read | None = None
        with _opened(path) as stream:
            self.channels = stream.getnchannels()
            self.samples = stream.getnframes()

    def read(self, start: int, count: int) -> Samples:
        """``count`` samples from ``start``; silence where the file has none."""
        result = np.zeros((count, 2), np.float32)
        first, last = max(0, start), min(self.samples, start + count)
        if first < last:
            if self._stream is None:
                self._stream = _opened(self._path)
            self._stream.setpos(first)
            raw = np.frombuffer(self._stream.readframes(last - first), "<i2")
            found = raw.reshape(-1, self.channels).astype(np.float32) / 32768
            result[first - start : first - start + len(found)] = found
        return result

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class Loop:
    """A reader that starts again at its end, without a click at the seam."""

    def __init__(self, reader: WavReader) -> None:
        self._reader = reader
        self.samples = reader.samples
        # The step from the last sample to the first would click: the first 5 ms of every round
        # but the first glide over from one to the other. A true loop has no step to speak of.
        self._length = min(_JOIN, self.samples)
        step = reader.read(0, 1) - reader.read(self.samples - 1, 1)
        fall = 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, self._length, dtype=np.float32))
        self._correction = (fall[:, None] * step).astype(np.float32)

    def read(self, start: int, count: int) -> Samples:
        """``count`` samples from ``start`` of the endless sound."""
        parts: list[Samples] = []
        while count > 0:
            round_, at = divmod(start, self.samples)
            take = min(count, self.samples - at)
            part = self._reader.read(at, take)
            if round_ and at < self._length:
                correction = self._correction[at : at + take]
                part[: len(correction)] -= correction
            parts.append(part)
            start += take
            count -= take
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)

    def close(self) -> None:
        self._reader.close()


def channels_of(path: Path) -> int:
    """How many channels of sound a media file has; 0 for none, or if it cannot be read."""
    import av

    try:
        with av.open(str(path)) as container:
            streams = container.streams.audio
            return streams[0].codec_context.channels if streams else 0
    except (OSError, ValueError, av.error.FFmpegError):
        return 0


def decode(path: Path, target: Path, samples: int, cancel: CancelToken, *, key: str) -> Path:
    """Write at most ``samples`` samples of a file's sound to a 48 kHz WAV.

    Raises `InputError` that names ``key`` when the file has no sound that can be read.
    """
    if not path.exists():
        raise InputError("The file does not exist.", file=path, key=key)
    channels = channels_of(path)
    if not channels:
        raise InputError(
            "The file has no sound that can be read.",
            file=path,
            key=key,
            advice="Give a sound file such as WAV, MP3, M4A or OGG.",
        )
    # `file:` keeps names with colons or a leading dash from being read as something else, and a
    # playlist in disguise must not reach out to the network.
    source = ["-protocol_whitelist", "file", "-i", f"file:{path}"]
    # atrim counts samples; -t would count in microseconds.
    form = ["-map", "0:a:0", "-af", f"aresample={RATE},atrim=end_sample={samples}"]
    # One channel stays one: spread over two, each would be 3 dB weaker than a mono narration.
    form += ["-ac", str(min(channels, 2)), "-c:a", "pcm_s16le", "-bitexact"]
    try:
        run_ffmpeg(["-v", "error", *source, *form, "-f", "wav", f"file:{target}"], cancel=cancel)
    except FfmpegError as failure:
        raise InputError(
            f"The sound cannot be decoded ({failure}).", file=path, key=key
        ) from failure
    return target


def is_plain(path: Path) -> bool:
    """Whether `WavReader` can read the file as it is."""
    with contextlib.suppress(OSError, EOFError, wave.Error), _opened(path) as stream:
        channels, width, rate = stream.getparams()[:3]
        return channels in (1, 2) and width == 2 and rate == RATE
    return False


def _opened(path: Path) -> wave.Wave_read:
    return wave.open(str(path), "rb")
