"""Import a shop's history of orders: the log first, then the fold.

The orders go straight into the lake, as whole customers in objects of thousands of orders, without passing the queue:
what lands there is folded like everything else, with one write per customer and object. An imported order has the event
id that its webhook would have had, so whatever comes twice counts once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from regulars.domain.errors import BadInputError
from regulars.domain.events import BadRow, Event, EventType, Trust, event_id_of
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.money import MAX_MINOR, currency_exponent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from regulars.ports import EventLog

STAGE = "import_orders"
ORDERS_PER_OBJECT = 10_000
_MAX_ID = 255


@dataclass(frozen=True, slots=True)
class CustomerHistory:
    """One customer's past: canonical order documents (docs/collect.md, "Orders"), and other events such as consents.

    `traits` are the customer's (`email`, `phone`, ...); they go on the newest order.
    """

    user_id: str
    orders: Sequence[Mapping[str, Any]]
    events: Sequence[Event] = ()
    traits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was written: `keys` of the event objects in order, and how much was in them."""

    keys: tuple[str, ...]
    customers: int
    orders: int
    events: int
    bad_rows: int


def import_orders(
    histories: Iterable[CustomerHistory],
    *,
    source: str,
    received_at: datetime,
    log: EventLog,
    orders_per_object: int = ORDERS_PER_OBJECT,
    on_written: Callable[[int], None] = lambda _orders: None,
) -> ImportReport:
    """Write whole customers to the lake, at least `orders_per_object` orders an object (the last one has the rest).

    `received_at` is the instant of the import: that is when Regulars learnt of it all, whenever it happened. An order
    that breaks a rule becomes a bad row. `on_written` hears after each object how many orders it held. The same import
    again writes the same objects, that is, nothing. Raises TransientError when the lake does not answer: run it again.
    """
    keys: list[str] = []
    customers = orders = events = bad_rows = 0
    for batch in _batches(histories, orders_per_object):
        good, bad = _events_of(batch, source=source, received_at=received_at)
        if good:
            keys += log.append(good)
        if bad:
            log.append_bad(bad)
        written = sum(event.type is EventType.ORDER for event in good)
        customers += len(batch)
        orders += written
        events += len(good)
        bad_rows += len(bad)
        on_written(written)
    return ImportReport(tuple(keys), customers, orders, events, bad_rows)


def _batches(histories: Iterable[CustomerHistory], size: int) -> Iterable[list[CustomerHistory]]:
    batch: list[CustomerHistory] = []
    orders = 0
    for history in histories:
        batch.append(history)
        orders += len(history.orders)
        if orders >= size:
            yield batch
            batch, orders = [], 0
    if batch:
        yield batch


def _events_of(
    batch: Sequence[CustomerHistory], *, source: str, received_at: datetime
) -> tuple[list[Event], list[BadRow]]:
    good: list[Event] = []
    bad: list[BadRow] = []
    for history in batch:
        good += history.events
        newest = max(history.orders, key=_placed, default=None)
        for order in history.orders:
            traits = dict(history.traits) if order is newest else {}
            try:
                good.append(
                    order_event(order, user_id=history.user_id, source=source, received_at=received_at, traits=traits)
                )
            except BadInputError as error:
                bad.append(_bad_row(order, history.user_id, error, source=source, received_at=received_at))
    return good, bad


def _placed(order: Mapping[str, Any]) -> int:
    placed = order.get("placed_at")
    return placed if isinstance(placed, int) else 0


def order_event(
    order: Mapping[str, Any], *, user_id: str, source: str, received_at: datetime, traits: Mapping[str, Any]
) -> Event:
    """The event of one imported version of an order. Raises BadInputError with the path of what is wrong."""
    _check(order, to_millis(received_at))
    message_id = f"{order['order_id']}:{order['version']}"
    placed_at = from_millis(order["placed_at"])
    return Event(
        event_id=event_id_of(source, message_id),
        source=source,
        message_id=message_id,
        type=EventType.ORDER,
        name="Order Updated",
        user_id=user_id,
        timestamp=placed_at,
        original_timestamp=placed_at,
        received_at=received_at,
        trust=Trust.IMPORTED,
        payload_hash=hashlib.sha256(orjson.dumps(order, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32],
        context={"channel": "import"},
        properties=dict(order),
        traits=dict(traits),
    )


def _check(order: Mapping[str, Any], received_at: int) -> None:
    """The rules that the fold relies on; an operator's file is trusted for the rest."""
    identifier, currency = order.get("order_id"), order.get("currency")
    if not isinstance(identifier, str) or not 0 < len(identifier) <= _MAX_ID:
        raise BadInputError("bad_order", f"order_id must be a text of 1 to {_MAX_ID} characters")
    if not isinstance(currency, str):
        raise BadInputError("unknown_currency", "currency must be an ISO 4217 code such as EUR")
    currency_exponent(currency)
    for name, low, high in (
        ("version", 0, MAX_MINOR),
        ("placed_at", 0, received_at),
        ("total_minor", 0, MAX_MINOR),
        ("refunded_minor", 0, order.get("total_minor", 0)),
    ):
        value = order.get(name, 0 if name == "refunded_minor" else None)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise BadInputError("bad_order", f"{name} must be a whole number from {low} to {high}")
    if not isinstance(order.get("status"), str):
        raise BadInputError("bad_order", "status must be a text")


def _bad_row(
    order: Mapping[str, Any], user_id: str, error: BadInputError, *, source: str, received_at: datetime
) -> BadRow:
    original = orjson.dumps({"user_id": user_id, "order": order}, option=orjson.OPT_SORT_KEYS).decode()
    return BadRow(
        row_id=hashlib.sha256(f"{STAGE}:{len(source)}:{source}{original}".encode()).hexdigest()[:32],
        source=source,
        stage=STAGE,
        code=error.code,
        detail=error.detail,
        received_at=received_at,
        original=original,
    )


def read_again(row: BadRow) -> Event:
    """A bad row of this stage, checked again. Raises BadInputError when it is still bad."""
    document = orjson.loads(row.original)
    return order_event(
        document["order"], user_id=document["user_id"], source=row.source, received_at=row.received_at, traits={}
    )
