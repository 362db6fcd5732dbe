"""A product as a shop or a file describes it: what is taken, and what is refused with which code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from regulars.domain.errors import BadInputError
from regulars.domain.products import MAX_CATEGORIES, Product
from regulars.domain.products_payload import product_of_payload

DRESS: dict[str, Any] = {"product_id": "7", "version": 3, "name": "Purple dress", "price": "49.90", "currency": "EUR"}


def test_a_description_becomes_the_canonical_product() -> None:
    """Numbers are ids, too; money becomes minor units; stock says whether it can be bought."""
    found = product_of_payload(
        DRESS
        | {"product_id": 7, "categories": [" Dresses ", "Summer", "Dresses", "", None], "stock": 2, "x": "ignored"}
    )
    assert found == Product(
        product_id="7", version=3, name="Purple dress", price_minor=4990, currency="EUR",
        categories=("Dresses", "Summer"), stock=2, in_stock=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("price", "currency", "minor"),
    [("49.90", "EUR", 4990), (Decimal("5"), "JPY", 5), (7, "KWD", 7000), ("0", "USD", 0)],
)
def test_a_price_is_read_exactly(price: Any, currency: str, minor: int) -> None:
    found = product_of_payload(DRESS | {"price": price, "currency": currency})
    assert (found.price_minor, found.currency) == (minor, currency)


def test_the_shops_currency_stands_in_where_none_is_said() -> None:
    without = {name: said for name, said in DRESS.items() if name != "currency"}
    assert product_of_payload(without, currency="USD").currency == "USD"
    assert product_of_payload(DRESS, currency="USD").currency == "EUR"
    assert product_of_payload({"product_id": "7", "version": 1}, currency="USD").currency is None


def test_the_time_of_the_change_is_the_version_of_a_shop_that_counts_none() -> None:
    assert product_of_payload({"product_id": "7", "updated_at": "2026-03-01T00:00:00.5Z"}).version == 1772323200500


def test_oversold_is_sold_out() -> None:
    found = product_of_payload(DRESS | {"stock": -3})
    assert (found.stock, found.in_stock, found.sold_out) == (0, False, True)
    assert not product_of_payload(DRESS | {"stock": 0, "in_stock": True}).sold_out


def test_one_category_may_stand_alone_and_there_are_only_so_many() -> None:
    assert product_of_payload(DRESS | {"categories": "Dresses"}).categories == ("Dresses",)
    many = [f"c{number}" for number in range(MAX_CATEGORIES + 5)]
    assert product_of_payload(DRESS | {"categories": many}).categories == tuple(many[:MAX_CATEGORIES])


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"product_id": ""}, "bad_shape", "product_id"),
        ({"product_id": None}, "bad_shape", "product_id"),
        ({"product_id": "x" * 256}, "bad_shape", "product_id"),
        ({"version": None}, "bad_shape", "version"),
        ({"version": -1}, "bad_shape", "version"),
        ({"version": 2**53}, "bad_shape", "version"),
        ({"version": "3"}, "bad_shape", "version"),
        ({"version": None, "updated_at": "yesterday"}, "bad_shape", "updated_at"),
        ({"currency": None}, "bad_shape", "currency"),
        ({"currency": "EURO"}, "unknown_currency", "currency"),
        ({"price": "4.999"}, "bad_amount", "price"),
        ({"price": "-1"}, "bad_amount", "price"),
        ({"price": "NaN"}, "bad_amount", "price"),
        ({"price": 4.99}, "bad_shape", "price"),
        ({"categories": [["Dresses"]]}, "bad_shape", "categories"),
        ({"categories": [{}]}, "bad_shape", "categories"),
        ({"categories": ["x" * 256]}, "bad_shape", "categories.0"),
        ({"categories": 5}, "bad_shape", "categories"),
        ({"in_stock": "yes"}, "bad_shape", "in_stock"),
        ({"stock": 1.5}, "bad_shape", "stock"),
        ({"stock": True}, "bad_shape", "stock"),
        ({"name": 5}, "bad_shape", "name"),
        ({"url": "x" * 2_001}, "bad_shape", "url"),
        ({"deleted": 1}, "bad_shape", "deleted"),
    ],
)
def test_what_is_no_product(changes: dict[str, Any], code: str, path: str) -> None:
    """The path is named, the value is not."""
    with pytest.raises(BadInputError) as caught:
        product_of_payload(DRESS | changes)
    assert caught.value.code == code
    assert path in caught.value.detail
    assert "xxx" not in str(caught.value)
