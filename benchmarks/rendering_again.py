"""What a second render costs: of the same film, and of a film with one changed scene.

    python benchmarks/rendering_again.py [--quick]

Each render is a process of its own, as a user starts it. The first render is the yardstick.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _films import write_film, write_recording
from _report import finish


def render(script: Path, cache: Path) -> tuple[float, dict[str, Any]]:
    """Seconds, and the last JSON line."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "renderer", "render", str(script), "-o",
         str(script.with_name("out.mp4")), "--backend", "static", "--json"],
        env={**os.environ, "AVATAR_CACHE_DIR": str(cache)},
        cwd=script.parent, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return time.perf_counter() - started, json.loads(done.stdout.splitlines()[-1])


def artifacts(cache: Path) -> set[Path]:
    return set(cache.glob("v*/*/*/*.mp4"))


def main() -> None:
    scenes, seconds = (8, 1.5) if "--quick" in sys.argv else (20, 4.0)
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        script = write_film(folder, scenes, seconds, transition={"type": "fade", "duration": 0.3})
        first, _ = render(script, cache)
        again, result = render(script, cache)
        known = artifacts(cache)
        write_recording(folder / "voice3.wav", seconds + 0.3, 300)
        changed, after = render(script, cache)
        new = [p.relative_to(cache).parts[1] for p in artifacts(cache) - known]
    finish(
        "rendering_again",
        {
            "scenes": scenes,
            "first_s": round(first, 2),
            "again_s": round(again, 2),
            "one_changed_s": round(changed, 2),
            "again_over_first": round(again / first, 3),
            "one_changed_over_first": round(changed / first, 3),
            "scenes_made_again": sum(not s["cached"] for s in result["scenes"]),
            "scenes_made_after_change": sum(not s["cached"] for s in after["scenes"]),
            "segments_made_after_change": new.count("segment"),
            "joins_made_after_change": new.count("join"),
        },
        {
            "the same film again in under 2 s": ("again_s", "<=", 2.0),
            "nothing is made again": ("scenes_made_again", "<=", 0),
            "a changed scene is made again": ("segments_made_after_change", ">=", 1),
            "and no other one": ("segments_made_after_change", "<=", 1),
            "its joins as well": ("joins_made_after_change", ">=", 2),
            "and no others": ("joins_made_after_change", "<=", 2),
        },
    )


if __name__ == "__main__":
    main()
