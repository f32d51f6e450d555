"""The rules of the house: who may import whom, how long things are, what must not be in a file."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support_house import PACKAGES, ROOT, project_files, python_files, read, text_files

LONGEST_FUNCTION = 60
LONGEST_MODULE = 350
OURS = [path for path in python_files() if path.relative_to(ROOT).parts[0] in PACKAGES]
# Written in two halves, or this file would find itself.
FORBIDDEN = {
    "a private key": "-----BEGIN [A-Z ]*PRIVATE" + " KEY-----",
    "an access key of AWS": r"\bAKIA" + r"[0-9A-Z]{16}\b",
    "a token of GitHub": r"\bgh[pousr]_" + r"[A-Za-z0-9]{36}",
    "a secret key of a service": r"\bsk-" + r"[A-Za-z0-9]{32,}",
    "a path of one person's machine": r"(?<![\w.])/(home|Users|root|" + r"work)/[\w.-]+/",
}


def test_the_arrows_between_the_packages_are_kept() -> None:
    done = _lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("avatar_core", "renderer"), ("avatar_core", "backends"), ("renderer", "backends"),
     ("backends", "renderer")],
)  # fmt: skip
def test_an_import_against_an_arrow_is_noticed(
    importer: str, imported: str, tmp_path: Path
) -> None:
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / importer / "offender.py").write_text(f"import {imported}\n", encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = _lint_imports(tmp_path)
    assert done.returncode == 1
    assert f"{importer}.offender" in done.stdout


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [
        str(path.relative_to(ROOT))
        for path in text_files()
        if pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_no_function_is_too_long_to_read_at_once() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": _length(node)
        for path in OURS
        for node in _functions(path)
        if _length(node) > LONGEST_FUNCTION
    }
    assert long == {}


def test_no_module_holds_more_than_one_idea_can_need() -> None:
    lengths = {str(path.relative_to(ROOT)): _line_count(path) for path in OURS}
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in OURS
        if _line_count(path) and ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None
    ]
    assert silent == []


def test_a_message_ends_before_its_advice_begins() -> None:
    """They are shown one after the other."""
    unfinished = [
        f"{path.relative_to(ROOT)}:{line}: {end!r}"
        for path in OURS
        for line, end in _ends_of_messages(path)
        if not end.endswith((".", "!", "?", "\n"))
    ]
    assert unfinished == []


def test_no_two_test_files_share_a_name() -> None:
    # Without packages in tests/, two files of one name would hide each other.
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py"))
    assert [name for name, count in names.items() if count > 1] == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_changelog_tells_of_this_version() -> None:
    version = re.search(r'^version = "(.+)"', read("pyproject.toml"), flags=re.M)
    assert version is not None
    headings = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), flags=re.M)
    assert headings
    assert {"Unreleased", version[1]} & set(headings)


def test_the_licence_is_the_one_that_the_package_declares() -> None:
    text = read("LICENSE")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "Apache-2.0"' in read("pyproject.toml")


def test_no_file_is_too_large_to_be_cloned_gladly() -> None:
    assert [p.name for p in project_files() if p.stat().st_size > 3_000_000] == []


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    # The folder comes first, so that the packages in it are the ones that are looked at.
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "160"}
    return subprocess.run(
        [*program, "--no-cache"],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def _ends_of_messages(path: Path) -> Iterator[tuple[int, str]]:
    """The last written words of every failure's message that advice follows, by their line."""
    places = {"InputError": 0, "EnvironmentFault": 0, "AvatarError": 1}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not any(k.arg == "advice" for k in node.keywords):
            continue
        place = places.get(getattr(node.func, "id", ""), len(node.args))
        if place >= len(node.args):
            continue
        message = node.args[place]
        end = message.values[-1] if isinstance(message, ast.JoinedStr) else message
        if isinstance(end, ast.Constant) and isinstance(end.value, str):
            yield node.lineno, end.value


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
