"""Events are kept for 400 days: no verdict depends on whether somebody did something else since."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import pytest

from regulars.adapters.population.everybody import evaluate_table
from regulars.adapters.population.snapshot import schema_of, table_of
from regulars.domain.definitions import Definition, program_of
from regulars.domain.errors import BadInputError
from regulars.domain.plan import plan_of_rules
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.evaluate import CompiledRule
from regulars.domain.rules.sql import Asked
from regulars.domain.rules.tree import parse_rule
from tests.rule_histories import Did, History
from tests.rule_samples import DAY, NOON, TICK

MIDNIGHT = NOON - timedelta(hours=12)
DATES = {"from": "2026-11-01", "to": "2026-12-31"}
RULES = [
    {"count": "Viewed", "during": DATES, "at_least": 1},
    {"sum": "events.Viewed.price", "during": DATES, "at_least": 1},
    {"last": "events.Viewed.price", "during": {"from": "2026-11-01"}, "at_least": 1},
]


@pytest.mark.parametrize("data", RULES, ids=str)
@pytest.mark.parametrize("again", [False, True])
def test_an_event_counts_between_dates_while_it_is_kept(data: Any, again: bool) -> None:  # noqa: FBT001
    """Whether or not the same was done again long after."""
    rule = parse_rule(data)
    long_after = MIDNIGHT + 402 * DAY
    times = [NOON, long_after] if again and "to" in data["during"] else [NOON]
    history = History("u_1", tuple(Did(at, "Viewed", {"price": 2}) for at in times), (), {})
    view = history.view(plan_of_rules([rule]), long_after)
    single, end = CompiledRule(rule, Setting()), MIDNIGHT + 401 * DAY
    questions = Asked((), [("it", rule)], Setting())
    columns = questions.layout()
    with duckdb.connect(config={"threads": 1}) as database:
        table = table_of([view], columns, schema_of(columns))
        for then, expected in ((long_after, False), (end, False), (end - TICK, not again or len(times) == 1)):
            ((_, _, members),) = evaluate_table(table, questions, then, connection=database)
            assert (single.verdict(view, then), "it" in members) == (expected, expected)
    if len(times) == 1:
        assert single.next_flip(view, NOON) == end


def put(rule: dict[str, Any]) -> None:
    definition = Definition("vip", 1, NOON, "ann", {"rule": rule})
    program_of({"a.yaml": {"currency": "EUR"}}, {"vip": definition})


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"count": "Viewed", "during": {"from": "2025-10-01"}, "at_least": 1}, "rule"),
        ({"all": [{"not": {"count": "Viewed", "during": {"from": "2025-10-01"}, "at_least": 1}}]}, "rule.all.0.not"),
    ],
)
def test_dates_of_which_not_all_is_known_are_refused_where_they_are_put(rule: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInputError, match=f"definition vip: {place}.during.from: events are kept .* 2025-10-19 or"):
        put(rule)


def test_other_dates_are_taken() -> None:
    put({"count": "Viewed", "during": {"from": "2025-10-19"}, "at_least": 1})
    put({"count": "orders", "during": {"from": "2001-01-01"}, "at_least": 1})
    put({"count": "orders", "older_than": "14d", "at_least": 1})
