"""The catalogue of fields: what a rule may name, and of what kind each field is."""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import StrEnum

from regulars.domain.scores import scoring
from regulars.domain.scores.lifecycle import Frequency, Stage
from regulars.domain.scores.model import Kind as Source
from regulars.domain.scores.rfm import KLAVIYO_GROUPS, SHOPIFY_GROUPS
from regulars.domain.surveys import SurveyKind, nps_group


class Kind(StrEnum):
    """The kind of a field decides which operators and operands fit it."""

    NUMBER = "whole number"
    MONEY = "amount of money"
    INSTANT = "instant"
    DURATION = "duration"
    FLAG = "true or false"
    CHOICE = "choice"  # one of a few texts
    TEXT = "text"
    TEXTS = "texts"
    RATIO = "share"  # a number from 0 to 1
    DECIMAL = "number"  # any, kept in thousandths
    TRAIT = "trait"  # whatever the store sent: text, a number, true or false; checked when it is compared
    PROPERTY = "property"  # the same, of an event


FIELDS: dict[str, Kind] = {
    "orders.count": Kind.NUMBER,
    "orders.revenue": Kind.MONEY,
    "orders.average_value": Kind.MONEY,
    "orders.first_at": Kind.INSTANT,
    "orders.last_at": Kind.INSTANT,
    "orders.average_gap": Kind.DURATION,
    "cart.open": Kind.FLAG,
    "cart.value": Kind.MONEY,
    "cart.last_at": Kind.INSTANT,
    "cart.checkout_at": Kind.INSTANT,
    "cart.categories": Kind.TEXTS,
    "first_seen": Kind.INSTANT,
    "last_seen": Kind.INSTANT,
    "last_active": Kind.INSTANT,
    "consent.email": Kind.CHOICE,
    "consent.sms": Kind.CHOICE,
    "consent.email.at": Kind.INSTANT,
    "consent.sms.at": Kind.INSTANT,
    "reachable.email": Kind.FLAG,
    "reachable.sms": Kind.FLAG,
    "churn_band": Kind.CHOICE,
    "orders.weekday": Kind.CHOICE,
    "orders.hour": Kind.NUMBER,
    "orders.months": Kind.TEXTS,
    "orders.coupon_share": Kind.RATIO,
    "orders.store_share": Kind.RATIO,
    "orders.per_product_viewed": Kind.RATIO,
    "orders.category": Kind.TEXT,
    "orders.categories": Kind.TEXTS,
    "scores.churn_probability": Kind.RATIO,
    "scores.churn_from": Kind.CHOICE,
    "scores.predicted_number_of_orders": Kind.DECIMAL,
    "scores.predicted_clv": Kind.MONEY,
    "scores.total_clv": Kind.MONEY,
    "scores.expected_date_of_next_order": Kind.INSTANT,
    "rfm.recency": Kind.NUMBER,
    "rfm.frequency": Kind.NUMBER,
    "rfm.monetary": Kind.NUMBER,
    "rfm.klaviyo_group": Kind.CHOICE,
    "rfm.shopify_group": Kind.CHOICE,
    "lifecycle.stage": Kind.CHOICE,
    "lifecycle.frequency": Kind.CHOICE,
    "geo.country": Kind.TEXT,
    "geo.region": Kind.TEXT,
    "geo.city": Kind.TEXT,
    "geo.postal_code": Kind.TEXT,
    **{f"survey.{kind}.score": Kind.NUMBER for kind in SurveyKind},
    **{f"survey.{kind}.at": Kind.INSTANT for kind in SurveyKind},
    "survey.nps.group": Kind.CHOICE,
}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
VIEWED = "Product Viewed"
COUNTED = {"orders.per_product_viewed": VIEWED}
"""Fields that need the number of an event."""
CONSENT_VALUES = frozenset({"granted", "denied"})
MOVING_NUMBERS = frozenset(f"scores.{name}" for name in scoring.MOVING)
MOVING = MOVING_NUMBERS | {"rfm.recency", "rfm.klaviyo_group", "rfm.shopify_group", "lifecycle.stage"}
"""Fields whose value time alone changes."""
LAPSING = frozenset(
    {"consent.email", "consent.email.at", "consent.sms", "consent.sms.at", "reachable.email", "reachable.sms"}
)
"""Fields that end with a consent that was given for a time. Their changes are the engine's business, not the rules'."""
CHOICES = {
    "scores.churn_from": frozenset(source.value for source in Source),
    "rfm.klaviyo_group": frozenset(KLAVIYO_GROUPS),
    "rfm.shopify_group": frozenset(SHOPIFY_GROUPS),
    "lifecycle.stage": frozenset(stage.value for stage in Stage),
    "lifecycle.frequency": frozenset(frequency.value for frequency in Frequency),
    "consent.email": CONSENT_VALUES,
    "consent.sms": CONSENT_VALUES,
    "orders.weekday": frozenset(WEEKDAYS),
    "survey.nps.group": frozenset({nps_group(score) for score in SurveyKind.NPS.scale}),
}
"""The texts of a choice; those of `churn_band` are the program's."""
_TRAIT = re.compile(r"traits\.[A-Za-z0-9_$ -]{1,64}")
_EVENT = re.compile(r"events\.(?P<name>.{1,100})\.(?P<figure>count|first_at|last_at)")
_EVENT_FIGURES = {"count": Kind.NUMBER, "first_at": Kind.INSTANT, "last_at": Kind.INSTANT}

