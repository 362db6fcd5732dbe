"""Counts and other aggregates as SQL. A window is a stretch of a series, so each is made of two positions in it: how
many things were before the window began, and how many before it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from regulars.domain.instants import day_start, from_millis, iso
from regulars.domain.rules.aggregates import ORDERS, Aggregate, Count
from regulars.domain.rules.features import mark_of
from regulars.domain.rules.nodes import Operation
from regulars.domain.rules.requirements import feature_of
from regulars.domain.rules.sql_columns import of_events, order_parts, series
from regulars.domain.rules.sql_leaves import Whatever, compared, whatever_compared, whatever_of
from regulars.domain.rules.sql_text import (
    Bounds,
    Query,
    both,
    condition,
    days_in,
    instants_in,
    known,
    literal,
)
from regulars.domain.rules.windows import Window

_THRESHOLDS = frozenset({"equals", "above", "at_least", "below", "at_most", "between"})
_SIGNS = {"equals": "=", "not_equals": "<>", "above": ">", "at_least": ">=", "below": "<", "at_most": "<="}
_EVER = Window()


class Stretch:
    """The part of a series that is in a window: `skipped` lie before it, `reached` of all before its end."""

    def __init__(self, at: str, bounds: Bounds, query: Query, *, by_day: bool) -> None:
        self._at, self._query, self._by_day = at, query, by_day
        first, end = bounds
        self.is_open = end is None
        self.skipped = "0" if first is None else self._before(first)
        self.reached = f"len({query.column(at)})" if end is None else self._before(end)

    def _before(self, bound: int) -> str:
        column = self._query.column(self._at)
        when = iso(day_start(bound))[:10] if self._by_day else iso(from_millis(bound))
        return self._query.figure(
            f"{self._at} before {when}", f"len(list_filter({column}, lambda moment: moment < {bound}))"
        )

    @property
    def length(self) -> str:
        """How many things there are in it; may be below 0 where a window ends before it begins."""
        return self.reached if self.skipped == "0" else f"({self.reached} - {self.skipped})"

    def total(self, sums: str) -> str:
        """The sum over it, of a list of running sums."""
        end = f"list_extract({sums}, -1)" if self.is_open else f"list_extract({sums}, {self.reached} + 1)"
        return end if self.skipped == "0" else f"({end} - list_extract({sums}, {self.skipped} + 1))"

    def part(self, values: str) -> str:
        """The same part of a list beside the series."""
        if self.is_open and self.skipped == "0":
            return values
        return f"list_slice({values}, {self.skipped} + 1, {self.reached})"


def order_stretch(at: str, window: Window, query: Query) -> Stretch:
    """The stretch of a list of orders' instants."""
    return Stretch(at, instants_in(window, query), query, by_day=False)


def day_stretch(at: str, window: Window, query: Query) -> Stretch:
    """The stretch of a list of UTC days."""
    return Stretch(at, days_in(window, query), query, by_day=True)


@condition.register
def _(rule: Count, query: Query) -> str:
    operations = [(operator, query.setting.resolved(operand)) for operator, operand in rule.operations()]
    if rule.event == ORDERS:
        at = f"{series(mark_of(rule.where))}:at"
        if rule.window.is_rolling and rule.within is not None and all(name in _THRESHOLDS for name, _ in operations):
            first, _ = instants_in(rule.window, query)
            return both([_reached(query.column(at), f">= {first}", *operation) for operation in operations])
        return _bounded(order_stretch(at, rule.window, query).length, operations)
    key = feature_of(rule).key if rule.where else rule.event
    name = of_events(key)
    if rule.window == _EVER:
        return _bounded(query.column(f"{name}.count"), operations)
    stretch = day_stretch(f"{name}:at", rule.window, query)
    return _bounded(stretch.total(query.column(f"{name}:sums")), operations)


def _reached(at: str, recent: str, operator: str, bound: Any) -> str:
    """Of a list in order of time, at least so many are recent if the one that is so many from the end is."""

    def at_least(number: int) -> str:
        return "TRUE" if number <= 0 else known(f"list_extract({at}, {-number}) {recent}")

    low, high = bound if operator == "between" else (bound, bound)
    parts = []
    if operator in {"at_least", "equals", "between"}:
        parts.append(at_least(low))
    elif operator == "above":
        parts.append(at_least(low + 1))
    if operator in {"at_most", "equals", "between"}:
        parts.append(f"NOT {at_least(high + 1)}")
    elif operator == "below":
        parts.append(f"NOT {at_least(high)}")
    return both(parts)


def _bounded(number: str, operations: Sequence[Operation]) -> str:
    """A number that is never absent."""
    return both([_bound(number, operator, bound) for operator, bound in operations])


def _bound(number: str, operator: str, bound: Any) -> str:
    if operator == "exists":
        return literal(bound)
    if operator == "between":
        return f"({number} BETWEEN {literal(bound[0])} AND {literal(bound[1])})"
    if operator in {"in", "not_in"}:
        return f"({number} {'NOT ' if operator == 'not_in' else ''}IN ({', '.join(map(literal, bound))}))"
    return f"({number} {_SIGNS[operator]} {literal(bound)})"


