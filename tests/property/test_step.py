"""`step` does not care about batches; the whole way does not care about order, batches and repetition."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.adapters.items import profile_text
from regulars.domain.customer import customer_of
from regulars.domain.engine import step
from regulars.domain.events import Event
from regulars.domain.facts import fact_of
from regulars.domain.state import CustomerState, state_to_doc
from tests.strategies import START, distinct_events, events
from tests.world import World, roots_of, starter_program

PROGRAM = starter_program().compiled
END = START + timedelta(days=50)


def comparable(state: CustomerState) -> dict[str, Any]:
    """All of a state but when somebody must look after its outbox."""
    return state_to_doc(replace(state, relay_by=None))


@given(distinct_events)
def test_one_evaluation_of_many_facts_equals_many_evaluations(some: list[Event]) -> None:
    """Same memberships, same decisions, same log, same next due instant; and two calls in a row change nothing."""
    facts = sorted(
        (fact for event in some if (fact := fact_of(event, currency="USD"))), key=lambda fact: fact.received_at
    )
    nobody = customer_of("u_1", [], PROGRAM.terms, now=START)
    _, at_once = step(nobody, CustomerState(), facts, now=END, program=PROGRAM)
    customer, state = nobody, CustomerState()
    for fact in facts:
        customer, state = step(customer, state, [fact], now=fact.received_at, program=PROGRAM)
    _, state = step(customer, state, [], now=END, program=PROGRAM)
    assert comparable(state) == comparable(at_once)
    _, again = step(customer, at_once, [], now=END, program=PROGRAM)
    assert comparable(again) == comparable(at_once)


@given(distinct_events, events())
def test_a_fact_of_no_concern_changes_no_verdict(some: list[Event], one_more: Event) -> None:
    """What the engine does not evaluate for could not have changed anything: no band, no membership, no next flip."""
    nobody = customer_of("u_1", [], PROGRAM.terms, now=START)
    before = nobody.after([fact for event in some if (fact := fact_of(event, currency="USD"))])
    fact = fact_of(one_more, currency="USD")
    assert fact is not None
    if not PROGRAM.concerns(fact):
        after = before.after([fact])
        assert PROGRAM.evaluate(after, END) == PROGRAM.evaluate(before, END)
        assert after.next_consent_expiry() == before.next_consent_expiry()


def outcome(batches: list[list[Event]], events: list[Event]) -> dict[str, Any]:
    """What all customers look like, and what was decided about them, forty-five days after the batches came in."""
    world = World(now=END)
    for batch in batches:
        world.send(*batch)
    world.advance(END + timedelta(days=45))
    customers = {}
    for root in sorted(roots_of(world, events)):
        customer = world.customer_of_node(root)
        head = world.store.heads([root])[root]
        # `seen` is a set that is written in order of arrival.
        profile = replace(customer.profile, seen={})
        members = sorted(head.state.value.memberships) if head.state else []
        customers[root] = (profile_text(profile), customer.orders(), members)
    decisions = sorted((record.send_key, record.withheld or "") for record in world.decisions)
    return {"customers": customers, "decisions": decisions}


@settings(max_examples=40, deadline=None)
@given(distinct_events, st.randoms(use_true_random=False))
def test_order_batches_and_repetition_do_not_matter(some: list[Event], chance: random.Random) -> None:
    """Traffic that comes in at one time leaves the same profiles, segments and messages however it is delivered."""
    events = [replace(event, received_at=END) for event in some]
    shuffled = chance.sample(events, len(events)) + chance.sample(events, len(events) // 2)
    cuts = sorted({0, len(shuffled), *(chance.randrange(len(shuffled) + 1) for _ in range(3))})
    batches = [shuffled[start:end] for start, end in pairwise(cuts)]
    assert outcome(batches, events) == outcome([events], events)
