"""Shopify's refunds in the currency that the shopper saw, which need not be the order's."""

from __future__ import annotations

import pytest

from regulars.domain.orders import entry_of
from tests.webhooks import SHOPIFY_ORDER, SHOPIFY_REFUND, Shops


@pytest.mark.parametrize(
    ("given_back", "current", "kept"),
    [
        ([("1500", "JPY")], "90.00", 9000),
        ([("1500", "JPY")], "90.004", 9000),
        ([("1500", "jpy"), ("20.00", "USD")], "70.00", 7000),
        ([("1500", "JPY"), ("20.00", "USD")], "95.00", 8000),
        ([("1500", "JPY")], "120.00", 10000),
        ([("1500", "JPY")], "-5.00", 0),
        ([("10.00", "usd")], "50.00", 9000),
        ([("10.00", None)], "50.00", 9000),
    ],
)
def test_a_refund_in_the_currency_that_the_shopper_saw_is_what_the_total_went_down_by(
    given_back: list[tuple[str, str | None]], current: str, kept: int
) -> None:
    """An order of 100.00 in the shop's dollars, paid and given back in yen."""
    transactions = [
        {"kind": "refund", "status": "success", "amount": amount, "currency": code} for amount, code in given_back
    ]
    body = {
        **SHOPIFY_ORDER, "currency": "USD", "presentment_currency": "JPY", "total_price": "100.00",
        "current_total_price": current, "refunds": [{**SHOPIFY_REFUND, "transactions": transactions}],
    }  # fmt: skip
    (event,) = Shops().told("shopify-main", body, "orders/updated")
    entry = entry_of(event.properties)
    assert (entry.total_minor, entry.net_minor) == (10000, kept)


def test_a_refund_in_another_currency_is_not_guessed_where_the_total_of_now_is_not_told() -> None:
    shops = Shops()
    refund = {**SHOPIFY_REFUND, "transactions": [{**SHOPIFY_REFUND["transactions"][0], "currency": "JPY"}]}
    body = {**SHOPIFY_ORDER, "current_total_price": None, "refunds": [refund]}
    shops.post("shopify-main", body, "orders/updated")
    events, (bad,) = shops.stored()
    assert (events, bad.code) == ([], "bad_amount")
