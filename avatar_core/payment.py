"""What one backend costs for one scene: set aside before it is called, settled afterwards."""

from __future__ import annotations

from avatar_core.attempt import contained
from avatar_core.backend import FREE, AvatarBackend, AvatarClip, AvatarRequest, Cost
from avatar_core.errors import AvatarError, EnvironmentFault
from avatar_core.orders import Order
from avatar_core.policy.budget import BudgetRefusal, Reservation
from avatar_core.policy.state import Policy
from avatar_core.turns import PassedOver


class Payment:
    """Goes with one `Order`; settling or releasing twice does nothing more."""

    def __init__(self, policy: Policy, rung: str, backend: AvatarBackend, order: Order) -> None:
        self._policy = policy
        self._rung = rung
        self._backend = backend
        self._order = order
        self._held: Reservation | None = None
        self._expected = self._charged = FREE

    def reserve(self, request: AvatarRequest) -> None:
        """Set the price aside, unless a job is under way; raises `PassedOver`."""
        if self._order.exists:
            return
        if self._held is None:
            price = self._price(request)
            try:
                self._held = self._policy.budget.reserve(self._rung, price)
            except BudgetRefusal as refusal:
                raise PassedOver(str(refusal)) from None
            self._expected = price or FREE
        self._order.begin(self._expected)

    def charge(self, clip: AvatarClip) -> None:
        """A clip has come, good or bad, and says what it cost."""
        self._charged = clip.cost

    @property
    def was_charged(self) -> bool:
        """Whether a clip has come that was not for nothing."""
        return bool(self._charged.amount)

    def release(self) -> None:
        """Nothing was spent."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def settle(self, cost: Cost) -> Cost:
        """``cost`` was spent; returns what of it no trail has named before. A budget counts what
        an earlier render has paid as well, because it is the film's."""
        new = self._policy.not_yet_counted(self._order.reference, cost)
        if self._held is not None:
            self._held.settle(new)
        else:
            self._policy.budget.count(self._rung, new)
        return FREE if self._order.was_told else new

    def leave(self, *, billed: bool) -> Cost:
        """Nobody waits any more: what was spent in vain. A paid job that exists counts."""
        if self.was_charged:
            return self.settle(self._charged)
        if billed or (self._order.exists and self._backend.capabilities.costs_money):
            return self.settle(self._order.expected)
        self.release()
        return FREE

    def _price(self, request: AvatarRequest) -> Cost | None:
        """None where it is not known beforehand."""
        limit = self._policy.settings.deadline.check
        try:
            price = self._policy.clock.call(lambda: self._estimate(request), limit)
        except (AvatarError, EnvironmentFault):
            price = None
        return FREE if price is None and not self._backend.capabilities.costs_money else price

    def _estimate(self, request: AvatarRequest) -> Cost | None:
        with contained(self._rung):
            price: object = self._backend.estimate(request)
            if price is not None and not isinstance(price, Cost):
                raise TypeError(f"estimate returned {type(price).__name__} instead of Cost")
            if price is not None and price.amount < 0:
                raise ValueError(f"estimate returned {price.amount}")
            return price
