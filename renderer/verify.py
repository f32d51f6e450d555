"""The output checks: a film that passes plays everywhere."""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from pathlib import Path

from avatar_core.backend import Size
from renderer.compose.packets import SegmentFault

_BT709 = 1
_LIMITED = 1


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What a film's file really holds; lengths in seconds, ``gap`` the latest end less the
    earliest of sound and picture."""

    size: Size
    frames: int
    fps: float
    seconds: float
    sound_seconds: float
    gap: float
    pixels: str
    video_codec: str
    sound_codec: str
    bt709: bool
    steady: bool
    faststart: bool
    bytes: int


class FilmFault(SegmentFault):
    """A film does not hold what it should: a fault of this program, not of its user."""


def verify_film(path: Path, frames: int, fps: int, size: Size) -> FilmFacts:
    """Check a finished film by its packets and headers, without decoding it.

    Raises `FilmFault` with all facts when anything is not as it must be.
    """
    facts = read_facts(path)
    wrong = [name for name, holds in _checks(facts, frames, fps, size).items() if not holds]
    if wrong:
        raise FilmFault(f"{path.name} fails the output checks {', '.join(wrong)}: {asdict(facts)}")
    return facts


def read_facts(path: Path) -> FilmFacts:
    """Read every packet of ``path`` once."""
    import av

    with av.open(str(path)) as film:
        video, sound = film.streams.video[0], film.streams.audio[0]
        context = video.codec_context
        steps: set[int] = set()
        count, last, heard = 0, None, 0.0
        for packet in film.demux(video, sound):
            if packet.pts is None or packet.time_base is None:
                continue
            if packet.stream is sound:
                heard = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                continue
            count += 1
            steps.add(packet.pts - last if last is not None else packet.duration or 0)
            steps.add((packet.pts - (packet.dts or 0)) + (packet.duration or 0))
            last = packet.pts
        step = min(steps) if steps else 0
        rate = 1 / float(step * video.time_base) if step and video.time_base else 0.0
        seconds = count / rate if rate else 0.0
        tags = (context.color_range, context.color_primaries, context.color_trc, context.colorspace)
        return FilmFacts(
            size=Size(context.width, context.height),
            frames=count,
            fps=rate,
            seconds=seconds,
            sound_seconds=heard,
            gap=abs(heard - seconds),
            pixels=context.pix_fmt or "",
            video_codec=context.codec.canonical_name,
            sound_codec=sound.codec_context.codec.canonical_name,
            bt709=tuple(int(tag) for tag in tags) == (_LIMITED, _BT709, _BT709, _BT709),
            steady=len(steps) == 1,
            faststart=_is_faststart(path),
            bytes=path.stat().st_size,
        )


def _checks(facts: FilmFacts, frames: int, fps: int, size: Size) -> dict[str, bool]:
    return {
        "size": facts.size == size and size.width % 2 == 0 and size.height % 2 == 0,
        "frames": facts.frames == frames,
        "rate": facts.steady and abs(facts.fps - fps) < 1e-6,
        "pixels": facts.pixels == "yuv420p",
        "colours": facts.bt709,
        "codecs": (facts.video_codec, facts.sound_codec) == ("h264", "aac"),
        "faststart": facts.faststart,
        "sound length": facts.gap <= 1 / fps,
    }


def _is_faststart(path: Path) -> bool:
    """Whether the index (moov) stands before the data (mdat)."""
    with path.open("rb") as stream:
        while header := stream.read(8):
            length, kind = struct.unpack(">I4s", header)
            if kind in (b"moov", b"mdat"):
                return bool(kind == b"moov")
            if length == 1:
                length = struct.unpack(">Q", stream.read(8))[0] - 8
            if length < 8:
                return False
            stream.seek(length - 8, 1)
    return False
