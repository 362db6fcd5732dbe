"""The same events make the same customers, whatever their order and however often they come; and a split is a split."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from regulars.adapters.items import orders_text, profile_text
from regulars.domain.components import Neighbours, component, partition
from regulars.domain.customer import Fragment, Terms, customer_of
from regulars.domain.event_nodes import SPLIT, nodes_of
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.facts import Fact, fact_of, link_fact, others_of
from regulars.domain.identity import WEAK, NodeKind, node_id
from regulars.domain.links import (
    DEFAULT_LIMITS,
    MAX_LINKS_OF_KIND,
    NO_LINKS,
    IdentityRules,
    Limit,
    Links,
    linked,
    links_merged,
)
from regulars.domain.orders import OrderBook
from regulars.domain.plan import FeaturePlan
from regulars.domain.profile import Profile, fold, links_after
from tests.strategies import START, distinct_events

PLAN = FeaturePlan({"Product Viewed": 7})
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
WINDOWED = IdentityRules({**DEFAULT_LIMITS, "a": (Limit("u", 1, weeks=4),), "u": (Limit("a", 2, newest=True),)})

nodes = st.sampled_from([f"{kind}_{number}" for kind in "uepalsd" for number in range(3)])
Edge = tuple[str, str, int, bool]
"""Two nodes, on which day somebody named both, and whether that was more than a claim."""
edges = st.lists(
    st.tuples(nodes, nodes, st.integers(0, 200), st.booleans()).filter(lambda edge: edge[0] != edge[1]),
    min_size=1,
    max_size=25,
)


def graph(said: list[Edge]) -> dict[str, Links]:
    links: dict[str, Links] = {}
    for one, other, days, told in said:
        at, event = NOW + timedelta(days=days), f"{one}{other}{days}"
        for home, far in ((one, other), (other, one)):
            verified = told and home[0] not in WEAK
            links[home] = linked(links.get(home, NO_LINKS), (far,), at, event, verified=verified)
    return links


@given(edges, st.randoms(use_true_random=False))
def test_shuffled_and_repeated_graphs_give_the_same_partition(said: list[Edge], chance: random.Random) -> None:
    shuffled = chance.sample(said, len(said)) + chance.sample(said, len(said) // 2)
    chance.shuffle(shuffled)
    assert graph(shuffled) == graph(said)
    for rules in (IdentityRules(), WINDOWED):
        assert partition(graph(shuffled), rules) == partition(graph(said), rules)


@given(edges, edges, edges)
def test_links_are_a_monoid(one: list[Edge], two: list[Edge], three: list[Edge]) -> None:
    """Merge is associative and commutative, twice is once, and nothing is its identity."""
    a, b, c = (graph(part).get("u_0", NO_LINKS) for part in (one, two, three))
    assert links_merged(a, links_merged(b, c)) == links_merged(links_merged(a, b), c)
    assert links_merged(a, b) == links_merged(b, a)
    assert links_merged(a, a) == links_merged(a, NO_LINKS) == links_merged(NO_LINKS, a) == a


crowds = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 900), st.booleans()), min_size=21, max_size=70)


@given(crowds, st.randoms(use_true_random=False))
def test_which_links_are_kept_does_not_depend_on_order(
    crowd: list[tuple[int, int, bool]], chance: random.Random
) -> None:
    """More than there is room for: those that the shop told, then those seen last; also when one comes back."""
    found = []
    for said in (crowd, chance.sample(crowd, len(crowd)) + chance.sample(crowd, len(crowd) // 2)):
        links = NO_LINKS
        for number, days, told in said:
            links = linked(links, (f"u_{number:02}",), NOW + timedelta(days=days), f"event {days}", verified=told)
        found.append({node: (link.week, link.verified) for node, link in links.known.items()})
    assert found[0] == found[1]
    sure = {f"u_{number:02}" for number, _, told in crowd if told}
    assert len(found[0].keys() & sure) == min(len(sure), MAX_LINKS_OF_KIND)


def stored(events: list[Event]) -> dict[str, Fragment]:
    """Each event where it belongs, and what it says of others told to them."""
    facts: dict[str, list[Fact]] = {}
    for event in events:
        if (named := nodes_of(event)) and (fact := fact_of(event, currency="USD", nodes=named)):
            facts.setdefault(named[0], []).append(fact)
            for other in others_of(fact):
                facts.setdefault(other, []).append(link_fact(fact, named[0], other))
    found = {}
    for node, some in facts.items():
        book, _ = OrderBook().with_entries(fact.order for fact in some if fact.order)
        found[node] = Fragment(fold(Profile(), some, PLAN), book, node)
    return found


def customers(fragments: dict[str, Fragment]) -> dict[frozenset[str], tuple[Any, ...]]:
    """What every customer looks like, by its nodes; links apart."""
    found = {}
    links = {node: fragment.profile.links for node, fragment in fragments.items()}
    for root, members in partition(links, IdentityRules()).items():
        parts = [fragments[node] for node in sorted(members)]
        customer = customer_of(root, parts, Terms(PLAN, "USD"), now=NOW)
        profile = replace(customer.profile, seen={}, links=NO_LINKS)
        consent = customer.consent("email")
        found[members] = (profile_text(profile), orders_text(customer.book), consent and consent.status)
    return found


@given(distinct_events, st.randoms(use_true_random=False))
def test_the_same_events_make_the_same_customers(some: list[Event], chance: random.Random) -> None:
    assert customers(stored(chance.sample(some, len(some)))) == customers(stored(some))


@given(distinct_events, st.sampled_from(["u1", "u2"]))
def test_a_split_is_as_if_no_event_had_named_both(some: list[Event], user: str) -> None:
    """Counter for counter: every customer is what it is when the link between the two was never heard of."""
    pair = node_id(NodeKind.USER, user), node_id(NodeKind.ANONYMOUS, "b1")
    some = [event for event in some if event.type is not EventType.SYSTEM]
    split = Event(
        event_id_of("regulars", "cut"), "regulars", "cut", EventType.SYSTEM, START, START + timedelta(days=90), SPLIT,
        trust=Trust.SYSTEM, properties={"nodes": list(pair)},
    )  # fmt: skip
    never = stored(some)
    for one, other in (pair, pair[::-1]):
        if one in never:
            links = never[one].profile.links
            known = {node: link for node, link in links.known.items() if node != other}
            never[one] = replace(never[one], profile=replace(never[one].profile, links=replace(links, known=known)))
    after = {members: what for members, what in customers(stored([*some, split])).items() if members & never.keys()}
    assert after == customers(never)


@given(edges)
def test_a_bulk_of_facts_links_as_one_by_one(said: list[Edge]) -> None:
    """Folding facts and telling links are the same."""
    at = START
    facts = [
        Fact(f"{index:08d}", "Linked", at + timedelta(days=days), at, activity=False, links=(other,), verified=told)
        for index, (_, other, days, told) in enumerate(said)
    ]
    one_by_one = NO_LINKS
    for fact in facts:
        one_by_one = links_after(one_by_one, fact)
    assert fold(Profile(), facts, PLAN).links == one_by_one


@given(edges)
def test_every_member_finds_the_same_customer(said: list[Edge]) -> None:
    """Wherever one starts, and whether all is known or read step by step."""
    members_agree(said, IdentityRules())


many = st.sampled_from([f"{kind}_{number}" for kind in "uepalsd" for number in range(9)])
dense = st.lists(
    st.tuples(many, many, st.just(0), st.booleans()).filter(lambda edge: edge[0] != edge[1]), min_size=60, max_size=120
)


@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(dense)
def test_every_member_finds_the_same_customer_where_there_are_too_many(said: list[Edge]) -> None:
    members_agree(said, IdentityRules({}))


def members_agree(said: list[Edge], rules: IdentityRules) -> None:
    links = graph(said)
    found = partition(links, rules)
    assert sorted(node for members in found.values() for node in members) == sorted(links)
    for members in found.values():
        for node in members:
            known: dict[str, Neighbours] = {}
            missing = frozenset({node})
            while missing:
                known |= {other: rules.neighbours(other, links.get(other, NO_LINKS)) for other in missing}
                reached, missing = component(node, known)
            assert reached == members
