"""Standard output holds what it should, and nothing moves a cursor by accident."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.errors import DiskFull, InputError
from avatar_core.events import RenderFailed, Warned
from renderer.cli.json_lines import JsonLines
from renderer.cli.streams import printable
from support_cli import avatar, environment

NOISY = """
import os, subprocess, sys
import logging
from renderer.cli.streams import reserved_stdout
with reserved_stdout() as stream:
    print("printed")
    sys.stdout.write("written")
    os.write(1, b"native")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    print("Tiếng Việt", file=stream)
print("afterwards")
"""


def _run(code: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, check=False
    )


def test_nothing_else_reaches_standard_output_while_it_is_reserved() -> None:
    done = _run(NOISY)
    assert done.stdout.decode("utf-8").splitlines() == ["Tiếng Việt", "afterwards"]
    for noise in (b"printed", b"written", b"native", b"child"):
        assert noise in done.stderr


def test_reserved_output_is_utf8_whatever_the_machine_prefers() -> None:
    done = _run(NOISY, PYTHONIOENCODING="ascii:replace")
    assert done.stdout.decode("utf-8").splitlines()[0] == "Tiếng Việt"


def test_a_failure_in_json_output_is_its_last_line_and_a_sentence() -> None:
    code = """
import typer
from avatar_core.errors import DiskFull, InputError
from renderer.cli.json_lines import json_output
try:
    with json_output() as lines:
        print("noise")
        lines.write({"event": "one"})
        raise InputError("wrong", line=4)
except typer.Exit as end:
    raise SystemExit(end.exit_code)
"""
    done = _run(code)
    first, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert first == {"event": "one"}
    assert (last["event"], last["kind"], last["details"]) == ("failed", "input", {"line": 4})
    assert str(InputError("wrong", line=4)).encode() in done.stderr
    assert done.returncode == 2


def test_each_event_is_a_line_but_the_end_is_left_to_the_end() -> None:
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines(Warned(message="Trà ô lông\nhai dòng"))
    lines(RenderFailed(kind="input", message="wrong"))
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "Trà ô lông\nhai dòng"
    assert "Trà ô lông" in line


def test_a_reader_that_goes_away_does_not_stop_the_render() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    lines = JsonLines(stream)
    lines.write({"event": "first"})
    lines.write({"event": "second"})
    with pytest.raises(BrokenPipeError):
        stream.close()


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs a disk that is always full")


@needs_full
@pytest.mark.parametrize("command", [["--help"], ["schema"], ["check", "film.yaml", "--json"]])
def test_output_that_no_disk_has_room_for_is_told_in_one_sentence(
    command: list[str], tmp_path: Path
) -> None:
    (tmp_path / "film.yaml").write_text("scenes: [{duration: 1}]\n", encoding="utf-8")
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "renderer", *command],
            cwd=tmp_path, env=environment(tmp_path), stdout=full, stderr=subprocess.PIPE,
            encoding="utf-8", check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines() == [str(DiskFull())]


CODE_PAGES = ("ascii", "cp1258")


@pytest.mark.parametrize("page", CODE_PAGES)
def test_a_console_that_lacks_letters_shows_something_in_their_place(
    page: str, tmp_path: Path
) -> None:
    (tmp_path / "trà sữa.yaml").write_text(
        'title: "Trà ô lông 😀"\nscenes: [{id: mo-dau, duration: 1}]\n', encoding="utf-8"
    )
    for command in (["--help"], ["check", "trà sữa.yaml"], ["check", "không có.yaml"]):
        done = subprocess.run(
            [sys.executable, "-m", "renderer", *command],
            cwd=tmp_path, env=environment(tmp_path, {"PYTHONIOENCODING": page}),
            capture_output=True, check=False,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr
        assert done.returncode == (2 if "không có.yaml" in command else 0), done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="file names are not bytes there")
def test_a_locale_that_cannot_write_a_files_name_is_told_with_the_next_step(
    tmp_path: Path,
) -> None:
    portrait = "scenes: [{text: Hi, speaker: a}]\nspeakers: {a: {portrait: ảnh.png}}\n"
    (tmp_path / "film.yaml").write_text(portrait, encoding="utf-8")
    done = avatar(
        "render", "film.yaml", cwd=tmp_path,
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "PYTHONUTF8=1" in done.stderr


@given(st.text())
def test_printable_text_cannot_move_the_cursor(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(c in "\n\t" or c.isprintable() or ord(c) >= 0xA0 for c in shown)


@given(st.text(alphabet="Tiếng Việt 漢字 😀 é\n\t'\"-"))
def test_printable_leaves_letters_of_every_language_alone(text: str) -> None:
    assert printable(text) == text
