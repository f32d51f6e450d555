"""A process that dies at any moment costs nothing that was finished, and never a torn film."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support_films import film_of_tones
from support_paid_driver import render_still
from support_processes import Process


def run(folder: Path, cache: str, moment: str) -> tuple[int, str]:
    """The exit code, and what was said."""
    environment = {**os.environ, "AVATAR_CACHE_DIR": str(folder / cache)}
    command = [str(folder / "film.json"), str(folder / "o.mp4"), moment]
    process = Process(render_still, command, environment, folder)
    try:
        _, said = process.communicate(300)
        return process.wait(), said
    finally:
        process.kill()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_render_killed_at_any_moment_goes_on_to_the_same_film(tmp_path: Path) -> None:
    script = film_of_tones(tmp_path, 3, seconds=0.3)
    (tmp_path / "film.json").write_text(script.model_dump_json(exclude_none=True))
    code, said = run(tmp_path, "undisturbed", "never")
    assert code == 0, said
    expected = (tmp_path / "o.mp4").read_bytes()
    segments = content(tmp_path / "undisturbed")
    (tmp_path / "o.mp4").unlink()
    kills, moment = 0, 2
    while True:
        code, said = run(tmp_path, "disturbed", str(moment))
        if code == 0:
            break
        assert code == -signal.SIGKILL, said
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
