"""Whether both sides of the wire are of the same version, and what to do where they are not."""

from __future__ import annotations

import functools
import re

PROTOCOL = 1
_NEW_NOTEBOOK = (
    "write the notebook again with `avatar notebook` and run it, or update avatar-core there"
)
_NEW_CLIENT = "update this side (avatar docs install#updating)"


@functools.cache
def own_version() -> str:
    """The version of this package, "0" where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("avatar-core")
    except PackageNotFoundError:
        return "0"


def difference(theirs: str, ours: str) -> str | None:
    """A sentence where two versions differ in more than their last number; None where they do
    not, or where one cannot be read."""
    here, there = _release(ours), _release(theirs)
    if here is None or there is None or here == there:
        return None
    return f"The server has version {theirs} and this side {ours}: {_todo(there < here)}."


def protocol_difference(theirs: int) -> str:
    """What to do about a server that speaks another protocol."""
    return f"{_todo(theirs < PROTOCOL).capitalize()}."


def _todo(server_is_older: bool) -> str:
    return _NEW_NOTEBOOK if server_is_older else _NEW_CLIENT


def _release(version: str) -> tuple[int, int] | None:
    match = re.match(r"(\d{1,9})\.(\d{1,9})", version)
    return (int(match[1]), int(match[2])) if match else None
