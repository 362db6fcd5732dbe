"""Checking what stands beside an operator: turns YAML scalars into typed operands, or says what would fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from math import isfinite
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo

from regulars.domain.errors import BadInputError
from regulars.domain.instants import in_zone, truncated
from regulars.domain.money import to_minor
from regulars.domain.rules.durations import parse_duration
from regulars.domain.rules.fields import CHOICES, MOVING, OPERATORS, TIMED, Kind, field_kind
from regulars.domain.rules.numbers import as_thousandths

MAX_CHOICES = 100
MAX_TEXT = 200
MAX_NUMBER = 10**9
MAX_EXACT = 2**53
"""Whole numbers up to this are the same as integers and as JSON's numbers."""


class FieldRef(BaseModel):
    """`{field: orders.last_at}` as an operand: compare with another field of the same customer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str


class ParameterRef(BaseModel):
    """`{parameter: big_spender_min}`: a value that the nightly refresh computes from all customers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameter: str


@dataclass(frozen=True)
class RuleContext:
    """What a rule may refer to: the program's currency (amounts become its minor units), its population parameters with
    their kinds, its churn bands, its segments, and the time zone of its calendar."""

    currency: str = "EUR"
    parameters: Mapping[str, Kind] = field(default_factory=dict)
    churn_bands: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    zone: tzinfo = UTC


def context_of(info: ValidationInfo) -> RuleContext:
    """The context that the caller validates in; an empty one where a rule is built alone."""
    return info.context if isinstance(info.context, RuleContext) else RuleContext()


def operand_of(raw: Any, *, name: str, kind: Kind, operator: str, context: RuleContext) -> Any:
    """The typed operand of `operator` on the field or measure `name`. Raises ValueError saying what would fit."""
    if operator not in OPERATORS[kind]:
        fitting = ", ".join(sorted(OPERATORS[kind]))
        raise ValueError(f"{operator} does not fit {name} ({kind.value}); use one of {fitting}")
    if (whatever := _OF_EVERY_KIND.get(operator)) is not None:
        return whatever(raw)
    if operator in {"in", "not_in", "contains_any"}:
        if not isinstance(raw, list | tuple) or not 1 <= len(raw) <= MAX_CHOICES:
            raise ValueError(f"must be a list of 1 to {MAX_CHOICES} values")
        return tuple(_typed(item, name, kind, context) if operator != "contains_any" else _words(item) for item in raw)
    if operator == "between":
        return _pair(raw, name, kind, context)
    reference = _reference(raw, name, kind)
    if reference is None and operator in {"before", "after"}:
        return instant_of(raw)
    return _typed(raw, name, kind, context) if reference is None else reference


def _reference(raw: Any, name: str, kind: Kind) -> FieldRef | None:
    """Another field in place of a value, where the two can be compared."""
    if isinstance(raw, FieldRef):
        return raw
    if not isinstance(raw, Mapping) or "field" not in raw:
        return None
    if kind is Kind.PROPERTY:
        raise ValueError("must be a value: what a property is compared with is known before the customer is")
    reference = FieldRef.model_validate(raw)
    other = field_kind(reference.field)
    if not MOVING.isdisjoint((name, reference.field)):
        raise ValueError("time alone changes one of the two: compare it with a value or a parameter")
    if other is not kind:
        raise ValueError(f"{reference.field} ({other.value}) cannot be compared with {name} ({kind.value})")
    return reference


def _pair(raw: Any, name: str, kind: Kind, context: RuleContext) -> tuple[Any, Any]:
    if not isinstance(raw, list | tuple) or len(raw) != 2:  # noqa: PLR2004 - a pair
        raise ValueError("must be a list of two values, both included, such as [10, 20]")
    low, high = (_typed(item, name, kind, context) for item in raw)
    try:
        ordered = isinstance(low, ParameterRef) or isinstance(high, ParameterRef) or low <= high
    except TypeError:
        ordered = False
    if not ordered:
        raise ValueError("must have two values of one kind, the lower one first")
    return low, high


def amount_of(raw: Any, *, kind: Kind, context: RuleContext) -> int | ParameterRef:
    """A threshold of kind NUMBER or MONEY: a literal (money in minor units) or a population parameter of that kind."""
    if isinstance(raw, ParameterRef) or (isinstance(raw, dict) and "parameter" in raw):
        return _parameter(raw, kind, context)
    return _money(raw, context) if kind is Kind.MONEY else _number(raw)


