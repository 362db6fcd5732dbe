"""A mapping made ready: which place of a row feeds which conversion, and who the row is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from regulars.domain.event_nodes import external_ids
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.importing.mapping import ImportMapping, Mapped
from regulars.domain.importing.targets import NAMES, Shape, Target
from regulars.domain.importing.values import Amounts, Conversion, RowError, known_currency
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.values import value

LATEST_AHEAD = timedelta(days=1)
_DAY_MILLIS = LATEST_AHEAD // timedelta(milliseconds=1)

Hash = Callable[[list[Any]], str]
"""128 bits, in hex, over JSON data."""


@value(frozen=True, slots=True)
class Row:
    """One row: in which file (from 0) and where in it (from 1), and the values of the mapping's columns in order."""

    file: int
    number: int
    values: Sequence[Any]

    @property
    def place(self) -> tuple[int, int]:
        """(file, number)."""
        return self.file, self.number


class Field:
    """One field of a row: a constant, a conversion of one of its values, or (money) of some, added up."""

    def __init__(self, mapped: Mapped, target: Target, zone: str, positions: tuple[int, ...]) -> None:
        self.path = mapped.path
        self.name = mapped.name
        self.money = Amounts(mapped, target) if target.shape is Shape.AMOUNT else None
        self._positions = positions
        self._constant = mapped.given.value
        self._convert = Conversion(mapped, target, zone)

    def column(self, columns: Sequence[Sequence[Any]], count: int, errors: Errors) -> list[Any]:
        """The value in each of `count` rows; None where it is absent or bad."""
        if not self._positions:
            return _converted([self._constant] * count, self._convert, errors)
        return _converted(columns[self._positions[0]], self._convert, errors)

    def column_of_rows(self, rows: Sequence[Sequence[Any]], errors: Errors) -> list[Any]:
        """As `column`, of rows."""
        place = self._positions[0] if self._positions else None
        raws = [self._constant if place is None else row[place] for row in rows]
        return _converted(raws, self._convert, errors)

    def amounts(
        self, money: Amounts, columns: Sequence[Sequence[Any]], currencies: Sequence[str | None], errors: Errors
    ) -> list[int | None]:
        """Minor units in each row, in the currency of each."""
        parts = []
        for raws in [columns[place] for place in self._positions] or [[self._constant] * len(currencies)]:
            if len(set(currencies)) == 1:  # each distinct text is an amount at once
                parts.append(_converted(raws, partial(self._minor, money, currencies[0]), errors))
            else:
                texts = _converted(raws, self._convert, errors)
                parts.append(_converted(list(zip(texts, currencies, strict=True)), money, errors))
        return parts[0] if len(parts) == 1 else [_sum(row) for row in zip(*parts, strict=True)]

    def _minor(self, money: Amounts, currency: str | None, raw: Any) -> int | None:
        return money((self._convert(raw), currency))


Errors = dict[int, RowError]
"""What is wrong first in each bad row, by its position."""


def _sum(parts: tuple[int | None, ...]) -> int | None:
    there = [part for part in parts if part is not None]
    return sum(there) if there else None


def _converted(raws: Sequence[Any], convert: Callable[[Any], Any], errors: Errors) -> list[Any]:
    """Each value converted; a distinct one once, where equal values surely mean the same (1, 1.0 and True do not)."""
    kinds = set(map(type, raws)) - {type(None)}
    if len(kinds) > 1 or kinds & {list, dict}:
        return [_tried(raw, convert, errors, place) for place, raw in enumerate(raws)]
    table: dict[Any, Any] = {}
    bad: dict[Any, RowError] = {}
    for raw in set(raws):
        try:
            table[raw] = convert(raw)
        except RowError as error:
            table[raw], bad[raw] = None, error
    for place, raw in enumerate(raws) if bad else ():
        if raw in bad:
            errors.setdefault(place, bad[raw])
    return [table[raw] for raw in raws]


def _tried(raw: Any, convert: Callable[[Any], Any], errors: Errors, place: int) -> Any:
    try:
        return convert(raw)
    except RowError as error:
        errors.setdefault(place, error)
        return None


