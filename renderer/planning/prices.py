"""What a film is expected to cost, and what it could cost at most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from avatar_core.backend import Cost
from avatar_core.policy.budget import Budget, BudgetRefusal
from avatar_core.policy.settings import PolicySettings

Quote = tuple[str, Cost | None]


def add_up(costs: Iterable[Cost]) -> tuple[Cost, ...]:
    """One sum for each currency, in the order in which they come; nothing where all is free."""
    sums: dict[str, Decimal] = {}
    for cost in costs:
        if cost.amount:
            sums[cost.currency] = sums.get(cost.currency, Decimal(0)) + cost.amount
    return tuple(Cost(amount, currency) for currency, amount in sums.items())


def caps_of(policy: PolicySettings) -> dict[str, Decimal]:
    """What single backends may cost, by name."""
    caps = {name: own.max_cost for name, own in policy.policies.items()}
    return {name: most for name, most in caps.items() if most is not None}


def most_of(
    quotes: Iterable[Quote], policy: PolicySettings, counted: Mapping[str, Decimal]
) -> tuple[Cost, ...] | None:
    """The sum if every rung that is in ``quotes`` (backend and price) were billed, within the
    budget; None where a price is not known and would be paid all the same.

    ``counted`` is what earlier renders have used of the budget, by backend.
    """
    free, ours = [], dict[str, Decimal]()
    for backend, price in quotes:
        if price is None or price.currency != policy.budget.currency:
            if _refuses_unknown(policy, backend, price):
                continue
            if price is None:
                return None
            free.append(price)
        else:
            ours[backend] = ours.get(backend, Decimal(0)) + price.amount
    return add_up([Cost(_within(ours, policy, counted), policy.budget.currency), *free])


def _within(
    sums: Mapping[str, Decimal], policy: PolicySettings, counted: Mapping[str, Decimal]
) -> Decimal:
    caps = caps_of(policy)
    for_each = {
        name: _left(caps.get(name), counted.get(name, Decimal(0)), amount)
        for name, amount in sums.items()
    }
    total = sum(for_each.values(), Decimal(0))
    return _left(policy.budget.max_cost, sum(counted.values(), Decimal(0)), total)


def _left(limit: Decimal | None, used: Decimal, wanted: Decimal) -> Decimal:
    return wanted if limit is None else min(wanted, max(Decimal(0), limit - used))


def _refuses_unknown(policy: PolicySettings, backend: str, price: Cost | None) -> bool:
    try:
        Budget(policy.budget, caps_of(policy)).reserve(backend, price).release()
    except BudgetRefusal:
        return True
    return False
