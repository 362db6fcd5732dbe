"""The customer store in memory. Keeps documents as text, as DynamoDB would, so nothing is shared with a caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from regulars.adapters import items
from regulars.adapters.changes import Image, change_of
from regulars.domain.errors import VersionConflictError
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile
from regulars.domain.state import CustomerState
from regulars.domain.statements import ConsentRecord
from regulars.domain.stored import Applied, Change, Head, Stored
from regulars.domain.values import value
from regulars.ports import ALL_PARTS, Part

T = TypeVar("T")


@value(frozen=True, slots=True)
class _Row:
    doc: str
    version: int
    owner: str
    applied: str | None = None
    imported: bool = False
    outbox: int = 0
    due_at: datetime | None = None
    rebuilt: bool = False

    def image(self) -> Image:
        return Image(self.doc, self.version, self.applied, self.outbox, imported=self.imported, rebuilt=self.rebuilt)


class MemoryCustomerStore:
    """`changes()` hands over the stream of writes since it was last asked."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = {}
        self._consents: dict[str, dict[tuple[datetime, str, str], ConsentRecord]] = {}
        self._stream: list[tuple[str, str, _Row | None, _Row]] = []
        self._sequence = 0

    def heads(self, nodes: Sequence[str], *, parts: Sequence[Part] = ALL_PARTS) -> dict[str, Head]:
        return {node: self._head(node, parts) for node in nodes}

    def put_profile(self, node: str, profile: Profile, *, applied: Applied, expected: int, owner: str) -> None:
        row = _row(items.profile_text(profile), applied, expected=expected, owner=owner)
        self._put(node, items.PROFILE, row, expected)

    def put_orders(self, node: str, orders: OrderBook, *, applied: Applied, expected: int, owner: str) -> None:
        row = _row(items.orders_text(orders), applied, expected=expected, owner=owner)
        self._put(node, items.ORDERS, row, expected)

    def put_state(self, node: str, state: CustomerState, *, expected: int, owner: str) -> None:
        row = _Row(items.state_text(state), expected + 1, owner, outbox=len(state.outbox), due_at=state.next_due)
        self._put(node, items.STATE, row, expected)

    def append_consents(self, node: str, records: Sequence[ConsentRecord]) -> None:
        ledger = self._consents.setdefault(node, {})
        for record in records:
            ledger[record.at, record.event_id, record.channel] = record

    def consents(self, node: str) -> list[ConsentRecord]:
        ledger = self._consents.get(node, {})
        return [ledger[key] for key in sorted(ledger)]

    def due(self, before: datetime) -> Iterator[tuple[str, datetime]]:
        found = [
            (node, row.due_at)
            for (node, kind), row in self._rows.items()
            if kind == items.STATE and row.due_at is not None and row.due_at <= before
        ]
        yield from sorted(found, key=lambda pair: (pair[1], pair[0]))

    def scan(self) -> Iterator[tuple[str, Head]]:
        for node in sorted({node for node, _ in self._rows}):
            yield node, self._head(node)

    def changes(self) -> list[Change]:
        """Every change since the last call, in order."""
        stream, self._stream = self._stream, []
        found = []
        for node, kind, before, after in stream:
            self._sequence += 1
            change = change_of(str(self._sequence), node, kind, before.image() if before else None, after.image())
            if change is not None:
                found.append(change)
        return found

    def _put(self, node: str, kind: str, row: _Row, expected: int) -> None:
        known = self._rows.get((node, kind))
        if (known.version if known else 0) != expected:
            if known is not None and known.owner == row.owner:
                return
            raise VersionConflictError(f"{kind} moved on")
        self._rows[node, kind] = row
        self._stream.append((node, kind, known, row))

    def _head(self, node: str, parts: Sequence[Part] = ALL_PARTS) -> Head:
        profile, orders, state = (self._rows.get((node, part)) if part in parts else None for part in ALL_PARTS)
        return Head(
            _stored(profile, items.parsed_profile) if profile else None,
            _stored(orders, items.parsed_orders) if orders else None,
            _stored(state, items.parsed_state) if state else None,
        )


def _row(doc: str, applied: Applied, *, expected: int, owner: str) -> _Row:
    facts = items.applied_text(applied)
    return _Row(doc, expected + 1, owner, facts, imported=applied.imported, rebuilt=applied.rebuilt)


def _stored(row: _Row, parse: Callable[[str], T]) -> Stored[T]:
    return Stored(row.doc, parse, row.version, row.owner, rebuilt=row.rebuilt)
