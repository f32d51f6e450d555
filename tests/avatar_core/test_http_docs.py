"""The page for backend authors shows the tables as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_type_hints

import pytest

from avatar_core import testing
from avatar_core.http import CallOptions
from avatar_core.http_tables import CLASSES, FAILURES, HINTS, STATUSES, Hint, Meaning
from avatar_core.process_errors import CODES, CRASHED, FAILED, PROCESS_HINTS, SIGNALS
from avatar_core.testing import http_steps
from support_house import read

PAGE = "docs/http.md"
SERVER_NAMES = ["ScriptedServer", "Answer", "Silence", "Cut", "Raw", "redirect", "Recorded"]


def row(name: str, meaning: Meaning) -> str:
    order = "perhaps" if meaning.unanswered else "no"
    return f"| {name} | `{meaning.category}` | {meaning.says} | {order} |"


def hint_row(hint: Hint) -> str:
    order = {True: "perhaps", False: "no", None: "by status"}[hint.unanswered]
    return f"| {hint.name} | `{hint.category}` | {hint.says or 'by status'} | {order} |"


def tables() -> Iterator[tuple[str, list[str]]]:
    statuses = [row(f"`{status}`", meaning) for status, meaning in STATUSES.items()]
    yield "statuses", statuses + [row(f"other {n}xx", m) for n, m in CLASSES.items()]
    yield "pages", [hint_row(hint) for hint in HINTS]
    yield "connections", [row(f"`{kind}`", meaning) for kind, meaning in FAILURES.items()]
    ends = [(f"`{name}`", meaning) for name, meaning in SIGNALS.items()]
    ends += [("any other signal", CRASHED)]
    ends += [(f"exit code `{code}`", meaning) for code, meaning in CODES.items()]
    ends += [("any other exit code", FAILED)]
    yield "ends", [f"| {name} | `{m.category}` | {m.says} |" for name, m in ends]
    yield "last words", [f"| {h.name} | `{h.category}` | {h.says} |" for h in PROCESS_HINTS]


@pytest.mark.parametrize(("name", "rows"), list(tables()), ids=[name for name, _ in tables()])
def test_a_table_of_the_page_is_the_table_of_the_code(name: str, rows: list[str]) -> None:
    assert "\n".join(rows) + "\n\n" in read(PAGE) + "\n", f"the table of {name} differs"


def test_every_option_of_a_request_is_explained() -> None:
    options = get_type_hints(CallOptions)
    assert [name for name in options if f"| `{name}` |" not in read(PAGE)] == []


@pytest.mark.parametrize("name", SERVER_NAMES)
def test_what_the_server_can_do_is_explained(name: str) -> None:
    assert f"`{name}" in read(PAGE)
    assert hasattr(testing, name)


def test_every_step_of_the_server_can_be_imported_from_one_place() -> None:
    steps = [name for name, kind in vars(http_steps).items()
             if hasattr(kind, "play") and not hasattr(kind, "_is_protocol")]  # fmt: skip
    assert set(steps) <= set(testing.__all__)
