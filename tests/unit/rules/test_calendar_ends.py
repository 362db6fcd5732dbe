"""Dates at either end of the calendar, which anybody may send: rules answer them as any other date, and so does SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from regulars.adapters.population.everybody import evaluate_table
from regulars.adapters.population.snapshot import schema_of, table_of
from regulars.domain.instants import EVER, FOREVER, earlier, in_zone, later
from regulars.domain.plan import FeaturePlan
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.sql import Asked
from regulars.domain.rules.tree import parse_rule
from regulars.domain.rules.windows import During, Window
from tests.rule_histories import Bought, History
from tests.rule_samples import DAY, NOON, FakeView, flips, holds, rule_of

LAST, FIRST = "9999-12-31", "0001-01-01"


@pytest.mark.parametrize(
    ("operator", "date", "expected"),
    [
        ("within_next", LAST, False), ("within_next", FIRST, False), ("after_next", LAST, True),
        ("after_next", FIRST, False), ("within_last", LAST, False), ("within_last", FIRST, False),
        ("before_last", LAST, False), ("before_last", FIRST, True),
    ],
)  # fmt: skip
def test_a_trait_at_an_end_of_the_calendar(operator: str, date: str, expected: bool) -> None:  # noqa: FBT001
    rule = {"field": "traits.renews_on", operator: "7d"}
    view = FakeView({"traits.renews_on": date})
    assert holds(rule, view) is expected
    questions = Asked((), [("it", parse_rule(rule))], Setting())
    columns = questions.layout()
    with duckdb.connect(config={"threads": 1}) as database:
        table = table_of([view], columns, schema_of(columns))
        ((_, _, members),) = evaluate_table(table, questions, NOON, connection=database)
    assert ("it" in members) is expected


def test_it_flips_when_its_time_comes_or_never() -> None:
    ends = FakeView({"traits.renews_on": LAST})
    assert flips({"field": "traits.renews_on", "within_next": "7d"}, ends) == datetime(9999, 12, 24, tzinfo=UTC)
    assert flips({"field": "traits.renews_on", "before_last": "7d"}, FakeView({"traits.renews_on": FIRST})) is None


@pytest.mark.parametrize("at", [FOREVER, EVER])
def test_time_gone_by_since_an_end_of_the_calendar(at: datetime) -> None:
    view = FakeView({"consent.email.at": at})
    assert holds({"since": "consent.email.at", "at_least": "7d"}, view) is (at == EVER)
    assert holds({"since": "consent.email.at", "below": "7d"}, view) is (at == FOREVER)


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")])
def test_an_order_of_the_first_day_has_its_place_in_every_calendar(zone: Any) -> None:
    ordered = Bought(EVER, 1_000, 0, "online", (), (), cancelled=False)
    view = History("u_old", (), (ordered, ordered), {}).view(FeaturePlan({}), NOON, zone)
    assert view.value("orders.weekday") == "monday"
    for during in During:
        begins, ends = Window(during=during).of_instant(EVER, zone)
        assert begins < ends < NOON
    assert rule_of({"count": "orders", "within": "30d", "below": 1}).verdict(view, NOON)


def test_a_span_ends_where_the_calendar_does() -> None:
    assert later(FOREVER - DAY, DAY) == FOREVER
    assert later(FOREVER, timedelta(milliseconds=1)) is FOREVER
    assert earlier(EVER + DAY, DAY) == EVER
    assert earlier(EVER, timedelta(milliseconds=1)) is EVER
    assert in_zone(EVER, ZoneInfo("America/New_York")).replace(tzinfo=UTC) == EVER
