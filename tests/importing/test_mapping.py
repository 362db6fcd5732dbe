"""What a mapping may not say, each mistake named with its path and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest

from regulars.domain.errors import BadInputError
from regulars.domain.importing.mapping import load_mapping
from tests.importing.samples import LINES


def problems_of(**changes: Any) -> str:
    with pytest.raises(BadInputError) as caught:
        load_mapping(LINES | changes, name="m.yaml")
    assert caught.value.code == "bad_mapping"
    return caught.value.detail


def fields(**changes: Any) -> dict[str, Any]:
    return {"fields": LINES["fields"] | changes}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "order"}, "m.yaml: kind: Input should be"),
        ({"version": 2}, "m.yaml: version: Input should be 1"),
        ({"sorce": "x"}, "m.yaml: sorce: Extra inputs are not permitted; did you mean source?"),
        ({"source": "My Shop"}, "source: use small letters"),
        ({"currency": "EURO"}, "currency: currency must be an ISO 4217 code"),
        ({"currency": None}, "currency: add one such as EUR"),
        ({"timezone": "Berlin"}, "timezone: unknown; use an IANA name such as Europe/Berlin"),
        ({"properties": {"a": "b"}}, "properties: only for kind events"),
        ({"products": {"column": "p", "fields": {}}}, "products: only for kind orders"),
        (fields(currency="cur"), "currency: stands in fields.currency already"),
        (fields(orderid="x"), "fields.orderid: order_lines have no such field; did you mean order_id?"),
        (fields(status={"value": "done"}), "fields.status: 'done' is none of placed, paid"),
        (fields(status={"column": "s", "values": {"x": "done"}}), "fields.status: 'done' is none of"),
        (fields(status={"column": "s", "value": "paid"}), "fields.status: say one of column, value, sum"),
        (fields(status={}), "fields.status: say one of column, value, sum"),
        (fields(quantity={"sum": ["a", "b"]}), "fields.quantity.sum: is of amounts only"),
        (fields(quantity={"column": "a", "format": "%d"}), "fields.quantity.format: is of instants only"),
        (fields(quantity={"column": "a", "unit": "minor"}), "fields.quantity.unit: is of amounts only"),
        (fields(quantity={"column": "a", "type": "integer"}), "fields.quantity.type: is of traits and properties"),
        (fields(quantity={"colum": "a"}), "fields.quantity.colum: Extra inputs are not permitted; did you mean"),
        (fields(placed_at={"column": "a", "timezone": "CEST2"}), "fields.placed_at.timezone: unknown"),
        (fields(line_total={"column": "a", "decimal": ",", "thousands": ","}), "thousands: cannot be the decimal"),
        ({"fields": {"order_id": "id"}}, "fields: add placed_at"),
        ({"fields": {"order_id": "id"}}, "fields: add one of price, line_total"),
        ({"fields": {"order_id": "id"}}, "fields: add one of user_id, email"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(changes: dict[str, Any], told: str) -> None:
    assert told in problems_of(**changes)


TOO_OLD = "fields: add version or updated_at, as the file says"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "state"},
        {"status": {"column": "state", "default": "fulfilled"}},
        {"status": {"value": "refunded"}},
        {"status": {"value": "cancelled"}},
        {"refunded": "back"},
    ],
)
def test_what_changes_after_an_order_needs_to_say_when(changes: dict[str, Any]) -> None:
    """Else the file would say refunded, and whatever webhook came of the order would count for ever."""
    assert TOO_OLD in problems_of(**fields(**changes))
    for name in ("version", "updated_at"):
        load_mapping(LINES | fields(**changes, **{name: "changed"}))


@pytest.mark.parametrize("status", ["placed", "paid", "fulfilled"])
def test_orders_that_were_made_and_never_change_need_no_version(status: str) -> None:
    load_mapping(LINES | fields(status={"value": status}))


def test_all_mistakes_are_told_at_once() -> None:
    told = problems_of(source="My Shop", timezone="Berlin", **fields(orderid="x"))
    assert len(told.splitlines()) == 3


def test_a_mapping_that_is_none_is_refused() -> None:
    with pytest.raises(BadInputError, match="must be a mapping"):
        load_mapping(["orders"])


def test_nested_products_have_fields_of_their_own() -> None:
    mapping = {
        "version": 1, "kind": "orders", "source": "s", "currency": "EUR",
        "fields": {"order_id": "i", "placed_at": "p", "status": {"value": "paid"}, "total": "t", "email": "e"},
        "products": {"column": "items", "fields": {"product_id": "sku", "qty": "n"}},
    }  # fmt: skip
    with pytest.raises(BadInputError) as caught:
        load_mapping(mapping)
    assert "products.fields.qty: a product has no such field" in caught.value.detail
    assert "products.fields: add quantity" in caught.value.detail
