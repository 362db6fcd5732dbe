"""A rule in plain English, for people who did not write it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from regulars.domain.instants import iso
from regulars.domain.money import decimal_text
from regulars.domain.rules.durations import duration_words
from regulars.domain.rules.fields import Kind, event_of, field_kind
from regulars.domain.rules.operands import ParameterRef
from regulars.domain.rules.tree import ORDERS, All, AnyOf, Compare, Count, Multiple, Not, Since, Sum
from regulars.domain.surveys import SurveyKind

_FIELD_WORDS = {
    "orders.count": "number of orders",
    "orders.revenue": "revenue",
    "orders.average_value": "average order value",
    "orders.first_at": "first order",
    "orders.last_at": "last order",
    "orders.average_gap": "average time between orders",
    "cart.open": "open cart",
    "cart.value": "value of the cart",
    "cart.last_at": "last change to the cart",
    "cart.checkout_at": "start of the checkout",
    "cart.categories": "categories in the cart",
    "first_seen": "first visit",
    "last_seen": "last visit",
    "last_active": "last activity",
    "consent.email": "e-mail consent",
    "consent.sms": "SMS consent",
    "consent.email.at": "e-mail consent",
    "consent.sms.at": "SMS consent",
    "reachable.email": "reachable by e-mail",
    "reachable.sms": "reachable by SMS",
    "churn_band": "churn band",
    **{f"survey.{kind}.score": f"last {kind.upper()} score" for kind in SurveyKind},
    **{f"survey.{kind}.at": f"last {kind.upper()} answer" for kind in SurveyKind},
    "survey.nps.group": "NPS group",
}
_OPERATOR_WORDS = {
    "equals": "is",
    "not_equals": "is not",
    "above": "is above",
    "at_least": "is at least",
    "below": "is below",
    "at_most": "is at most",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "before": "is before",
    "after": "is after",
}
_COUNT_WORDS = {
    "equals": "exactly",
    "above": "more than",
    "at_least": "at least",
    "below": "fewer than",
    "at_most": "at most",
}


@singledispatch
def described(rule: object, currency: str) -> str:  # noqa: ARG001 - dispatches on the rule
    """One sentence without its full stop; amounts in `currency`. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot describe {type(rule).__name__}")


@described.register
def _(rule: All, currency: str) -> str:
    return _joined(rule, " and ", currency)


@described.register
def _(rule: AnyOf, currency: str) -> str:
    return _joined(rule, " or ", currency)


def _joined(rule: All | AnyOf, word: str, currency: str) -> str:
    parts = []
    for child in rule.rules:
        text = described(child, currency)
        parts.append(f"({text})" if isinstance(child, All | AnyOf) and len(child.rules) > 1 else text)
    return word.join(parts)


@described.register
def _(rule: Not, currency: str) -> str:
    return f"not ({described(rule.rule, currency)})"


@described.register
def _(rule: Compare, currency: str) -> str:
    kind, name = field_kind(rule.field), _named(rule.field)
    return " and ".join(_comparison(name, operator, operand, kind, currency) for operator, operand in rule.operations())


def _comparison(name: str, operator: str, operand: Any, kind: Kind, currency: str) -> str:
    if operator == "exists":
        return f"{name} is {'known' if operand else 'not known'}"
    if kind is Kind.FLAG:
        return name if operand is (operator == "equals") else f"not {name}"
    return f"{name} {_OPERATOR_WORDS[operator]} {_shown(operand, kind, currency)}"


def _named(field: str) -> str:
    if field in _FIELD_WORDS:
        return _FIELD_WORDS[field]
    if event := event_of(field):
        figures = {"count": "number of", "first_at": "first", "last_at": "last"}
        return f"{figures[field.rpartition('.')[2]]} “{event}”"
    return f"trait “{field.removeprefix('traits.')}”"


@described.register
def _(rule: Count, currency: str) -> str:
    one = [operand for _, operand in rule.operations()] == [1]
    what = f"{'order' if rule.count == ORDERS else f'“{rule.count}” event'}{'' if one else 's'}"
    bounds = " and ".join(
        f"{_COUNT_WORDS[operator]} {_shown(operand, Kind.NUMBER, currency)}" for operator, operand in rule.operations()
    )
    return f"{bounds} {what}{_window(rule.within)}"


@described.register
def _(rule: Sum, currency: str) -> str:
    bounds = " and ".join(
        f"{_OPERATOR_WORDS[operator]} {_shown(operand, Kind.MONEY, currency)}"
        for operator, operand in rule.operations()
    )
    return f"revenue{_window(rule.within)} {bounds}"


def _window(within: timedelta | None) -> str:
    return "" if within is None else f" in the last {duration_words(within)}"


@described.register
def _(rule: Since, currency: str) -> str:  # noqa: ARG001 - one signature for all nodes
    words = {"at_least": "at least", "below": "less than"}
    bounds = " and ".join(f"{words[operator]} {_bound(bound)}" for operator, bound in rule.operations())
    return f"{_named(rule.since)} {bounds} ago"


def _bound(bound: timedelta | Multiple) -> str:
    if isinstance(bound, timedelta):
        return duration_words(bound)
    own = f"{bound.times} x the {_named(bound.of)}"
    return f"{own} (between {duration_words(bound.min)} and {duration_words(bound.max)})"


def _shown(operand: Any, kind: Kind, currency: str) -> str:
    if isinstance(operand, ParameterRef):
        return f"the parameter “{operand.parameter}”"
    if isinstance(operand, tuple):
        return ", ".join(_shown(item, kind, currency) for item in operand)
    if isinstance(operand, datetime):
        return iso(operand)
    if isinstance(operand, timedelta):
        return duration_words(operand)
    return f"{decimal_text(operand, currency)} {currency}" if kind is Kind.MONEY else str(operand)
