"""The pure core: events folded per second and steps per second, on one core, without serialisation."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

from infra.bench.figures import Figure
from infra.bench.handlers import ROOT, Handlers, python_version
from infra.bench.traffic import batches, request_event, visits
from regulars.adapters.program_files import program_files
from regulars.domain.customer import Fragment, customer_of
from regulars.domain.engine import step
from regulars.domain.events import event_from_doc
from regulars.domain.facts import Fact, fact_of, nodes_of
from regulars.domain.loading import load_program
from regulars.domain.orders import OrderBook, OrderEntry, order_key
from regulars.domain.profile import Profile, fold
from regulars.domain.state import CustomerState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from regulars.domain.events import Event
    from regulars.domain.program import Program

_VISITS = 500
SEGMENTS = 25
CAMPAIGNS = 10


def canonical_events() -> list[Event]:
    """What collect makes of the calls of some hundred visits."""
    handlers = Handlers()
    calls = visits(_VISITS, seed=7, per_second=50)
    for number, group in enumerate(batches(calls, 10)):
        handlers.call("collect", request_event(group, number))
    return [event for message in handlers.events.receive() for event in _events_in(message.body)]


def _events_in(body: str) -> list[Event]:
    return [event_from_doc(doc) for doc in orjson.loads(body)["events"]]


def large_program() -> Program:
    """The starter program, its segments and campaigns repeated with other bounds until there are 25 and 10."""
    files: dict[str, Any] = dict(program_files(ROOT / "program"))
    sections = {name: (file, data[name]) for file, data in files.items() for name in data}
    segments = sections["segments"][1]
    for index in range(SEGMENTS - len(segments)):
        days = 7 + 11 * index
        rule = [
            {"all": [{"count": "orders", "within": f"{days}d", "at_least": 1 + index % 4}]},
            {"all": [{"sum": "orders.revenue", "within": f"{days}d", "at_least": 25 * (index + 1)}]},
            {"any": [{"count": "Product Viewed", "within": f"{days}d", "at_least": 3 + index}]},
            {"all": [{"since": "orders.last_at", "at_least": f"{days}d"}, {"field": "cart.open", "equals": True}]},
        ][index % 4]
        segments.append({"name": f"bench_{index}", "rule": rule})
    campaigns = sections["campaigns"][1]
    starters = list(campaigns)
    for index in range(CAMPAIGNS - len(campaigns)):
        campaigns.append({**starters[index % len(starters)], "name": f"bench_{index}", "segment": f"bench_{index}"})
    return load_program(files)


def _best_rate(work: Callable[[], int], repeats: int = 5) -> float:
    rates = []
    for _ in range(repeats):
        begun = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - begun))
    return max(rates)


def figures() -> list[Figure]:
    """Fold and step."""
    events = canonical_events()
    program = load_program(program_files(ROOT / "program"))
    compiled = program.compiled

    def fold_all() -> int:
        by_node: dict[str, list[Fact]] = defaultdict(list)
        for event in events:
            fact = fact_of(event, currency=compiled.currency)
            if fact is not None:
                by_node[nodes_of(event)[0]].append(fact)
        for facts in by_node.values():
            fold(Profile(), facts, compiled.plan)
        return len(events)

    return [
        Figure(
            "fold",
            _best_rate(fold_all),
            "events per core-second",
            f"Canonical events to facts, to their node's profile, {_VISITS} visits of ten, Python {python_version()}; "
            "best of 5.",
            target=50_000,
        ),
        _step_figure(events),
    ]


def _step_figure(events: list[Event]) -> Figure:
    program = large_program().compiled
    by_node: dict[str, list[Fact]] = defaultdict(list)
    for event in events:
        fact = fact_of(event, currency=program.currency)
        if fact is not None:
            by_node[nodes_of(event)[0]].append(fact)
    orders = _orders(events[-1].received_at)
    cases = []
    for node, facts in ((node, facts) for node, facts in by_node.items() if len(facts) > 1):
        now = facts[-1].received_at
        before = Fragment(profile=fold(Profile(), facts[:-1], program.plan), orders=orders)
        customer = customer_of(node, [before], plan=program.plan, currency=program.currency, now=now)
        _, state = step(customer, CustomerState(), (), now=facts[-2].received_at, program=program)
        cases.append((node, before, state, facts[-1]))

    def step_all() -> int:
        for node, before, state, fact in cases:
            customer = customer_of(node, [before], plan=program.plan, currency=program.currency, now=fact.received_at)
            step(customer, state, (fact,), now=fact.received_at + timedelta(seconds=1), program=program)
        return len(cases)

    return Figure(
        "step",
        _best_rate(step_all),
        "steps per core-second",
        f"One fact and the clock through {SEGMENTS} segments, churn bands and {CAMPAIGNS} campaigns for customers with "
        f"six orders, from stored fragments to the new state, Python {python_version()}; best of 5.",
        target=20_000,
    )


def _orders(last: datetime) -> OrderBook:
    """Six orders, one a month, the newest three weeks before `last`."""
    entries = [
        (
            order_key("shop", f"o-{month}"),
            OrderEntry(
                version=1,
                placed_at=last - timedelta(days=21 + 30 * month),
                total_minor=4_000 + 700 * month,
                refunded_minor=0,
                currency="USD",
                status="paid",
                coupon=month % 2 == 0,
                channel="online",
            ),
        )
        for month in range(6)
    ]
    return OrderBook().with_entries(entries)[0]