@condition.register
def _(rule: Aggregate, query: Query) -> str:
    operations = [(operator, query.setting.resolved(operand)) for operator, operand in rule.operations()]
    if rule.event == ORDERS:
        return _of_orders(rule, operations, query)
    name = of_events(feature_of(rule).key)
    if rule.needs_every_day:
        return _daily(rule.figure, name, day_stretch(f"{name}:at", rule.window, query), operations, query)
    if rule.figure in {"first", "last"}:
        return _told(name, rule.window, operations, query)
    if rule.figure != "distinct" and rule.window == _EVER:
        return _ever(rule.figure, name, operations, query)
    return _of_days(rule.figure, name, day_stretch(f"{name}:at", rule.window, query), operations, query)


def _of_days(figure: str, name: str, stretch: Stretch, operations: Sequence[Operation], query: Query) -> str:
    if figure == "distinct":
        return _bounded(stretch.length, operations)
    if figure == "sum":
        return _bounded(stretch.total(query.column(f"{name}:sum")), operations)
    if figure == "average":
        number, total = (stretch.total(query.column(f"{name}:{part}")) for part in ("number", "sum"))
        return _averaged(total, number, operations)
    part = {"min": "least", "max": "greatest"}[figure]
    return _compared_all(f"list_{figure}({stretch.part(query.column(f'{name}:{part}'))})", operations)


def _daily(figure: str, name: str, stretch: Stretch, operations: Sequence[Operation], query: Query) -> str:
    """Texts and the like of a window that has passed: what it holds stands beside its days."""
    if figure == "distinct":
        return _bounded(f"len(list_distinct({stretch.part(query.column(f'{name}:value'))}))", operations)
    place = 1 if figure == "first" else -1
    parts = (stretch.part(query.column(f"{name}:{part}")) for part in ("texts", "numbers", "flags"))
    value = Whatever(*(f"list_extract({part}, {place})" for part in parts))
    return both([whatever_compared(value, operator, operand) for operator, operand in operations])


def _of_orders(rule: Aggregate, operations: Sequence[Operation], query: Query) -> str:
    at, beside = (f"{series(mark_of(rule.where))}:{part}" for part in order_parts(rule))
    stretch, values = order_stretch(at, rule.window, query), query.column(beside)
    if rule.figure == "sum":
        return _bounded(stretch.total(values), operations)
    if rule.figure == "average":
        return _averaged(stretch.total(values), stretch.length, operations)
    part = stretch.part(values)
    if rule.figure == "distinct":
        return _bounded(f"len(list_distinct({part}))", operations)
    if rule.figure in {"min", "max"}:
        return _compared_all(f"list_{rule.figure}({part})", operations)
    return _compared_all(f"list_extract({part}, {1 if rule.figure == 'first' else -1})", operations)


def _ever(figure: str, name: str, operations: Sequence[Operation], query: Query) -> str:
    if figure == "sum":
        return _bounded(f"COALESCE({query.column(f'{name}:ever sum')}, 0)", operations)
    if figure == "average":
        return _averaged(
            query.column(f"{name}:ever sum"), f"COALESCE({query.column(f'{name}:ever number')}, 0)", operations
        )
    part = {"min": "least", "max": "greatest"}[figure]
    return _compared_all(query.column(f"{name}:ever {part}"), operations)


def _compared_all(value: str, operations: Sequence[Operation]) -> str:
    return both([compared(value, operator, bound) for operator, bound in operations])


def _averaged(total: str, number: str, operations: Sequence[Operation]) -> str:
    """An average without dividing: whole numbers on both sides are exact. Of nothing it is absent."""
    return both([_average(total, number, operator, bound) for operator, bound in operations])


def _average(total: str, number: str, operator: str, bound: Any) -> str:
    if operator == "exists":
        return f"({number} {'>' if bound else '<='} 0)"
    if operator == "not_equals":
        return f"NOT {_average(total, number, 'equals', bound)}"
    if operator == "between":
        return both([_average(total, number, "at_least", bound[0]), _average(total, number, "at_most", bound[1])])
    return known(f"{number} > 0 AND {total} {_SIGNS[operator]} {literal(bound)} * {number}")


def _told(name: str, window: Window, operations: Sequence[Operation], query: Query) -> str:
    """The first or last value, absent when its day is outside the window."""
    value, (first, end) = whatever_of(name, query), days_in(window, query)
    day = query.column(f"{name}:day")
    inside = [f"{day} >= {first}"] if first is not None else []
    inside += [f"{day} < {end}"] if end is not None else []
    if inside:
        value = Whatever(*(f"CASE WHEN {' AND '.join(inside)} THEN {column} END" for column in value))
    return both([whatever_compared(value, operator, operand) for operator, operand in operations])
