"""The notebook as a file: cells from the readable source, the program packed into one of them.

The format is nbformat 4.5: https://nbformat.readthedocs.io/en/latest/format_description.html.
The same program always gives the same file: no dates, no outputs, ids from the cells' names.
"""

from __future__ import annotations

import base64
import json
import lzma
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from avatar_core.errors import InputError
from backends.colab.notebook.percent import Cell, cells_of, with_fields
from backends.colab.notebook.wheel import Wheel, build_wheel

SOURCE = Path(__file__).with_name("sadtalker_colab.py")
_NO_PROGRAM, _NO_VERSION = 'PROGRAM = ""', 'VERSION = ""'
_PROGRAM = re.compile(r'PROGRAM = """\n([A-Za-z0-9+/=\n]+)"""')
_WIDTH = 1000


def notebook_text(values: Mapping[str, str] | None = None, wheel: Wheel | None = None) -> str:
    """The whole file; ``values`` fill fields of its cells in. Raises `InputError` for a field
    that it does not have."""
    cells = with_fields(cells_of(SOURCE.read_text(encoding="utf-8")), values or {})
    packed = wheel or build_wheel()
    return _as_json(_carrying(packed, cell) for cell in cells)


def is_current(text: str) -> bool:
    """Whether a notebook is what this program would write now."""
    return _comparable(text) == _comparable(notebook_text())


def carried(text: str) -> bytes:
    """The wheel that a notebook carries. Raises `InputError` if it has none."""
    try:
        cells = json.loads(text)["cells"]
        found = next(filter(None, (_PROGRAM.search("".join(c["source"])) for c in cells)), None)
        if found is not None:
            return lzma.decompress(base64.b64decode(found[1]))
    except (ValueError, KeyError, TypeError, lzma.LZMAError):
        pass
    raise InputError("This is no notebook that `avatar notebook` has written.")


def _comparable(text: str) -> tuple[str, bytes]:
    """What is packed counts, not how: versions of a packer differ."""
    wheel, notebook = carried(text), json.loads(text)
    for cell in notebook["cells"]:
        cell["source"] = _PROGRAM.sub(_NO_PROGRAM, "".join(cell["source"]))
    return json.dumps(notebook), wheel


def _carrying(wheel: Wheel, cell: Cell) -> Cell:
    if _NO_PROGRAM not in cell.source:
        return cell
    packed = base64.b64encode(lzma.compress(wheel.archive(), preset=9)).decode("ascii")
    lines = "\n".join(textwrap.wrap(packed, _WIDTH))
    filled = cell.source.replace(_NO_PROGRAM, f'PROGRAM = """\n{lines}\n"""')
    return replace(cell, source=filled.replace(_NO_VERSION, f'VERSION = "{wheel.version}"'))


def _as_json(cells: Iterable[Cell]) -> str:
    notebook = {
        "cells": [_cell(cell) for cell in cells],
        "metadata": {
            "accelerator": "GPU",
            # With private outputs Colab does not save the line with the token in it.
            "colab": {
                "gpuType": "T4",
                "private_outputs": True,
                "provenance": [],
                "toc_visible": True,
            },
            "kernelspec": {"display_name": "Python 3", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _cell(cell: Cell) -> dict[str, Any]:
    source = cell.source.splitlines(keepends=True)
    if cell.kind == "markdown":
        return {"cell_type": "markdown", "id": cell.name, "metadata": {}, "source": source}
    metadata: dict[str, Any] = {}
    if cell.kind == "hidden":
        metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
    return {"cell_type": "code", "execution_count": None, "id": cell.name, "metadata": metadata,
            "outputs": [], "source": source}  # fmt: skip
