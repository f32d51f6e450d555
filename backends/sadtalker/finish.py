"""A playable clip of what an engine left: found, joined, cut to its frame, the sound put back.

SadTalker writes MPEG-4 Part 2 in whole-picture modes, which browsers do not play, puts the sound
in at 16 kHz and the index at the end. So every clip is encoded again: H.264, yuv420p, BT.709,
even sizes, AAC of the sound that was given, fast start.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import FfmpegError, run_ffmpeg
from avatar_core.media import MediaError, VideoInfo, probe_video
from backends.sadtalker.engine import Fault, Output
from backends.sadtalker.faults_of_ours import BROKEN_VIDEO, EMPTY_VIDEO, NO_VIDEO, WRONG_LENGTH
from backends.sadtalker.picture import Kept
from backends.sadtalker.sound import Piece

# An engine may leave out what does not fill a frame, and round at both ends.
_TOLERANCE_SECONDS = 0.25
_TOLERANCE_SHARE = 0.05
_CRF = "17"
_LEAST_SIDE = 16


class Unusable(Exception):
    """The engine's result cannot be used; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.says)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Take:
    """What one run of the engine made of one piece of the narration."""

    path: Path
    piece: Piece
    info: VideoInfo


def pick_up(output: Output, folder: Path, named: str | None, root: Path) -> Path:
    """The engine's video below ``folder``: the one that it ``named``, else the newest. Raises
    `Unusable`."""
    found = [path for path in folder.glob(output.pattern) if path.is_file()]
    if named is not None:
        # What it says counts only where it lies in the job's own folder; it may say anything.
        with contextlib.suppress(OSError, ValueError):
            path = (root / named).resolve()
            if path.is_file() and path.is_relative_to(folder.resolve()):
                found = [path]
    if not found:
        raise Unusable(NO_VIDEO)
    newest = max(found, key=lambda path: path.stat().st_mtime_ns)
    if newest.stat().st_size == 0:
        raise Unusable(EMPTY_VIDEO)
    return newest


def take(path: Path, piece: Piece, seconds: float) -> Take:
    """The video looked at: it can be read to its end and is as long as the sound that the engine
    was given. Raises `Unusable`."""
    try:
        info = probe_video(path)
    except MediaError as failure:
        raise Unusable(BROKEN_VIDEO) from failure
    if min(info.size) < _LEAST_SIDE or info.fps < 1:
        raise Unusable(BROKEN_VIDEO)
    if abs(info.seconds - seconds) > max(_TOLERANCE_SECONDS, _TOLERANCE_SHARE * seconds):
        raise Unusable(WRONG_LENGTH)
    return Take(path, piece, info)


def join(
    takes: Sequence[Take],
    audio: Path,
    seconds: float,
    kept: Kept,
    target: Path,
    cancel: CancelToken,
    longest: int | None = None,
) -> VideoInfo:
    """Write the takes as one clip of ``seconds`` with the sound of ``audio``, at most ``longest``
    pixels on a side. Raises `Unusable` where they cannot be decoded, `Cancelled`, `DiskFull`."""
    frames = max(1, math.ceil(seconds * takes[0].info.fps - 1e-6))
    args = ["-v", "error"]
    for one in takes:
        args += ["-i", f"file:{one.path}"]
    args += ["-i", f"file:{audio.absolute()}"]
    args += ["-filter_complex", _filters(takes, kept, longest), "-map", "[clip]", "-map", "[said]"]
    args += ["-frames:v", str(frames), *_ENCODING, str(target)]
    try:
        run_ffmpeg(args, cancel=cancel)
        return probe_video(target)
    except (FfmpegError, MediaError) as failure:
        raise Unusable(BROKEN_VIDEO) from failure


_ENCODING = (
    *("-c:v", "libx264", "-preset", "fast", "-crf", _CRF, "-pix_fmt", "yuv420p"),
    *("-color_range", "tv", "-colorspace", "bt709"),
    *("-color_primaries", "bt709", "-color_trc", "bt709"),
    *("-c:a", "aac", "-b:a", "160k", "-movflags", "+faststart"),
    *("-map_metadata", "-1"),
)


def _filters(takes: Sequence[Take], kept: Kept, longest: int | None) -> str:
    """The graph: the takes brought to one size, rate and their own length, blended where they
    meet, cut to frame; the sound."""
    first = takes[0].info
    parts = [
        f"[{number}:v:0]scale={first.size.width}:{first.size.height},fps={first.fps:.12g},"
        f"settb=AVTB,setpts=PTS-STARTPTS,format=yuv420p,{_whole(one.piece)}[v{number}]"
        for number, one in enumerate(takes)
    ]
    shown = "v0"
    for number, one in enumerate(takes[1:], start=1):
        offset = one.piece.start - one.piece.lead
        parts.append(
            f"[{shown}][v{number}]xfade=duration={one.piece.lead:g}:offset={offset:g}[x{number}]"
        )
        shown = f"x{number}"
    cut = _even(Size(first.size.width, first.size.height), kept.width, kept.height)
    share = min(1.0, longest / max(cut)) if longest else 1.0
    crop = f"crop=w={cut.width}:h={cut.height}:x=iw*{kept.x:.6f}:y=ih*{kept.y:.6f}:exact=1"
    parts.append(f"[{shown}]{crop},{_HOLD},{_scale(_even(cut, share, share))}[clip]")
    # As the engine heard it: the sound of a film may begin later than its picture.
    parts.append(f"[{len(takes)}:a:0]asetpts=N/SR/TB[said]")
    return ";".join(parts)


_HOLD = "tpad=stop=-1:stop_mode=clone"


def _whole(piece: Piece) -> str:
    """A take that ends early holds its last picture: those after it may not move forward."""
    return f"{_HOLD},trim=duration={piece.seconds:.6f}"


def _even(size: Size, across: float, down: float) -> Size:
    """A share of ``size``. Even sizes are needed, and a crop is the way that does not blur."""
    width, height = (
        max(2, math.floor(side * share / 2 + 0.01) * 2)
        for side, share in ((size.width, across), (size.height, down))
    )
    return Size(width, height)


def _scale(size: Size) -> str:
    """What is not said to be anything else was made by a converter that means BT.601."""
    matrix = "out_color_matrix=bt709:out_range=tv"
    return f"scale={size.width}:{size.height}:{matrix},format=yuv420p"
