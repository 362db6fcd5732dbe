"""What the language refuses, and how it says so."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from regulars.domain.errors import BadInputError
from regulars.domain.instants import iso
from regulars.domain.rules.fields import FIELDS, OPERATORS, Kind
from regulars.domain.rules.nodes import MAX_CHILDREN
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.tree import parse_rule


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"field": "orders.cuont", "at_least": 5}, "rule.field: there is no field of that name; did you mean"),
        ({"field": "orders.count"}, "rule: needs an operator, such as at_least"),
        ({"field": "orders.count", "at_least": "5"}, "rule.at_least: must be a whole number from 0"),
        ({"field": "orders.count", "at_least": True}, "rule.at_least: must be a whole number from 0"),
        ({"field": "orders.count", "at_least": None}, "rule.at_least: must be a whole number from 0"),
        ({"field": "orders.count", "contains": "5"}, "rule.contains: contains does not fit orders.count"),
        ({"field": "orders.count", "at_laest": 5}, "rule.at_laest: not known here; remove it or correct its spelling"),
        ({"field": "orders.count", "in": []}, "rule.in: must be a list of 1 to 100 values"),
        ({"field": "orders.revenue", "above": "1.999"}, "rule.above: the amount has more than 2 decimals for EUR"),
        ({"field": "orders.revenue", "above": "nan"}, "rule.above: the amount must be a plain decimal number"),
        ({"field": "orders.revenue", "above": -1}, "rule.above: must not be negative"),
        ({"field": "orders.revenue", "above": [1]}, "rule.above: must be an amount in EUR"),
        ({"field": "cart.open", "equals": "yes"}, "rule.equals: must be true or false"),
        ({"field": "consent.email", "equals": "maybe"}, "rule.equals: must be one of denied, granted"),
        ({"field": "churn_band", "equals": "hihg"}, "rule.equals: must be one of high, low"),
        ({"field": "first_seen", "before": "soon"}, "rule.before: must be a date or an instant"),
        ({"field": "first_seen", "before": 5}, "rule.before: must be a date or an instant"),
        ({"field": "traits.tags", "equals": ["a"]}, "rule.equals: must be true, false, a number or a text"),
        ({"field": "traits.no.dots", "equals": 1}, "rule.field: there is no field of that name"),
        ({"field": ["orders.count"], "equals": 1}, "rule.field: should be a valid string"),
        ({"count": "orders", "within": "30", "at_least": 1}, "rule.within: must be a duration"),
        ({"count": "orders", "within": None, "at_least": 1}, "rule.within: must be a duration"),
        ({"count": "orders", "within": "0d", "at_least": 1}, "rule.within: must be longer than nothing"),
        ({"count": "orders", "within": "9999w", "at_least": 1}, "rule.within: must be longer than nothing and at most"),
        ({"count": "Product Viewed", "within": "36h", "at_least": 1}, "rule.within: events are counted by the day"),
        ({"count": "Product Viewed", "within": "500d", "at_least": 1}, "rule.within: events are counted by the day"),
        ({"sum": "cart.value", "at_least": 1}, "rule.sum: there is no such measure; there are orders.revenue"),
        ({"sum": "orders.revenue", "at_least": {"parameter": "x"}}, "rule.at_least: there is no parameter x"),
        ({"count": "orders", "at_least": {"parameter": "spend"}}, "rule.at_least: parameter spend is not of this kind"),
        ({"since": "orders.count", "at_least": "1d"}, "rule.since: must be a field that is an instant"),
        ({"since": "orders.last_at", "below": None}, "rule.below: must be a duration"),
        (
            {"since": "orders.last_at", "below": {"times": 2, "of": "orders.average_gap", "min": "9d", "max": "3d"}},
            "rule.below: max must not be shorter than min",
        ),
        (
            {"since": "orders.last_at", "below": {"times": 0, "of": "orders.count", "min": "9d"}},
            "rule.below.times: should be greater than 0; rule.below.of: must be a field that is a duration",
        ),
        (
            {"since": "orders.last_at", "below": {"times": 2, "of": "orders.average_gap", "min": "9d"}},
            "rule.below.max: missing; add it",
        ),
        ({"count": "orders", "atleast": 1}, "correct its spelling: did you mean at_least?"),
        ({"count": "orders", "witin": "3d", "above": 1}, "correct its spelling: did you mean within?"),
        (
            {"count": "A", "where": {"price": {"atleast": 5}}, "at_least": 1},
            "rule.where.price.atleast: not known here; remove it or correct its spelling: did you mean at_least?",
        ),
        ({"sum": "orders.revenue", "at_least": 500, 50: None}, "rule.50: not known here; remove it or cor"),
        ({"field": "orders.count", "equals": "5"}, "from 0 to 1000000000, without quotes"),
        ({"field": "geo.country", "equals": False}, "rule.equals: must be a text of 1 to 200 characters; put it in"),
        ({"field": "geo.city", "in": [10115]}, "rule.in: must be a text of 1 to 200 characters; put it in quotes"),
        ({"count": "orders", "during": "last_quarter", "above": 1}, "rule.during: must be one of today, yesterday"),
        ({"count": "orders", "during": 5, "above": 1}, "rule.during: must be one of today, yesterday, this_week"),
        ({"count": "orders", "during": {"from": "x"}, "above": 1}, "rule.during.from: must be a date or an instant"),
        ({"random": "a", "below": "10%"}, "to 100 with at most two decimals and no sign, such as 10"),
        ({"random": "a", "below": 0.001}, "rule.below: must be a percentage from 0 to 100 with at most two decimals"),
        ({"random": "a", "below": True}, "rule.below: must be a percentage"),
        ({"random": "a", "below": 0}, "rule.below: must be more than 0 percent"),
        ({"sequence": [], "within": "3d"}, "rule.sequence: must be a list of 1 to 6 steps"),
        ({"field": "orders.count", "at_least": 5, "below": 3}, "rule: has at_least and below: nothing can be both"),
        ({"field": "orders.count", "above": 5, "at_most": 5}, "rule: has above and at_most: nothing can be both"),
        ({"count": "orders", "equals": 5, "between": [1, 4]}, "rule: has equals and between: nothing can be both"),
        ({"since": "orders.last_at", "at_least": "3d", "below": "72h"}, "has at_least and below: nothing can be"),
        ({"field": "first_seen", "after": "2026-02-01", "before": "2026-01-01"}, "rule: has after and before: nothing"),
        ({"field": "traits.age", "at_least": "b", "equals": "a"}, "rule: has at_least and equals: nothing can be both"),
        ({"all": []}, "rule.all: must be a list of 1 to 50 rules"),
        ({"any": {"field": "cart.open", "equals": True}}, "rule.any: must be a list of 1 to 50 rules"),
        ({"all": [{"not": {"zork": 1}}]}, "rule.all.0.not: must be a mapping with exactly one of all, any, not, field"),
        ({"all": [], "any": []}, "rule: must be a mapping with exactly one of"),
        ("orders.count > 5", "rule: must be a mapping with exactly one of"),
        (None, "rule: must be a mapping with exactly one of"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_path_and_what_would_fit(data: Any, problem: str) -> None:
    context = RuleContext(parameters={"spend": Kind.MONEY}, churn_bands=frozenset({"low", "high"}))
    with pytest.raises(BadInputError) as raised:
        parse_rule(data, context=context)
    assert raised.value.code == "bad_rule"
    assert problem in raised.value.detail


@pytest.mark.parametrize(
    "data",
    [
        {"field": "orders.count", "at_least": 5, "at_most": 5},
        {"field": "orders.count", "between": [1, 5], "above": 4},
        {"field": "orders.count", "at_least": 5, "not_equals": 3},
        {"field": "orders.revenue", "at_least": {"parameter": "spend"}, "below": 0},
        {"field": "traits.age", "at_least": 5, "below": "3"},
        {"field": "traits.vip", "equals": True, "below": 0},
        {"since": "orders.last_at", "at_least": "9d",
         "below": {"times": 2, "of": "orders.average_gap", "min": "3d", "max": "5d"}},
        {"count": "orders", "where": {"products.price": {"at_least": 50, "below": 20}}, "above": 0},
    ],
)  # fmt: skip
def test_what_something_may_be_at_once_is_no_mistake(data: Any) -> None:
    """Values of several products, of other types than the operand's, or known of no customer yet among them."""
    assert parse_rule(data, context=RuleContext(parameters={"spend": Kind.MONEY}))


