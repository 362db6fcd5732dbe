"""Combinations and leaves as SQL: comparisons, time gone by, other segments, shares by chance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from regulars.domain.rules.fields import TIMED, Kind, event_of, field_kind
from regulars.domain.rules.leaves import Compare, InSegment, Multiple, RandomShare, Since
from regulars.domain.rules.operands import FieldRef
from regulars.domain.rules.sql_columns import CHURN_BAND, of_events
from regulars.domain.rules.sql_text import Query, both, condition, either, known, literal, quoted
from regulars.domain.rules.tree import All, AnyOf, Not

_DATES = TIMED | {"before", "after"}
_NEGATIONS = frozenset({"not_equals", "not_in", "not_contains"})
_SIGNS = {
    "equals": "=", "not_equals": "<>", "above": ">", "at_least": ">=", "below": "<", "at_most": "<=", "before": "<",
    "after": ">",
}  # fmt: skip
_MILLISECOND = timedelta(milliseconds=1)
_LARGEST = 2**62


@condition.register
def _(rule: All, query: Query) -> str:
    return both([condition(child, query) for child in rule.rules])


@condition.register
def _(rule: AnyOf, query: Query) -> str:
    return either([condition(child, query) for child in rule.rules])


@condition.register
def _(rule: Not, query: Query) -> str:
    return f"NOT {condition(rule.rule, query)}"


@condition.register
def _(rule: InSegment, query: Query) -> str:  # noqa: ARG001 - one signature for all nodes
    return member(rule.segment)


def member(segment: str) -> str:
    """The column that says who is in a segment."""
    return quoted(f"segment.{segment}")


@condition.register
def _(rule: RandomShare, query: Query) -> str:
    first, end = rule.parts()
    column = query.column(f"random.{rule.random}")
    return f"({column} >= {first} AND {column} < {end})"


@condition.register
def _(rule: Compare, query: Query) -> str:
    return both([_compared(rule.field, operator, operand, query) for operator, operand in rule.operations()])


def _compared(field: str, operator: str, operand: Any, query: Query) -> str:
    kind = field_kind(field)
    dated = kind is Kind.TRAIT and operator in _DATES
    if operator in TIMED:
        return _timed(query.column(f"{field}:at") if dated else column_of(field, query), operator, operand, query)
    if isinstance(operand, FieldRef):
        return _beside(field, operator, operand.field, kind, query)
    if dated:
        return compared(query.column(f"{field}:at"), operator, operand)
    if kind is Kind.TRAIT:
        return whatever_compared(whatever_of(field, query), operator, operand)
    return compared(column_of(field, query), operator, query.setting.resolved(operand), texts=kind is Kind.TEXTS)


def column_of(field: str, query: Query) -> str:
    """The column of a field that is no trait."""
    if field == CHURN_BAND:
        return quoted(CHURN_BAND)
    event = event_of(field)
    if event is not None and field.endswith(".count"):
        return query.column(f"{of_events(event)}.count")
    return query.column(field)


def compared(value: str, operator: str, operand: Any, *, texts: bool = False) -> str:
    """A value of a known kind, NULL where it is absent, beside a constant. `texts`: it is a list of them."""
    if operator == "exists":
        return f"({value} IS {'NOT ' if operand else ''}NULL)"
    return known(_test(value, operator, operand, texts=texts), unless=operator in _NEGATIONS)


def _test(value: str, operator: str, operand: Any, *, texts: bool = False) -> str:
    """NULL where the value is absent."""
    if operator in _SIGNS:
        return f"{value} {_SIGNS[operator]} {literal(operand)}"
    if operator == "between":
        return f"{value} BETWEEN {literal(operand[0])} AND {literal(operand[1])}"
    if operator in {"in", "not_in"}:
        return f"{value} {'NOT ' if operator == 'not_in' else ''}IN ({', '.join(map(literal, operand))})"
    if operator in {"contains", "contains_any", "not_contains"}:
        items = operand if operator == "contains_any" else (operand,)
        holding = either([_holding(value, item, texts=texts) for item in items])
        return f"NOT {holding}" if operator == "not_contains" else holding
    return f"({_like(value, _PATTERNS[operator](operand))})"


def _holding(value: str, operand: str, *, texts: bool) -> str:
    if texts:
        return f"list_contains({value}, {literal(operand)})"
    return f"({_like(value, f'%{_escaped(operand)}%')})"


_ESCAPE = "!"


def _escaped(text: str) -> str:
    return "".join(f"{_ESCAPE}{char}" if char in {_ESCAPE, "%", "_"} else char for char in text)


def _glob(pattern: str) -> str:
    return _escaped(pattern).replace("*", "%").replace("?", "_")


_PATTERNS: Mapping[str, Callable[[str], str]] = {
    "starts_with": lambda text: f"{_escaped(text)}%",
    "ends_with": lambda text: f"%{_escaped(text)}",
    "like": _glob,
}


def _like(value: str, pattern: str) -> str:
    escape = f" ESCAPE '{_ESCAPE}'" if _ESCAPE in pattern else ""
    return f"{value} LIKE {literal(pattern)}{escape}"


class Whatever(NamedTuple):
    """A value of any type: the columns of which at most one is filled."""

    text: str
    number: str
    flag: str


def whatever_of(name: str, query: Query) -> Whatever:
    """A trait, or what was told of an event."""
    return Whatever(query.column(name), query.column(f"{name}:number"), query.column(f"{name}:flag"))


def whatever_compared(value: Whatever, operator: str, operand: Any) -> str:
    """A value of any type beside a constant: of another type it is different, and neither above nor below."""
    if operator == "exists":
        some = " OR ".join(f"{column} IS NOT NULL" for column in value)
        return f"({some})" if operand else f"(NOT ({some}))"
    if operator in _MEMBERS:
        operands = (operand,) if operator in {"equals", "not_equals"} else operand
        return _one_of(value, operands, negated=operator in _NEGATIONS)
    ends = operand if operator == "between" else (operand,)
    if any(isinstance(end, bool) or end != end for end in ends):  # noqa: PLR0124 - what is no number is not itself
        return "FALSE"
    if isinstance(ends[0], str) or operator == "contains_any":
        return compared(value.text, operator, operand)
    doubles = tuple(map(_double, ends))
    return compared(value.number, operator, doubles if operator == "between" else doubles[0])


_MEMBERS = frozenset({"equals", "not_equals", "in", "not_in"})


def _double(number: float) -> float:
    """As numbers are kept; one that is too large for that is beyond all that are."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _one_of(value: Whatever, operands: Sequence[Any], *, negated: bool) -> str:
    """Equality without Python's `True == 1`; nothing equals what is no number."""
    flags = [literal(item) for item in operands if isinstance(item, bool)]
    numbers = [item for item in operands if isinstance(item, int | float) and not isinstance(item, bool)]
    texts = [literal(item) for item in operands if isinstance(item, str)]
    spelt = [literal(_double(item)) for item in numbers if not math.isnan(item)]
    found = [
        known(f"{column} = {items[0]}" if len(items) == 1 else f"{column} IN ({', '.join(items)})")
        for column, items in ((value.text, texts), (value.number, spelt), (value.flag, flags))
        if items
    ]
    test = either(found) if found else "FALSE"
    return f"NOT {test}" if negated else test


