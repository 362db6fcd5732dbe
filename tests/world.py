"""The way of an event on memory adapters: lake, fold, step, outbox, due; on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.customers import MemoryCustomerStore
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.adapters.program_files import program_files
from regulars.application.evaluate_customers import EvaluateCustomers, EvaluationReport
from regulars.application.neighbourhood import Neighbourhood
from regulars.application.outbox import Relay
from regulars.application.tick import tick
from regulars.application.update_customers import UpdateCustomers, UpdateReport
from regulars.domain.customer import Customer, customer_of
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.identity import NodeKind, node_id, strongest
from regulars.domain.instants import to_millis
from regulars.domain.loading import load_program
from regulars.domain.program import Program
from regulars.domain.sends import SendRecord, send_record_from_doc
from regulars.domain.state import CustomerState
from tests.strategies import START

PROGRAM_FOLDER = Path(__file__).parents[1] / "program"


@cache
def starter_program() -> Program:
    """The program that the repository ships."""
    return load_program(program_files(PROGRAM_FOLDER))


def user(name: str) -> str:
    """The node of a user id."""
    return node_id(NodeKind.USER, name)


class World:
    """`send` events; everything then runs until quiet. `decisions` collects what left for the messages queue."""

    def __init__(self, program: Program | None = None, now: datetime = START) -> None:
        self.clock = FixedClock(now)
        self.log = MemoryEventLog(self.clock)
        self.store = MemoryCustomerStore()
        self.catalogue = MemoryCatalogue()
        self.programs = MemoryProgramStore(program or starter_program())
        self.messages, self.events, self.due = MemoryQueue(), MemoryQueue(), MemoryQueue()
        ids = CountedIds()
        relay = Relay(store=self.store, messages=self.messages, events=self.events, ids=ids)
        self.update = UpdateCustomers(
            log=self.log, store=self.store, catalogue=self.catalogue, programs=self.programs, ids=ids
        )
        self.evaluate = EvaluateCustomers(
            store=self.store, programs=self.programs, relay=relay, clock=self.clock, ids=ids
        )
        self.decisions: list[SendRecord] = []
        self.told: list[dict[str, Any]] = []
        self.reports: list[EvaluationReport] = []
        self._number = 0

    def use(self, program: Program) -> None:
        """Another program is deployed."""
        self.programs = MemoryProgramStore(program)
        self.update._programs = self.evaluate._programs = self.programs

    def send(self, *events: Event) -> UpdateReport:
        """One batch lands and is folded, evaluated and relayed."""
        keys = self.log.append(events)
        report = self.update([("record", keys)])
        self.settle()
        return report

    def settle(self) -> None:
        """The table's stream and the outboxes, until nothing moves."""
        while changes := self.store.changes():
            self.reports.append(self.evaluate.changed(changes))
        self.decisions += [
            send_record_from_doc(orjson.loads(message.body)["send"]) for message in self.messages.receive()
        ]
        for message in self.events.receive():
            self.told += orjson.loads(message.body)["events"]

    def advance(self, to: datetime) -> None:
        """Move the clock; every tick that finds somebody due runs."""
        while (soonest := min((at for _, at in self.store.due(to)), default=None)) is not None:
            self.clock.instant = max(self.clock.instant, soonest)
            tick(store=self.store, due=self.due, clock=self.clock)
            latest = [self.clock.instant + timedelta(seconds=m.delay_seconds) for m in self.due.messages]
            self.clock.instant = min(max(latest), to)
            batch = self.due.receive()
            self.reports.append(self.evaluate.due([(str(i), message.body) for i, message in enumerate(batch)]))
            self.settle()
        self.clock.instant = to

    def event(self, name: str, *, at: datetime | None = None, **parts: Any) -> Event:
        """A track event (or, by `type`, another) at the clock's instant, of user `ann` in browser `b1` unless said."""
        self._number += 1
        number = str(self._number)
        moment = at or self.clock.instant
        base: dict[str, Any] = {
            "event_id": event_id_of("web", number),
            "source": "web",
            "message_id": number,
            "type": EventType.TRACK,
            "name": name or None,
            "user_id": "ann",
            "timestamp": moment,
            "received_at": max(self.clock.instant, moment),
        }
        return Event(**(base | parts))

    def order(
        self, order_id: str, *, at: datetime | None = None, total: int = 5000, version: int = 1, **parts: Any
    ) -> Event:
        """A signed order of user `ann` placed `at`; `said`: more of its document."""
        placed = at or self.clock.instant
        doc = {
            "order_id": order_id, "version": version, "status": parts.pop("status", "placed"), "currency": "USD",
            "placed_at": to_millis(placed), "total_minor": total, "refunded_minor": parts.pop("refunded", 0),
        } | parts.pop("said", {})  # fmt: skip
        return self.event(
            "Order Updated", at=placed, type=EventType.ORDER, source="shop", properties=doc,
            **{"trust": Trust.SIGNED, "event_id": event_id_of("shop", f"{order_id}:{version}"), **parts},
        )  # fmt: skip

    def sign_up(self, email: str = "ann@example.com", **parts: Any) -> list[Event]:
        """Identify with an address, and consent to e-mail."""
        said = {"channel": "email", "status": "granted", "text_version": "v1"}
        return [
            self.event("", type=EventType.IDENTIFY, traits={"email": email, "first_name": "Ann"}, **parts),
            self.event("Consent Updated", properties=said, **parts),
        ]

    def customer(self, name: str = "ann") -> Customer:
        """The customer that a user id resolves to, at the clock's instant."""
        return self.customer_of_node(user(name))

    def customer_of_node(self, node: str) -> Customer:
        """The customer that a node resolves to."""
        program = self.programs.current()
        nearby = Neighbourhood(self.store, [node], {}, program.identity)
        members, heads = nearby.members(node), nearby.heads
        fragments = [heads[member].fragment(member) for member in sorted(members)]
        return customer_of(strongest(members), fragments, program.compiled.terms, now=self.clock.now())

    def state(self, name: str = "ann") -> CustomerState:
        """The state of the customer that a user id resolves to."""
        head = self.store.heads([self.customer(name).root])[self.customer(name).root]
        return head.state.value if head.state else CustomerState()

    def segments(self, name: str = "ann") -> set[str]:
        """The segments that the customer is in."""
        return set(self.state(name).memberships)

    def sent(self) -> list[str]:
        """Campaigns of the decisions to send, in order."""
        return [record.campaign for record in self.decisions if record.withheld is None]

    def withheld(self) -> list[tuple[str, str | None]]:
        """(campaign, reason) of the decisions not to send, in order."""
        return [(record.campaign, record.withheld) for record in self.decisions if record.withheld is not None]


def roots_of(world: World, events: Iterable[Event]) -> set[str]:
    """Roots of all customers that the events name."""
    return {world.customer_of_node(nodes[0]).root for event in events if (nodes := nodes_of(event))}


def days(*numbers: float) -> Sequence[timedelta]:
    """Whole or part days."""
    return [timedelta(days=number) for number in numbers]
