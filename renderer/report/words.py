"""Numbers as people read them: lengths, places in a film, prices, counts."""

from __future__ import annotations

from collections.abc import Sequence

from avatar_core.backend import CREDITS, Cost
from avatar_core.money import in_words

_MINUTE, _HOUR = 60, 3600
_SHORT = 0.05


def lasting(seconds: float) -> str:
    """``4.2 s``, ``1 min 05 s``, ``2 h 03 min``."""
    if 0 < seconds < _SHORT:
        return "under 0.1 s"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    minutes = round(seconds / _MINUTE)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def place(seconds: float) -> str:
    """A place in the film as players show it: ``0:04``, ``1:02:03``."""
    whole = int(seconds)
    minutes, rest = divmod(whole, _MINUTE)
    if whole < _HOUR:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def price(costs: Sequence[Cost]) -> str:
    """``0.50 USD``, ``3 credits``, several currencies side by side, ``nothing``."""
    return " + ".join(_amount(cost) for cost in costs if cost.amount) or "nothing"


def _amount(cost: Cost) -> str:
    if cost.currency != CREDITS:
        return in_words(cost)[0]
    amount = cost.amount.normalize()
    # A scene's share of a job that several make use of is no round number.
    told = round(amount, 2).normalize() or amount
    return f"{told:f} {'credit' if told == 1 else 'credits'}"


def count(number: int, noun: str) -> str:
    """``1 scene``, ``2 scenes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
