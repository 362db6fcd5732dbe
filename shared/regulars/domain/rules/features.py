"""Features: what a rule needs of events beyond their plain number, and of orders beyond when and how much.

A leaf with `where`, or with an aggregate of a property, adds one small tally to the fold; an order's `where` adds a
mark to the order. What is noted of an event is decided when its fact is made, because facts carry no properties.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from regulars.domain.events import Event
from regulars.domain.money import decimal_text
from regulars.domain.rules.numbers import as_thousandths
from regulars.domain.rules.where import Conditions, canonical, satisfied, values_at
from regulars.domain.tallies import Keeps

_AMOUNTS = {"total": "total_minor", "refunded": "refunded_minor", "discount": "discount_minor"}
_LONGEST_TEXT, _LONGEST_DAILY = 200, 64
_NO_CONDITIONS: Conditions = {}


@dataclass(frozen=True)
class Feature:
    """One tally: of which event, of those that satisfy `where`, what of the property at `path` is kept, and for how
    many UTC days back (0: only what is of all time)."""

    event: str
    keeps: Keeps
    where: Conditions
    path: str | None = None
    days: int = 0

    @property
    def key(self) -> str:
        """The same for the same events and the same tally, whichever rule asks for it."""
        what = f"{self.keeps}\n{self.path}\n{canonical(self.where)}"
        return f"{self.event}#{hashlib.sha256(what.encode()).hexdigest()[:8]}"

    def noted(self, document: Mapping[str, Any]) -> Any:
        """What the fold is told of an event's document; None where it is none of the feature's."""
        if self.where and not satisfied(self.where, document):
            return None
        if self.path is None:
            return 1 if self.keeps is Keeps.COUNT else ""
        found = values_at(document, self.path)
        return _KEPT[self.keeps](found[0]) if found else None


def _told(value: Any) -> Any:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def _told_daily(value: Any) -> Any:
    return value[:_LONGEST_DAILY] if isinstance(value, str) else value


def _hashed(value: Any) -> str:
    """Texts and numbers stay apart, and whole numbers are one however they are written."""
    return short_hash(f"{float(value)}" if type(value) in (int, float) else repr(value))


_KEPT: Mapping[Keeps, Callable[[Any], Any]] = {
    Keeps.TOTALS: as_thousandths, Keeps.FIRST: _told, Keeps.LAST: _told, Keeps.VALUES: _hashed, Keeps.INSTANTS: _hashed,
    Keeps.DAILY_VALUES: _hashed, Keeps.DAILY_FIRST: _told_daily, Keeps.DAILY_LAST: _told_daily,
}  # fmt: skip


def short_hash(text: str) -> str:
    """48 bits in base64: enough to tell a customer's values apart."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:6]).decode()


def mark_of(where: Conditions | None) -> str | None:
    """The mark of orders that satisfy `where`: 24 bits in base64, short because it stands with every such order; None
    for all orders."""
    if not where:
        return None
    return urlsafe_b64encode(hashlib.sha256(canonical(where).encode()).digest()[:3]).decode()


def document_of(event: Event) -> Mapping[str, Any]:
    """What `where` sees of an event: its properties, with `context` and an order's amounts as decimals beside them."""
    document: dict[str, Any] = {**event.properties, "context": event.context}
    currency = document.get("currency")
    for name, minor in _AMOUNTS.items():
        if isinstance(document.get(minor), int) and isinstance(currency, str):
            document[name] = float(decimal_text(document[minor], currency))
    return document


def conditions(where: Conditions | None) -> Conditions:
    """No conditions where none were written."""
    return _NO_CONDITIONS if where is None else where
