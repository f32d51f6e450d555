"""What a film may cost: reserved before an attempt, settled after it, never overspent."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal

from avatar_core.backend import FREE, Cost
from avatar_core.money import in_words
from avatar_core.policy.settings import BudgetSettings


class BudgetRefusal(Exception):
    """A paid attempt that the budget does not allow; its text says why."""


class Budget:
    """One film's money, in one currency, over all threads.

    ``most_by_backend`` limits single backends. A price in another currency cannot be compared,
    so it counts as unknown.
    """

    def __init__(
        self, settings: BudgetSettings, most_by_backend: Mapping[str, Decimal] | None = None
    ) -> None:
        self._settings = settings
        self._most_by_backend = dict(most_by_backend or {})
        self._lock = threading.Lock()
        self._taken: dict[str, Decimal] = {}

    @property
    def spent(self) -> Cost:
        """Spent and reserved by all backends."""
        with self._lock:
            return Cost(sum(self._taken.values(), Decimal(0)), self._settings.currency)

    def reserve(self, backend: str, price: Cost | None) -> Reservation:
        """Set ``price`` aside (None: unknown); raises `BudgetRefusal`."""
        if price is not None and not price.amount:
            return Reservation(self, backend, FREE)
        with self._lock:
            known = price if price and price.currency == self._settings.currency else None
            if known is None:
                self._require_unknown_allowed(backend, price)
                return Reservation(self, backend, FREE)
            self._require_room(backend, known)
            self._add(backend, known.amount)
        return Reservation(self, backend, known)

    def count(self, backend: str, cost: Cost) -> None:
        """Add what was spent without a reservation: an earlier render's clips, a resumed job."""
        if cost.amount and cost.currency == self._settings.currency:
            with self._lock:
                self._add(backend, cost.amount)

    def settle(self, backend: str, reserved: Cost, cost: Cost) -> None:
        """Put what it ``cost`` in the place of what was ``reserved``, at once: room that is free
        for a moment only would be taken by another scene. A cost in another currency cannot be
        told from the price."""
        comparable = not cost.amount or cost.currency == self._settings.currency
        with self._lock:
            if comparable:
                self._add(backend, cost.amount - reserved.amount)

    def _add(self, backend: str, amount: Decimal) -> None:
        self._taken[backend] = self._taken.get(backend, Decimal(0)) + amount

    def _require_unknown_allowed(self, backend: str, price: Cost | None) -> None:
        limited = self._settings.max_cost is not None or backend in self._most_by_backend
        allowed = self._settings.allow_unknown_price
        if allowed or (allowed is None and not limited):
            return
        what = "its price is not known beforehand"
        if price is not None:
            what = f"its price is in {price.currency} and the budget in {self._settings.currency}"
        raise BudgetRefusal(f"{what} (budget.allow_unknown_price = true would allow it)")

    def _require_room(self, backend: str, price: Cost) -> None:
        rooms = [
            (
                "the film's budget",
                "budget.max_cost, or limits.max_cost in the script",
                self._settings.max_cost,
                sum(self._taken.values(), Decimal(0)),
            ),
            (
                f"the budget of {backend}",
                f"policies.{backend}.max_cost",
                self._most_by_backend.get(backend),
                self._taken.get(backend, Decimal(0)),
            ),
        ]
        for name, key, most, taken in rooms:
            if most is not None and taken + price.amount > most:
                left = Cost(max(Decimal(0), most - taken), price.currency)
                cost, rest, whole = in_words(price, left, Cost(most, price.currency))
                raise BudgetRefusal(
                    f"it would cost {cost}, and of {name} {rest} of {whole} is left ({key})"
                )


class Reservation:
    """Money set aside for one attempt; settle or release it once, later calls do nothing."""

    def __init__(self, budget: Budget, backend: str, price: Cost) -> None:
        self._budget = budget
        self._backend = backend
        self._price = price
        self._open = True

    def settle(self, cost: Cost) -> None:
        """The attempt cost ``cost``, be it more or less than was set aside."""
        if self._open:
            self._open = False
            self._budget.settle(self._backend, self._price, cost)

    def release(self) -> None:
        """The attempt cost nothing."""
        self.settle(FREE)
