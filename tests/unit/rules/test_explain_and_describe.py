"""Rules in words, verdicts with their operands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from regulars.domain.rules.compile import Facts, Setting
from regulars.domain.rules.describe import described
from regulars.domain.rules.explain import Scene, explained
from regulars.domain.rules.features import Feature
from regulars.domain.rules.fields import Kind
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.requirements import required
from regulars.domain.rules.tree import parse_rule
from regulars.domain.tallies import Keeps
from tests.rule_samples import HOUR, NOON, FakeView, ordered

CONTEXT = RuleContext(parameters={"minimum": Kind.MONEY}, churn_bands=frozenset({"low", "high"}))


def trace_of(data: object, view: FakeView) -> dict[str, Any]:
    rule = parse_rule(data, context=CONTEXT) if isinstance(data, dict) else data
    return explained(rule, Scene(Facts(view), NOON, Setting({"minimum": 2500}), "EUR"))


def test_a_trace_shows_every_operand_and_every_verdict() -> None:
    data = {
        "all": [
            {"count": "orders", "within": "30d", "at_least": 2},
            {"sum": "orders.revenue", "at_least": {"parameter": "minimum"}},
            {"not": {"since": "orders.last_at", "at_least": "36h"}},
        ]
    }
    assert trace_of(data, ordered(1, 5, 50)) == {
        "all": [
            {"count": "orders", "within": "30d", "value": 2, "at_least": 2, "ok": True},
            {
                "sum": "orders.revenue",
                "value": "30.00",
                "at_least": {"parameter": "minimum", "value": "25.00"},
                "ok": True,
            },
            {
                "not": {
                    "since": "orders.last_at",
                    "value": "2026-11-21T12:00:00.000Z",
                    "elapsed": "1d",
                    "at_least": "1d 12h",
                    "ok": False,
                },
                "ok": True,
            },
        ],
        "ok": True,
    }


def test_a_trace_shows_what_a_customers_own_bound_came_to() -> None:
    bound = {"times": 1.5, "of": "orders.average_gap", "min": "14d", "max": "90d"}
    assert trace_of({"since": "orders.last_at", "below": bound}, ordered(0, 20))["below"] == {
        "times": "1.5",
        "of": "orders.average_gap",
        "own": "20d",
        "gives": "30d",
    }


def test_a_trace_holds_no_value_of_a_trait() -> None:
    trace = trace_of({"field": "traits.city", "equals": "Uppsala"}, FakeView({"traits.city": "Kiruna"}))
    assert trace == {"field": "traits.city", "equals": "Uppsala", "ok": False}


def test_absent_values_are_null() -> None:
    assert trace_of({"since": "cart.last_at", "below": "1h"}, FakeView()) == {
        "since": "cart.last_at", "value": None, "elapsed": None, "below": "1h", "ok": False,
    }  # fmt: skip


def test_every_kind_of_operand_goes_into_json() -> None:
    data = {
        "any": [
            {"field": "first_seen", "before": "2026-01-01"},
            {"field": "orders.average_gap", "above": "3d"},
            {"field": "churn_band", "in": ["low", "high"]},
            {"field": "orders.revenue", "exists": True},
            {"count": "Product Viewed", "within": "3d", "above": 1},
        ]
    }
    view = FakeView({"first_seen": NOON - HOUR, "churn_band": "low"}, orders=ordered(1, 2).orders)
    trace = trace_of(data, view)
    assert json.loads(json.dumps(trace)) == trace
    assert [part["value"] for part in trace["any"]] == ["2026-11-22T11:00:00.000Z", "1d", "low", "20.00", 0]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"count": "orders", "within": "30d", "at_least": 1}, "at least 1 order in the last 30 days"),
        ({"count": "Product Viewed", "above": 2, "at_most": 9}, "more than 2 and at most 9 “Product Viewed” events"),
        (
            {"sum": "orders.revenue", "within": "365d", "at_least": {"parameter": "minimum"}},
            "revenue in the last 365 days is at least the parameter “minimum”",
        ),
        ({"field": "orders.average_value", "below": 12.5}, "average order value is below 12.50 EUR"),
        ({"since": "cart.last_at", "at_least": "1h", "below": "3d"},
         "last change to the cart at least 1 hour and less than 3 days ago"),
        (
            {"since": "orders.last_at", "below": {"times": 2, "of": "orders.average_gap", "min": "1d", "max": "90d"}},
            "last order less than 2 x the average time between orders (between 1 day and 90 days) ago",
        ),
        (
            {"all": [{"field": "cart.open", "equals": True},
                     {"any": [{"field": "churn_band", "in": ["low"]}, {"field": "traits.vip", "exists": True}]}]},
            "open cart and (churn band is one of low or trait “vip” is known)",
        ),
        ({"not": {"field": "reachable.sms", "equals": False}}, "not (not reachable by SMS)"),
        ({"field": "first_seen", "before": "2026-01-01"}, "first visit is before 2026-01-01T00:00:00.000Z"),
        ({"field": "orders.average_gap", "at_most": "36h"}, "average time between orders is at most 1 day 12 hours"),
        (
            {"any": [{"field": "orders.count", "at_least": 2, "below": 5}, {"field": "cart.open", "equals": True}]},
            "(number of orders is at least 2 and number of orders is below 5) or open cart",
        ),
        (
            {"all": [{"count": "Product Viewed", "where": {"category": "Dresses"}, "at_least": 1},
                     {"any": [{"all": [{"since": "first_seen", "at_least": "1d", "below": "2d"}]},
                              {"sequence": [{"event": "A"}, {"event": "B"}]}]}]},
            ("(at least 1 “Product Viewed” event with “category” is Dresses) and "
             "((first visit at least 1 day and less than 2 days ago) or (“A”, then “B”))"),
        ),
        (
            {"field": "cart.open", "equals": {"field": "reachable.email"}},
            "open cart is the same as reachable by e-mail",
        ),
        (
            {"field": "cart.open", "not_equals": {"field": "reachable.sms"}},
            "open cart is not the same as reachable by SMS",
        ),
        ({"field": "events.Product Viewed.count", "not_in": [1, 2]}, "number of “Product Viewed” is none of 1, 2"),
    ],
)  # fmt: skip
def test_a_rule_reads_as_english(data: object, sentence: str) -> None:
    assert described(parse_rule(data, context=CONTEXT), "EUR") == sentence


def test_a_rule_says_which_events_it_looks_at_and_how_far_back() -> None:
    data = {
        "any": [
            {"count": "Product Viewed", "within": "2w", "at_least": 1},
            {"not": {"count": "Cart Viewed", "at_least": 1}},
            {"since": "events.Coupon Applied.last_at", "below": "3d"},
            {"field": "events.Product Viewed.count", "above": 3},
            {"count": "orders", "within": "3d", "at_least": 1},
            {"sum": "orders.revenue", "at_least": 1},
        ]
    }
    features = [need for need in required(parse_rule(data)) if isinstance(need, Feature)]
    assert [(feature.event, feature.keeps, feature.days) for feature in features] == [
        ("Product Viewed", Keeps.COUNT, 14),
        ("Cart Viewed", Keeps.COUNT, 0),
        ("Coupon Applied", Keeps.COUNT, 0),
        ("Product Viewed", Keeps.COUNT, 0),
    ]


@pytest.mark.parametrize("visit", [lambda node: trace_of(node, FakeView()), lambda node: described(node, ""), required])
def test_an_unknown_kind_of_node_is_an_error(visit: Any) -> None:
    with pytest.raises(TypeError, match="object"):
        visit(object())