def test_one_mistake_is_told_once() -> None:
    for data in (
        {"sequence": [{"event": "Product Viewed", "orders": 1}], "within": "3d"},
        {"count": "orders", "during": "last_quarter", "above": 1},
        {"count": "orders", "during": {"from": "2026-02-01", "to": "2026-01-01"}, "above": 1},
    ):
        with pytest.raises(BadInputError) as raised:
            parse_rule(data)
        assert raised.value.detail.count("rule") == 1
        assert "[" not in raised.value.detail


def test_a_date_in_a_file_is_the_text_that_it_is_in_a_definition() -> None:
    day, moment = date(2026, 1, 1), datetime(2026, 2, 1, 18, tzinfo=UTC)
    for written, texts in (
        ({"field": "traits.born", "between": [day, moment]},
         {"field": "traits.born", "between": ["2026-01-01", "2026-02-01T18:00:00+00:00"]}),
        ({"count": "orders", "where": {"created": day}, "above": 0},
         {"count": "orders", "where": {"created": "2026-01-01"}, "above": 0}),
    ):  # fmt: skip
        assert parse_rule(written) == parse_rule(texts)


def test_dates_of_a_window_are_days_of_the_programs_calendar_and_of_events_utc_days() -> None:
    said = {"from": "2026-11-27", "to": date(2026, 12, 1)}
    berlin = RuleContext(zone=ZoneInfo("Europe/Berlin"))

    def during(what: str, dates: dict[str, Any], context: RuleContext = berlin) -> list[str]:
        window = cast("Any", parse_rule({"count": what, "during": dates, "above": 0}, context=context)).during
        return [iso(window.from_), iso(window.to)]

    assert during("orders", said) == ["2026-11-26T23:00:00.000Z", "2026-11-30T23:00:00.000Z"]
    assert during("orders", said, RuleContext()) == ["2026-11-27T00:00:00.000Z", "2026-12-01T00:00:00.000Z"]
    assert during("Page Viewed", said) == ["2026-11-27T00:00:00.000Z", "2026-12-01T00:00:00.000Z"]
    told = {"from": "2026-07-01T08:00:00", "to": "2026-07-01T08:00:00+00:00"}
    assert during("orders", told) == ["2026-07-01T06:00:00.000Z", "2026-07-01T08:00:00.000Z"]
    assert during("orders", {"from": "0001-01-01", "to": "9999-12-31"})[0] == "0001-01-01T00:00:00.000Z"


