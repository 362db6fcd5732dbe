"""Anyone may send with the public write key: no event of theirs may stop the fold."""

from __future__ import annotations

from typing import Any

import pytest

from regulars.domain.facts import Fact, fact_of
from tests.collecting import Shop


def fact_of_call(event: str, **properties: Any) -> Fact:
    shop = Shop()
    assert shop.post("track", {"userId": "u", "event": event, "properties": properties}).status == 200
    fact = fact_of(shop.event(), currency="EUR")
    assert fact is not None
    return fact


@pytest.mark.parametrize("expiry", [10**18, -(10**18), 1e100, "9" * 300, "0001-01-01T00:00:00+14:00", "soon", {}, True])
def test_a_consent_with_an_absurd_expiry_is_no_consent(expiry: object) -> None:
    assert fact_of_call("Consent Updated", channel="email", status="granted", expires_at=expiry).consents == ()


def test_a_refusal_counts_whatever_else_is_wrong_with_it() -> None:
    (record,) = fact_of_call("Consent Updated", channel="email", status="denied", expires_at="soon").consents
    assert (record.status, record.expires_at) == ("denied", None)


def test_a_consent_with_an_expiry_keeps_it() -> None:
    (record,) = fact_of_call("Consent Updated", channel="email", status="granted", expires_at="2027-01-01").consents
    assert record.expires_at is not None
    assert record.expires_at.isoformat() == "2027-01-01T00:00:00+00:00"


@pytest.mark.parametrize("price", [1e100, -1, "1e400", "nan", "-inf", [], {}, None, True, "٣"])
@pytest.mark.parametrize("quantity", [10**18, -1, 0.5, "2", None, [], True])
def test_a_cart_takes_any_price_and_quantity(price: object, quantity: object) -> None:
    fact = fact_of_call("Product Added", product_id="7", price=price, quantity=quantity)
    line = fact.cart["7"]
    assert 0 <= line.quantity < 10_000
    assert line.price_minor is None or 0 <= line.price_minor < 10**12


@pytest.mark.parametrize("odd", [None, 1, "x", [], [1], {"a": {}}])
def test_odd_shapes_say_nothing(odd: object) -> None:
    fact_of_call("Consent Updated", channel=odd, status=odd)
    assert fact_of_call("Cart Viewed", products=odd).cart_touched_at is not None
