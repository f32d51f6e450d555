"""A scene's picture becomes its silent segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.check import check_segment
from renderer.compose.encoder import encode_args, key_frames
from renderer.compose.layers import moving_graph
from renderer.compose.spec import SegmentSpec
from renderer.compose.stills import compose_stills, find_stills


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
    Raises `InputError` for a picture or video that cannot be read, `DiskFull`,
    `Cancelled`.
    """
    cancel = cancel or CancelToken()
    cancel.check()
    target, work = target.resolve(), work_dir.resolve()
    spec = replace(spec, cuts=tuple(cut for cut in spec.cuts if 0 < cut < spec.frames))
    stills = find_stills(spec)
    if stills is None:
        _compose_moving(spec, target, work, cancel, on_progress)
    else:
        compose_stills(spec, stills, target, work, cancel)
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
