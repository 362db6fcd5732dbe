"""Orders: a map from order key to its highest version, which is a monoid (and idempotent) under pointwise maximum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from regulars.domain.instants import from_millis, to_millis

MAX_ORDERS = 2000
"""Orders of one node; more is a machine, and the item must stay under DynamoDB's 400 KB: 2,000 of at most 150 bytes."""
_LONGEST_KEY = 48

CANCELLED = "cancelled"


class OrderEntry(NamedTuple):
    """What the rules need of one order. Field order is the tie-break between two bodies of one version.

    `version` grows with each change; amounts are minor units of `currency`, `total_minor` as first charged;
    `placed_at` is when the shopper ordered.
    """

    version: int
    placed_at: datetime
    total_minor: int
    refunded_minor: int
    currency: str
    status: str
    coupon: bool
    channel: str

    @property
    def counts(self) -> bool:
        """Cancelled orders never were; refunded ones were, at what was kept."""
        return self.status != CANCELLED

    @property
    def net_minor(self) -> int:
        """What the shop keeps: charged less refunded, never below nothing, nothing when cancelled."""
        return max(self.total_minor - self.refunded_minor, 0) if self.status != CANCELLED else 0


@dataclass(slots=True)
class OrderBook:
    """All orders of one node or one customer. Treat as a value: `with_entries` and `merged` return new books."""

    entries: dict[str, OrderEntry] = field(default_factory=dict)

    def with_entries(self, entries: Iterable[tuple[str, OrderEntry]]) -> tuple[OrderBook, frozenset[str]]:
        """The book after more versions of orders (itself when it knows those or higher ones), and the keys refused
        because they would be more than MAX_ORDERS orders."""
        changed: dict[str, OrderEntry] | None = None
        refused = set()
        for key, entry in entries:
            book = self.entries if changed is None else changed
            known = book.get(key)
            if known is not None and known >= entry:
                continue
            if known is None and len(book) >= MAX_ORDERS:
                refused.add(key)
                continue
            if changed is None:
                changed = dict(self.entries)
            changed[key] = entry
        return self if changed is None else OrderBook(changed), frozenset(refused)

    def merged(self, other: OrderBook) -> OrderBook:
        """Pointwise maximum."""
        if not other.entries:
            return self
        if not self.entries:
            return other
        entries = dict(self.entries)
        for key, entry in other.entries.items():
            known = entries.get(key)
            if known is None or entry > known:
                entries[key] = entry
        return OrderBook(entries)

    def counted(self, currency: str) -> list[tuple[datetime, int]]:
        """(placed_at, net minor units) of the orders that count; an order in another currency counts with no
        revenue."""
        return [
            (entry.placed_at, entry.net_minor if entry.currency == currency else 0)
            for entry in self.entries.values()
            if entry.status != CANCELLED
        ]


def order_key(source: str, order_id: str) -> str:
    """The key of an order: ids are unique per source only. The source cannot forge a separator.
    A long one is replaced by its hash."""
    key = f"{len(source)}:{source}:{order_id}"
    return key if len(key) <= _LONGEST_KEY and key.isascii() else hashlib.sha256(key.encode()).hexdigest()[:32]


def entry_of(order: dict[str, Any]) -> OrderEntry:
    """The entry of a canonical order document (docs/collect.md, "Orders")."""
    return OrderEntry(
        version=order["version"],
        placed_at=from_millis(order["placed_at"]),
        total_minor=order["total_minor"],
        refunded_minor=order.get("refunded_minor", 0),
        currency=order["currency"],
        status=order["status"],
        coupon=bool(order.get("coupons")),
        channel=order.get("channel", "online"),
    )


def entry_to_doc(entry: OrderEntry) -> list[Any]:
    """A compact JSON array in field order; `placed_at` as epoch milliseconds."""
    return [entry[0], to_millis(entry[1]), *entry[2:6], int(entry[6]), entry[7]]


def entry_from_doc(doc: list[Any]) -> OrderEntry:
    """The inverse of `entry_to_doc`."""
    return OrderEntry(doc[0], from_millis(doc[1]), doc[2], doc[3], doc[4], doc[5], bool(doc[6]), doc[7])


def orders_to_doc(book: OrderBook) -> dict[str, Any]:
    """The JSON document of a book, keys sorted so that equal books are equal bytes."""
    return {key: entry_to_doc(book.entries[key]) for key in sorted(book.entries)}


def orders_from_doc(doc: dict[str, Any]) -> OrderBook:
    """The inverse of `orders_to_doc`."""
    return OrderBook({key: entry_from_doc(entry) for key, entry in doc.items()})
