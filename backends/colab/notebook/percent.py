"""Reads a notebook's source: a Python file whose cells begin with lines like `# %% name`.

`# %% [markdown] name` begins a cell of text, written as comments; `# %% [hidden] name` a cell of
code that Colab and Jupyter show folded. What stands before the first cell is for readers of the
file. A line `NAME = value  # @param ...` in a cell of code is a field that Colab shows as a form.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from avatar_core.errors import InputError
from avatar_core.nearest import did_you_mean

_HEADER = re.compile(r"^# %%(?: \[(markdown|hidden)\])? ([a-z0-9-]+)$")
_FIELD = re.compile(r"^([A-Z_]+) = (.+?)(  # @param\b.*)$", flags=re.M)


@dataclass(frozen=True, slots=True)
class Cell:
    """``name`` is unique and becomes the cell's id."""

    kind: Literal["code", "markdown", "hidden"]
    name: str
    source: str


def cells_of(text: str) -> list[Cell]:
    """The cells of a source, in their order. Raises ValueError for two of one name."""
    cells: list[Cell] = []
    lines: list[str] = []
    for line in [*text.splitlines(), "# %% end"]:
        header = _HEADER.match(line)
        if header is None:
            lines.append(line)
            continue
        if cells:
            cells[-1] = replace(cells[-1], source=_source(cells[-1].kind, lines))
        cells.append(Cell(_kind(header[1]), header[2], ""))
        lines = []
    cells.pop()
    names = [cell.name for cell in cells]
    if len(set(names)) != len(names):
        raise ValueError(f"two cells have one name: {names}")
    return cells


def fields_of(cells: Iterable[Cell]) -> dict[str, object]:
    """Every field by its name, with the value that the source gives it."""
    found: dict[str, object] = {}
    for cell in cells:
        if cell.kind != "markdown":
            found.update((m[1], ast.literal_eval(m[2])) for m in _FIELD.finditer(cell.source))
    return found


def with_fields(cells: Iterable[Cell], values: Mapping[str, str]) -> list[Cell]:
    """The cells with fields filled in; ``values`` are texts, as people type them.

    Raises `InputError` for a field that does not exist or a value that does not fit it.
    """
    cells = list(cells)
    fields = fields_of(cells)
    for name in values:
        if name not in fields:
            raise InputError(
                f"The notebook has no field {name}.",
                advice=did_you_mean(name, sorted(fields)),
            )
    fitting = {name: _fitting(name, text, fields[name]) for name, text in values.items()}

    def filled(match: re.Match[str]) -> str:
        value = fitting.get(match[1])
        return match[0] if value is None else f"{match[1]} = {value}{match[3]}"

    return [
        cell if cell.kind == "markdown" else replace(cell, source=_FIELD.sub(filled, cell.source))
        for cell in cells
    ]


def _fitting(name: str, text: str, default: object) -> str:
    """A value as it is written in Python, of the kind that the field has."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise InputError(f"{name} is true or false, not {text!r}.")
        return text.capitalize()
    if isinstance(default, int | float):
        try:
            return repr(type(default)(text))
        except ValueError:
            raise InputError(f"{name} is a number, not {text!r}.") from None
    return repr(text)


def _kind(label: str | None) -> Literal["code", "markdown", "hidden"]:
    if label == "markdown" or label == "hidden":
        return "markdown" if label == "markdown" else "hidden"
    return "code"


def _source(kind: str, lines: list[str]) -> str:
    if kind == "markdown":
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
    return "\n".join(lines).strip("\n")
