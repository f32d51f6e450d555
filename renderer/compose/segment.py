"""A scene's picture becomes its silent segment."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.check import check_segment
from renderer.compose.encoder import encode_args, key_frames
from renderer.compose.layers import moving_graph, stills_graph
from renderer.compose.packets import Packets, copied, write_packets
from renderer.compose.spec import SegmentSpec

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

# Where more frames than that must be encoded anyway, repeating the rest saves nothing, and every
# still would begin with a costly key frame.
_WORTH_REPEATING = 0.6


def _ignore(fraction: float) -> None:
    del fraction


def compose_segment(
    spec: SegmentSpec,
    target: Path,
    work_dir: Path,
    *,
    cancel: CancelToken | None = None,
    on_progress: Callable[[float], None] = _ignore,
) -> None:
    """Write the segment to ``target`` (MP4, H.264, no sound), with key frames at ``spec.cuts``.

    ``work_dir`` is a private folder for intermediate files. The same spec gives the same bytes.
    Raises `InputError` for a picture or video that cannot be read, `EnvironmentFault` for a full
    disk, `Cancelled`.
    """
    cancel = cancel or CancelToken()
    target, work = target.resolve(), work_dir.resolve()
    spec = replace(spec, cuts=tuple(cut for cut in spec.cuts if 0 < cut < spec.frames))
    stills = _stills(spec)
    if stills is None:
        _compose_moving(spec, target, work, cancel, on_progress)
    else:
        _compose_stills(spec, stills, target, work, cancel)
    check_segment(target, spec.frames, spec.size, spec.cuts)
    on_progress(1.0)


def _compose_moving(
    spec: SegmentSpec,
    target: Path,
    work: Path,
    cancel: CancelToken,
    on_progress: Callable[[float], None],
) -> None:
    keys = key_frames(spec.cuts, spec.frames, spec.fps)
    run_ffmpeg(
        [
            *moving_graph(spec, work),
            *("-frames:v", str(spec.frames)),
            *encode_args(spec.quality, spec.fps, keys, target),
        ],
        cwd=work,
        cancel=cancel,
        on_frame=lambda frame: on_progress(min(1.0, frame / spec.frames)),
    )


@dataclass(frozen=True, slots=True)
class _Stills:
    """Stretches within which the picture stands still: where each begins and how many of its
    frames are encoded. ``keys`` are the segment's key frames and its end."""

    first: tuple[int, ...]
    lengths: tuple[int, ...]
    keys: tuple[int, ...]

    @property
    def begins(self) -> list[int]:
        """Where each still begins among the encoded frames."""
        return [sum(self.lengths[:i]) for i in range(len(self.lengths))]


def _stills(spec: SegmentSpec) -> _Stills | None:
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
    return _Stills(first, lengths, keys) if worth else None


def _compose_stills(
    spec: SegmentSpec, stills: _Stills, target: Path, work: Path, cancel: CancelToken
) -> None:
    """Encode each still for one group of pictures at most, then repeat the group by copy."""
    short = work / "stills.mp4"
    run_ffmpeg(
        [
            *stills_graph(spec, stills.first, stills.lengths, work),
            *("-frames:v", str(sum(stills.lengths))),
            *encode_args(spec.quality, spec.fps, stills.begins, short),
        ],
        cwd=work,
        cancel=cancel,
    )
    with Packets(short) as packets:
        repeated = _repeated(packets, stills)
        write_packets(packets, repeated, target, spec.fps)


def _repeated(packets: Packets, stills: _Stills) -> Iterator[av.Packet[VideoStream]]:
    """Every still's group over and over, beginning anew at each key frame of the segment."""
    source = packets.all()
    lengths = dict(zip(stills.first, stills.lengths, strict=True))
    group: list[av.Packet[VideoStream]] = []
    for begin, end in itertools.pairwise(stills.keys):
        if begin in lengths:
            group = list(itertools.islice(source, lengths[begin]))
        yield from (copied(packet) for packet in group[: end - begin])
