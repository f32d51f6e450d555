"""The commands that the documentation tells people to type exist and do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support_cli import avatar
from support_house import ROOT, code_blocks, documents, read

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")
TARGETS = re.findall(r"^([a-z]+):", read("Makefile"), flags=re.M)


def shown_commands() -> list[str]:
    """Every command line in the documentation that starts with one of our programs."""
    lines = [
        line.partition("#")[0].strip()
        for document in documents()
        for block in code_blocks(str(document.relative_to(ROOT)), "console")
        for line in block.splitlines()
    ]
    inline = re.findall(r"`((?:avatar|make) [^`\n]+)`", "\n".join(map(_text, documents())))
    # What follows a lone `--` is a file's name, and capitals stand for something.
    return sorted({line.partition(" -- ")[0] for line in lines + inline if line})


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


AVATAR = [re.sub(r"^.*?\bavatar ", "", c) for c in shown_commands()
          if re.match(r"(\S+=\S+ )*(\.venv\S*[/\\])?avatar [^A-Z]", c)]  # fmt: skip
MAKE = [c for c in shown_commands() if c.startswith("make ")]


def test_the_documentation_shows_commands() -> None:
    assert any(line.startswith("demo") for line in AVATAR)
    assert any(line.startswith("make test") for line in MAKE)


@pytest.mark.parametrize("command", sorted({line.split()[0] for line in AVATAR}))
def test_every_avatar_command_that_is_shown_exists_with_its_options(
    command: str, tmp_path: Path
) -> None:
    if command.startswith("-"):
        assert command in avatar("--help", cwd=tmp_path).stdout
        return
    done = avatar(command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = {o for line in AVATAR if line.split()[0] == command
             for o in re.findall(r"(?<!\S)-{1,2}[a-z]+", line)}  # fmt: skip
    assert [option for option in shown if not re.search(rf"{option}\b", done.stdout)] == []


def test_the_table_of_commands_in_the_readme_is_complete(tmp_path: Path) -> None:
    listed = set(re.findall(r"^\| `avatar (\w+)", read("README.md"), flags=re.M))
    shown = set(re.findall(r"^│ (\w+) ", avatar("--help", cwd=tmp_path).stdout, flags=re.M))
    assert listed == shown


@pytest.mark.parametrize("command", MAKE)
def test_every_make_target_that_is_shown_exists(command: str) -> None:
    assert command.split()[1] in TARGETS


@needs_make
@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench"])
def test_a_missing_python_is_told_with_the_next_step(target: str, tmp_path: Path) -> None:
    done = _make(target, "PYTHON=python-that-is-not-there", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stdout
    assert "PYTHON=" in done.stdout
    assert not (tmp_path / "venv").exists()


@needs_make
def test_a_python_that_is_too_old_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = _make("demo", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode != 0
    assert f"was not found as {old}" in done.stdout


@needs_make
def test_the_second_run_installs_nothing(tmp_path: Path) -> None:
    stamp = tmp_path / "installed.stamp"
    stamp.touch()
    late = (ROOT / "pyproject.toml").stat().st_mtime + 10
    os.utime(stamp, (late, late))
    assert "pip" not in _make("-n", "demo", f"VENV={tmp_path}").stdout
    os.utime(stamp, (1, 1))
    assert "pip" in _make("-n", "demo", f"VENV={tmp_path}").stdout


def test_what_ci_runs_is_the_test_command_of_the_readme() -> None:
    assert "make test" in code_blocks("README.md", "console")[0]
    last = read(".ci/run").strip().splitlines()[-1]
    assert last == "make test"
    assert os.name == "nt" or os.access(ROOT / ".ci" / "run", os.X_OK)


def _make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # A make that runs this test would hand its own flags and variables down.
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "PYTHON", "VENV")
    environment = {k: v for k, v in os.environ.items() if k not in outer}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
