"""A process that dies at any moment costs nothing that was finished, and never a torn film."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from support_films import film_of_tones

PROGRAM = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from renderer.renderer import SmartVideoRenderer
    from renderer.script.models import VideoScript

    script, target, moment = sys.argv[1:4]
    seen = 0
    def kill_at(event):
        global seen
        seen += 1
        if moment != "never" and seen == int(moment):
            os.kill(os.getpid(), 9)
    film = VideoScript.model_validate_json(Path(script).read_text())
    SmartVideoRenderer("static", workers=1, on_event=kill_at).render(film, target)
    print(seen)
""")


def run(folder: Path, cache: str, moment: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AVATAR_CACHE_DIR": str(folder / cache)}
    command = [sys.executable, "-c", PROGRAM, str(folder / "film.json"), str(folder / "o.mp4")]
    return subprocess.run(
        [*command, moment], env=environment, cwd=folder, capture_output=True, text=True, timeout=300
    )


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_render_killed_at_any_moment_goes_on_to_the_same_film(tmp_path: Path) -> None:
    script = film_of_tones(tmp_path, 3, seconds=0.3)
    (tmp_path / "film.json").write_text(script.model_dump_json(exclude_none=True))
    whole = run(tmp_path, "undisturbed", "never")
    assert whole.returncode == 0, whole.stderr
    expected = (tmp_path / "o.mp4").read_bytes()
    segments = content(tmp_path / "undisturbed")
    (tmp_path / "o.mp4").unlink()
    kills, moment = 0, 2
    while (done := run(tmp_path, "disturbed", str(moment))).returncode:
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert not (tmp_path / "o.mp4").exists() or (tmp_path / "o.mp4").read_bytes() == expected
        # What one life finished, the next finds: each gets a little further.
        kills, moment = kills + 1, moment + 4
    assert kills >= 4
    assert (tmp_path / "o.mp4").read_bytes() == expected
    assert content(tmp_path / "disturbed") == segments
    assert leftovers(tmp_path) == []


def content(cache: Path) -> dict[str, bytes]:
    found = cache.glob("v*/segment/*/*.mp4")
    return {path.name: path.read_bytes() for path in found}


def leftovers(folder: Path) -> list[str]:
    film = {"o.mp4", "o.srt", "o.vtt", "o.report.html"}
    known = film | {"film.json", "lan.png", "undisturbed", "disturbed"}
    return [p.name for p in folder.iterdir() if p.name not in known and p.suffix != ".wav"]
