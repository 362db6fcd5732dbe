"""No event does two steps of a sequence: what a sequence asks for again must have happened again."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from regulars.adapters.population.everybody import evaluate_table
from regulars.adapters.population.snapshot import schema_of, table_of
from regulars.domain.plan import plan_of_rules
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.evaluate import CompiledRule
from regulars.domain.rules.sql import Asked
from regulars.domain.rules.tree import parse_rule
from tests.rule_histories import Bought, Did, History
from tests.rule_samples import DAY, HOUR, NOON

TWO_ORDERS = {"sequence": [{"event": "orders"}, {"event": "orders"}], "span": "30d"}
THREE_VIEWS = {"sequence": [{"event": "Viewed"}] * 3, "span": "30d"}
RETURNED = {"sequence": [{"event": "Viewed"}, {"event": "Added"}, {"event": "Viewed"}]}
STORE_AFTERWARDS = {"sequence": [{"event": "orders"}, {"event": "orders", "where": {"channel": "store"}}]}
DEARER = {"sequence": [{"event": "Viewed"}, {"event": "Viewed", "where": {"price": {"at_least": 50}}}], "same": "sku"}


def bought(*days: float, channel: str = "online") -> History:
    """Orders, so many days ago."""
    orders = (Bought(NOON - ago * DAY, 1000, 0, channel, (), (), cancelled=False) for ago in days)
    return History("u_1", (), tuple(orders), {})


def did(*events: tuple[float, str]) -> History:
    """Events, so many hours ago, of one product that costs 60."""
    properties = {"sku": "a", "price": 60}
    return History("u_1", tuple(Did(NOON - ago * HOUR, name, properties) for ago, name in events), (), {})


@pytest.mark.parametrize(
    ("rule", "history", "expected"),
    [
        (TWO_ORDERS, bought(5), False),
        (TWO_ORDERS, bought(6, 5), True),
        (TWO_ORDERS, bought(5, 5), True),  # two of one instant, as from an import, are two
        (TWO_ORDERS, bought(100, 5), False),
        (THREE_VIEWS, did((3, "Viewed"), (2, "Viewed")), False),
        (THREE_VIEWS, did((3, "Viewed"), (2, "Viewed"), (2, "Viewed")), True),
        (RETURNED, did((3, "Viewed"), (2, "Added"), (1, "Viewed")), True),
        (RETURNED, did((2, "Viewed"), (2, "Added")), False),  # of one instant, so each way round
        (RETURNED, did((2, "Viewed"), (2, "Added"), (2, "Viewed")), True),
        (STORE_AFTERWARDS, bought(5, channel="store"), False),
        (STORE_AFTERWARDS, bought(6, 5, channel="store"), True),
        (DEARER, did((2, "Viewed")), False),
        (DEARER, did((3, "Viewed"), (2, "Viewed")), True),
    ],
)
def test_what_is_asked_for_again_has_happened_again(rule: Any, history: History, expected: bool) -> None:  # noqa: FBT001
    parsed = parse_rule(rule)
    view = history.view(plan_of_rules([parsed]), NOON)
    assert CompiledRule(parsed, Setting()).verdict(view, NOON) is expected
    questions = Asked((), [("it", parsed)], Setting())
    columns = questions.layout()
    with duckdb.connect(config={"threads": 1}) as database:
        table = table_of([view], columns, schema_of(columns))
        ((_, _, members),) = evaluate_table(table, questions, NOON, connection=database)
    assert ("it" in members) is expected
