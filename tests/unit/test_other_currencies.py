"""An order in another currency counts, and is in no figure of revenue: neither its amount nor as nothing."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from regulars.adapters.population.everybody import evaluate_table
from regulars.adapters.population.snapshot import schema_of, table_of
from regulars.domain.loading import load_program
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.sql import Asked
from regulars.domain.rules.tree import parse_rule
from tests.rule_samples import HOUR
from tests.world import World

REVENUE = "orders.revenue"
RULES: dict[str, tuple[dict[str, Any], bool]] = {
    "minimum": ({"min": REVENUE, "below": 20}, False),
    "average": ({"average": REVENUE, "between": [40, 40]}, True),
    "maximum": ({"max": REVENUE, "above": 60}, False),
    "sum": ({"sum": REVENUE, "within": "30d", "at_least": 80, "at_most": 80}, True),
    "first": ({"first": REVENUE, "between": [60, 60]}, True),
    "last": ({"last": REVENUE, "between": [20, 20]}, True),
    "distinct": ({"distinct": REVENUE, "equals": 2}, True),
    "average_in_store": ({"average": REVENUE, "where": {"channel": "store"}, "exists": False}, True),
    "value": ({"field": "orders.average_value", "between": [40, 40]}, True),
    "count": ({"count": "orders", "equals": 3}, True),
    "distinct_days": ({"distinct": "orders.channel", "equals": 2}, True),
}


@pytest.fixture(scope="module")
def shop() -> World:
    """60.00, 9.00 in another currency, then 20.00."""
    segments = [{"name": name, "rule": rule} for name, (rule, _) in RULES.items()]
    world = World(load_program({"p.yaml": {"currency": "USD", "segments": segments}}))
    foreign = {"currency": "EUR", "channel": "store"}
    for name, total, said in (("a", 6_000, {}), ("b", 900, foreign), ("c", 2_000, {})):
        world.send(world.order(name, total=total, said=said))
        world.advance(world.clock.now() + HOUR)
    return world


def test_it_counts_and_is_in_no_figure(shop: World) -> None:
    assert shop.segments() == {name for name, (_, expected) in RULES.items() if expected}


def test_neither_is_it_among_everybody(shop: World) -> None:
    questions = Asked((), [(name, parse_rule(rule)) for name, (rule, _) in RULES.items()], Setting())
    columns = questions.layout()
    with duckdb.connect(config={"threads": 1}) as database:
        table = table_of([shop.customer()], columns, schema_of(columns))
        ((_, _, members),) = evaluate_table(table, questions, shop.clock.now(), connection=database)
    assert members == {name for name, (_, expected) in RULES.items() if expected}


def test_only_orders_in_other_currencies_have_no_average() -> None:
    world = World(load_program({"p.yaml": {"currency": "USD", "segments": []}}))
    world.send(*(world.order(name, said={"currency": "EUR"}) for name in "bc"))
    assert world.customer().value("orders.average_value") is None
    assert len(world.customer().order_rows()) == 2
