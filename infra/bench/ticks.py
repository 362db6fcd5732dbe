"""What time costs: of a million customers, whom a minute's tick touches, and how late their rules flip."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from infra.bench.figures import Figure, rounded
from regulars.adapters.memory.customers import MemoryCustomerStore
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.adapters.program_files import program_files
from regulars.application.evaluate_customers import EvaluateCustomers
from regulars.application.outbox import Relay
from regulars.application.tick import tick
from regulars.domain.customer import Fragment, customer_of
from regulars.domain.engine import step
from regulars.domain.instants import from_millis
from regulars.domain.loading import load_program
from regulars.domain.orders import OrderBook, OrderEntry
from regulars.domain.profile import Profile
from regulars.domain.state import CustomerState
from regulars.domain.stored import Applied
from regulars.runtime.settings import program_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regulars.domain.program import CompiledProgram
    from regulars.domain.stored import Head
    from regulars.ports import Part

CUSTOMERS, DUE, MINUTES = 1_000_000, 1_000, 10
_START = datetime(2026, 6, 1, 12, tzinfo=UTC)
_ACTIVE_FOR = timedelta(days=30)


class _CountingStore(MemoryCustomerStore):
    """Counts what is read and written, node by node."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.written = 0, 0

    def heads(self, nodes: Sequence[str], *, parts: Sequence[Part] = ()) -> dict[str, Head]:
        self.read += len(nodes)
        return super().heads(nodes, **({"parts": parts} if parts else {}))

    def put_state(self, node: str, state: CustomerState, *, expected: int, owner: str) -> None:
        self.written += 1
        super().put_state(node, state, expected=expected, owner=owner)

    def crowd(self, like: str, count: int) -> None:
        """So many more customers, each as `like` is."""
        rows = [(kind, row) for (node, kind), row in self._rows.items() if node == like]
        for number in range(count):
            for kind, row in rows:
                self._rows[f"u_{number:032x}", kind] = row


def _settle(store: MemoryCustomerStore, node: str, placed: datetime, program: CompiledProgram) -> None:
    """A customer with one order, decided an instant before the start."""
    entry = OrderEntry(1, placed, 5_000, 0, "USD", "paid", coupon=False, channel="online")
    book = OrderBook({"4:shop:o": entry})
    now = _START - timedelta(seconds=1)
    customer = customer_of(node, [Fragment(Profile(), book, node)], program.terms, now=now)
    _, state = step(customer, CustomerState(), (), now=now, program=program, whole="import")
    store.put_orders(node, book, applied=Applied(None), expected=0, owner=node)
    state.outbox.clear()
    state.relay_by = None
    store.put_state(node, state, expected=0, owner=node)


def _lags(
    store: MemoryCustomerStore, evaluate: EvaluateCustomers, due: MemoryQueue, clock: FixedClock
) -> Iterator[timedelta]:
    """Ten minutes of ticks, each message taken when its delay is over: how late each decision is."""
    for minute in range(MINUTES + 1):
        started = clock.instant = _START + timedelta(minutes=minute)
        tick(store=store, due=due, clock=clock)
        for message in sorted(due.receive(), key=lambda message: message.delay_seconds):
            clock.instant = started + timedelta(seconds=message.delay_seconds)
            evaluate.due([("m", message.body)])
            evaluate.changed(store.changes())
            yield clock.instant - from_millis(orjson.loads(message.body)["due_at"])


def figures() -> list[Figure]:
    """Ten minutes of ticks over a million customers, of whom a thousand have a rule that flips in that time."""
    programs = MemoryProgramStore(load_program(program_files(program_folder())))
    program = programs.current().compiled
    store, due, clock = _CountingStore(), MemoryQueue(), FixedClock(_START)
    relay = Relay(store=store, messages=MemoryQueue(), events=MemoryQueue(), ids=CountedIds())
    evaluate = EvaluateCustomers(store=store, programs=programs, relay=relay, clock=clock, ids=CountedIds("d"))
    _settle(store, "u_like", _START - timedelta(days=5), program)
    store.crowd("u_like", CUSTOMERS - DUE - 1)
    step_of = timedelta(minutes=MINUTES) / DUE
    for number in range(DUE):
        _settle(store, f"u_due{number}", _START - _ACTIVE_FOR + number * step_of, program)
    store.changes()
    store.read = store.written = 0
    lags = sorted(_lags(store, evaluate, due, clock))
    p99 = lags[int(len(lags) * 0.99) - 1].total_seconds()
    how = f"{CUSTOMERS:,} customers in memory, {DUE:,} of whom leave a segment within ten minutes by time alone"
    return [
        Figure(
            "customers touched by ticks",
            len(lags),
            "customers",
            f"{how}; the due index is asked eleven times, and nobody else is looked at.",
            target=1.1 * DUE,
            at_least=False,
            parts={"reads of a customer": store.read, "states written, with their outbox cleared": store.written},
        ),
        Figure(
            "lag of a time rule, p99",
            rounded(p99),
            "s",
            f"{how}; from the due instant to the decision on the local clock, the queue's delay in whole seconds.",
            target=60,
            at_least=False,
            parts={"median": lags[len(lags) // 2].total_seconds(), "greatest": lags[-1].total_seconds()},
        ),
    ]
