"""The budget: reserved before, settled after, never overspent, told to the last cent."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import FREE, AvatarRequest, Capabilities, Cost
from avatar_core.clock import SystemClock
from avatar_core.errors import Category
from avatar_core.policy.budget import Budget, BudgetRefusal
from avatar_core.policy.settings import BudgetSettings
from avatar_core.testing import ScriptedBackend, VirtualClock, bad_clip, deliver, fail
from support_policy import Stage, calls

PAID = Capabilities(costs_money=True)
HALF = Cost(Decimal("0.5"))


def money(text: str, currency: str = "USD") -> Cost:
    return Cost(Decimal(text), currency)


def paid(*steps: Any, price: Any = HALF, **more: Any) -> ScriptedBackend:
    return ScriptedBackend(
        "did", *(steps or (deliver(cost=HALF),)), price=price, capabilities=PAID, **more
    )


_DEALS = st.lists(
    st.tuples(
        st.sampled_from(["did", "heygen"]),
        st.decimals(0, 3, places=2),
        st.integers(0, 100),
        st.sampled_from(["settle", "release", "hold"]),
    ),
    max_size=40,
)


@given(most=st.decimals(0, 10, places=2), one=st.decimals(0, 10, places=2), deals=_DEALS)
def test_what_costs_no_more_than_its_estimate_never_overspends(
    most: Decimal, one: Decimal, deals: list[tuple[str, Decimal, int, str]]
) -> None:
    budget = Budget(BudgetSettings(max_cost=most), {"did": one})
    spent: dict[str, Decimal] = {"did": Decimal(0), "heygen": Decimal(0)}
    for backend, price, share, end in deals:
        room = most - sum(spent.values()) >= price
        room = room and (backend != "did" or one - spent["did"] >= price)
        try:
            reservation = budget.reserve(backend, Cost(price))
        except BudgetRefusal:
            assert price and not room
            continue
        assert room or not price
        actual = {"settle": price * share / 100, "release": Decimal(0), "hold": price}[end]
        if end == "settle":
            reservation.settle(Cost(actual))
        elif end == "release":
            reservation.release()
        if end != "hold":
            # A reservation is used once; what is said of it later changes nothing.
            reservation.settle(Cost(Decimal(99)))
        spent[backend] += actual
        assert budget.spent.amount == sum(spent.values()) <= most
        assert spent["did"] <= one


def test_threads_never_overspend_between_them() -> None:
    budget = Budget(BudgetSettings(max_cost=Decimal(10)))
    barrier = threading.Barrier(8, timeout=60)
    bought: list[Decimal] = []
    overspent: list[Decimal] = []

    def spend(number: int) -> None:
        barrier.wait()
        for _ in range(300):
            try:
                reservation = budget.reserve("did", money("0.1"))
            except BudgetRefusal:
                continue
            if budget.spent.amount > 10:
                overspent.append(budget.spent.amount)
            if number % 2:
                reservation.release()
            else:
                reservation.settle(money("0.1"))
                bought.append(Decimal("0.1"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(spend, range(8)))
    assert overspent == []
    assert sum(bought) == budget.spent.amount <= 10


@pytest.mark.parametrize("threads", [1, 8])
def test_a_film_stops_paying_where_its_budget_ends(tmp_path: Path, threads: int) -> None:
    did = paid()
    stage = Stage(tmp_path, did, clock=SystemClock(), budget={"max_cost": "3.2"})
    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(lambda n: stage.scene(f"s{n}"), range(20)))
    assert sum(calls(b) for b in (did,)) == 6
    assert [outcome.clip.backend for outcome in made].count("did") == 6
    refused = [o.trail[0] for o in made if o.clip.backend == "static"]
    words = "of the film's budget 0.20 USD of 3.20 USD is left"
    assert all(words in entry.message for entry in refused[-3:])
    assert stage.policy.budget.spent == money("3.0")


def test_a_backend_may_have_a_budget_of_its_own(tmp_path: Path) -> None:
    did = paid()
    outcomes = Stage(tmp_path, did, policies={"did": {"max_cost": "1"}}).scenes(4)
    assert calls(did) == 2
    assert "of the budget of did 0.00 USD of 1.00 USD is left" in outcomes[-1].trail[0].message


class Priced(ScriptedBackend):
    """Says whatever it is given."""

    says: Any = None

    def estimate(self, request: AvatarRequest) -> Any:
        return self.says() if callable(self.says) else self.says


ODD_PRICES: dict[str, Any] = {
    "unknown": None,
    "a text": "0.5",
    "a number": 0.5,
    "negative": Cost(Decimal(-3)),
    "a crash": lambda: 1 / 0,
    "no number": lambda: Cost(Decimal("NaN")),
    "euros": money("0.5", "EUR"),
}


@pytest.mark.parametrize("says", ODD_PRICES)
@pytest.mark.parametrize(
    ("budget", "allowed"),
    [
        ({}, True),
        ({"max_cost": "5"}, False),
        ({"max_cost": "5", "allow_unknown_price": True}, True),
        ({"allow_unknown_price": False}, False),
    ],
)
def test_a_price_that_is_not_known_blocks_a_paid_rung_where_money_is_limited(
    tmp_path: Path, says: str, budget: dict[str, Any], allowed: bool
) -> None:
    did = Priced("did", capabilities=PAID)
    did.says = ODD_PRICES[says]
    outcome = Stage(tmp_path, did, budget=budget).scene()
    assert calls(did) == (1 if allowed else 0)
    if not allowed:
        assert "budget.allow_unknown_price = true would allow it" in outcome.trail[0].message


@pytest.mark.parametrize("says", sorted(set(ODD_PRICES) - {"euros"}))
def test_a_free_backend_needs_no_price(tmp_path: Path, says: str) -> None:
    puppet = Priced("puppet")
    puppet.says = ODD_PRICES[says]
    stage = Stage(tmp_path, puppet, budget={"max_cost": "0", "allow_unknown_price": False})
    assert stage.scene().clip.backend == "puppet"


def test_an_amount_out_of_json_is_money_all_the_same(tmp_path: Path) -> None:
    price = Cost(0.1)  # type: ignore[arg-type]
    did = paid(deliver(cost=Cost(0.1)), price=price)  # type: ignore[arg-type]
    stage = Stage(tmp_path, did, budget={"max_cost": "0.35"})
    stage.scenes(5)
    assert (calls(did), stage.policy.budget.spent) == (3, money("0.3"))
    with pytest.raises(ValueError, match="no price"):
        Cost(Decimal("NaN"))


def test_a_failure_that_was_billed_is_counted_and_one_that_was_not_is_given_back(
    tmp_path: Path,
) -> None:
    did = paid(fail(Category.BAD_OUTPUT, billed=True), fail(Category.UNSUPPORTED))
    stage = Stage(tmp_path, did, budget={"max_cost": "10"})
    assert stage.scene("s1").costs == (HALF,)
    assert stage.scene("s2").costs == ()
    assert stage.policy.budget.spent == HALF


def test_what_it_cost_takes_the_place_of_what_was_estimated(tmp_path: Path) -> None:
    did = paid(deliver(cost=money("0.7")), deliver(cost=money("0.2")))
    stage = Stage(tmp_path, did, budget={"max_cost": "10"})
    assert [outcome.costs for outcome in stage.scenes(2)] == [(money("0.7"),), (money("0.2"),)]
    assert stage.policy.budget.spent == money("0.9")


def test_a_bill_in_another_currency_leaves_the_estimate_in_the_budget(tmp_path: Path) -> None:
    did = paid(deliver(cost=money("4", "EUR")))
    stage = Stage(tmp_path, did, budget={"max_cost": "1"})
    assert [o.clip.backend for o in stage.scenes(3)] == ["did", "did", "static"]
    assert stage.policy.budget.spent == money("1.0")


def test_a_step_down_is_weighed_anew(tmp_path: Path) -> None:
    def price(request: AvatarRequest) -> Cost:
        return money("2") if did.ambition(request) == "full" else money("0.5")

    did = paid(fail(Category.SERVER), deliver(cost=HALF), price=price, ladder=("full", "crop"))
    stage = Stage(tmp_path, did, budget={"max_cost": "2"})
    outcomes = stage.scenes(5)
    assert [o.clip.backend for o in outcomes] == ["did"] * 4 + ["static"]
    assert stage.policy.budget.spent == money("2.0")


def test_a_paid_clip_that_is_unusable_is_money_spent_once(tmp_path: Path) -> None:
    did = paid(bad_clip("black", cost=money("0.6")), clock=VirtualClock())
    stage = Stage(tmp_path, did, budget={"max_cost": "10"})
    assert stage.scene().costs == (money("0.6"),)
    assert (calls(did), stage.policy.budget.spent) == (1, money("0.6"))
    assert stage.scene().costs == ()


def test_the_last_rungs_cost_is_told_as_well(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.static._steps = (deliver(cost=HALF),)
    assert stage.scene().costs == (HALF,)
    assert stage.policy.budget.spent == HALF


def test_free_means_free() -> None:
    budget = Budget(BudgetSettings(max_cost=Decimal(0), allow_unknown_price=False))
    budget.reserve("puppet", FREE).settle(FREE)
    with pytest.raises(BudgetRefusal, match=r"0.00 USD of 0.00 USD is left"):
        budget.reserve("did", money("0.01"))
