"""Narration as an engine takes it: PCM, and cut at silences into pieces that fit into memory."""

from __future__ import annotations

import math
import sys
import wave
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import FfmpegError, run_ffmpeg
from avatar_core.media_error import MediaError, require_file

# Cuts lie on this grid: whole frames at 25 and at 30 frames a second.
GRID_SECONDS = 0.2
# Two pieces are both made of so much sound around a cut, and their clips are blended there.
OVERLAP_SECONDS = 0.2
# A piece has at least so many steps of the grid; it is not meant to be cut that short.
_LEAST_STEPS = 4
# A cut may be so far from where equal pieces would have it, as a share of one.
_STRAY = 0.4
_LOUDNESS_SECONDS = 0.05
# No playlists, which could name other files of this machine.
_FORMATS = "wav,w64,mp3,flac,ogg,aac,aiff,au,caf,amr,asf,mov,mp4,matroska,webm"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a narration in seconds; ``start`` is where its clip takes over from the one
    before, ``lead`` how much earlier its sound begins."""

    start: float
    end: float
    lead: float = 0.0

    @property
    def seconds(self) -> float:
        return self.end - self.start + self.lead


@dataclass(frozen=True, slots=True)
class Narration:
    """16-bit mono samples at ``rate`` Hz."""

    samples: array[int]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def read_narration(source: Path, folder: Path, rate: int, cancel: CancelToken) -> Narration:
    """Any sound file as ffmpeg decodes it. Raises `MediaError` for what is none."""
    require_file(source, "sound")
    decoded = folder / "narration.wav"
    args = ["-v", "error", "-protocol_whitelist", "file", "-format_whitelist", _FORMATS]
    args += ["-i", f"file:{source.absolute()}"]
    args += ["-vn", "-ac", "1", "-ar", str(rate), "-c:a", "pcm_s16le", str(decoded)]
    try:
        run_ffmpeg(args, cancel=cancel)
    except FfmpegError as failure:
        raise MediaError(
            "This is not a sound file that can be read, or it is damaged.",
            file=source,
            advice="Open it in a player to check, and export it as WAV.",
        ) from failure
    narration = Narration(_samples(decoded), rate)
    decoded.unlink()
    if not narration.samples:
        raise MediaError("The file holds no sound: it is empty or damaged.", file=source)
    return narration


def pieces(narration: Narration, longest: float | None) -> tuple[Piece, ...]:
    """The whole in parts of at most ``longest`` seconds, about equal, cut where it is quietest."""
    whole = narration.seconds
    if longest is None or whole <= longest:
        return (Piece(0.0, whole),)
    # The sound of a later piece begins before its cut, and has to fit as well.
    steps = math.floor((longest - OVERLAP_SECONDS) / GRID_SECONDS + 1e-9)
    room = max(steps, _LEAST_STEPS) * GRID_SECONDS
    cuts = list(_cuts(_loudness(narration), whole, room))
    starts, ends = [0.0, *cuts], [*cuts, whole]
    return tuple(
        Piece(start, end, OVERLAP_SECONDS if start else 0.0)
        for start, end in zip(starts, ends, strict=True)
    )


def write_piece(narration: Narration, piece: Piece, target: Path, shortest: float) -> float:
    """The piece as a WAV of whole twenty-fifths of a second, at least ``shortest`` seconds, with
    silence where there is no sound for that. Returns its length in seconds."""
    rate, frame = narration.rate, narration.rate // 25
    first, last = round((piece.start - piece.lead) * rate), round(piece.end * rate)
    part = narration.samples[first:last]
    wanted = max(math.ceil(len(part) / frame), math.ceil(shortest * 25)) * frame
    part.extend(array("h", bytes(2 * (wanted - len(part)))))
    if sys.byteorder == "big":
        part.byteswap()
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(part.tobytes())
    return wanted / rate


def _cuts(loudness: Sequence[float], whole: float, room: float) -> Iterator[float]:
    done = 0.0
    while whole - done > room:
        left = math.ceil((whole - done) / room)
        even = (whole - done) / left
        # What remains has to fit into the pieces that are left.
        first = max(done + even * (1 - _STRAY), whole - (left - 1) * room)
        last = min(done + room, done + even * (1 + _STRAY))
        # One that is too short to choose in is as long as it may be.
        done = _quietest(loudness, first, last) or done + room
        yield done


def _quietest(loudness: Sequence[float], first: float, last: float) -> float | None:
    """The point of the grid from ``first`` to ``last`` around which least is heard, None where
    the grid has none there."""
    points = range(math.ceil(first / GRID_SECONDS - 1e-9), int(last / GRID_SECONDS + 1e-9) + 1)
    steps = round(GRID_SECONDS / _LOUDNESS_SECONDS)
    middle = (first + last) / 2

    def heard(point: int) -> tuple[float, float]:
        around = loudness[max(0, (point - 1) * steps) : (point + 1) * steps]
        return sum(around), abs(point * GRID_SECONDS - middle)

    return min(points, key=heard) * GRID_SECONDS if points else None


def _loudness(narration: Narration) -> list[float]:
    """The mean amplitude of every twentieth of a second."""
    size = round(_LOUDNESS_SECONDS * narration.rate)
    parts = (narration.samples[i : i + size] for i in range(0, len(narration.samples), size))
    return [sum(map(abs, part)) / len(part) for part in parts]


def _samples(path: Path) -> array[int]:
    samples = array("h")
    with wave.open(str(path), "rb") as sound:
        samples.frombytes(sound.readframes(sound.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