def test_all_mistakes_are_named_at_once() -> None:
    data = {"all": [{"field": "orders.cuont", "at_least": 5}, {"count": "orders", "within": "x", "at_least": -1}]}
    with pytest.raises(BadInputError) as raised:
        parse_rule(data)
    paths = [problem.partition(":")[0] for problem in raised.value.detail.split("; rule")]
    assert paths == ["rule.all.0.field", ".all.1.within", ".all.1.at_least"]


def test_a_rule_nested_too_deeply_is_refused_without_recursion() -> None:
    data: Any = {"field": "cart.open", "equals": True}
    for _ in range(5000):
        data = {"not": data}
    with pytest.raises(BadInputError, match="nested too deeply"):
        parse_rule(data)


def test_data_that_contains_itself_is_refused() -> None:
    data: dict[str, Any] = {"all": []}
    data["all"] += [data, data]
    with pytest.raises(BadInputError, match="too"):
        parse_rule(data)


def test_a_rule_with_too_many_parts_is_refused() -> None:
    leaf = {"field": "cart.open", "equals": True}
    with pytest.raises(BadInputError, match="too large"):
        parse_rule({"all": [{"any": [leaf] * MAX_CHILDREN}] * MAX_CHILDREN})
    with pytest.raises(BadInputError, match="must be a list of 1 to 50 rules"):
        parse_rule({"all": [leaf] * (MAX_CHILDREN + 1)})


@pytest.mark.parametrize(
    "data",
    [
        {"field": "orders.count", "at_least": {"parameter": "\ud800"}},
        {"field": "traits.\udfff", "equals": 1},
        {"field": "orders.count", "at_least": 1, "a\ud83d": 1},
    ],
)
def test_half_a_character_is_refused(data: Any) -> None:
    with pytest.raises(BadInputError, match="half a character"):
        parse_rule(data)


def test_every_kind_of_field_has_operators() -> None:
    of_events = {Kind.TRAIT, Kind.PROPERTY, Kind.DECIMAL}
    assert set(FIELDS.values()) | of_events == set(OPERATORS)


def test_a_parsed_rule_can_be_compared_and_used_as_a_key() -> None:
    data = {"all": [{"field": "orders.count", "in": [1, 2]}, {"since": "orders.last_at", "below": "30d"}]}
    assert len({parse_rule(data), parse_rule(data)}) == 1


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"field": "traits.x", "equals": float("inf")}, "finite"),
        ({"field": "traits.x", "not_equals": float("nan")}, "finite"),
        ({"field": "traits.x", "in": [1, 2**53 + 1]}, "put it in quotes"),
        ({"sum": "events.Product Viewed.price", "within": "7d", "at_least": 0.0001}, "three decimals"),
    ],
)
def test_what_no_reader_would_keep_is_no_operand(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        parse_rule(rule)
