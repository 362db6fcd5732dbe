"""The fold is a commutative monoid, and storage changes nothing."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from regulars.adapters.items import (
    applied_text,
    orders_text,
    parsed_applied,
    parsed_orders,
    parsed_profile,
    profile_text,
)
from regulars.domain.events import Event, event_from_doc, event_to_doc
from regulars.domain.facts import Fact, fact_of
from regulars.domain.instants import day_number
from regulars.domain.orders import OrderBook
from regulars.domain.plan import plan_of_rules
from regulars.domain.profile import Profile, fold, merged
from regulars.domain.rules.tree import parse_rule
from regulars.domain.stored import Applied
from tests.strategies import START, distinct_events, events

_DRESSES = {"category": "Dresses"}
PLAN = plan_of_rules(
    parse_rule(rule)
    for rule in (
        {"count": "Product Viewed", "within": "7d", "at_least": 1},
        {"count": "Page Viewed", "at_least": 1},
        {"count": "Product Added", "within": "400d", "at_least": 1},
        {"count": "Product Viewed", "where": _DRESSES, "within": "7d", "at_least": 1},
        {"sum": "events.Product Added.price", "within": "14d", "at_least": 1},
        {"max": "events.Product Added.price", "where": _DRESSES, "at_least": 1},
        {"first": "events.Product Viewed.product_id", "equals": "p"},
        {"last": "events.Product Viewed.category", "equals": "Shoes"},
        {"distinct": "events.Product Viewed.product_id", "within": "30d", "at_least": 2},
        {"first": "events.Product Viewed.product_id", "within": "7d", "equals": "p"},
        {"last": "events.Product Viewed.category", "during": "last_week", "equals": "Shoes"},
        {"distinct": "events.Product Viewed.product_id", "within": "9d", "older_than": "2d", "at_least": 2},
        {"sequence": [{"event": "Product Viewed"}, {"event": "Product Added"}], "same": "product_id"},
        {"count": "orders", "where": {"channel": "store"}, "at_least": 1},
        {"sum": "orders.revenue", "where": {"products.category": ["Dresses"]}, "at_least": 1},
    )
)
"""One of each kind of tally, and two marks of orders."""


def facts_of(some: list[Event]) -> list[Fact]:
    return [fact for event in some if (fact := fact_of(event, currency="USD", plan=PLAN))]


def normal(profile: Profile) -> str:
    """A profile's document without the ids that it has seen, which are no part of its value."""
    copy = profile.copied()
    copy.seen = {}
    return profile_text(copy)


def book_of(facts: list[Fact]) -> OrderBook:
    return OrderBook().with_entries(fact.order for fact in facts if fact.order)[0]


@given(distinct_events, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(some: list[Event], chance: random.Random) -> None:
    """Any permutation folds to the same profile and the same orders."""
    facts = facts_of(some)
    shuffled = chance.sample(facts, len(facts))
    assert normal(fold(Profile(), facts, PLAN)) == normal(fold(Profile(), shuffled, PLAN))
    assert orders_text(book_of(facts)) == orders_text(book_of(shuffled))


@given(distinct_events, distinct_events)
def test_fold_of_a_sum_is_merge_of_the_folds(one: list[Event], other: list[Event]) -> None:
    """merge(fold(A), fold(B)) = fold(A + B), and merge does not care which comes first."""
    known = {event.event_id for event in one}
    a, b = facts_of(one), facts_of([event for event in other if event.event_id not in known])
    together = fold(Profile(), [*a, *b], PLAN)
    left, right = fold(Profile(), a, PLAN), fold(Profile(), b, PLAN)
    assert normal(merged(left, right, PLAN)) == normal(together) == normal(merged(right, left, PLAN))
    assert orders_text(book_of(a).merged(book_of(b))) == orders_text(book_of([*a, *b]))


@given(distinct_events)
def test_the_empty_profile_is_the_identity(some: list[Event]) -> None:
    """Merging nothing changes nothing."""
    profile = fold(Profile(), facts_of(some), PLAN)
    assert normal(merged(profile, Profile(), PLAN)) == normal(profile) == normal(merged(Profile(), profile, PLAN))


@given(distinct_events)
def test_storage_changes_nothing(some: list[Event]) -> None:
    """Profiles, order books and facts come back from their text as they were."""
    facts = facts_of(some)
    profile, book = fold(Profile(), facts, PLAN), book_of(facts)
    assert parsed_profile(profile_text(profile)) == profile
    assert parsed_orders(orders_text(book)) == book
    assert parsed_applied(applied_text(Applied(facts))) == tuple(facts)


@given(events())
def test_an_event_comes_back_from_its_document(event: Event) -> None:
    """The queue's document of an event holds all of it."""
    assert event_from_doc(event_to_doc(event)) == event


@given(st.lists(st.integers(0, 900), max_size=60), st.randoms(use_true_random=False))
def test_buckets_stay_within_the_plan(ages: list[int], chance: random.Random) -> None:
    """Whatever days the events are of, and in whatever order they come, a counter keeps no day older than planned."""
    facts = [Fact(f"{i:08d}", "Product Viewed", at := START + timedelta(days=age), at) for i, age in enumerate(ages)]
    chance.shuffle(facts)
    counter = fold(Profile(), facts, PLAN).counters.get("Product Viewed")
    assert (counter.total if counter else 0) == len(ages)
    if counter:
        newest = max(ages)
        kept = {day_number(START + timedelta(days=age)) for age in ages if age >= newest - PLAN["Product Viewed"]}
        assert set(counter.days) == kept
