"""Segments in which nothing moves: each still is encoded for a moment and repeated by copy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.encoder import STILL_FRAMES, encode_args, key_frames
from renderer.compose.held_frame import NotHeld, held_group
from renderer.compose.layers import stills_graph
from renderer.compose.packets import Packets, packet_of, write_packets
from renderer.compose.spec import SegmentSpec

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

# Where more frames than that must be encoded anyway, repeating the rest saves nothing, and every
# still would begin with a costly key frame.
_WORTH_REPEATING = 0.6


@dataclass(frozen=True, slots=True)
class Stills:
    """Stretches within which the picture stands still: where each begins and how long its longest
    group of pictures is. ``keys`` are the segment's key frames and its end."""

    first: tuple[int, ...]
    lengths: tuple[int, ...]
    keys: tuple[int, ...]


def find_stills(spec: SegmentSpec) -> Stills | None:
    """The segment as a few stills, None where that would save nothing."""
    first = spec.stretches()
    if first is None:
        return None
    keys = (*key_frames((*first, *spec.cuts), spec.frames, spec.fps), spec.frames)
    groups = dict.fromkeys(first, 0)
    still = 0
    for begin, end in itertools.pairwise(keys):
        still = begin if begin in groups else still
        groups[still] = max(groups[still], end - begin)
    lengths = tuple(groups.values())
    worth = len(first) == 1 or sum(lengths) <= spec.frames * _WORTH_REPEATING
    return Stills(first, lengths, keys) if worth else None


def compose_stills(
    spec: SegmentSpec, stills: Stills, target: Path, work: Path, cancel: CancelToken
) -> None:
    """Write the segment; encodes whole groups where a few frames do not hold the picture."""
    enough = STILL_FRAMES[spec.quality]
    lengths = tuple(min(length, enough) for length in stills.lengths)
    short = _encode(spec, stills.first, lengths, work, cancel)
    try:
        _repeat(short, lengths, stills, target, spec.fps)
    except NotHeld:
        target.unlink(missing_ok=True)
        short = _encode(spec, stills.first, stills.lengths, work, cancel)
        _repeat(short, stills.lengths, stills, target, spec.fps)


def _encode(
    spec: SegmentSpec, first: Sequence[int], lengths: Sequence[int], work: Path, cancel: CancelToken
) -> Path:
    """A short film: the picture at frame ``first[i]`` for ``lengths[i]`` frames, one group each."""
    short, frames = work / "stills.mp4", sum(lengths)
    keys = list(itertools.accumulate(lengths[:-1], initial=0))
    run_ffmpeg(
        [
            *stills_graph(spec, first, lengths, work),
            *("-frames:v", str(frames)),
            *encode_args(spec.quality, spec.fps, keys, short, stills=frames),
        ],
        cwd=work,
        cancel=cancel,
    )
    return short


def _repeat(short: Path, lengths: Sequence[int], stills: Stills, target: Path, fps: int) -> None:
    with Packets(short) as packets:
        groups = _groups(packets, lengths, stills)
        write_packets(packets, _repeated(groups, stills), target, fps)


def _groups(packets: Packets, lengths: Sequence[int], stills: Stills) -> dict[int, list[bytes]]:
    """The encoded frames of each still, by the frame at which it begins."""
    source, decoder = packets.all(), packets.stream.codec_context
    return {
        begin: held_group(
            [bytes(packet) for packet in itertools.islice(source, length)], wanted, decoder
        )
        for begin, length, wanted in zip(stills.first, lengths, stills.lengths, strict=True)
    }


def _repeated(groups: dict[int, list[bytes]], stills: Stills) -> Iterator[av.Packet[VideoStream]]:
    """Every still's group over and over, beginning anew at each key frame of the segment."""
    group: list[bytes] = []
    for begin, end in itertools.pairwise(stills.keys):
        group = groups.get(begin, group)
        for i, frame in enumerate(group[: end - begin]):
            yield packet_of(frame, is_keyframe=i == 0)
