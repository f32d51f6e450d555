"""docs/command-line.md says what the commands really accept, no less and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from avatar_core.errors import InputError
from avatar_core.events import RenderFinished
from backends.colab.notebook import commands as notebook_commands
from backends.colab.server import commands as serve_commands
from renderer.cli import commands
from renderer.cli.failures import explain

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def built_in() -> dict[str, Any]:
    """The commands that come with the package; groups of commands have sections of their own."""
    app = typer.Typer()
    for one in (commands, notebook_commands, serve_commands):
        one.register(app)
    group: Any = typer.main.get_group(app)
    return dict(group.commands)


def options_of(command: Any) -> set[str]:
    return {
        spelling
        for parameter in command.params
        if parameter.param_type_name == "option"
        for spelling in parameter.opts
        if spelling != "--help"
    }


@pytest.mark.parametrize("name", sorted(built_in()))
def test_every_option_of_a_command_is_in_its_table_and_no_other(name: str) -> None:
    section = SECTIONS[f"avatar {name}"]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `-")]
    documented = set(re.findall(r"`(--?[\w-]+)`", " ".join(rows)))
    assert documented == options_of(built_in()[name])


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    sections = {title.removeprefix("avatar ") for title in SECTIONS if title.startswith("avatar ")}
    assert sections == set(built_in())
    assert all(f"[`avatar {name}`](#avatar-{name})" in TEXT for name in sections)


def test_the_example_of_a_result_has_the_fields_of_a_result() -> None:
    finished, failed = [json.loads(line) for line in TEXT.splitlines() if line.startswith('{"')]
    event = RenderFinished(
        path="f.mp4", degraded=False, cost=0.0, currency="USD", seconds=1.0, scenes=()
    )
    assert list(finished) == list(event.to_json())
    assert list(failed) == list(explain(InputError("wrong")).to_json())


def test_the_exit_codes_are_those_of_the_program() -> None:
    from renderer.cli import failures

    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.M)]
    named = [failures.FAILED, failures.WRONG_INPUT, failures.DEGRADED, failures.CANCELLED_CODE]
    assert codes == [0, *named]
