"""`avatar render` in a process of its own: what is printed, what comes out, how it ends."""

from __future__ import annotations

import json
import math
import signal
import struct
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

from support_cli import CONTROLS, avatar, environment, install_plugin

SCRIPT = """\
version: "1"
title: Small
variables: {backdrop: "#1b4332"}
output: {size: 64x64, fps: 10, quality: draft}
speakers: {lan: {avatar: {layout: full}}}
captions: false
scenes:
  - {id: one, speaker: lan, audio: tone.wav, background: "{{backdrop}}"}
  - {id: two, duration: 0.3, background: "#3a0ca3", avatar: {layout: none}}
"""
FAILING = """
    import os
    import threading
    from avatar_core import AvatarBackend, AvatarError, Category, Health, hookimpl

    class Failing(AvatarBackend):
        name = "failing"

        def check(self):
            print("noise from a library")
            return Health(True, "ready")

        def generate(self, request, job):
            os.write(1, b"noise from a native library")
            raise AvatarError(Category.QUOTA, "No credit is left.")

    class Stuck(AvatarBackend):
        name = "stuck"

        def check(self):
            return Health(True, "ready")

        def generate(self, request, job):
            while True:
                job.progress(0.5, "waiting for ever")
                job.cancel.wait(60)

    class Deaf(Stuck):
        name = "deaf"

        def generate(self, request, job):
            job.progress(0.5, "waiting for ever")
            threading.Event().wait(600)

    @hookimpl
    def register_avatar_backends(register):
        register("failing", Failing)
        register("stuck", Stuck)
        register("deaf", Deaf)
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A film of two scenes, one spoken by a recording, in a folder with a difficult name."""
    folder = tmp_path / "phim của 'tôi'"
    folder.mkdir()
    (folder / "film.yaml").write_text(SCRIPT, encoding="utf-8")
    with wave.open(str(folder / "tone.wav"), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        tone = (math.sin(i / 10) * 9000 for i in range(8000))
        sound.writeframes(b"".join(struct.pack("<h", int(value)) for value in tone))
    return folder


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    return install_plugin(tmp_path / "site", "failing", FAILING)


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_film_is_rendered_and_shown_in_a_table_with_no_control_characters(film: Path) -> None:
    done = avatar("render", "film.yaml", cwd=film)
    assert done.returncode == 0, done.stderr
    assert (film / "film.mp4").stat().st_size > 500
    assert str(film / "film.mp4") in done.stdout
    assert "one" in done.stdout and "static" in done.stdout
    assert "No --output is given" in done.stderr
    assert "[2/2]" in done.stderr
    assert not set(done.stdout + done.stderr) & set(CONTROLS)


@pytest.mark.parametrize("name", ["-o.mp4", "a 'b' ô.mp4"])
def test_a_film_may_be_called_anything(film: Path, name: str) -> None:
    done = avatar("render", "film.yaml", "-o", name, cwd=film)
    assert done.returncode == 0, done.stderr
    assert (film / name).is_file()


def test_json_is_all_there_is_on_standard_output(film: Path, plugin: dict[str, str]) -> None:
    done = avatar("render", "film.yaml", "--json", "--backend", "failing", cwd=film, env=plugin)
    assert done.returncode == 0, done.stderr
    first, *between, last = lines_of(done)
    assert (first["event"], first["scenes"]) == ("started", ["one", "two"])
    assert {line["event"] for line in between} <= {"progress", "attempt", "scene", "warning"}
    assert last["event"] == "finished"
    assert (last["path"], last["degraded"]) == (str(film / "film.mp4"), True)
    assert [set(scene) for scene in last["scenes"]] == [
        {"id", "backend", "degraded", "cached", "seconds", "cost"}
    ] * 2
    assert "noise from a native library" in done.stderr


def test_a_scene_that_fell_back_says_why_and_fails_only_when_asked_to(
    film: Path, plugin: dict[str, str]
) -> None:
    command = ["render", "film.yaml", "--backend", "failing"]
    accepted = avatar(*command, cwd=film, env=plugin)
    assert accepted.returncode == 0
    assert "one: failing failed (quota): No credit is left." in accepted.stdout
    assert avatar(*command, "--strict", cwd=film, env=plugin).returncode == 3
    settings = avatar(*command, "--set", "on_degraded=fail", cwd=film, env=plugin)
    assert settings.returncode == 3
    assert (film / "film.mp4").is_file()


def test_strict_json_still_ends_with_the_result(film: Path, plugin: dict[str, str]) -> None:
    command = ["render", "film.yaml", "--backend", "failing", "--strict", "--json"]
    done = avatar(*command, cwd=film, env=plugin)
    assert done.returncode == 3
    assert lines_of(done)[-1]["event"] == "finished"


def test_one_scene_alone_and_a_variable_from_outside(film: Path) -> None:
    command = ["render", "film.yaml", "--scene", "one", "--set", "variables.backdrop=#ff0000"]
    done = avatar(*command, "--json", cwd=film)
    assert [scene["id"] for scene in lines_of(done)[-1]["scenes"]] == ["one"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scene", "on"], "one"),
        (["--backend", "statik"], "static"),
        (["--backend", ","], "avatar backends"),
        (["-o", "film.avi"], "film.mp4"),
        (["-o", "."], "folder"),
        (["--set", "variables.backdrop=not a colour at all"], "film.yaml"),
    ],
)
def test_wrong_input_ends_with_2_and_leaves_nothing_behind(
    film: Path, arguments: list[str], said: str
) -> None:
    before = sorted(film.iterdir())
    done = avatar("render", "film.yaml", "--json", *arguments, cwd=film)
    failed = lines_of(done)[-1]
    assert done.returncode == failed["exit_code"] == 2
    assert (failed["event"], failed["kind"]) == ("failed", "input")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in sorted(film.iterdir()) if path.name != "cache"] == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as on POSIX")
@pytest.mark.parametrize("backend", ["stuck", "deaf"])
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_ends_even_a_backend_that_does_not_listen_and_says_how_to_go_on(
    film: Path, plugin: dict[str, str], as_json: bool, backend: str
) -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from renderer.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "render", "film.yaml", "--backend", backend]
    with subprocess.Popen(
        [*command, *(["--json"] if as_json else [])],
        cwd=film,
        env=environment(film, plugin),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        stream, mark = (process.stdout, "for ever") if as_json else (process.stderr, "two")
        assert stream is not None
        assert any(mark in line for line in stream)
        process.send_signal(signal.SIGINT)
        printed, complaint = process.communicate(timeout=300)
    assert process.returncode == 130
    assert complaint.endswith("is kept: run the same command to go on.\n")
    if as_json:
        assert json.loads(printed.splitlines()[-1])["kind"] == "cancelled"
    assert not (film / "film.mp4").exists()
