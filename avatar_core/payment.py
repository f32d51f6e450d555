"""What one backend costs for one scene: set aside before it is called, settled afterwards."""

from __future__ import annotations

from avatar_core.attempt import contained
from avatar_core.backend import FREE, AvatarBackend, AvatarClip, AvatarRequest, Cost
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, EnvironmentFault
from avatar_core.orders import Order
from avatar_core.policy.budget import BudgetRefusal, Reservation
from avatar_core.policy.state import Policy
from avatar_core.turns import PassedOver


class Payment:
    """Goes with one `Order`; settling or releasing twice does nothing more. ``key`` is the
    rung's for the request, empty where it has none."""

    def __init__(
        self,
        policy: Policy,
        rung: str,
        backend: AvatarBackend,
        order: Order,
        key: str,
        cancel: CancelToken,
    ) -> None:
        self._policy = policy
        # Two requests without a key are two.
        self._request = key or order.reference
        self._rung = rung
        self._backend = backend
        self._order = order
        self._cancel = cancel
        self._held: Reservation | None = None
        self._expected = self._charged = FREE

    def reserve(self, request: AvatarRequest) -> None:
        """Set the price aside, unless a job is under way; raises `PassedOver`."""
        if self._order.exists:
            return
        if self.was_in_vain:
            raise PassedOver("it was paid for this scene already and did not deliver")
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
        new = self._policy.not_yet_counted(self._rung, self._request, cost)
        beyond = self._policy.not_foreseen(self._rung, self._request, new)
        if self._held is not None:
            self._held.settle(beyond)
        else:
            self._policy.budget.count(self._rung, beyond)
        return FREE if self._order.was_told else new

    def leave(self, *, called: bool, billed: bool) -> Cost:
        """Nobody waits any more: what was spent in vain. A paid job that exists counts, unless
        it is an earlier process's that was not even asked for."""
        if self.was_charged:
            spent = self._charged
        elif billed or (called and self._order.exists and self._backend.capabilities.costs_money):
            spent = self._order.expected
        else:
            self.release()
            return FREE
        # What was paid once for this scene is not paid again.
        self._policy.bill(self._rung, self._request)
        return self.settle(spent)

    @property
    def was_in_vain(self) -> bool:
        """Whether it was paid for in this run already, and did not deliver."""
        return self._policy.billed(self._rung, self._request)

    def pay_again(self) -> None:
        """What an earlier run has paid is spent for good: another one is ordered besides."""
        self._policy.keep_foreseen(self._rung, self._request)

    def forgive(self, *, unpaid: bool) -> None:
        """What was held for an order is none: there is no such job. ``unpaid``: nor was there
        ever one, so that what was counted for it is free again."""
        self._policy.unbill(self._rung, self._request)
        if unpaid:
            counted = self._policy.uncount(self._rung, self._request)
            self._policy.budget.settle(self._rung, counted, FREE)
        else:
            self.pay_again()

    def delivered(self) -> None:
        """The clip is kept."""
        self._policy.delivered(self._rung, self._request)

    def _price(self, request: AvatarRequest) -> Cost | None:
        """None where it is not known beforehand."""
        limit = self._policy.settings.deadline.check
        try:
            price = self._policy.clock.call(
                lambda: self._estimate(request), limit, self._cancel, at_once=True
            )
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