def _beside(field: str, operator: str, other: str, kind: Kind, query: Query) -> str:
    """Two fields of one customer; with one of them absent only `not_equals` holds."""
    sign, unless = _SIGNS[operator], operator == "not_equals"
    if kind is not Kind.TRAIT:
        return known(f"{column_of(field, query)} {sign} {column_of(other, query)}", unless=unless)
    if operator in _DATES:
        return known(f"{query.column(f'{field}:at')} {sign} {query.column(f'{other}:at')}")
    one, two = whatever_of(field, query), whatever_of(other, query)
    if operator in {"equals", "not_equals"}:
        same = either([known(f"{left} = {right}") for left, right in zip(one, two, strict=True)])
        return f"NOT {same}" if unless else same
    return either([known(f"{left} {sign} {right}") for left, right in ((one.text, two.text), (one.number, two.number))])


def _timed(value: str, operator: str, span: timedelta, query: Query) -> str:
    now, length = query.millis, span // _MILLISECOND
    if operator == "within_last":
        return known(f"{value} > {now - length} AND {value} <= {now}")
    if operator == "before_last":
        return known(f"{value} <= {now - length}")
    if operator == "within_next":
        return known(f"{value} > {now} AND {value} <= {now + length}")
    return known(f"{value} > {now + length}")


@condition.register
def _(rule: Since, query: Query) -> str:
    instant = column_of(rule.since, query)
    return both([_elapsed(instant, operator, bound, query) for operator, bound in rule.operations()])


def _elapsed(instant: str, operator: str, bound: timedelta | Multiple, query: Query) -> str:
    sign = "<=" if operator == "at_least" else ">"
    if isinstance(bound, timedelta):
        return known(f"{instant} {sign} {query.millis - bound // _MILLISECOND}")
    return known(f"{instant} {sign} {query.millis} - 1000 * {_seconds(bound, query)}")


def _seconds(bound: Multiple, query: Query) -> str:
    """The customer's own bound in whole seconds: `times` the duration, between `min` and `max`, `min` without one.

    A duration that reaches `max` anyway is cut before it is multiplied, so that 64 bits will do.
    """
    numerator, denominator = bound.times.as_integer_ratio()
    least, most = bound.min // timedelta(seconds=1), bound.max // timedelta(seconds=1)
    scale = denominator * 1_000_000
    enough = -(-most * scale // numerator)  # so many microseconds come out as `max`
    duration = query.column(bound.of)
    if enough * numerator >= _LARGEST:
        duration = f"CAST({duration} AS HUGEINT)"
    own = f"LEAST(COALESCE({duration}, 0), {enough}) * {numerator} // {scale}"  # of nothing, it comes out as `min`
    return query.figure(
        f"{bound.times} x {bound.of}, {least} to {most} s",
        f"CAST(GREATEST(LEAST({own}, {most}), {least}) AS BIGINT)",
    )
