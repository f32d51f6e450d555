"""What makes a segment anew, and what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from avatar_core.ffmpeg import ffmpeg_exe
from renderer.captions.fonts import BUNDLED, check_font, font_files
from renderer.renderer import SmartVideoRenderer
from support_films import MovingBackend, film_of_tones

PROGRAM = """
import sys
from pathlib import Path
from renderer.renderer import SmartVideoRenderer
from renderer.script.models import VideoScript
film = VideoScript.model_validate_json(Path(sys.argv[1]).read_text())
result = SmartVideoRenderer("static", workers=1).render(film, sys.argv[2])
print(*(scene.cached for scene in result.scenes))
"""
WRAPPER = """#!/bin/sh
case "$*" in *-version) echo "ffmpeg version of tomorrow";; *) exec "{exe}" "$@";; esac
"""


def render(folder: Path, script: str, **env: str) -> str:
    command = [sys.executable, "-c", PROGRAM, script, "out.mp4"]
    variables = {**os.environ, "AVATAR_CACHE_DIR": str(folder.parent / "cache"), **env}
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a film that has been rendered."""
    folder = tmp_path / "film"
    folder.mkdir()
    script = film_of_tones(folder, 2).model_dump_json(exclude_none=True)
    (folder / "film.json").write_text(script.replace(f"{folder}{os.sep}", ""))
    assert render(folder, "film.json") == "False False"
    return folder


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_another_ffmpeg_makes_every_segment_anew(folder: Path) -> None:
    other = folder / "other-ffmpeg"
    other.write_text(WRAPPER.format(exe=ffmpeg_exe()))
    other.chmod(0o755)
    assert render(folder, "film.json", AVATAR_FFMPEG=str(other)) == "False False"


def test_a_folder_that_moves_takes_its_cache_along(folder: Path) -> None:
    film = (folder / "out.mp4").read_bytes()
    moved = folder.rename(folder.with_name("phim mới"))
    written = (moved / "out.mp4").stat().st_ino
    assert render(moved, "film.json") == "True True"
    assert (moved / "out.mp4").read_bytes() == film
    assert (moved / "out.mp4").stat().st_ino == written


def test_the_fonts_that_come_along_count(tmp_path: Path) -> None:
    files = font_files()
    assert files == font_files(BUNDLED)
    assert len(files) >= 9
    assert all(path.suffix == ".ttf" for path in files)


@pytest.mark.skipif(
    shutil.which("fc-list") is None or check_font("DejaVu Sans") is not None,
    reason="needs a font of the system",
)
def test_a_font_of_the_system_counts_as_well() -> None:
    (own,) = set(font_files("DejaVu Sans")) - set(font_files())
    assert "DejaVuSans" in own.name


def test_a_face_declared_beside_the_portrait_makes_another_clip(tmp_path: Path) -> None:
    backend = MovingBackend()
    renderer = SmartVideoRenderer(backend, overrides={"cache_dir": str(tmp_path / "cache")})
    film = film_of_tones(tmp_path, 1)
    for content, calls in [
        (None, 1),
        ('{"mouth": 1}', 2),
        ('{"mouth": 1}', 2),
        ('{"mouth": 2}', 3),
    ]:
        if content is not None:
            (tmp_path / "lan.landmarks.json").write_text(content, encoding="utf-8")
        renderer.render(film, tmp_path / "film.mp4")
        assert len(backend.calls) == calls
