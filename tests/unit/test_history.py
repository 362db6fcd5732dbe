"""A profile that keeps more than the rules look at by now is no drift."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regulars.domain.event_nodes import nodes_of
from regulars.domain.facts import fact_of
from regulars.domain.history import history_of, is_same
from regulars.domain.plan import plan_of_rules
from regulars.domain.profile import Profile
from regulars.domain.rules.tree import parse_rule
from tests.world import World

VIEWED = "events.Product Viewed"


def made(rule: dict[str, Any], within: str, *, days: range) -> tuple[Profile, Any]:
    """The profile of who viewed something on these days, under a rule with this window, and the plan."""
    world = World()
    plan = plan_of_rules([parse_rule({**rule, "within": within})])
    events = [
        world.event("Product Viewed", at=world.clock.now() + timedelta(days=day), properties={"price": day})
        for day in days
    ]
    facts = [fact for event in events if (fact := fact_of(event, currency="USD", nodes=nodes_of(event), plan=plan))]
    return history_of(facts, plan).profile, plan


@pytest.mark.parametrize(
    "rule",
    [
        {"sum": f"{VIEWED}.price", "at_least": 5},
        {"count": "Product Viewed", "where": {"price": {"above": 1}}, "at_least": 5},
        {"count": "Product Viewed", "at_least": 5},
        {"distinct": f"{VIEWED}.price", "older_than": "7d", "at_least": 2},
        {"last": f"{VIEWED}.price", "older_than": "7d", "equals": 5},
        {"first": f"{VIEWED}.price", "equals": 5},
        {"distinct": f"{VIEWED}.price", "at_least": 2},
    ],
    ids=str,
)
def test_a_window_that_was_shortened_is_no_drift(rule: dict[str, Any]) -> None:
    days = range(0, 81, 20)
    stored, _ = made(rule, "100d", days=days)
    fresh, plan = made(rule, "30d", days=days)
    assert is_same(stored, fresh, plan)
    assert not is_same(made(rule, "100d", days=range(0, 60, 20))[0], fresh, plan)
