"""The pure core: events folded per second and steps per second, on one core, without serialisation."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from infra.bench.figures import Figure, rounded
from infra.bench.handlers import ROOT, Handlers, python_version
from infra.bench.traffic import batches, request_event, visits
from regulars.adapters.program_files import program_files
from regulars.domain.customer import Fragment, customer_of
from regulars.domain.engine import step
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import event_from_doc
from regulars.domain.facts import Fact, fact_of
from regulars.domain.loading import load_program
from regulars.domain.orders import OrderBook, OrderEntry, order_key
from regulars.domain.profile import Profile, fold
from regulars.domain.state import CustomerState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from regulars.domain.events import Event
    from regulars.domain.program import CompiledProgram, Program

_VISITS = 500
SEGMENTS = 25
CAMPAIGNS = 10
_READ_BY_RULES, _READ_BY_NO_RULE = "Product Viewed", "Page Viewed"


def canonical_events() -> list[Event]:
    """What collect makes of the calls of some hundred visits."""
    handlers = Handlers()
    calls = visits(_VISITS, seed=7, per_second=50)
    for number, group in enumerate(batches(calls, 10)):
        handlers.call("collect", request_event(group, number))
    return [event for message in handlers.events.receive() for event in _events_in(message.body)]


def _events_in(body: str) -> list[Event]:
    return [event_from_doc(doc) for doc in orjson.loads(body)["events"]]


_PREDICTED = {"slipping_away"}


def large_program() -> Program:
    """The starter program, its segments and campaigns repeated with other bounds until there are 25 and 10. What reads
    predictions is left out: the systems beside which this is measured have none."""
    files: dict[str, Any] = dict(program_files(ROOT / "program"))
    sections = {name: (file, data[name]) for file, data in files.items() for name in data}
    for name, key in (("segments", "name"), ("campaigns", "segment")):
        section = sections[name][1]
        section[:] = [each for each in section if each[key] not in _PREDICTED]
    segments = sections["segments"][1]
    for index in range(SEGMENTS - len(segments)):
        days = 7 + 11 * index
        rule = [
            {"all": [{"count": "orders", "within": f"{days}d", "at_least": 1 + index % 4}]},
            {"all": [{"sum": "orders.revenue", "within": f"{days}d", "at_least": 25 * (index + 1)}]},
            {"any": [{"count": "Product Viewed", "within": f"{days}d", "at_least": 12 + index}]},
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
        """Fold every event into its node; how many there were."""
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


_Case = tuple[str, Fragment, CustomerState, Fact]


def _step_figure(events: list[Event]) -> Figure:
    program = large_program().compiled
    by_node: dict[str, list[Fact]] = defaultdict(list)
    for event in events:
        fact = fact_of(event, currency=program.currency)
        if fact is not None:
            by_node[nodes_of(event)[0]].append(fact)
    read, unread = (_cases(by_node, program, name) for name in (_READ_BY_RULES, _READ_BY_NO_RULE))
    return Figure(
        "step",
        _best_rate(partial(_step_all, read, program)),
        "steps per core-second",
        f"One fact that rules read, and the clock, through {SEGMENTS} segments, churn bands and {CAMPAIGNS} campaigns "
        "for customers with six orders, from fragments to the new state, no segment changing, Python "
        f"{python_version()}; best of 5.",
        target=20_000,
        parts={"where no rule reads the fact": rounded(_best_rate(partial(_step_all, unread, program)))},
    )


def _cases(by_node: dict[str, list[Fact]], program: CompiledProgram, name: str) -> list[_Case]:
    """Each node with its fragment and state before its last fact called `name`."""
    cases = []
    for node, facts in by_node.items():
        last = max((index for index, fact in enumerate(facts) if fact.name == name), default=0)
        if last == 0:
            continue
        before, fact = facts[:last], facts[last]
        fragment = Fragment(profile=fold(Profile(), before, program.plan), orders=_orders(fact.received_at))
        now = before[-1].received_at
        customer = customer_of(node, [fragment], program.terms, now=now)
        _, state = step(customer, CustomerState(), (), now=now, program=program)
        cases.append((node, fragment, state, fact))
    return cases


def _step_all(cases: list[_Case], program: CompiledProgram) -> int:
    for node, fragment, state, fact in cases:
        now = fact.received_at + timedelta(seconds=1)
        customer = customer_of(node, [fragment], program.terms, now=fact.received_at)
        step(customer, state, (fact,), now=now, program=program)
    return len(cases)


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
