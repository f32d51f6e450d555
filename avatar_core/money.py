"""Sums of money in sentences: each with its currency, and all of one sentence alike."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from avatar_core.backend import CREDITS, Cost

_USUAL_PLACES = 2
# Shares of a job that several scenes make use of are no round numbers.
_MOST_PLACES = 4


def in_words(*costs: Cost) -> tuple[str, ...]:
    """``0.10 USD`` and ``2.40 USD``, ``1 credit`` and ``12 credits``: with as many decimals as the
    finest of them needs, two at least (credits: none), four at most."""
    least = 0 if all(cost.currency == CREDITS for cost in costs) else _USUAL_PLACES
    places = max(least, *(min(_MOST_PLACES, _places(cost.amount)) for cost in costs))
    return tuple(_told(cost, places) for cost in costs)


def _places(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _told(cost: Cost, places: int) -> str:
    amount = cost.amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    if cost.currency == CREDITS:
        return f"{amount:f} {'credit' if amount == 1 else 'credits'}"
    return f"{amount:f} {cost.currency}"
