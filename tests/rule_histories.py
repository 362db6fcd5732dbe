"""What happened to a customer, as the fold sees it and as a plain evaluator may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
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

    @property
    def net(self) -> int:
        """What the shop kept."""
        return max(self.total - self.refunded, 0)


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
        "placed_at": to_millis(bought.at), "currency": CURRENCY, "total_minor": bought.total,
        "refunded_minor": bought.refunded, "channel": bought.channel, "coupons": list(bought.coupons),
        "products": [{"product_id": "p", "quantity": 1, "category": name} for name in bought.categories],
    }  # fmt: skip


def _order(number: int, bought: Bought) -> Event:
    return Event(
        event_id=event_id_of("shop", f"o{number}"), source="shop", message_id=f"o{number}", type=EventType.ORDER,
        timestamp=bought.at, received_at=bought.at, name="Order Updated", user_id="somebody", trust=Trust.SIGNED,
        properties=order_document(number, bought),
    )  # fmt: skip
