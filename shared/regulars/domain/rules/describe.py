"""A rule in plain English, for people who did not write it."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from regulars.domain.instants import iso
from regulars.domain.money import decimal_text
from regulars.domain.rules.aggregates import ORDERS, Aggregate, Count
from regulars.domain.rules.durations import duration_words
from regulars.domain.rules.fields import Kind, event_of, field_kind
from regulars.domain.rules.leaves import Compare, InSegment, Multiple, RandomShare, Since
from regulars.domain.rules.nodes import Operated
from regulars.domain.rules.numbers import THOUSAND
from regulars.domain.rules.operands import FieldRef, ParameterRef
from regulars.domain.rules.sequences import Sequence, Step
from regulars.domain.rules.tree import All, AnyOf, Not
from regulars.domain.rules.where import Condition, Conditions
from regulars.domain.rules.windows import EVER, FOREVER, Dates
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
    "orders.weekday": "usual weekday of ordering",
    "orders.hour": "usual hour of ordering",
    "orders.months": "months of ordering each year",
    "orders.coupon_share": "share of orders with a coupon",
    "orders.store_share": "share of orders in the store",
    "orders.per_product_viewed": "orders per product viewed",
    "orders.category": "favourite category",
    "orders.categories": "categories bought",
    "scores.churn_probability": "probability of no order in the next 90 days",
    "scores.predicted_number_of_orders": "orders expected in the next year",
    "scores.predicted_clv": "revenue expected in the next year",
    "scores.total_clv": "revenue so far and expected in the next year",
    "scores.expected_date_of_next_order": "expected next order",
    "rfm.recency": "recency score",
    "rfm.frequency": "frequency score",
    "rfm.monetary": "monetary score",
    "rfm.klaviyo_group": "RFM group",
    "rfm.shopify_group": "RFM group in Shopify's terms",
    "lifecycle.stage": "stage of life",
    "lifecycle.frequency": "frequency of buying",
    "geo.country": "country",
    "geo.region": "region",
    "geo.city": "city",
    "geo.postal_code": "postal code",
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
    "between": "is between",
    "contains": "contains",
    "contains_any": "contains one of",
    "not_contains": "does not contain",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "like": "is like",
    "within_last": "was in the last",
    "before_last": "was before the last",
    "within_next": "is in the next",
    "after_next": "is after the next",
    "before": "is before",
    "after": "is after",
}
_COUNT_WORDS = {
    "equals": "exactly",
    "not_equals": "other than",
    "between": "between",
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
        parts.append(f"({text})" if len(rule.rules) > 1 and _has_joints(child) else text)
    return word.join(parts)


def _has_joints(rule: Any) -> bool:
    """Whether a rule's words have an "and", "or" or "then" of their own, so that with others they need brackets."""
    if isinstance(rule, All | AnyOf):
        return len(rule.rules) > 1 or _has_joints(rule.rules[0])
    if isinstance(rule, Count | Aggregate) and rule.where:
        return True  # else what comes after would read as one more condition on the events
    return isinstance(rule, Sequence) or (isinstance(rule, Operated) and len(rule.operations()) > 1)


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
    if isinstance(operand, FieldRef) and kind is Kind.FLAG:
        return f"{name} is {'' if operator == 'equals' else 'not '}the same as {_named(operand.field)}"
    if kind is Kind.FLAG:
        return name if operand is (operator == "equals") else f"not {name}"
    return f"{name} {_OPERATOR_WORDS[operator]} {_shown(operand, kind, currency, operator)}"


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
    what = f"{'order' if rule.event == ORDERS else f'“{rule.event}” event'}{'' if one else 's'}"
    bounds = " and ".join(
        f"{_COUNT_WORDS[operator]} {_shown(operand, Kind.NUMBER, currency, operator)}"
        for operator, operand in rule.operations()
    )
    return f"{bounds} {what}{_narrowed(rule, currency)}"


_FIGURE_WORDS = {
    "sum": "sum of", "average": "average of", "min": "least", "max": "greatest", "first": "first", "last": "last",
    "distinct": "number of different values of",
}  # fmt: skip
_MEASURE_WORDS = {
    "orders.revenue": "revenue", "orders.channel": "channel of orders", "orders.category": "category of orders",
    "orders.day": "day of ordering",
}  # fmt: skip


@described.register
def _(rule: Aggregate, currency: str) -> str:
    measure = _MEASURE_WORDS.get(rule.measure) or f"“{rule.path}” of “{rule.event}” events"
    name = "revenue" if (rule.figure, measure) == ("sum", "revenue") else f"{_FIGURE_WORDS[rule.figure]} {measure}"
    bounds = " and ".join(
        _comparison("", operator, operand, rule.kind, currency).strip() for operator, operand in rule.operations()
    )
    return f"{name}{_narrowed(rule, currency)} {bounds}"


def _narrowed(rule: Count | Aggregate, currency: str) -> str:
    with_ = f" with {_conditions(rule.where, currency)}" if rule.where else ""
    if isinstance(rule.during, Dates):
        ends = (("from", rule.during.from_), ("to before", rule.during.to))
        return with_ + "".join(f" {word} {iso(instant)}" for word, instant in ends if instant not in (EVER, FOREVER))
    if rule.during is not None:
        return f"{with_} {str(rule.during).replace('_', ' ')}"
    within = "" if rule.within is None else f" in the last {duration_words(rule.within)}"
    return with_ + within + ("" if rule.older_than is None else f", at least {duration_words(rule.older_than)} ago")


def _conditions(where: Conditions, currency: str) -> str:
    return " and ".join(_condition(path, condition, currency) for path, condition in where.items())


def _condition(path: str, condition: Condition, currency: str) -> str:
    return " and ".join(
        _comparison(f"“{path}”", operator, operand, Kind.PROPERTY, currency)
        for operator, operand in condition.operations()
    )


@described.register
def _(rule: Sequence, currency: str) -> str:
    text = ", then ".join(_step(step, currency) for step in rule.sequence)
    if rule.same:
        text += f" with the same “{rule.same}”"
    if rule.span:
        text += f", all within {duration_words(rule.span)}"
    if rule.without:
        text += f", and no {_step(rule.without, currency)} in the {duration_words(rule.without.within)} after"
    return text + (f", the last step in the last {duration_words(rule.within)}" if rule.within else "")


def _step(step: Step, currency: str) -> str:
    name = "an order" if step.event == ORDERS else f"“{step.event}”"
    return f"{name} with {_conditions(step.where, currency)}" if step.where else name


@described.register
def _(rule: InSegment, currency: str) -> str:  # noqa: ARG001 - one signature for all nodes
    return f"in the segment “{rule.segment}”"


@described.register
def _(rule: RandomShare, currency: str) -> str:  # noqa: ARG001 - as above
    return f"one of {float(rule.below - rule.at_least):g} % of all by chance (“{rule.random}”)"


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


def _shown(operand: Any, kind: Kind, currency: str, operator: str = "") -> str:
    if isinstance(operand, ParameterRef | FieldRef):
        return (
            f"the {_named(operand.field)}" if isinstance(operand, FieldRef) else f"the parameter “{operand.parameter}”"
        )
    if isinstance(operand, tuple):
        joint = " and " if operator == "between" else ", "
        return joint.join(_shown(item, kind, currency) for item in operand)
    if isinstance(operand, datetime):
        return iso(operand)
    if isinstance(operand, timedelta):
        return duration_words(operand)
    if kind is Kind.DECIMAL:
        return f"{operand / THOUSAND:g}"
    return f"{decimal_text(operand, currency)} {currency}" if kind is Kind.MONEY else str(operand)