_EQUALITY = frozenset({"equals", "not_equals", "exists"})
_CHOICE = _EQUALITY | {"in", "not_in"}
_ORDER = frozenset({"above", "at_least", "below", "at_most", "between"})
_TEXT = frozenset({"contains", "contains_any", "not_contains", "starts_with", "ends_with", "like"})
TIMED = frozenset({"within_last", "before_last", "within_next", "after_next"})
"""What they say changes with the clock."""
_DATES = TIMED | {"before", "after"}
OPERATORS: dict[Kind, frozenset[str]] = {
    Kind.NUMBER: _CHOICE | _ORDER,
    Kind.MONEY: _EQUALITY | _ORDER,
    Kind.RATIO: _ORDER | {"exists"},
    Kind.DECIMAL: _EQUALITY | _ORDER,
    Kind.INSTANT: _DATES | {"between", "exists"},
    Kind.DURATION: _ORDER | {"exists"},
    Kind.FLAG: _EQUALITY,
    Kind.CHOICE: _CHOICE,
    Kind.TEXT: _CHOICE | _TEXT,
    Kind.TEXTS: frozenset({"contains", "contains_any", "not_contains", "exists"}),
    Kind.TRAIT: _CHOICE | _ORDER | _TEXT | _DATES,
    Kind.PROPERTY: _CHOICE | _ORDER | _TEXT,
}


def field_kind(field: str) -> Kind:
    """The kind of a field. Raises ValueError, with the nearest name, when the catalogue has no such field."""
    kind = FIELDS.get(field)
    if kind is not None:
        return kind
    if _TRAIT.fullmatch(field):
        return Kind.TRAIT
    if match := _EVENT.fullmatch(field):
        return _EVENT_FIGURES[match["figure"]]
    near = get_close_matches(field, FIELDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; see docs/segments.md for the fields there are"
    raise ValueError(f"there is no field of that name{hint}")


WHY_ABSENT = "why_absent"
"""Before the name of a field of SCORED, a view tells why that is absent; no rule asks for it."""
SCORED = ("scores.", "rfm.", "lifecycle.")
"""What the names of fields begin with that the nightly models make."""


def event_of(field: str) -> str | None:
    """The event name inside `events.<name>.count`, `.first_at` or `.last_at`; None for every other field."""
    match = _EVENT.fullmatch(field)
    return match["name"] if match else None
