"""What a talk costs: credits by its length, money by the price that the user names."""

from __future__ import annotations

import math
from decimal import Decimal

from avatar_core.backend import CREDITS, Cost
from backends.did.config import DidOptions

SECONDS_A_CREDIT = 15
# Sound rarely lasts a round number of seconds: 15.000000001 s are one credit, not two.
_ROUNDING = 1e-6


def credits_for(seconds: float) -> int:
    """Credits for ``seconds`` of video, padding included: one for every 15 s begun, at least one
    (www.d-id.com/faqs)."""
    return max(1, math.ceil(seconds / SECONDS_A_CREDIT - _ROUNDING))


def cost_of(seconds: float, options: DidOptions) -> Cost:
    """The price of ``seconds`` of video, padding included.

    Where the user has named no price, in credits (``CRD``): to a budget in money it is unknown.
    """
    credits = Decimal(credits_for(seconds))
    if options.credit_price is None:
        return Cost(credits, CREDITS)
    return Cost(credits * options.credit_price, options.currency)
