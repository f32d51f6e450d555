"""A scene's picture becomes its silent segment."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.check import check_segment
from renderer.compose.encoder import REVISION, encode_args, gop, key_frames
from renderer.compose.layers import moving_graph, stretches_graph
from renderer.compose.packets import Packets, copied, write_packets
from renderer.compose.spec import SegmentSpec

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

__all__ = ["REVISION", "compose_segment"]

# With more stills than that, composing each once saves nothing any more.
_STRETCHES_PER_FRAME = 1 / 6


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
    stretches = spec.stretches()
    if stretches is not None and len(stretches) <= max(1, spec.frames * _STRETCHES_PER_FRAME):
        _compose_stretches(spec, stretches, target, work, cancel)
    else:
        _compose_moving(spec, target, work, cancel, on_progress)
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


def _compose_stretches(
    spec: SegmentSpec, first: tuple[int, ...], target: Path, work: Path, cancel: CancelToken
) -> None:
    """Encode each still for one group of pictures at most, then repeat the group by copy."""
    ends = [*first[1:], spec.frames]
    lengths = [min(end - begin, gop(spec.fps)) for begin, end in zip(first, ends, strict=True)]
    short = work / "stills.mp4"
    begins = [sum(lengths[:i]) for i in range(len(lengths))]
    run_ffmpeg(
        [
            *stretches_graph(spec, first, lengths, work),
            *("-frames:v", str(sum(lengths))),
            *encode_args(spec.quality, spec.fps, begins, short),
        ],
        cwd=work,
        cancel=cancel,
    )
    with Packets(short) as packets:
        repeated = _repeated(packets, spec, [*first, spec.frames], lengths)
        write_packets(packets, repeated, target, spec.fps)


def _repeated(
    packets: Packets, spec: SegmentSpec, edges: list[int], lengths: list[int]
) -> Iterator[av.Packet[VideoStream]]:
    """Every still's group over and over, beginning anew at each key frame of the segment."""
    keys = [*key_frames((*edges, *spec.cuts), spec.frames, spec.fps), spec.frames]
    source = packets.all()
    group: list[av.Packet[VideoStream]] = []
    still = -1
    for begin, end in itertools.pairwise(keys):
        if begin >= edges[still + 1]:
            still += 1
            group = [next(source) for _ in range(lengths[still])]
        yield from (copied(packet) for packet in group[: end - begin])
