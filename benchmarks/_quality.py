"""How near films come to the pictures that they were made from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from avatar_core.ffmpeg import run_ffmpeg

_STEP = 15


def ssim_to_pictures(film: Path, pictures: Sequence[Path], frames: int, matrix: str) -> float:
    """Mean structural similarity of every 15th frame in yuv420p; each picture fills ``frames``.

    ``matrix`` is the colour matrix with which the film was made (MoviePy leaves it untold); the
    pictures are converted with the same, so that only what encoding lost is measured.
    """
    shown = frames // _STEP
    inputs = [arg for picture in pictures for arg in ("-i", str(picture))]
    held = "".join(
        f"[{i + 1}:v]scale=out_color_matrix={matrix}:out_range=tv,format=yuv420p,"
        f"loop=loop={shown - 1}:size=1,setpts=N[p{i}];"
        for i in range(len(pictures))
    )
    joined = "".join(f"[p{i}]" for i in range(len(pictures)))
    graph = (
        f"[0:v]select='not(mod(n,{_STEP}))',setpts=N,"
        f"format=yuv420p,settb=1/25[film];"
        f"{held}{joined}concat=n={len(pictures)},setpts=N,settb=1/25[real];"
        "[film][real]ssim"
    )
    printed = run_ffmpeg(
        ["-v", "info", "-i", str(film), *inputs, "-filter_complex", graph, "-f", "null", "-"]
    )
    return float(re.findall(r"All:([0-9.]+)", printed)[-1])
