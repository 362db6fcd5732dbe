"""The columns of a snapshot: what the rules read of a customer, laid out so that SQL answers them without a join.

One row is one customer. Instants are epoch milliseconds, durations microseconds, amounts minor units, days UTC day
numbers. What happened at many instants is a *series*: a list of its instants (or days) in order of time, and lists as
long beside it, or running sums one longer. A window is a stretch of a series, whatever it is, so that what lies in it
is two positions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial, singledispatch
from itertools import accumulate, chain, count
from typing import Any

from regulars.domain.instants import day_number, to_millis
from regulars.domain.rules.aggregates import ORDERS, Aggregate, Count
from regulars.domain.rules.compile_leaves import part_of
from regulars.domain.rules.features import mark_of
from regulars.domain.rules.fields import Kind, event_of, field_kind
from regulars.domain.rules.leaves import Compare, InSegment, Multiple, RandomShare, Since
from regulars.domain.rules.operands import FieldRef
from regulars.domain.rules.requirements import feature_of, feature_of_step
from regulars.domain.rules.sequences import ORDERS as ORDER_STEP
from regulars.domain.rules.sequences import Sequence as Steps
from regulars.domain.rules.times import instant_in
from regulars.domain.rules.tree import All, AnyOf, Not
from regulars.domain.rules.view import OrderRow, View
from regulars.domain.rules.windows import Window
from regulars.domain.tallies import DailyTold, DailyValues, Instants, Tally, Told, Total, Totals, Values

CHURN_BAND = "churn_band"
ROOT = "root"
_MICROSECOND = timedelta(microseconds=1)
_EVER = Window()


class Type(StrEnum):
    """A column's type, as DuckDB writes it."""

    TEXT = "VARCHAR"
    WHOLE = "BIGINT"
    LARGE = "DECIMAL(38, 0)"  # sums of what anybody may send, which have no bound
    NUMBER = "DOUBLE"
    FLAG = "BOOLEAN"
    TEXTS = "VARCHAR[]"
    WHOLES = "BIGINT[]"
    NUMBERS = "DOUBLE[]"
    FLAGS = "BOOLEAN[]"
    LARGES = "DECIMAL(38, 0)[]"
    STEPS = "STRUCT(instant BIGINT, same VARCHAR, place BIGINT)[]"


class Row:
    """One customer's view, with what several columns are made of read once."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._rows: dict[str | None, Sequence[OrderRow]] = {}
        self._days: dict[str, list[tuple[int, int]]] = {}

    def orders(self, mark: str | None) -> Sequence[OrderRow]:
        """The orders that count in order of time, those with a mark if one is given."""
        if mark not in self._rows:
            self._rows[mark] = self.view.order_rows(mark)
        return self._rows[mark]

    def days(self, key: str) -> list[tuple[int, int]]:
        """Days and how often an event happened on them, in order of time."""
        if key not in self._days:
            self._days[key] = sorted(self.view.days(key).items())
        return self._days[key]

    def totals(self, key: str) -> Totals | None:
        """A tally of numbers."""
        tally = self.view.tally(key)
        return tally if isinstance(tally, Totals) else None


Read = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`name` says what it is of; `read` takes the value from a customer."""

    name: str
    type: Type
    read: Read


def series(mark: str | None) -> str:
    """The name of the series of orders, or of those with a mark."""
    return "orders" if mark is None else f"orders#{mark}"


def of_events(key: str) -> str:
    """The name of what is kept of an event or of a feature."""
    return f"events.{key}"


@singledispatch
def columns(rule: object) -> Iterator[Column]:
    """What a rule reads; the same may come more than once. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot tell the columns of {type(rule).__name__}")


@columns.register(All)
@columns.register(AnyOf)
def _(rule: All | AnyOf) -> Iterator[Column]:
    for child in rule.rules:
        yield from columns(child)


@columns.register
def _(rule: Not) -> Iterator[Column]:
    return columns(rule.rule)


@columns.register
def _(rule: InSegment) -> Iterator[Column]:  # noqa: ARG001 - the other segment's rule says it itself
    yield from ()


@columns.register
def _(rule: RandomShare) -> Iterator[Column]:
    yield Column(f"random.{rule.random}", Type.WHOLE, lambda row: part_of(rule.random, row.view.root))


@columns.register
def _(rule: Since) -> Iterator[Column]:
    yield from _field(rule.since)
    for bound in (rule.at_least, rule.below):
        if isinstance(bound, Multiple):
            yield from _field(bound.of)


@columns.register
def _(rule: Compare) -> Iterator[Column]:
    yield from _field(rule.field)
    for _, operand in rule.operations():
        if isinstance(operand, FieldRef):
            yield from _field(operand.field)


_TYPES = {
    Kind.NUMBER: Type.WHOLE, Kind.MONEY: Type.WHOLE, Kind.RATIO: Type.NUMBER, Kind.FLAG: Type.FLAG,
    Kind.CHOICE: Type.TEXT, Kind.TEXT: Type.TEXT, Kind.TEXTS: Type.TEXTS, Kind.INSTANT: Type.WHOLE,
    Kind.DURATION: Type.WHOLE, Kind.DECIMAL: Type.WHOLE,
}  # fmt: skip


def _field(field: str) -> Iterator[Column]:
    if field == CHURN_BAND:
        return  # found by the query
    kind = field_kind(field)
    if kind is Kind.TRAIT:
        yield from _whatever(field, lambda row: row.view.value(field))
        yield Column(f"{field}:at", Type.WHOLE, lambda row: _plain(instant_in(row.view.value(field))))
    elif (event := event_of(field)) and field.endswith(".count"):
        yield _ever(event)
    else:
        yield Column(field, _TYPES[kind], lambda row: _plain(row.view.value(field)))


def _plain(value: Any) -> Any:
    """A field's value as its column keeps it."""
    if isinstance(value, datetime):
        return to_millis(value)
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    return value


