"""Faults that strike some requests and spare others, as the doubles of services count them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Counted(Protocol):
    """Strikes ``times`` requests (None: all of them) after it has spared ``after``."""

    times: int | None
    after: int


F = TypeVar("F", bound=Counted)


def striking(faults: Iterable[F]) -> F | None:
    """Which of ``faults``, all of them for one kind of request, strikes the request that has come
    now; the request is counted. Not safe to use from several threads at once."""
    for fault in faults:
        if fault.times == 0:
            continue
        if fault.after:
            fault.after -= 1
            continue
        if fault.times is not None:
            fault.times -= 1
        return fault
    return None
