"""The frames that two scenes share: a transition from one segment into the next."""

from __future__ import annotations

from pathlib import Path

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from renderer.compose.check import check_segment
from renderer.compose.encoder import BT709, encode_args, key_frames
from renderer.compose.packets import Packets, write_packets
from renderer.script.models import Quality


def compose_join(
    before: Path,
    before_from: int,
    after: Path,
    frames: int,
    transition: str,
    size: Size,
    fps: int,
    quality: Quality,
    target: Path,
    work_dir: Path,
    cancel: CancelToken | None = None,
) -> None:
    """Write ``frames`` frames that lead from ``before`` (from its frame ``before_from`` on, a key
    frame) into ``after`` (from its first frame on).

    ``transition`` is the name of one of xfade's effects. Raises as `compose_segment` does.
    """
    work = work_dir.resolve()
    _cut(before, before_from, frames, work / "before.mp4", fps)
    _cut(after, 0, frames, work / "after.mp4", fps)
    ready = f"settb=1/{fps},setpts=N,fps={fps},format=yuv420p,tpad=stop=-1:stop_mode=clone"
    graph = (
        f"[0:v]{ready}[a];[1:v]{ready}[b];"
        f"[a][b]xfade=transition={transition}:duration={frames / fps:.6f}:offset=0,"
        f"format=yuv420p,fps={fps},{BT709}[out]"
    )
    run_ffmpeg(
        [
            *("-v", "error", "-i", "before.mp4", "-i", "after.mp4"),
            *("-filter_complex", graph, "-map", "[out]", "-frames:v", str(frames)),
            *encode_args(quality, fps, key_frames((), frames, fps), target.resolve()),
        ],
        cwd=work,
        cancel=cancel,
    )
    check_segment(target, frames, size, ())


def _cut(source: Path, first: int, frames: int, target: Path, fps: int) -> None:
    with Packets(source) as packets:
        write_packets(packets, packets.between(first, frames), target, fps)