def _whatever(name: str, read: Read) -> Iterator[Column]:
    """A value of any type in three columns, of which at most one is filled."""

    yield Column(name, Type.TEXT, lambda row: _as(str, read(row)))
    yield Column(f"{name}:number", Type.NUMBER, lambda row: _number(read(row)))
    yield Column(f"{name}:flag", Type.FLAG, lambda row: _as(bool, read(row)))


def _as(kind: type, value: Any) -> Any:
    return value if isinstance(value, kind) else None


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None


@columns.register
def _(rule: Count) -> Iterator[Column]:
    if rule.event == ORDERS:
        yield _order_series(mark_of(rule.where), "at")
        return
    key = feature_of(rule).key if rule.where else rule.event
    if rule.window == _EVER:
        yield _ever(key)
        return
    name = of_events(key)
    yield Column(f"{name}:at", Type.WHOLES, lambda row: [day for day, _ in row.days(key)])
    yield Column(f"{name}:sums", Type.WHOLES, lambda row: _running(count for _, count in row.days(key)))


def _ever(key: str) -> Column:
    return Column(f"{of_events(key)}.count", Type.WHOLE, lambda row: row.view.count(key))


def _nets(rows: Sequence[OrderRow]) -> list[int]:
    """Of the orders in the program's currency; what others brought is in no figure."""
    return [row.net for row in rows if row.net is not None]


_ORDER_PARTS: Mapping[str, tuple[Type, Callable[[Sequence[OrderRow]], list[Any]]]] = {
    "at": (Type.WHOLES, lambda rows: [to_millis(row.at) for row in rows]),
    "sums": (Type.WHOLES, lambda rows: _running(row.net or 0 for row in rows)),
    "net": (Type.WHOLES, _nets),
    "net at": (Type.WHOLES, lambda rows: [to_millis(row.at) for row in rows if row.net is not None]),
    "net sums": (Type.WHOLES, lambda rows: _running(_nets(rows))),
    "day": (Type.WHOLES, lambda rows: [day_number(row.at) for row in rows]),
    "channel": (Type.TEXTS, lambda rows: [row.channel for row in rows]),
    "category": (Type.TEXTS, lambda rows: [name for row in rows for name in row.categories]),
    "steps": (Type.STEPS, lambda rows: _places((to_millis(row.at), "") for row in rows)),
    "category at": (Type.WHOLES, lambda rows: [to_millis(row.at) for row in rows for _ in row.categories]),
}


def _order_series(mark: str | None, part: str) -> Column:
    type_, made = _ORDER_PARTS[part]
    return Column(f"{series(mark)}:{part}", type_, lambda row: made(row.orders(mark)))


def _running(numbers: Iterable[int]) -> list[int]:
    return list(accumulate(numbers, initial=0))


def order_parts(rule: Aggregate) -> tuple[str, str]:
    """What of the orders an aggregate reads: the list of instants, and the list beside it."""
    if rule.path == "category":
        return "category at", "category"
    if rule.path != "revenue":
        return "at", rule.path
    if rule.figure == "sum":
        return "at", "sums"
    return "net at", "net sums" if rule.figure == "average" else "net"


