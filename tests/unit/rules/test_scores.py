"""Scores in rules: what time alone does to them is known to the millisecond."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from regulars.domain.customer import Customer, Terms
from regulars.domain.orders import OrderBook, OrderEntry
from regulars.domain.plan import NO_PLAN
from regulars.domain.profile import Profile
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.evaluate import CompiledRule
from regulars.domain.rules.tree import parse_rule
from regulars.domain.scores.history import DAY_MS
from regulars.domain.scores.lifecycle import Rhythm
from regulars.domain.scores.model import Kind
from regulars.domain.scores.rfm import RfmCuts
from regulars.domain.scores.scoring import Scorer
from tests.rule_samples import DAY, NOON, TICK
from tests.unit.scores.samples import model_of

CUTS = RfmCuts(3, (60 * DAY_MS, 120 * DAY_MS), (1, 3), (2000, 9000))
FINE = RfmCuts(5, tuple(days * DAY_MS for days in (20, 40, 80, 160)), (1, 2, 3, 4), (1000, 2000, 3000, 4000))
RHYTHM = Rhythm(30 * DAY_MS, 90 * DAY_MS, 14 * DAY_MS)


def buyer(*ages: float, kind: Kind = Kind.BG_NBD, scorer: bool = True) -> Customer:
    """Who ordered for 25.00 so many days before NOON."""
    model = model_of(kind, rfm={3: CUTS, 5: FINE}, rhythm=RHYTHM)
    entries = {
        str(age): OrderEntry(1, NOON - age * DAY, 2500, 0, "USD", "paid", coupon=False, channel="online")
        for age in ages
    }
    terms = Terms(NO_PLAN, "USD", scorer=Scorer(model) if scorer else None)
    return Customer("u_1", Profile(), OrderBook(entries), terms=terms, now=NOON)


def asked(data: Any, customer: Customer, at: datetime = NOON) -> tuple[bool, datetime | None]:
    """The verdict, and when it next changes by itself."""
    rule = CompiledRule(parse_rule(data), Setting())
    return rule.verdict(customer, at), rule.next_flip(customer, at)


@pytest.mark.parametrize("kind", [Kind.BG_NBD, Kind.LOGISTIC])
def test_a_churn_band_is_crossed_at_its_very_instant(kind: Kind) -> None:
    customer = buyer(100, 60, 30, kind=kind)
    now = customer.value("scores.churn_probability")
    assert isinstance(now, float)
    bound = {"field": "scores.churn_probability", "at_least": round(now + 0.1, 3)}
    verdict, flip = asked(bound, customer)
    assert not verdict
    assert flip is not None
    assert not asked(bound, customer, flip - TICK)[0]
    assert asked(bound, customer, flip)[0]


def test_between_two_bounds_there_are_two_flips() -> None:
    customer = buyer(100, 60, 30)
    now = customer.value("scores.churn_probability")
    assert isinstance(now, float)
    rule = {"field": "scores.churn_probability", "between": [round(now + 0.05, 3), round(now + 0.1, 3)]}
    _, enters = asked(rule, customer)
    assert enters is not None
    inside, leaves = asked(rule, customer, enters)
    assert inside
    assert leaves is not None
    assert asked(rule, customer, leaves)[0] is False


@pytest.mark.parametrize(
    "rule",
    [
        {"field": "scores.predicted_number_of_orders", "below": 1.5},
        {"field": "scores.predicted_clv", "at_most": 30},
        {"field": "scores.total_clv", "below": 100},
    ],
)
def test_what_is_expected_of_a_customer_falls_while_nothing_happens(rule: Any) -> None:
    customer = buyer(100, 60, 1)
    verdict, flip = asked(rule, customer)
    assert not verdict
    assert flip is not None
    assert asked(rule, customer, flip) == (True, None)
    assert not asked(rule, customer, flip - TICK)[0]


@pytest.mark.parametrize(
    ("field", "value", "until"),
    [
        ("lifecycle.stage", "new", NOON + 80 * DAY),
        ("rfm.recency", 5, NOON + 10 * DAY),
        ("rfm.klaviyo_group", "Recent", NOON + 50 * DAY),
        ("lifecycle.frequency", "one_off", None),
        ("rfm.monetary", 3, None),
    ],
)
def test_groups_last_until_recency_falls(field: str, value: Any, until: datetime | None) -> None:
    """One order, ten days ago."""
    assert asked({"field": field, "equals": value}, buyer(10)) == (True, until)


def test_the_expected_order_is_an_instant_like_any_other() -> None:
    customer = buyer(100, 60, 30)
    expected = customer.value("scores.expected_date_of_next_order")
    assert isinstance(expected, datetime)
    overdue = {"since": "scores.expected_date_of_next_order", "at_least": "7d"}
    assert asked(overdue, customer, expected + timedelta(days=7))[0]


def test_without_a_model_there_is_no_score_and_no_flip() -> None:
    customer = buyer(100, 60, 30, scorer=False)
    assert asked({"field": "scores.churn_probability", "exists": False}, customer) == (True, None)
    assert asked({"field": "scores.churn_probability", "at_least": 0.1}, customer) == (False, None)
