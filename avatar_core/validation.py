"""What a model complains about, in words for the person who wrote the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong value; ``key`` is its dotted path, ``unknown`` that no such key exists."""

    key: str
    message: str
    unknown: bool


def first_fault(failure: ValidationError) -> Fault:
    """The first complaint, without the value itself: it may hold a secret.

    An unknown key comes first: it is usually why another one is missing.
    """
    errors = failure.errors(include_url=False, include_input=False, include_context=False)
    error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    message = error["msg"].replace("Input should", "It should").removeprefix("Value error, ")
    return Fault(
        key=".".join(str(part) for part in error["loc"]),
        message=message if message.endswith((".", "?", "!")) else f"{message}.",
        unknown=error["type"] == "extra_forbidden",
    )