class Fields:
    """The fields of a mapping by name, over rows whose values are in the order of `columns`."""

    def __init__(self, mapped: Iterable[Mapped], columns: Sequence[str], zone: str) -> None:
        places = {column: place for place, column in enumerate(columns)}
        self._fields: dict[str, Field] = {}
        for one in mapped:
            if one.target is None:
                raise ValueError(f"{one.path} was not checked")
            positions = tuple(places[column] for column in one.given.columns)
            self._fields[one.name] = Field(one, one.target, zone, positions)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def path(self, name: str) -> str:
        """Where the mapping speaks of a field."""
        return self._fields[name].path if name in self._fields else f"fields.{name}"

    def keys(self, name: str, rows: Sequence[Sequence[Any]]) -> list[str | RowError]:
        """One field of some rows, which each of them must have."""
        errors: Errors = {}
        found = self._fields[name].column_of_rows(rows, errors)
        absent = missing(self.path(name))
        return [errors.get(place, absent) if key is None else str(key) for place, key in enumerate(found)]

    def columns(self, columns: Sequence[Sequence[Any]], count: int, errors: Errors) -> dict[str, list[Any]]:
        """All fields but those of money, by name, each with its value in every row."""
        return {
            name: field.column(columns, count, errors) for name, field in self._fields.items() if field.money is None
        }

    def amounts(
        self, columns: Sequence[Sequence[Any]], currencies: Sequence[str | None], errors: Errors
    ) -> dict[str, list[int | None]]:
        """The fields of money, by name, in minor units."""
        return {
            name: field.amounts(field.money, columns, currencies, errors)
            for name, field in self._fields.items()
            if field.money is not None
        }


def missing(path: str) -> RowError:
    """What a row needs is not there."""
    return RowError("missing_value", path, "is empty; every row needs it, or a default")


def at(error: RowError, row: Row) -> RowError:
    """The error, with the place of the row unless it has one."""
    return error if error.place else RowError(error.code, error.field, error.problem, row.place)


@dataclass(frozen=True, slots=True)
class Import:
    """What all rows of an import share. `received_at`: when Regulars learnt of it all."""

    mapping: ImportMapping
    received_at: datetime
    hash_of: Hash

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row."""
        return self.mapping.columns

    def fields(self, section: str = "fields") -> Fields:
        """The fields of a section of the mapping."""
        chosen = [one for one in self.mapping.mapped() if one.path.startswith(f"{section}.")]
        return Fields(chosen, self.columns, self.mapping.timezone)

    def currencies(self, told: Sequence[str | None] | None, count: int, errors: Errors) -> list[str | None]:
        """The currency of each row: what the column says, else the mapping."""
        if told is None:
            return [self.mapping.currency] * count
        return _converted(told, known_currency, errors)

    def timestamp(self, millis: int, field: str) -> datetime:
        """An event's own time, never after its receipt. Raises RowError `bad_instant` more than a day ahead."""
        if millis > to_millis(self.received_at) + _DAY_MILLIS:
            raise RowError("bad_instant", field, "lies more than a day in the future")
        return min(from_millis(millis), self.received_at)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a row is about, as an event says it."""

    user_id: str | None
    anonymous_id: str | None
    traits: dict[str, Any]
    external_ids: list[dict[str, str]]


def who_of(values: dict[str, Any], source: str, traits: dict[str, Any]) -> Subject:
    """The identifiers among a row's values by name (absent ones left out), and names, as traits."""
    told = {name: values[name] for name in ("email", "phone", *NAMES) if values.get(name) is not None}
    return Subject(values.get("user_id"), values.get("anonymous_id"), told | traits, external_ids(source, values))


def event_of(
    given: Import,
    kind: EventType,
    message_id: str,
    *,
    at: tuple[int, str],
    who: Subject,
    name: str | None,
    properties: dict[str, Any],
    context: dict[str, Any],
) -> Event:
    """An imported event. `at`: epoch milliseconds and the field that says so. Raises RowError `bad_instant`."""
    millis, field = at
    if who.external_ids:
        context["externalIds"] = who.external_ids
    source = given.mapping.source
    return Event(
        event_id=event_id_of(source, message_id),
        source=source,
        message_id=message_id,
        type=kind,
        name=name,
        user_id=who.user_id,
        anonymous_id=who.anonymous_id,
        timestamp=given.timestamp(millis, field),
        original_timestamp=from_millis(millis),
        received_at=given.received_at,
        trust=Trust.IMPORTED,
        payload_hash=given.hash_of([who.user_id, who.anonymous_id, who.traits, context, properties, name, millis]),
        context={"channel": "import", **context},
        properties=properties,
        traits=who.traits,
    )