@columns.register
def _(rule: Aggregate) -> Iterator[Column]:
    if rule.event == ORDERS:
        for part in order_parts(rule):
            yield _order_series(mark_of(rule.where), part)
        return
    key = feature_of(rule).key
    name = of_events(key)
    if rule.needs_every_day:
        yield from _daily_texts(rule.figure, key, name)
    elif rule.figure in {"first", "last"}:
        yield Column(f"{name}:day", Type.WHOLE, lambda row: _told(row, key, lambda told: told.at // 86_400_000))
        yield from _whatever(name, lambda row: _told(row, key, lambda told: told.value))
    elif rule.figure == "distinct":
        yield Column(f"{name}:at", Type.WHOLES, lambda row: _days_of_values(row.view.tally(key)))
    else:
        yield from _totals(rule, key, name)


def _daily_texts(figure: str, key: str, name: str) -> Iterator[Column]:
    """Days in order, and beside them the values; of the first or last ones three lists, as `_whatever` has columns."""
    if figure == "distinct":
        yield Column(f"{name}:at", Type.WHOLES, lambda row: [day for day, _ in _daily_values(row, key)])
        yield Column(f"{name}:value", Type.TEXTS, lambda row: [value for _, value in _daily_values(row, key)])
        return
    yield Column(f"{name}:at", Type.WHOLES, lambda row: [day for day, _ in _daily_told(row, key)])
    for part, type_ in (("texts", Type.TEXTS), ("numbers", Type.NUMBERS), ("flags", Type.FLAGS)):
        yield Column(f"{name}:{part}", type_, partial(_daily_part_of, key, part))


def _daily_values(row: Row, key: str) -> list[tuple[int, str]]:
    tally = row.view.tally(key)
    days = tally.days if isinstance(tally, DailyValues) else {}
    return [(day, value) for day in sorted(days) for value in days[day]]


def _daily_told(row: Row, key: str) -> list[tuple[int, Any]]:
    tally = row.view.tally(key)
    return [(day, tally.days[day].value) for day in sorted(tally.days)] if isinstance(tally, DailyTold) else []


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "texts": partial(_as, str), "numbers": _number, "flags": partial(_as, bool)
}  # fmt: skip


def _daily_part_of(key: str, part: str, row: Row) -> list[Any]:
    return [_KINDS[part](value) for _, value in _daily_told(row, key)]


def _told(row: Row, key: str, what: Callable[[Told], Any]) -> Any:
    tally = row.view.tally(key)
    return what(tally) if isinstance(tally, Told) else None


def _days_of_values(tally: Tally | None) -> list[int]:
    return sorted(tally.days.values()) if isinstance(tally, Values) else []


_TOTALS = {"sum": ("sum",), "average": ("number", "sum"), "min": ("least",), "max": ("greatest",)}


def _totals(rule: Aggregate, key: str, name: str) -> Iterator[Column]:
    parts = _TOTALS[rule.figure]
    if rule.window == _EVER:
        for part in parts:
            yield Column(f"{name}:ever {part}", Type.LARGE, partial(_ever_of, key, part))
        return
    yield Column(f"{name}:at", Type.WHOLES, lambda row: [day for day, _ in _daily(row, key)])
    for part in parts:
        yield Column(f"{name}:{part}", Type.LARGES, partial(_daily_part, key, part))


def _ever_of(key: str, part: str, row: Row) -> int | None:
    totals = row.totals(key)
    return None if totals is None else getattr(totals.ever, part)


def _daily(row: Row, key: str) -> list[tuple[int, Total]]:
    totals = row.totals(key)
    return sorted(totals.days.items()) if totals else []


def _daily_part(key: str, part: str, row: Row) -> list[int]:
    numbers: list[int] = [getattr(total, part) for _, total in _daily(row, key)]
    return _running(numbers) if part in {"number", "sum"} else numbers


@columns.register
def _(rule: Steps) -> Iterator[Column]:
    for step in rule.every_step():
        if step.event == ORDER_STEP:
            yield _order_series(mark_of(step.where), "steps")
            continue
        key = feature_of_step(step, rule.same).key
        yield Column(f"{of_events(key)}:steps", Type.STEPS, partial(_steps, key))


def _steps(key: str, row: Row) -> list[dict[str, Any]]:
    tally = row.view.tally(key)
    return _places(tally.at) if isinstance(tally, Instants) else []


def _places(steps: Iterable[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"instant": at, "same": same, "place": place} for place, (at, same) in enumerate(steps)]


def layout(rules: Iterable[object]) -> dict[str, Column]:
    """All columns that rules read, by name, each once, in a settled order; `root` first."""
    found = {column.name: column for rule in rules for column in columns(rule)}
    root = Column(ROOT, Type.TEXT, lambda row: row.view.root)
    return {ROOT: root, **{name: found[name] for name in sorted(found)}}


def spelt(names: Iterable[str]) -> dict[str, str]:
    """Each name as it is spelt in a file: SQL does not tell capitals apart, events and traits do, so of names that
    differ by nothing else all but the first have a number behind them."""
    taken: set[str] = set()
    spelling: dict[str, str] = {}
    for name in sorted(names):
        spelling[name] = next(
            candidate
            for candidate in chain([name], (f"{name} ~{number}" for number in count(2)))
            if candidate.casefold() not in taken
        )
        taken.add(spelling[name].casefold())
    return spelling
