"""The page for authors of backends: its examples run, its tables tell of all there is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from avatar_core.testing import AvatarBackendContract, steps
from avatar_core.testing.contract_base import ContractBase
from support_house import ROOT, code_blocks, read, table_keys

PAGE = "docs/testing-backends.md"
EXAMPLES = code_blocks(PAGE, "python")
SENTENCES = {name for name in dir(AvatarBackendContract) if name.startswith("test_")}


def test_the_test_of_the_example_plugin_is_under_ten_lines_and_passes(tmp_path: Path) -> None:
    (plugin,) = [code for code in code_blocks("docs/plugins.md", "python") if "Sway" in code]
    (tmp_path / "avatar_sway.py").write_text(plugin, encoding="utf-8")
    (tmp_path / "test_sway.py").write_text(EXAMPLES[0], encoding="utf-8")
    assert len([line for line in EXAMPLES[0].splitlines() if line.strip()]) < 10
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sway.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("number", range(1, len(EXAMPLES)))
def test_an_example_of_the_page_runs(number: int) -> None:
    exec(compile(EXAMPLES[number], PAGE, "exec"), {})  # noqa: S102


def test_every_sentence_of_the_contract_is_on_the_page_and_no_other() -> None:
    assert {key for key in table_keys(PAGE) if key.startswith("test_")} == SENTENCES


def test_every_hook_and_limit_is_on_the_page() -> None:
    hooks = {name for name in vars(ContractBase) if not name.startswith("_")}
    assert [name for name in hooks if f"`{name}" not in read(PAGE)] == []


def test_every_step_is_on_the_page() -> None:
    makers = {
        name
        for name, value in vars(steps).items()
        if callable(value) and value.__module__ == steps.__name__
        and getattr(value, "__annotations__", {}).get("return") == "Step"
    }  # fmt: skip
    listed = {key.partition("(")[0] for key in table_keys(PAGE)}
    assert makers and makers <= listed


def test_every_sentence_reads_as_one() -> None:
    assert all(name.count("_") >= 4 for name in SENTENCES)
