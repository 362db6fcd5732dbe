"""What each kind of rule means, case by case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from regulars.domain.instants import day_number, day_start
from regulars.domain.rules.compile import Setting, compiled
from regulars.domain.rules.fields import Kind
from regulars.domain.rules.operands import RuleContext
from tests.rule_samples import DAY, HOUR, NOON, TICK, FakeView, flips, holds, ordered

TODAY = day_number(NOON)


@pytest.mark.parametrize(
    ("operator", "operand", "verdicts"),
    [
        ("equals", 5, (False, True, False)),
        ("not_equals", 5, (True, False, True)),
        ("above", 5, (False, False, True)),
        ("at_least", 5, (False, True, True)),
        ("below", 5, (True, False, False)),
        ("at_most", 5, (True, True, False)),
        ("in", [4, 5], (True, True, False)),
        ("not_in", [4, 5], (False, False, True)),
    ],
)
def test_numbers_compare_as_their_operator_says(operator: str, operand: Any, verdicts: tuple[bool, ...]) -> None:
    found = tuple(holds({"field": "orders.count", operator: operand}, FakeView({"orders.count": n})) for n in (4, 5, 6))
    assert found == verdicts


def test_all_operators_of_a_comparison_must_hold() -> None:
    rule = {"field": "orders.count", "at_least": 2, "below": 4}
    assert [holds(rule, FakeView({"orders.count": n})) for n in (1, 2, 3, 4)] == [False, True, True, False]


def test_amounts_are_decimals_of_the_programs_currency() -> None:
    rule = {"field": "orders.revenue", "at_least": "19.90"}
    assert not holds(rule, FakeView({"orders.revenue": 1989}))
    assert holds(rule, FakeView({"orders.revenue": 1990}))
    assert holds({"field": "orders.revenue", "at_least": 1990}, FakeView({"orders.revenue": 1990}),
                 context=RuleContext(currency="JPY"))  # fmt: skip


@pytest.mark.parametrize("operator", ["equals", "above", "at_least", "below", "at_most"])
def test_an_absent_field_satisfies_no_comparison(operator: str) -> None:
    assert not holds({"field": "traits.age", operator: 30}, FakeView())


def test_an_absent_field_is_not_equal_to_anything() -> None:
    assert holds({"field": "traits.country", "not_equals": "SE"}, FakeView())
    assert holds({"field": "traits.country", "not_in": ["SE", "NO"]}, FakeView())
    assert holds({"field": "traits.country", "exists": False}, FakeView())
    assert not holds({"field": "traits.country", "exists": True}, FakeView())


def test_a_trait_of_another_type_compares_as_false_and_never_raises() -> None:
    view = FakeView({"traits.age": "forty", "traits.vip": 1, "traits.name": 7})
    assert not holds({"field": "traits.age", "above": 18}, view)
    assert not holds({"field": "traits.vip", "equals": True}, view)
    assert not holds({"field": "traits.name", "contains": "7"}, view)


def test_traits_compare_as_texts_numbers_and_flags() -> None:
    view = FakeView({"traits.city": "Uppsala", "traits.score": 4.5, "traits.vip": True})
    assert holds({"field": "traits.city", "contains": "psal"}, view)
    assert holds({"field": "traits.score", "at_least": 4}, view)
    assert holds({"field": "traits.vip", "equals": True}, view)


def test_instants_compare_with_dates_in_utc() -> None:
    view = FakeView({"first_seen": datetime(2026, 3, 1, tzinfo=UTC)})
    assert holds({"field": "first_seen", "after": "2026-02-28T23:59:59Z"}, view)
    assert not holds({"field": "first_seen", "after": "2026-03-01"}, view)
    assert holds({"field": "first_seen", "before": "2026-03-02"}, view)


def test_an_order_counts_until_the_very_instant_at_which_the_window_has_passed() -> None:
    rule = {"count": "orders", "within": "30d", "at_least": 1}
    view = ordered(10, 200)
    end = NOON + 20 * DAY
    assert flips(rule, view) == end
    assert holds(rule, view, at=end - TICK)
    assert not holds(rule, view, at=end)
    assert flips(rule, view, at=end) is None


def test_a_count_flips_when_the_order_that_makes_it_leaves() -> None:
    view = ordered(1, 5, 9, 29)
    assert flips({"count": "orders", "within": "30d", "at_least": 3}, view) == NOON + 21 * DAY
    assert flips({"count": "orders", "within": "30d", "below": 4}, view) == NOON + 1 * DAY
    assert flips({"count": "orders", "within": "30d", "equals": 4}, view) == NOON + 1 * DAY
    assert flips({"count": "orders", "within": "30d", "at_most": 5}, view) is None


def test_without_a_window_orders_count_for_ever() -> None:
    view = ordered(1, 4000)
    assert holds({"count": "orders", "equals": 2}, view)
    assert flips({"count": "orders", "equals": 2}, view) is None


def test_no_orders_is_a_count_of_nought() -> None:
    assert holds({"count": "orders", "equals": 0}, FakeView())
    assert holds({"count": "orders", "within": "30d", "at_least": 0}, FakeView())
    assert not holds({"sum": "orders.revenue", "above": 0}, FakeView())


def test_a_sum_flips_when_the_rest_falls_short() -> None:
    view = FakeView(orders=[(NOON - 300 * DAY, 20_000), (NOON - 200 * DAY, 5_000), (NOON - 10 * DAY, 10_000)])
    rule = {"sum": "orders.revenue", "within": "365d", "at_least": 150.00}
    assert holds(rule, view)
    assert flips(rule, view) == NOON + 165 * DAY
    assert flips({"sum": "orders.revenue", "within": "365d", "below": 150.00}, view) == NOON + 165 * DAY
    assert flips({"sum": "orders.revenue", "within": "365d", "above": 350.00}, view) is None


def test_a_parameter_stands_for_its_value() -> None:
    context = RuleContext(parameters={"minimum": Kind.MONEY})
    rule = {"sum": "orders.revenue", "at_least": {"parameter": "minimum"}}
    assert holds(rule, ordered(3, net=500), context=context, values={"minimum": 500})
    assert not holds(rule, ordered(3, net=500), context=context, values={"minimum": 501})


def test_an_event_counts_to_the_end_of_the_utc_day_that_closes_its_window() -> None:
    rule = {"count": "Product Viewed", "within": "3d", "at_least": 2}
    view = FakeView(days={"Product Viewed": {TODAY - 3: 1, TODAY - 1: 1, TODAY - 4: 9}})
    assert holds(rule, view)
    assert flips(rule, view) == day_start(TODAY + 1)
    assert not holds(rule, view, at=day_start(TODAY + 1))
    assert flips({"count": "Product Viewed", "within": "3d", "at_least": 1}, view) == day_start(TODAY + 3)


def test_events_without_a_window_count_for_ever() -> None:
    view = FakeView(days={"Product Viewed": {TODAY - 900: 6, TODAY: 1}})
    assert holds({"count": "Product Viewed", "at_least": 7}, view)
    assert not holds({"count": "Product Viewed", "at_least": 8}, view)
    assert flips({"count": "Product Viewed", "at_least": 7}, view) is None


def test_the_time_since_an_instant_lies_between_its_bounds_to_the_instant() -> None:
    rule = {"since": "cart.last_at", "at_least": "1h", "below": "3d"}
    view = FakeView({"cart.last_at": NOON})
    assert flips(rule, view) == NOON + HOUR
    assert not holds(rule, view, at=NOON + HOUR - TICK)
    assert holds(rule, view, at=NOON + HOUR)
    assert flips(rule, view, at=NOON + HOUR) == NOON + 3 * DAY
    assert not holds(rule, view, at=NOON + 3 * DAY)


def test_nothing_is_a_time_ago_that_never_was() -> None:
    assert not holds({"since": "orders.last_at", "at_least": "30d"}, FakeView())
    assert not holds({"since": "orders.last_at", "below": "30d"}, FakeView())
    assert holds({"not": {"since": "orders.last_at", "below": "30d"}}, FakeView())


@pytest.mark.parametrize(
    ("ages", "bound_in_days"),
    [((0, 20, 40), 30), ((0, 2, 4), 14), ((0, 300), 90), ((0,), 14)],
    ids=["in between", "held up to the minimum", "held down to the maximum", "no rhythm yet: the minimum"],
)
def test_a_bound_may_be_a_multiple_of_the_customers_own_rhythm(ages: tuple[float, ...], bound_in_days: int) -> None:
    bound = {"times": 1.5, "of": "orders.average_gap", "min": "14d", "max": "90d"}
    assert flips({"since": "orders.last_at", "at_least": bound}, ordered(*ages)) == NOON + bound_in_days * DAY


def test_a_rule_that_cannot_hold_before_an_event_needs_no_wake_up() -> None:
    recently = {"since": "orders.last_at", "below": "30d"}
    never = {"field": "orders.count", "at_least": 99}
    assert flips({"all": [recently, never]}, ordered(1)) is None
    assert flips({"any": [recently, {"not": never}]}, ordered(1)) is None


def test_an_all_with_several_failing_rules_wakes_for_the_last_of_them() -> None:
    rules = [{"since": "orders.last_at", "at_least": f"{days}d"} for days in (20, 40, 30)]
    assert flips({"all": rules}, ordered(1)) == NOON + 39 * DAY
    assert flips({"any": rules}, ordered(1)) == NOON + 19 * DAY


def test_a_field_is_read_once_and_only_when_it_decides() -> None:
    view = ordered(1)
    rule = {"all": [{"field": "orders.count", "above": 7}, {"field": "traits.vip", "equals": True}]}
    assert not holds(rule, view)
    assert view.asked == ["orders.count"]


def test_an_unknown_kind_of_node_is_an_error_not_a_verdict() -> None:
    with pytest.raises(TypeError, match="cannot compile str"):
        compiled("orders.count above 5", Setting())
