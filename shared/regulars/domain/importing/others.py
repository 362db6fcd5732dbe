"""Rows to customers, products, consents and events: one event a row."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from regulars.domain.errors import BadInputError
from regulars.domain.events import CONSENT_UPDATED, IDENTIFY, PAGE, SCREEN, TRACK, Event, Trust
from regulars.domain.importing.fields import Errors, Import, Row, Subject, at, event_of, missing, who_of
from regulars.domain.importing.values import RowError
from regulars.domain.instants import from_millis, iso
from regulars.domain.money import decimal_text
from regulars.domain.products import product_event
from regulars.domain.products_payload import product_of_payload
from regulars.domain.statements import CONSENT_CATEGORIES

_TYPES = {"track": TRACK, "page": PAGE, "screen": SCREEN}

Said = dict[str, Any]
"""What a row says, by field; absent fields are left out."""


class _OneRow(ABC):
    """What translators of one row have in common."""

    def __init__(self, given: Import) -> None:
        self._given = given
        self._fields = given.fields()
        self._sections = (self._fields, given.fields("traits"), given.fields("properties"))

    def keys(self, rows: Sequence[Sequence[Any]]) -> Sequence[str | RowError | None]:
        """Each row is on its own; the same row twice is one event."""
        return [None] * len(rows)

    def translate(self, groups: Sequence[Sequence[Row]]) -> Iterator[list[Event] | RowError]:
        """For the rows of each key their events, each once, or why none of them can be imported."""
        rows = [row for group in groups for row in group]
        if not rows:
            return
        made = iter(self._all(rows))
        for group in groups:
            found: dict[str, Event] = {}
            failed: RowError | None = None
            for row in group:
                result = next(made)
                if isinstance(result, Event):
                    known = found.setdefault(result.event_id, result)
                    if known.payload_hash == result.payload_hash:
                        continue
                    result = RowError("conflicting_rows", "fields", "two rows of one id differ")
                failed = failed or at(result, row)
            yield failed or list(found.values())

    def _all(self, rows: list[Row]) -> Iterator[Event | RowError]:
        errors: Errors = {}
        raws = list(zip(*(row.values for row in rows), strict=True))
        columns, *free = (section.columns(raws, len(rows), errors) for section in self._sections)
        currencies = self._given.currencies(columns.get("currency"), len(rows), errors)
        columns |= self._fields.amounts(raws, currencies, errors)
        for place, row in enumerate(rows):
            if place in errors:
                yield errors[place]
                continue
            said, traits, properties = (_said(part, place) for part in (columns, *free))
            try:
                yield self._event(said, who_of(said, self._given.mapping.source, traits), properties, row)
            except RowError as error:
                yield error

    @abstractmethod
    def _event(self, said: Said, who: Subject, properties: Said, row: Row) -> Event:
        """The event of one row. Raises RowError."""

    def _needed(self, said: Said, name: str) -> Any:
        if name not in said:
            raise missing(self._fields.path(name))
        return said[name]

    def _message_id(self, who: Subject, parts: list[Any]) -> str:
        """Made of what is said, so that it is the same whenever it is imported."""
        told = [who.user_id, who.anonymous_id, who.traits, who.external_ids, *parts]
        return f"{self._given.mapping.kind}:{self._given.hash_of(told)}"


def _said(columns: dict[str, list[Any]], place: int) -> Said:
    return {name: value for name, column in columns.items() if (value := column[place]) is not None}


class Customers(_OneRow):
    """Who customers are: an identify call a row."""

    def _event(self, said: Said, who: Subject, properties: Said, row: Row) -> Event:
        del properties, row
        at_millis = self._needed(said, "at")
        preferences = {
            category: said[f"{channel}_consent"] == "granted"
            for category, channel in CONSENT_CATEGORIES.items()
            if f"{channel}_consent" in said
        }
        context = {"consent": {"categoryPreferences": preferences}} if preferences else {}
        return event_of(
            self._given, IDENTIFY, self._message_id(who, [at_millis, preferences]),
            at=(at_millis, self._fields.path("at")), who=who, name=None, properties={}, context=context,
        )  # fmt: skip


class Consents(_OneRow):
    """What customers agreed to and refused: a `Consent Updated` a row."""

    def _event(self, said: Said, who: Subject, properties: Said, row: Row) -> Event:
        del row
        at_millis = self._needed(said, "at")
        properties = {name: self._needed(said, name) for name in ("channel", "status")}
        for name, field in (("text_version", "text_version"), ("source", "consent_source")):
            if field in said:
                properties[name] = said[field]
        if "expires_at" in said:
            properties["expires_at"] = iso(from_millis(said["expires_at"]))
        return event_of(
            self._given, TRACK, self._message_id(who, [at_millis, properties]),
            at=(at_millis, self._fields.path("at")), who=who, name=CONSENT_UPDATED, properties=properties, context={},
        )  # fmt: skip


class Events(_OneRow):
    """Anything else that happened: a track, page or screen call a row."""

    def __init__(self, given: Import) -> None:
        super().__init__(given)
        whole = given.mapping.properties
        self._whole = given.columns.index(whole) if isinstance(whole, str) else None

    def keys(self, rows: Sequence[Sequence[Any]]) -> Sequence[str | RowError | None]:
        """The message id, where there is one: rows that share it are one event, or contradict each other."""
        return self._fields.keys("message_id", rows) if "message_id" in self._fields else super().keys(rows)

    def _event(self, said: Said, who: Subject, properties: Said, row: Row) -> Event:
        at_millis, name, kind = self._needed(said, "at"), self._needed(said, "event"), said.get("type", "track")
        if not name.isprintable():
            raise RowError("bad_event_name", self._fields.path("event"), "must have printable characters only")
        if self._whole is not None:
            properties = _object(row.values[self._whole])
        message_id = said.get("message_id") or self._message_id(who, [at_millis, kind, name, properties])
        return event_of(
            self._given, _TYPES[kind], message_id,
            at=(at_millis, self._fields.path("at")), who=who, name=name, properties=properties, context={},
        )  # fmt: skip


def _object(given: Any) -> Said:
    """A JSON object, also as text. Raises RowError."""
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else {}
        except ValueError:
            raise RowError("bad_json", "properties", "must be a JSON object") from None
    if given is not None and not isinstance(given, dict):
        raise RowError("bad_shape", "properties", "must be an object")
    return given or {}


class Products(_OneRow):
    """The catalogue: a snapshot of a product a row (docs/products.md)."""

    def keys(self, rows: Sequence[Sequence[Any]]) -> Sequence[str | RowError | None]:
        """The product: its versions meet."""
        return self._fields.keys("product_id", rows)

    def _event(self, said: Said, who: Subject, properties: Said, row: Row) -> Event:
        del who, properties, row
        mapping, received_at = self._given.mapping, self._given.received_at
        currency = said.get("currency") or mapping.currency
        document = dict(said)
        if currency is not None and "price" in said:
            document["price"] = decimal_text(said["price"], currency)
        try:
            product = product_of_payload(document, currency=currency)
        except BadInputError as error:
            field, colon, problem = error.detail.partition(": ")
            path = self._fields.path(field) if colon else "fields"
            raise RowError(error.code, path, problem or field) from None
        changed = said.get("updated_at")
        instant = None if changed is None else self._given.timestamp(changed, self._fields.path("updated_at"))
        return product_event(product, source=mapping.source, received_at=received_at, trust=Trust.IMPORTED, at=instant)
