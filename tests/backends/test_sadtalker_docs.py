"""The page on SadTalker says what the code does: options, settings, the engine to copy."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from backends.colab.setup.recipe import RECIPE
from backends.sadtalker.backend import SadTalkerBackend
from backends.sadtalker.config import SadTalkerConfig
from backends.sadtalker.engine import Engine, JobPaths
from backends.sadtalker.faults import FAULTS
from support_house import code_blocks, read, table_keys

PAGE = "docs/sadtalker.md"


def test_every_option_is_listed() -> None:
    keys = table_keys(PAGE)
    assert set(SadTalkerConfig.model_fields) - keys == {"input_pitch", "input_roll"}
    assert "| `input_yaw`, `input_pitch`, `input_roll` |" in read(PAGE)


def test_every_section_of_an_error_belongs_to_one() -> None:
    sections = {line[5:-1] for line in read(PAGE).splitlines() if line.startswith("### `")}
    found_by_us = {"cuda_loop", "silent", "too_long", "no_video", "empty_video", "broken_video",
                   "wrong_length", "crashed", "not_installed"}  # fmt: skip
    assert sections == {fault.code for fault in FAULTS} | found_by_us


def test_the_versions_are_those_that_the_notebook_installs() -> None:
    told = set(re.findall(r"[\w-]+==[\w.]+", code_blocks(PAGE, "console")[0]))
    installed = {line for line in (*RECIPE.packages, *RECIPE.alone) if "==" in line}
    assert told == installed


def test_the_settings_of_the_page_are_valid() -> None:
    settings: dict[str, Any] = tomllib.loads(code_blocks(PAGE, "toml")[0])
    assert settings["backend"] == SadTalkerBackend.name
    config = SadTalkerConfig(**settings["backends"]["sadtalker"])
    assert config.root == Path("/opt/SadTalker")


def test_the_engine_of_the_page_can_be_copied(tmp_path: Path) -> None:
    (source,) = code_blocks(PAGE, "python")
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102
    tiny = names["TINY"]
    assert isinstance(tiny, Engine)
    paths = JobPaths(*[tmp_path] * 5)
    assert tiny.command(paths, tiny.Options()) == ["generate.py", "--config", str(tmp_path / "job.json")]  # fmt: skip  # noqa: E501
    assert json.loads((tmp_path / "job.json").read_text())["steps"] == 20
    (entry,) = [tomllib.loads(block) for block in code_blocks(PAGE, "toml")[1:]]
    assert entry["project"]["entry-points"]["avatar_core.engines"] == {"tiny": "avatar_tiny:TINY"}


@pytest.mark.parametrize("figure", ["60 seconds (25 at", "five minutes", "1536 pixels"])
def test_its_figures_are_those_of_the_code(figure: str) -> None:
    from backends.sadtalker.options import SadTalkerOptions
    from backends.sadtalker.runner import RunLimits
    from backends.sadtalker.sadtalker import SADTALKER

    assert figure in read(PAGE)
    assert RunLimits().silence == 300
    assert SADTALKER.needs.picture_side == 1536
    assert [SADTALKER.needs.longest(SadTalkerOptions(size=size)) for size in (256, 512)] == [60, 25]
