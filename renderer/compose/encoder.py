"""How every segment is encoded: the same stream parameters, so that packets join without joints."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from renderer.script.models import Quality

GOP_SECONDS = 2

PRESETS: dict[Quality, tuple[str, int]] = {
    "draft": ("ultrafast", 28),
    "standard": ("veryfast", 20),
    "high": ("medium", 17),
}
"""x264's preset and constant rate factor for each quality."""

STILL_FRAMES: dict[Quality, int] = {"draft": 3, "standard": 3, "high": 5}
"""How many frames of a still are encoded: the picture, and as many frames that change nothing as
later ones can refer to, and one more."""

STILL_GAIN = 7
"""By how much a still's rate factor is lower: an ordinary encode refines a picture while it
stands, a still is as good as its first frame (with this, equal by SSIM)."""

# The coarsest quantizer: nothing is left of the differences between two equal pictures.
_NO_CHANGE = 51

# x264's output depends on the number of its threads: a fixed one gives the same bytes anywhere.
_THREADS = 4
_TICKS_PER_FRAME = 512
_TICKS_AT_LEAST = 10_000

BT709 = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
# What x264 writes of these depends on the source; packets join only under one and the same header.
_HEADER = (
    "sample_aspect_ratio=1/1:chroma_sample_loc_type=0:video_full_range_flag=0"
    ":colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1"
)
_TAGS = "-color_range tv -color_primaries bt709 -color_trc bt709 -colorspace bt709".split()


def gop(fps: int) -> int:
    """Frames between two key frames at most."""
    return GOP_SECONDS * fps


def key_frames(edges: Sequence[int], frames: int, fps: int) -> list[int]:
    """Where key frames stand: at every edge, and in between at most `gop` apart.

    What lies between two edges is shared out evenly: a lone key frame before an edge would put
    two of them side by side, which H.264 allows only with different numbers.
    """
    bounds = sorted({0, *(edge for edge in edges if 0 < edge < frames), frames})
    found: list[int] = []
    for begin, end in itertools.pairwise(bounds):
        pieces = -(-(end - begin) // gop(fps))
        found += [begin + (end - begin) * i // pieces for i in range(pieces)]
    return found


def encode_args(
    quality: Quality, fps: int, keys: Sequence[int], target: Path, stills: int = 0
) -> list[str]:
    """ffmpeg's output options for a silent segment with key frames at ``keys``.

    ``stills`` is the number of frames when each group is a still: then only key frames carry a
    picture.

    Without B-frames a packet's two times are its frame's number, so that no edit list and no
    reordering stands in the way of a join.
    """
    preset, crf = PRESETS[quality]
    if stills:
        crf -= STILL_GAIN
    # Half a frame early: a time in a list is met by the first frame at or after it.
    times = ",".join(f"{max(0.0, (key - 0.5) / fps):.6f}" for key in keys)
    return [
        *("-an -sn -dn -map_metadata -1 -c:v libx264 -pix_fmt yuv420p".split()),
        *("-preset", preset, "-crf", str(crf), "-bf", "0", "-g", str(gop(fps))),
        *("-sc_threshold", "0", "-threads", str(_THREADS), "-x264-params", _x264(keys, stills)),
        *("-force_key_frames", times, "-forced-idr", "1", *_TAGS),
        *("-bsf:v", f"h264_metadata={_HEADER}"),
        *("-fflags", "+bitexact", "-flags:v", "+bitexact+cgop", "-fps_mode", "passthrough"),
        *("-video_track_timescale", str(ticks(fps)), "-f", "mp4", f"file:{target}"),
    ]


def _x264(keys: Sequence[int], stills: int) -> str:
    if not stills:
        return "stitchable=1"
    zones = [
        f"{key + 1},{end - 1},q={_NO_CHANGE}"
        for key, end in itertools.pairwise((*keys, stills))
        if end - key > 1
    ]
    return "stitchable=1" + (f":zones={'/'.join(zones)}" if zones else "")


def ticks(fps: int) -> int:
    """The time base of every segment and film, in ticks a second."""
    found = fps * _TICKS_PER_FRAME
    # The MP4 writer doubles coarser ones by itself; segments must not differ by who wrote them.
    while found < _TICKS_AT_LEAST:
        found *= 2
    return found
