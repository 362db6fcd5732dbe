"""One customer with a rich history, and a rule for each way in which time decides; to be held against each other at
every instant at which anything may change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.rule_histories import Bought, Did, History

_VIEWED, _ADDED = "Product Viewed", "Product Added"


def _at(day: int, hour: int) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


RICH = History(
    "u_rich",
    (
        Did(_at(10, 9), _VIEWED, {"price": 5, "category": "Shoes", "product_id": "p"}),
        Did(_at(18, 9), _VIEWED, {"price": 20, "category": "Dresses", "product_id": "p"}),
        Did(_at(18, 12), _ADDED, {"product_id": "p", "price": 20}),
        Did(_at(18, 12), _VIEWED, {"price": 33.333, "category": "Shoes", "product_id": "q"}),
        Did(_at(20, 12), _ADDED, {"product_id": "q", "price": 33.333}),
        Did(_at(21, 12), _VIEWED, {"price": 19.99, "category": "Dresses", "product_id": "q"}),
    ),
    (
        Bought(_at(1, 0), 2_000, 0, "online", (), ("Dresses",), cancelled=False),
        Bought(_at(15, 6), 1_000, 0, "store", ("TEN",), ("Shoes",), cancelled=False),
        Bought(_at(20, 18), 500, 0, "online", (), ("Dresses", "Shoes"), cancelled=False),
        Bought(_at(21, 0), 9_000, 0, "online", (), (), cancelled=True),
    ),
    {},
)
_MANY: list[dict[str, Any]] = [{"at_least": 1}, {"at_least": 2}, {"equals": 1}, {"not_equals": 2}]
EDGE_RULES: list[dict[str, Any]] = [
    *({"count": "orders", "within": "10d", **many} for many in _MANY),
    *({"count": _VIEWED, "within": "3d", **many} for many in _MANY),
    {"count": "orders", "within": "30d", "older_than": "3d", "at_least": 2},
    {"count": _VIEWED, "within": "30d", "older_than": "3d", "at_least": 2},
    {"count": "orders", "during": "last_week", "at_least": 2},
    {"count": _VIEWED, "during": "last_month", "at_least": 2},
    {"sum": "orders.revenue", "within": "10d", "at_least": 15},
    {"average": "orders.revenue", "within": "10d", "between": [5, 9]},
    {"min": "orders.revenue", "older_than": "3d", "at_most": 10},
    {"max": "orders.revenue", "within": "10d", "at_least": 10},
    {"first": "orders.channel", "within": "10d", "equals": "store"},
    {"last": "orders.category", "older_than": "3d", "equals": "Shoes"},
    {"distinct": "orders.category", "within": "10d", "at_least": 2},
    {"sum": f"events.{_VIEWED}.price", "within": "3d", "above": 20},
    {"average": f"events.{_VIEWED}.price", "within": "10d", "below": 20},
    {"min": f"events.{_VIEWED}.price", "within": "3d", "above": 19.99},
    {"last": f"events.{_VIEWED}.category", "within": "1d", "equals": "Dresses"},
    {"distinct": f"events.{_VIEWED}.category", "within": "3d", "at_least": 2},
    {"first": f"events.{_VIEWED}.category", "within": "3d", "equals": "Shoes"},
    {"last": f"events.{_VIEWED}.category", "within": "10d", "older_than": "3d", "equals": "Shoes"},
    {"last": f"events.{_VIEWED}.price", "during": "last_week", "above": 20},
    {"distinct": f"events.{_VIEWED}.category", "within": "30d", "older_than": "1d", "at_least": 2},
    {"sequence": [{"event": _VIEWED}, {"event": _ADDED}], "same": "product_id", "within": "3d", "span": "10d"},
    {"sequence": [{"event": _ADDED}, {"event": _VIEWED}], "within": "10d", "span": "12h"},
    {"sequence": [{"event": _ADDED}], "without": {"event": "orders", "within": "1d"}, "within": "10d"},
    {"sequence": [{"event": _ADDED}], "without": {"event": _VIEWED, "within": "1d"}, "within": "10d"},
]
