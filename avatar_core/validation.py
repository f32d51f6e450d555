"""What a model complains about, in words for the person who wrote the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avatar_core.pages import COMMAND

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_TABLE = "It should be a table, with keys of its own."


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong value; ``key`` is its dotted path, ``unknown`` that no such key exists."""

    key: str
    message: str
    unknown: bool


# The words of pydantic are for programmers; {} is the limit that the model names.
_WORDS = {
    "int": "It should be a whole number.",
    "float": "It should be a number.",
    "decimal": "It should be a number, without a unit.",
    "bool": "It should be true or false.",
    "string": "It should be text.",
    "list": "It should be a list.",
    "tuple": "It should be a list.",
    "dict": _TABLE,
    "model": _TABLE,
    "finite": "It should be a finite number.",
    "greater_than_equal": "It should be {ge} or more.",
    "greater_than": "It should be more than {gt}.",
    "less_than_equal": "It should be {le} or less.",
    "less_than": "It should be less than {lt}.",
}
_KINDS = ("_parsing", "_parsing_size", "_type", "_attributes_type", "_from_float", "_number")


def first_fault(failure: ValidationError) -> Fault:
    """The first complaint, as `faults_of` sorts them."""
    return faults_of(failure)[0]


def faults_of(failure: ValidationError) -> list[Fault]:
    """All complaints, without the values themselves: those may hold secrets.

    Unknown keys come first: they are usually why others are missing.
    """
    errors = failure.errors(include_url=False, include_input=False)
    return sorted((_fault(error) for error in errors), key=lambda fault: not fault.unknown)


def _fault(error: ErrorDetails) -> Fault:
    message = _in_words(error)
    # A command at its end is there to be copied, and no stop is part of it.
    ends = message.endswith((".", "?", "!")) or COMMAND in message.rpartition(". ")[2]
    return Fault(
        key=".".join(str(part) for part in error["loc"]),
        message=message if ends else f"{message}.",
        unknown=error["type"] == "extra_forbidden",
    )


def _in_words(error: ErrorDetails) -> str:
    kind = error["type"]
    for ending in _KINDS:
        kind = kind.removesuffix(ending)
    words = _WORDS.get(kind)
    if words is not None:
        return words.format(**error.get("ctx", {}))
    return error["msg"].replace("Input should", "It should").removeprefix("Value error, ")
