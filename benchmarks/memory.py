"""Memory against the film's length: a short and a long film of the same kind of scenes.

    python benchmarks/memory.py [--quick]

Sums the resident memory of the renderer and all its children, sampled while it works. Needs
psutil.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from _films import write_film
from _report import finish

_MIB = 1024 * 1024
_SAMPLE_SECONDS = 0.05


def resident(process: psutil.Process) -> int:
    """Bytes of the process and its children; one that ended meanwhile counts nothing."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def peak(folder: Path, scenes: int, seconds: float) -> tuple[float, float]:
    """The peak in MiB and the time in seconds of one whole render."""
    folder.mkdir()
    script = write_film(folder, scenes, seconds, music={"src": "voice0.wav", "volume": 0.2})
    started, most = time.perf_counter(), 0
    child = subprocess.Popen(
        [sys.executable, "-m", "renderer", "render", str(script), "-o", str(folder / "out.mp4"),
         "--backend", "static", "--json"],
        env={**os.environ, "AVATAR_CACHE_DIR": str(folder / "cache")},
        cwd=folder, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    watched = psutil.Process(child.pid)
    while child.poll() is None:
        most = max(most, resident(watched))
        time.sleep(_SAMPLE_SECONDS)
    if child.returncode:
        sys.exit(f"the render failed with exit status {child.returncode}")
    return most / _MIB, time.perf_counter() - started


def main() -> None:
    short, long = (6, 24) if "--quick" in sys.argv else (12, 120)
    seconds = 1.0 if "--quick" in sys.argv else 5.0
    with tempfile.TemporaryDirectory() as name:
        short_peak, short_time = peak(Path(name) / "short", short, seconds)
        long_peak, long_time = peak(Path(name) / "long", long, seconds)
    finish(
        "memory",
        {
            "short_scenes": short,
            "long_scenes": long,
            "film_minutes": round(long * (seconds + 0.3) / 60, 1),
            "short_peak_mib": round(short_peak),
            "long_peak_mib": round(long_peak),
            "growth": round(long_peak / short_peak, 2),
            "short_s": round(short_time, 1),
            "long_s": round(long_time, 1),
        },
        {
            "under 1 GiB": ("long_peak_mib", "<=", 1024),
            "no growth with length": ("growth", "<=", 1.25),
        },
    )


if __name__ == "__main__":
    main()
