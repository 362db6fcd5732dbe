"""Bulk import: whole customers, straight into the lake, as often as one likes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regulars.adapters.memory.lake import MemoryEventLog
from regulars.application.import_orders import CustomerHistory, import_orders
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.instants import to_millis
from tests.lake_samples import NOON, an_event


def an_order(number: int, **changes: Any) -> dict[str, Any]:
    placed = to_millis(NOON - timedelta(days=number))
    order = {
        "order_id": str(number),
        "version": placed,
        "status": "fulfilled",
        "placed_at": placed,
        "currency": "USD",
        "total_minor": 1234,
        "refunded_minor": 0,
        "coupons": [],
        "channel": "store",
        "products": [{"product_id": "1", "name": "Oats", "quantity": 2, "price_minor": 617}],
    }
    return {**order, **changes}


def histories() -> list[CustomerHistory]:
    return [
        CustomerHistory(
            f"u{customer}", [an_order(customer * 10 + n) for n in range(3)], traits={"email": "a@example.com"}
        )
        for customer in range(4)
    ]


def run(log: MemoryEventLog, given: list[CustomerHistory], **options: Any) -> Any:
    return import_orders(given, source="shop", received_at=NOON, log=log, **options)


def events_of(log: MemoryEventLog) -> list[Event]:
    return [event for key in list(log.keys()) for event in log.read(key)]


def test_no_customer_is_spread_over_two_objects() -> None:
    log = MemoryEventLog()
    report = run(log, histories(), orders_per_object=4)
    customers = [{event.user_id for event in log.read(key)} for key in report.keys]
    assert [len(users) for users in customers] == [2, 2]
    assert set.intersection(*customers) == set()
    assert (report.customers, report.orders, report.events, report.bad_rows) == (4, 12, 12, 0)


def test_the_caller_hears_of_progress() -> None:
    heard: list[int] = []
    run(MemoryEventLog(), histories(), orders_per_object=4, on_written=heard.append)
    assert heard == [6, 6]


def test_the_same_import_again_changes_nothing() -> None:
    log = MemoryEventLog()
    first = run(log, histories())
    before = dict(log.objects)
    assert run(log, histories()) == first
    assert log.objects == before


def test_an_imported_order_is_the_event_that_its_webhook_would_have_made() -> None:
    log = MemoryEventLog()
    order = an_order(5, version=7)
    run(log, [CustomerHistory("u1", [order])])
    (event,) = events_of(log)
    assert event.event_id == event_id_of("shop", "5:7")
    assert (event.type, event.trust, event.user_id) == (EventType.ORDER, Trust.IMPORTED, "u1")
    assert (event.timestamp, event.received_at) == (NOON - timedelta(days=5), NOON)
    assert event.properties == order


def test_what_the_shop_knows_of_a_customer_goes_on_the_newest_order_only() -> None:
    log = MemoryEventLog()
    run(log, [CustomerHistory("u1", [an_order(9), an_order(2), an_order(5)], traits={"email": "a@example.com"})])
    assert [event.properties["order_id"] for event in events_of(log) if event.traits] == ["2"]


def test_other_events_of_a_customer_land_beside_the_orders() -> None:
    log = MemoryEventLog()
    consent = an_event(1, trust=Trust.IMPORTED, user_id="u1", received_at=NOON)
    report = run(log, [CustomerHistory("u1", [an_order(1)], [consent])])
    assert consent in events_of(log)
    assert (report.orders, report.events) == (1, 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"order_id": ""}, "bad_order"),
        ({"order_id": 7}, "bad_order"),
        ({"order_id": "x" * 256}, "bad_order"),
        ({"currency": "XYZ"}, "unknown_currency"),
        ({"currency": None}, "unknown_currency"),
        ({"total_minor": -1}, "bad_order"),
        ({"total_minor": 12.5}, "bad_order"),
        ({"total_minor": "12"}, "bad_order"),
        ({"total_minor": 10**16}, "bad_order"),
        ({"refunded_minor": 9999}, "bad_order"),
        ({"version": True}, "bad_order"),
        ({"placed_at": to_millis(NOON) + 1}, "bad_order"),
        ({"placed_at": None}, "bad_order"),
        ({"status": None}, "bad_order"),
    ],
)
def test_a_bad_order_becomes_a_bad_row_and_the_others_are_imported(change: dict[str, Any], code: str) -> None:
    log = MemoryEventLog()
    report = run(log, [CustomerHistory("u1", [an_order(1, **change), an_order(2)])])
    (row,) = [row for key in log.bad_keys() for row in log.read_bad(key)]
    assert (row.stage, row.code, row.source) == ("import_orders", code, "shop")
    assert [event.properties["order_id"] for event in events_of(log)] == ["2"]
    assert (report.orders, report.bad_rows) == (1, 1)


def test_an_order_with_several_faults_is_still_one_bad_row() -> None:
    log = MemoryEventLog()
    report = run(log, [CustomerHistory("u1", [an_order(1, total_minor="x", refunded_minor=5)])])
    assert (report.orders, report.bad_rows) == (0, 1)
