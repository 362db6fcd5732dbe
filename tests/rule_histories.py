"""What happened to a customer, as the fold sees it and as a plain evaluator may read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from regulars.domain.customer import Customer, Fragment, Terms, customer_of
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.facts import fact_of
from regulars.domain.instants import to_millis
from regulars.domain.orders import OrderBook
from regulars.domain.plan import FeaturePlan
from regulars.domain.profile import Profile, fold
from regulars.domain.rules.view import OrderRow, OrderTotals, Value
from regulars.domain.tallies import Tally

CURRENCY = "EUR"
Data = dict[str, Any]


@dataclass(frozen=True)
class Bought:
    """One order."""

    at: datetime
    total: int
    refunded: int
    channel: str
    coupons: tuple[str, ...]
    categories: tuple[str, ...]
    cancelled: bool
    currency: str = CURRENCY

    @property
    def net(self) -> int:
        """What the shop kept, in its own currency."""
        return max(self.total - self.refunded, 0) if self.is_own else 0

    @property
    def is_own(self) -> bool:
        """Whether it was paid in the shop's own currency."""
        return self.currency == CURRENCY


@dataclass(frozen=True)
class Did:
    """One thing that was done: an event and its properties."""

    at: datetime
    name: str
    properties: Data


@dataclass(frozen=True)
class History:
    """All that happened to a customer, and values of fields that do not come from it."""

    root: str
    did: tuple[Did, ...]
    bought: tuple[Bought, ...]
    values: Mapping[str, Value]

    def view(self, plan: FeaturePlan, now: datetime, zone: tzinfo = UTC) -> HistoryView:
        """The real customer that the fold makes of it."""
        events = [*map(_event, range(len(self.did)), self.did), *map(_order, range(len(self.bought)), self.bought)]
        facts = [fact for event in events if (fact := fact_of(event, currency=CURRENCY, plan=plan))]
        book, _ = OrderBook().with_entries([fact.order for fact in facts if fact.order])
        fragment = Fragment(fold(Profile(), facts, plan), book, self.root)
        terms = Terms(plan, CURRENCY, zone)
        return HistoryView(customer_of(self.root, [fragment], terms, now=now), self.values)


class HistoryView:
    """A customer, some of whose fields are as given."""

    def __init__(self, customer: Customer, values: Mapping[str, Value]) -> None:
        self._customer, self._values = customer, values
        self.root = customer.root

    def value(self, field: str) -> Value:
        """As given, or the customer's own."""
        return self._values[field] if field in self._values else self._customer.value(field)

    def at(self, field: str, then: datetime) -> Value:  # noqa: ARG002 - nothing here moves
        """As given."""
        return self.value(field)

    def changes(self, field: str, bound: float | None, now: datetime) -> datetime | None:
        """Never."""

    def order_totals(self) -> OrderTotals:
        """The customer's."""
        return self._customer.order_totals()

    def order_rows(self, mark: str | None = None) -> Sequence[OrderRow]:
        """The customer's."""
        return self._customer.order_rows(mark)

    def days(self, event: str) -> Mapping[int, int]:
        """The customer's."""
        return self._customer.days(event)

    def count(self, event: str) -> int:
        """The customer's."""
        return self._customer.count(event)

    def tally(self, key: str) -> Tally | None:
        """The customer's."""
        return self._customer.tally(key)


def _event(number: int, did: Did) -> Event:
    return Event(
        event_id=event_id_of("web", f"e{number}"), source="web", message_id=f"e{number}", type=EventType.TRACK,
        timestamp=did.at, received_at=did.at, name=did.name, user_id="somebody", properties=did.properties,
    )  # fmt: skip


def order_document(number: int, bought: Bought) -> Data:
    """The canonical document of an order."""
    return {
        "order_id": f"o{number}", "version": 1, "status": "cancelled" if bought.cancelled else "paid",
        "placed_at": to_millis(bought.at), "currency": bought.currency, "total_minor": bought.total,
        "refunded_minor": bought.refunded, "channel": bought.channel, "coupons": list(bought.coupons),
        "products": [{"product_id": "p", "quantity": 1, "category": name} for name in bought.categories],
    }  # fmt: skip


def _order(number: int, bought: Bought) -> Event:
    return Event(
        event_id=event_id_of("shop", f"o{number}"), source="shop", message_id=f"o{number}", type=EventType.ORDER,
        timestamp=bought.at, received_at=bought.at, name="Order Updated", user_id="somebody", trust=Trust.SIGNED,
        properties=order_document(number, bought),
    )  # fmt: skip


_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def span_of(text: str) -> timedelta:
    """A duration as rules spell it."""
    return int(text[:-1]) * _UNITS[text[-1]]


def spans_in(data: Any) -> set[timedelta]:
    """All durations that a rule says."""
    if isinstance(data, dict):
        return {span for part in data.values() for span in spans_in(part)}
    if isinstance(data, list):
        return {span for part in data for span in spans_in(part)}
    return {span_of(data)} if isinstance(data, str) and re.fullmatch("[0-9]+[hdw]", data) else set()


def edges(histories: Iterable[History], spans: Iterable[timedelta]) -> set[datetime]:
    """The instants at which a verdict may turn: so long after, or before, whatever happened, and the days of it."""
    day = timedelta(days=1)
    starts = set()
    for history in histories:
        things: list[Did | Bought] = [*history.did, *history.bought]
        starts |= {value for value in history.values.values() if isinstance(value, datetime)}
        starts |= {at for thing in things for at in (thing.at, datetime.combine(thing.at.date(), time(), UTC))}
    lengths = {sign * span for span in spans for sign in (1, -1)} | {span + day for span in spans} | {timedelta(0)}
    return {start + length for start in starts for length in lengths}
