"""What the YAML reader complains about, in words for somebody who does not know YAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from avatar_core.errors import InputError

_VARIABLE_FIRST = re.compile(r"[:-]\s*\{\{")
# Inside brackets, so that the comment swallows what would have closed them.
_BARE_COLOR = re.compile(r"[{\[,].*[:,\[]\s+(#[0-9a-fA-F]{3,8})\b")
_GENERIC = "Check quotes, indentation and colons here and in the line before."
_ESCAPE = (
    r"a \ begins an escape in double quotes.",
    r"Use single quotes, or write \\ for the sign itself.",
)
# Part of the reader's complaint: what happened, what to do.
_SENTENCES = {
    r"'\t' that cannot start": (
        "a tab is used for indentation.",
        "Indent with spaces: YAML allows no tabs there.",
    ),
    "mapping values are not allowed": (
        'a ": " stands inside a plain value.',
        "Put the text in quotes, and check that the line is indented as its neighbours.",
    ),
    "that cannot start any token": (
        "a plain value cannot begin with this character.",
        "Put the text in quotes.",
    ),
    "undefined alias": (
        "a * begins an alias in YAML, and there is none of this name.",
        "Put the text in quotes if it begins with *.",
    ),
    "another document": ("a second document begins here (---).", "Keep one film in one file."),
    "could not find expected ':'": (
        "a key without its colon.",
        'Write "key: value", and put long texts in quotes or after "text: |".',
    ),
    "expected <block end>": (
        "the indentation does not fit, or something follows a closed quote or bracket.",
        'Align keys of one level, begin list items with "- ", and put texts in quotes.',
    ),
    "found unexpected ':'": ('a ":" stands inside a plain value.', "Put the text in quotes."),
    "unknown escape character": _ESCAPE,
    "expected escape sequence": _ESCAPE,
    "expected ',' or": ("a comma or a closing bracket is missing.", _GENERIC),
    "special characters are not allowed": (
        "the file holds a character that is no text.",
        "Remove it, or save the file again as UTF-8.",
    ),
}


def syntax_mistake(failure: Any, text: str, file: Path | None) -> InputError:
    """An `InputError` for what ruamel.yaml raised, with the line and the next step."""
    problem = str(getattr(failure, "problem", None) or getattr(failure, "reason", "") or "")
    context = str(getattr(failure, "context", None) or "")
    mark = getattr(failure, "problem_mark", None)
    line = mark.line + 1 if mark is not None else _line_at(text, getattr(failure, "position", None))
    message, advice = _sentence(problem, context)
    if "unclosed" in message and (start := getattr(failure, "context_mark", None)) is not None:
        line = start.line + 1
    if "flow" in context and (found := _bare_color(text, line)):
        line, color = found
        message = (
            f"{color} is a comment here, because # begins one, and it hides the bracket's end."
        )
        advice = f'Put the colour in quotes: "{color}".'
    if _VARIABLE_FIRST.search(_source_line(text, line)):
        advice = 'Put a text that begins with a variable in quotes: "{{name}} ...".'
    return InputError(message, file=file, line=line, advice=advice)


def _bare_color(text: str, line: int | None) -> tuple[int, str] | None:
    """The last line up to ``line`` with a colour without quotes inside brackets, and the colour."""
    rows = text.splitlines()[: line or 0]
    for number in range(len(rows), max(0, len(rows) - 3), -1):
        if found := _BARE_COLOR.search(rows[number - 1]):
            return number, found[1]
    return None


def _source_line(text: str, line: int | None) -> str:
    rows = text.splitlines()
    return rows[line - 1] if line is not None and line <= len(rows) else ""


def _sentence(problem: str, context: str) -> tuple[str, str]:
    if "quoted scalar" in context and "end of stream" in problem:
        return "an unclosed quote begins here.", "Close the text with the same quote."
    if "flow" in context and ("stream end" in problem or "end of stream" in problem):
        return "an unclosed bracket begins here.", "Close it with ] or }."
    for part, sentence in _SENTENCES.items():
        if part in problem:
            return sentence
    return f"this is not YAML ({problem or 'unreadable'}).", _GENERIC


def _line_at(text: str, position: int | None) -> int | None:
    return None if position is None else text.count("\n", 0, position) + 1
