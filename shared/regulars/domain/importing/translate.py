"""The translator of each kind of import."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from regulars.domain.events import Event
from regulars.domain.importing.fields import Import, Row
from regulars.domain.importing.orders import Orders
from regulars.domain.importing.others import Consents, Customers, Events, Products
from regulars.domain.importing.targets import Kind
from regulars.domain.importing.values import RowError


class Translator(Protocol):
    """Rows of one kind to events."""

    def keys(self, rows: Sequence[Sequence[Any]]) -> Sequence[str | RowError | None]:
        """For the values of each row what it belongs to: rows of one key must come together. None: a row that stands
        alone."""

    def translate(self, groups: Sequence[Sequence[Row]]) -> Iterator[list[Event] | RowError]:
        """For all rows of each key, in whatever order they are: their events, or why none of them can be imported."""


_TRANSLATORS: Mapping[Kind, Callable[[Import], Translator]] = {
    Kind.ORDERS: Orders,
    Kind.ORDER_LINES: Orders,
    Kind.CUSTOMERS: Customers,
    Kind.PRODUCTS: Products,
    Kind.CONSENTS: Consents,
    Kind.EVENTS: Events,
}


def translator_of(given: Import) -> Translator:
    """The translator of an import's kind."""
    return _TRANSLATORS[given.mapping.kind](given)
