"""Orders: a map from order key to its highest version, which is a monoid (and idempotent) under pointwise maximum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from regulars.domain.instants import from_millis, to_millis

MAX_ORDERS = 1500
"""Orders of one node; more is a machine, and the item must stay under DynamoDB's 400 KB: 1,500 of at most 250 bytes."""
MAX_CATEGORIES = 3
"""Categories of one order that are remembered: those that most pieces of it are of."""
_LONGEST_CATEGORY = 60
MARK_LENGTH = 4
_LONGEST_KEY = 48

CANCELLED = "cancelled"
_PLAIN = 8
"""Fields that every entry's document has."""
_NAMES = ""


class OrderEntry(NamedTuple):
    """What the rules need of one order. Field order is the tie-break between two bodies of one version.

    `version` grows with each change; amounts are minor units of `currency`, `total_minor` as first charged;
    `placed_at` is when the shopper ordered. `marks`: which conditions of the rules it meets (rules/features.py), four
    characters each; `categories`: what it was mostly of.
    """

    version: int
    placed_at: datetime
    total_minor: int
    refunded_minor: int
    currency: str
    status: str
    coupon: bool
    channel: str
    marks: str = ""
    categories: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Cancelled orders never were; refunded ones were, at what was kept."""
        return self.status != CANCELLED

    def has(self, mark: str) -> bool:
        """Whether the order meets the conditions that the mark stands for."""
        return mark in self.split_marks()

    def split_marks(self) -> list[str]:
        """The marks one by one."""
        marks = self.marks
        return [marks[start : start + MARK_LENGTH] for start in range(0, len(marks), MARK_LENGTH)]

    @property
    def net_minor(self) -> int:
        """What the shop keeps: charged less refunded, never below nothing, nothing when cancelled."""
        kept = self.total_minor - self.refunded_minor
        return kept if kept > 0 and self.status != CANCELLED else 0


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
            if known is not None and (entry := later(known, entry)) is known:
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
            entries[key] = entry if known is None else later(known, entry)
        return OrderBook(entries)

    def counted(self, currency: str) -> list[tuple[datetime, int]]:
        """(placed_at, net minor units) of the orders that count; an order in another currency counts with no
        revenue."""
        return [
            (entry.placed_at, entry.net_minor if entry.currency == currency else 0)
            for entry in self.entries.values()
            if entry.status != CANCELLED
        ]


def later(known: OrderEntry, entry: OrderEntry) -> OrderEntry:
    """The higher version of an order; `known` itself when that says all. Of one version, folded under two plans, with
    the marks of both."""
    if entry.version != known.version:
        return entry if entry.version > known.version else known
    if entry[:_PLAIN] != known[:_PLAIN]:
        return max(known, entry, key=_plainly)
    marks = {*known.split_marks(), *entry.split_marks()}
    both = known._replace(marks="".join(sorted(marks)), categories=max(known.categories, entry.categories))
    return known if both == known else both


def _plainly(entry: OrderEntry) -> tuple[Any, ...]:
    return entry[:_PLAIN]


def order_key(source: str, order_id: str) -> str:
    """The key of an order: ids are unique per source only. The source cannot forge a separator.
    A long one is replaced by its hash."""
    key = f"{len(source)}:{source}:{order_id}"
    return key if len(key) <= _LONGEST_KEY and key.isascii() else hashlib.sha256(key.encode()).hexdigest()[:32]


def entry_of(order: dict[str, Any], marks: str = "") -> OrderEntry:
    """The entry of a canonical order document (docs/collect.md, "Orders") that meets the conditions `marks`."""
    return OrderEntry(
        version=order["version"],
        placed_at=from_millis(order["placed_at"]),
        total_minor=order["total_minor"],
        refunded_minor=order.get("refunded_minor", 0),
        currency=order["currency"],
        status=order["status"],
        coupon=bool(order.get("coupons")),
        channel=order.get("channel", "online"),
        marks=marks,
        categories=_categories_of(order),
    )


def _categories_of(order: dict[str, Any]) -> tuple[str, ...]:
    pieces: dict[str, int] = {}
    for line in order.get("products") or ():
        category = line.get("category")
        if isinstance(category, str) and category:
            name = category[:_LONGEST_CATEGORY]
            pieces[name] = pieces.get(name, 0) + line.get("quantity", 1)
    return tuple(sorted(pieces, key=lambda name: (-pieces[name], name))[:MAX_CATEGORIES])


def entry_to_doc(entry: OrderEntry) -> list[Any]:
    """A compact JSON array in field order; `placed_at` as epoch milliseconds; what is empty at the end is left out."""
    doc = [entry[0], to_millis(entry[1]), *entry[2:6], int(entry[6]), entry[7]]
    if entry.categories:
        return [*doc, entry.marks, *entry.categories]
    return [*doc, entry.marks] if entry.marks else doc


def entry_from_doc(doc: list[Any]) -> OrderEntry:
    """The inverse of `entry_to_doc`."""
    at, coupon = from_millis(doc[1]), bool(doc[6])
    if len(doc) == _PLAIN:
        return OrderEntry(doc[0], at, doc[2], doc[3], doc[4], doc[5], coupon, doc[7])
    return OrderEntry(doc[0], at, doc[2], doc[3], doc[4], doc[5], coupon, doc[7], doc[8], tuple(doc[9:]))


def orders_to_doc(book: OrderBook) -> dict[str, Any]:
    """The JSON document of a book, keys sorted so that equal books are equal bytes. Categories, which repeat, are
    numbers of a list under the key that no order has."""
    names = sorted({name for entry in book.entries.values() for name in entry.categories})
    if not names:
        return {key: entry_to_doc(book.entries[key]) for key in sorted(book.entries)}
    numbers = {name: number for number, name in enumerate(names)}
    doc: dict[str, Any] = {_NAMES: names}
    for key in sorted(book.entries):
        entry = book.entries[key]
        written = doc[key] = [entry[0], to_millis(entry[1]), *entry[2:6], int(entry[6]), entry[7]]
        if entry.categories:
            written += entry.marks, *[numbers[name] for name in entry.categories]
        elif entry.marks:
            written.append(entry.marks)
    return doc


def orders_from_doc(doc: dict[str, Any]) -> OrderBook:
    """The inverse of `orders_to_doc`."""
    names = doc.get(_NAMES)
    if names is None:
        return OrderBook({key: entry_from_doc(entry) for key, entry in doc.items()})
    entries = {}
    for key, entry in doc.items():
        if key == _NAMES:
            continue
        told = len(entry) > _PLAIN
        entries[key] = OrderEntry(  # in order of declaration: every write of an order reads them all
            entry[0], from_millis(entry[1]), entry[2], entry[3], entry[4], entry[5], bool(entry[6]), entry[7],
            entry[8] if told else "", tuple([names[number] for number in entry[9:]]) if told else (),
        )  # fmt: skip
    return OrderBook(entries)
