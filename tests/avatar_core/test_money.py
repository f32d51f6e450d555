"""Money in sentences: with its currency, and with as many decimals as its neighbours."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import CREDITS, Cost
from avatar_core.money import in_words

SENTENCES: list[tuple[list[str], str, list[str]]] = [
    (["0.1", "0.4"], "USD", ["0.10 USD", "0.40 USD"]),
    (["3", "1E+2"], "EUR", ["3.00 EUR", "100.00 EUR"]),
    (["0.105", "0.4"], "USD", ["0.105 USD", "0.400 USD"]),
    (["0.33333333333", "1"], "USD", ["0.3333 USD", "1.0000 USD"]),
    (["1", "12"], CREDITS, ["1 credit", "12 credits"]),
    (["0.5", "1"], CREDITS, ["0.5 credits", "1.0 credit"]),
]


@pytest.mark.parametrize(("amounts", "currency", "told"), SENTENCES)
def test_the_sums_of_a_sentence_are_told_alike(
    amounts: list[str], currency: str, told: list[str]
) -> None:
    assert list(in_words(*(Cost(Decimal(a), currency) for a in amounts))) == told


@given(st.lists(st.decimals(0, 10**6, allow_nan=False), min_size=1, max_size=4))
def test_no_sum_is_told_further_from_the_truth_than_its_last_decimal(
    amounts: list[Decimal],
) -> None:
    told = [text.split()[0] for text in in_words(*(Cost(a) for a in amounts))]
    places = {len(text.partition(".")[2]) for text in told}
    assert len(places) == 1 and 2 <= places.pop() <= 4
    for amount, text in zip(amounts, told, strict=True):
        assert abs(Decimal(text) - amount) <= Decimal("0.00005")