def _typed(raw: Any, name: str, kind: Kind, context: RuleContext) -> Any:
    if kind in {Kind.NUMBER, Kind.MONEY}:
        return amount_of(raw, kind=kind, context=context)
    if kind is Kind.DECIMAL:
        return _thousandths(raw)
    if kind is Kind.RATIO:
        return _ratio(raw)
    if kind is Kind.CHOICE:
        return _choice(raw, name, context)
    return _SCALARS[kind](raw)


def _parameter(raw: Any, kind: Kind, context: RuleContext) -> ParameterRef:
    reference = ParameterRef.model_validate(raw)
    known = context.parameters.get(reference.parameter)
    if known is None:
        raise ValueError(f"there is no parameter {reference.parameter}; define it under parameters")
    if known is not kind:
        raise ValueError(f"parameter {reference.parameter} is not of this kind ({kind.value}) but {known.value}")
    return reference


def _flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    return raw


def _number(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw <= MAX_NUMBER:
        hint = ", without quotes" if isinstance(raw, str) and raw.isdecimal() else ""
        raise ValueError(f"must be a whole number from 0 to {MAX_NUMBER}{hint}")
    return raw


def _thousandths(raw: Any) -> int:
    """As events' numbers are kept."""
    number = None if isinstance(raw, str) else as_thousandths(raw)
    if number is None or abs(number) > MAX_NUMBER * 1000 or Decimal(str(raw)) * 1000 != number:
        raise ValueError(f"must be a number of at most {MAX_NUMBER}, with up to three decimals")
    return number


def _ratio(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | Decimal) or not 0 <= raw <= 1:
        raise ValueError("must be a share from 0 to 1, such as 0.25")
    return float(raw)


def _money(raw: Any, context: RuleContext) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        raise ValueError(f"must be an amount in {context.currency}, such as 300.00, or a parameter")  # noqa: TRY004 - as above
    try:
        minor = to_minor(str(raw), context.currency, path="the amount")
    except BadInputError as error:
        raise ValueError(error.detail) from error
    if minor < 0:
        raise ValueError("must not be negative")
    return minor


def _choice(raw: Any, name: str, context: RuleContext) -> str:
    choices = context.churn_bands if name == "churn_band" else CHOICES[name]
    if not isinstance(raw, str) or raw not in choices:
        raise ValueError(f"must be one of {', '.join(sorted(choices)) or '(nothing: there are no churn bands here)'}")
    return raw


def instant_of(raw: Any, zone: tzinfo = UTC) -> datetime:
    """A date is its first instant in a time zone, and a time that says none is of that zone. Raises ValueError."""
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError as error:
            raise ValueError("must be a date or an instant, such as 2026-11-27 or 2026-11-27T18:00:00Z") from error
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime.combine(raw, time())
    if isinstance(raw, datetime):
        return truncated(in_zone(raw if raw.tzinfo else raw.replace(tzinfo=zone), UTC))
    raise ValueError("must be a date or an instant, such as 2026-11-27 or 2026-11-27T18:00:00Z")


def _words(raw: Any) -> str:
    if not isinstance(raw, str) or not 0 < len(raw) <= MAX_TEXT:
        hint = "; put it in quotes" if isinstance(raw, bool | int | float | Decimal | date) else ""
        raise ValueError(f"must be a text of 1 to {MAX_TEXT} characters{hint}")
    return raw


def _scalar(raw: Any) -> bool | float | str:
    if isinstance(raw, float | Decimal):
        if not isfinite(raw):
            raise ValueError("must be a finite number")
        return float(raw)
    if isinstance(raw, int) and abs(raw) > MAX_EXACT:
        raise ValueError("is a whole number beyond 2^53, which not every reader of it keeps; put it in quotes")
    if isinstance(raw, date):  # YAML has dates, JSON and events have texts
        return raw.isoformat()
    if isinstance(raw, bool | int) or (isinstance(raw, str) and len(raw) <= MAX_TEXT):
        return raw
    raise ValueError(f"must be true, false, a number or a text of at most {MAX_TEXT} characters")


_SCALARS: dict[Kind, Callable[[Any], Any]] = {
    Kind.FLAG: _flag,
    Kind.INSTANT: instant_of,
    Kind.DURATION: parse_duration,
    Kind.TEXT: _words,
    Kind.TEXTS: _words,
    Kind.TRAIT: _scalar,
    Kind.PROPERTY: _scalar,
}
_OF_EVERY_KIND: dict[str, Callable[[Any], Any]] = {
    "exists": _flag,
    **dict.fromkeys(TIMED, parse_duration),
    **dict.fromkeys(("contains", "not_contains", "starts_with", "ends_with", "like"), _words),
}
"""Operators whose operand is of one kind, whatever the field's."""
