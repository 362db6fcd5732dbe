"""What rules can ask beyond counts and sums: verdicts, and when they change by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from regulars.domain.instants import day_number, day_start, to_millis
from regulars.domain.plan import plan_of_rules
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.features import Feature, mark_of
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.requirements import required
from regulars.domain.rules.tree import parse_rule
from regulars.domain.rules.view import OrderRow
from regulars.domain.rules.where import Conditions
from regulars.domain.tallies import DailyTold, DailyValues, Instants, Told, Total, Totals, Values
from tests.rule_histories import Did, History
from tests.rule_samples import DAY, HOUR, NOON, TICK, FakeView, flips, holds, ordered, rule_of

TODAY = day_number(NOON)


def key_of(rule: Any) -> str:
    """Of the one feature that a rule needs."""
    (feature,) = (need for need in required(parse_rule(rule)) if isinstance(need, Feature))
    return feature.key


def marked(rule: Any, *rows: OrderRow) -> FakeView:
    """A customer whose orders, these, have the mark that the rule looks for, and others that have not."""
    where: Conditions = next(need for need in required(parse_rule(rule)) if not isinstance(need, Feature))
    return FakeView(rows={None: [*rows, OrderRow(NOON - DAY, 99, "online", ())], mark_of(where): rows})


@pytest.mark.parametrize(
    ("rule", "until"),
    [
        ({"count": "orders", "within": "28d", "older_than": "14d", "at_least": 1}, NOON + 8 * DAY),
        ({"count": "orders", "within": "28d", "older_than": "14d", "not_equals": 0}, NOON + 8 * DAY),
        ({"count": "orders", "older_than": "20d", "at_least": 1}, None),
        ({"average": "orders.revenue", "within": "30d", "between": [9, 11]}, NOON + 10 * DAY),
        ({"max": "orders.revenue", "within": "30d", "at_least": 10}, NOON + 10 * DAY),
        ({"min": "orders.revenue", "within": "5d", "exists": False}, None),
        ({"distinct": "orders.day", "within": "30d", "equals": 1}, NOON + 10 * DAY),
        ({"last": "orders.channel", "equals": "online"}, None),
    ],
)
def test_orders_in_a_window(rule: Any, until: datetime | None) -> None:
    """One order, 20 days ago, of 10.00."""
    view = ordered(20)
    assert holds(rule, view)
    assert flips(rule, view) == until
    if until is not None:
        assert holds(rule, view, at=until - TICK)
        assert not holds(rule, view, at=until)


def test_what_is_too_young_counts_from_its_time_on() -> None:
    rule = {"count": "orders", "older_than": "14d", "at_least": 1}
    assert not holds(rule, ordered(10))
    assert flips(rule, ordered(10)) == NOON + 4 * DAY


@pytest.mark.parametrize(
    ("during", "at", "expected"),
    [
        ("this_month", datetime(2026, 11, 30, 22, 59, tzinfo=UTC), True),
        ("this_month", datetime(2026, 11, 30, 23, tzinfo=UTC), False),
        ("last_month", datetime(2026, 11, 30, 23, tzinfo=UTC), True),
        ("last_month", datetime(2026, 12, 31, 23, tzinfo=UTC), False),
        ("today", datetime(2026, 11, 1, 22, tzinfo=UTC), True),
        ("yesterday", datetime(2026, 11, 1, 23, tzinfo=UTC), True),
        ("this_week", datetime(2026, 11, 1, 23, tzinfo=UTC), False),
        ("last_week", datetime(2026, 11, 1, 23, tzinfo=UTC), True),
        ("this_year", datetime(2026, 12, 31, 22, tzinfo=UTC), True),
        ("last_year", datetime(2026, 12, 31, 23, tzinfo=UTC), True),
    ],
)
def test_the_calendar_is_the_shops_own(during: str, at: datetime, expected: bool) -> None:  # noqa: FBT001
    """An order on Sunday, 1 November 2026, a quarter past midnight in Berlin: still October in UTC."""
    view = FakeView(orders=[(datetime(2026, 10, 31, 23, 15, tzinfo=UTC), 1000)])
    berlin = Setting(zone=ZoneInfo("Europe/Berlin"))
    assert holds({"count": "orders", "during": during, "at_least": 1}, view, at=at, setting=berlin) is expected


def test_between_dates() -> None:
    rule = {"count": "orders", "during": {"from": "2026-11-01", "to": "2026-11-10"}, "at_least": 1}
    assert holds(rule, FakeView(orders=[(datetime(2026, 11, 1, tzinfo=UTC), 1)]))
    assert not holds(rule, FakeView(orders=[(datetime(2026, 11, 10, tzinfo=UTC), 1)]))
    assert flips(rule, ordered(1)) is None


def test_orders_that_are_as_asked() -> None:
    rule = {"count": "orders", "where": {"channel": "store"}, "within": "30d", "equals": 1}
    view = marked(rule, OrderRow(NOON - 2 * DAY, 500, "store", ()))
    assert holds(rule, view)
    assert flips(rule, view) == NOON + 28 * DAY
    spent = {"sum": "orders.revenue", "where": {"channel": "store"}, "at_least": 5, "below": 6}
    assert holds(spent, view)


def test_numbers_of_events() -> None:
    rule = {"average": "events.Product Viewed.price", "within": "7d", "above": 20}
    days = {TODAY - 9: Total(1, 900_000, 900_000, 900_000), TODAY - 1: Total(2, 50_000, 20_000, 30_000)}
    view = FakeView(tallies={key_of(rule): Totals(Total(3, 950_000, 20_000, 900_000), days)})
    assert holds(rule, view)
    assert flips(rule, view) == day_start(TODAY + 7)
    assert holds({**rule, "average": "events.Product Viewed.price"} | {"above": 24.9, "below": 25.1}, view)


def test_different_values_and_the_last_one() -> None:
    rule = {"distinct": "events.Product Viewed.category", "within": "7d", "at_least": 2}
    view = FakeView(tallies={key_of(rule): Values({"a": TODAY - 20, "b": TODAY - 3, "c": TODAY})})
    assert holds(rule, view)
    assert flips(rule, view) == day_start(TODAY + 5)
    last = {"last": "events.Product Viewed.category", "in": ["Dresses", "Shoes"]}
    told = Told(to_millis(NOON - DAY), "Dresses", first=False)
    assert holds(last, FakeView(tallies={key_of(last): told}))
    assert not holds(last, FakeView())


def test_dates_in_traits_are_compared_with_one_another() -> None:
    rule = {"field": "traits.renews_on", "before": {"field": "traits.ends_on"}}
    for first, second, expected in (("2026-11-01", "2026-12-01", True), ("2026-12-01", "2026-11-01", False)):
        assert holds(rule, FakeView({"traits.renews_on": first, "traits.ends_on": second})) is expected
    assert not holds(rule, FakeView({"traits.renews_on": "2026-11-01", "traits.ends_on": "never"}))


def test_texts_of_a_window_that_has_passed() -> None:
    """What was looked at first and last the week before last, and how many kinds of it."""
    back = {"within": "14d", "older_than": "7d"}
    for figure, until in (("last", TODAY + 5), ("first", TODAY + 6)):
        rule = {figure: "events.Product Viewed.category", **back, "equals": "Dresses"}
        told = {
            TODAY - age: Told(to_millis(NOON - age * DAY), text, first=figure == "first")
            for age, text in ((20, "Hats"), (9, "Dresses"), (2, "Shoes"))
        }
        view = FakeView(tallies={key_of(rule): DailyTold(told)})
        assert holds(rule, view)
        assert flips(rule, view) == day_start(until)  # Shoes are a week old; two weeks are over
    different: Any = {"distinct": "events.Product Viewed.category", **back, "at_least": 2}
    seen = DailyValues({TODAY - 20: ("a",), TODAY - 10: ("a", "b"), TODAY: ("c",)})
    view = FakeView(tallies={key_of(different): seen})
    assert holds(different, view)
    assert flips(different, view) == day_start(TODAY + 5)


def test_the_first_ever_and_the_last_of_all_need_no_days() -> None:
    ever = {"first": "events.Product Viewed.category", "equals": "x"}
    assert key_of(ever) != key_of({**ever, "within": "9d"})
    lately = {"last": "events.Product Viewed.category", "equals": "x"}
    assert key_of(lately) == key_of({**lately, "within": "9d"}) == key_of({**lately, "during": "this_week"})
    assert key_of(lately) != key_of({**lately, "during": "last_week"})


BROWSED = {"sequence": [{"event": "Product Viewed"}, {"event": "Product Added"}], "same": "product_id", "span": "2h"}


def browsing(rule: Any, *instants: tuple[tuple[float, str], ...]) -> FakeView:
    """For each step, how many hours ago it was, and with what in common."""
    features = [need for need in required(parse_rule(rule)) if isinstance(need, Feature)]
    found = zip(features, instants, strict=True)
    return FakeView(
        tallies={
            feature.key: Instants(tuple(sorted((to_millis(NOON - ago * HOUR), same) for ago, same in step)))
            for feature, step in found
        }
    )


@pytest.mark.parametrize(
    ("viewed", "added", "expected"),
    [
        ([(3, "p")], [(2, "p")], True),
        ([(3, "p")], [(2, "q")], False),
        ([(2, "p")], [(3, "p")], False),
        ([(6, "p")], [(2, "p")], False),
        ([(6, "p"), (3, "p")], [(2, "p")], True),
    ],
    ids=["in order", "another product", "the other way round", "too slow", "the second time"],
)
def test_one_thing_after_the_other(viewed: Any, added: Any, expected: bool) -> None:  # noqa: FBT001
    assert holds(BROWSED, browsing(BROWSED, tuple(viewed), tuple(added))) is expected


def test_what_must_not_follow_is_waited_for() -> None:
    rule = BROWSED | {"without": {"event": "Order Completed", "within": "3h"}, "same": "cart_id", "within": "1d"}
    left = browsing(rule, ((2.5, "c"),), ((2, "c"),), ())
    assert not holds(rule, left)
    assert flips(rule, left) == NOON + HOUR
    assert holds(rule, left, at=NOON + HOUR)
    assert flips(rule, left, at=NOON + HOUR) == NOON - 2 * HOUR + DAY
    assert not holds(rule, browsing(rule, ((2.5, "c"),), ((2, "c"),), ((1, "c"),)), at=NOON + HOUR)


@pytest.mark.parametrize(
    ("operator", "at", "expected"),
    [
        ("within_next", NOON, True),
        ("within_next", NOON - DAY, False),
        ("after_next", NOON - 9 * DAY, True),
        ("within_last", datetime(2026, 11, 25, tzinfo=UTC), True),
        ("within_last", datetime(2026, 12, 5, tzinfo=UTC), False),
        ("before_last", datetime(2026, 12, 5, tzinfo=UTC), True),
    ],
)
def test_dates_that_are_traits(operator: str, at: datetime, expected: bool) -> None:  # noqa: FBT001
    view = FakeView({"traits.renews_on": "2026-11-25"})
    rule = {"field": "traits.renews_on", operator: "3d"}
    assert holds(rule, view, at=at) is expected
    assert not holds(rule, FakeView({"traits.renews_on": "next week"}), at=at)


def test_a_date_flips_by_itself() -> None:
    view = FakeView({"traits.renews_on": "2026-11-25"})
    assert flips({"field": "traits.renews_on", "within_next": "3d"}, view) == datetime(2026, 11, 25, tzinfo=UTC)


def test_one_field_beside_another() -> None:
    rule = {"field": "orders.last_at", "after": {"field": "survey.nps.at"}}
    assert holds(rule, FakeView({"survey.nps.at": NOON - 3 * DAY}, orders=[(NOON - DAY, 1)]))
    assert not holds(rule, FakeView({"survey.nps.at": NOON}, orders=[(NOON - DAY, 1)]))
    assert not holds(rule, FakeView(orders=[(NOON - DAY, 1)]))


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ({"starts_with": "Ann"}, True),
        ({"ends_with": "son"}, True),
        ({"like": "A*d?rson"}, True),
        ({"like": "a*d?rson"}, False),
        ({"like": "A?d?rson"}, False),
        ({"like": "Ann*[son"}, False),
        ({"like": "Ann* And*"}, True),
        ({"contains_any": ["Bob", "And"]}, True),
        ({"not_contains": "Bob"}, True),
        ({"between": ["A", "B"]}, True),
    ],
)
def test_texts(operators: Any, expected: bool) -> None:  # noqa: FBT001
    assert holds({"field": "traits.name", **operators}, FakeView({"traits.name": "Ann Anderson"})) is expected


def test_a_segment_in_a_segment() -> None:
    recent = parse_rule({"count": "orders", "within": "30d", "at_least": 1})
    context = RuleContext(segments=frozenset({"recent"}))
    setting = Setting(segments={"recent": recent})
    rule = {"all": [{"segment": "recent"}, {"count": "orders", "at_least": 2}]}
    assert holds(rule, ordered(20, 90), context=context, setting=setting)
    assert flips(rule, ordered(20, 90), context=context, setting=setting) == NOON + 10 * DAY


def test_a_share_by_chance_is_about_as_large_as_asked_and_always_the_same() -> None:
    views = [FakeView(root=f"u_{number}") for number in range(2000)]
    rule = {"random": "spring", "below": 25}
    members = [view.root for view in views if holds(rule, view)]
    assert members == [view.root for view in views if holds(rule, view)]
    assert 430 < len(members) < 570
    rest = {"random": "spring", "at_least": 25, "below": 100}
    assert [view.root for view in views if not holds(rest, view)] == members
    other = {view.root for view in views if holds({**rule, "random": "summer"}, view)}
    assert 60 < len(other & set(members)) < 200


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"count": "orders", "during": "last_month", "within": "3d", "above": 1}, "use one of them"),
        ({"count": "orders", "within": "3d", "older_than": "4d", "above": 1}, "nothing is both"),
        ({"count": "A", "during": "last_year", "above": 1}, "rule.during: events are kept for 400 days"),
        ({"count": "A", "older_than": "14d", "above": 1}, "rule.older_than: events are kept for 400 days: add within"),
        ({"sum": "events.A.x", "older_than": "14d", "above": 1}, "rule.older_than: events are kept for 400 days"),
        ({"count": "A", "during": {"to": "2026-12-31"}, "above": 1}, "rule.during: events are kept .*: add from"),
        ({"count": "orders", "at_least": {"field": "orders.count"}}, "not with a field"),
        ({"field": "orders.count", "equals": {"field": "first_seen"}}, "cannot be compared"),
        ({"field": "scores.total_clv", "above": {"field": "orders.revenue"}}, "time alone changes one"),
        ({"field": "orders.revenue", "above": {"field": "scores.predicted_clv"}}, "time alone changes one"),
        ({"sequence": [{"event": "A"}]}, "no sequence"),
        ({"sequence": [{"event": "A"}, {"event": "orders"}], "same": "x"}, "Order Completed"),
        ({"count": "A", "where": {"x": {"within_last": "3d"}}, "above": 1}, "rule.where.x.within_last: not known"),
        ({"count": "A", "where": {}, "above": 1}, "rule.where: must be a mapping of 1 to 10"),
        ({"random": "x", "below": 0}, "rule.below"),
        ({"field": "traits.x", "between": [2, 1]}, "the lower one first"),
        ({"field": "traits.x", "between": ["a", 1]}, "of one kind"),
    ],
)
def test_what_makes_no_sense_is_named(rule: Any, problem: str) -> None:
    with pytest.raises(Exception, match=problem):
        parse_rule(rule)


def test_equal_conditions_share_one_tally() -> None:
    one = {"count": "A", "where": {"x": "1", "y": {"above": 2}}, "within": "3d", "at_least": 1}
    other = {"count": "A", "where": {"y": {"above": 2}, "x": {"equals": "1"}}, "within": "9d", "at_least": 5}
    assert key_of(one) == key_of(other)
    assert key_of(one) != key_of(one | {"where": {"x": "1"}})


def test_a_day_of_events_counts_as_long_as_any_of_them_might() -> None:
    rule = {"count": "A", "where": {"x": 1}, "within": "9d", "older_than": "3d", "at_least": 1}
    view = FakeView(days={key_of(rule): {TODAY - 3: 1}})
    assert holds(rule, view, at=day_start(TODAY))
    assert not holds(rule, view, at=day_start(TODAY) - timedelta(milliseconds=1))
    assert flips(rule, view) == day_start(TODAY + 7)


@pytest.mark.parametrize(("operator", "expected"), [("equals", True), ("not_equals", False)])
def test_events_without_a_window_are_all_that_ever_were(operator: str, expected: bool) -> None:  # noqa: FBT001
    """Whether or not their days are kept."""
    rule = {"count": "Product Viewed", operator: 3}
    did = tuple(Did(NOON - age * DAY, "Product Viewed", {}) for age in (1, 20, 50))
    view = History("u_1", did, (), {}).view(plan_of_rules([parse_rule(rule)]), NOON)
    assert rule_of(rule).verdict(view, NOON) is expected
