"""Segments that most shops want, ready made: a program names the sets that it takes (docs/segments.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from regulars.domain.scores.lifecycle import Frequency, Stage
from regulars.domain.scores.rfm import KLAVIYO_GROUPS, SHOPIFY_GROUPS

Data = dict[str, Any]
AFFINITY = "affinity"
MAX_CATEGORIES = 30
_LIKELY, _UNLIKELY = 0.66, 0.33
"""Klaviyo's bounds of churn risk."""


def _segment(name: str, description: str, rule: Data) -> Data:
    return {"name": name, "description": description, "rule": rule}


def _of_field(prefix: str, field: str, values: Iterable[str], words: str) -> list[Data]:
    """One segment for each value of a choice."""
    return [
        _segment(f"{prefix}_{_named(value)}", f"{words}: {value}", {"field": field, "equals": value})
        for value in values
    ]


def _named(text: str) -> str:
    """A text as a part of a name: small letters, digits and underscores."""
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def _engagement(name: str, description: str, **bounds: int) -> Data:
    return _segment(name, description, {"count": "Page Viewed", "within": "30d", **bounds})


_CHURN = "scores.churn_probability"
READY_MADE: Mapping[str, Callable[[], list[Data]]] = {
    "rfm_klaviyo": lambda: _of_field("rfm", "rfm.klaviyo_group", KLAVIYO_GROUPS, "RFM by thirds"),
    "rfm_shopify": lambda: _of_field("shopify", "rfm.shopify_group", SHOPIFY_GROUPS, "RFM by fifths"),
    "lifecycle": lambda: _of_field("lifecycle", "lifecycle.stage", [stage.value for stage in Stage], "Stage"),
    "frequency": lambda: _of_field(
        "buyer", "lifecycle.frequency", [frequency.value for frequency in Frequency], "Buys"
    ),
    "spend": lambda: [
        _segment("high_spender", "Among the fifth that spends most", {"field": "rfm.monetary", "equals": 5}),
        _segment("low_spender", "Among the fifth that spends least", {"field": "rfm.monetary", "equals": 1}),
    ],
    "habits": lambda: [
        _segment(
            "coupon_driven",
            "More than half of at least two orders used a coupon",
            {"all": [{"field": "orders.count", "at_least": 2}, {"field": "orders.coupon_share", "above": 0.5}]},
        ),
        _segment("seasonal_buyer", "Buys in the same months each year", {"field": "orders.months", "exists": True}),
        _segment(
            "weekend_buyer",
            "Usually buys on Saturday or Sunday",
            {"field": "orders.weekday", "in": ["saturday", "sunday"]},
        ),
        _segment("store_buyer", "Buys mostly in the store", {"field": "orders.store_share", "above": 0.5}),
    ],
    "visits": lambda: [
        _segment(
            "returning_visitor",
            "Came back after the first day, within 30 days",
            {
                "all": [
                    {"field": "last_seen", "after": {"field": "first_seen"}},
                    {"since": "first_seen", "at_least": "1d"},
                    {"since": "last_seen", "below": "30d"},
                    {"count": "Page Viewed", "within": "30d", "at_least": 2},
                ]
            },
        ),
        _segment(
            "looks_and_leaves",
            "Fewer than one order in fifty products viewed, of at least fifty",
            {
                "all": [
                    {"field": "events.Product Viewed.count", "at_least": 50},
                    {"field": "orders.per_product_viewed", "below": 0.02},
                ]
            },
        ),
    ],
    "engagement": lambda: [
        _engagement("engagement_high", "Twenty pages or more in 30 days", at_least=20),
        _engagement("engagement_medium", "Five to nineteen pages in 30 days", at_least=5, below=20),
        _engagement("engagement_low", "One to four pages in 30 days", at_least=1, below=5),
    ],
    "nps": lambda: _of_field("nps", "survey.nps.group", ("promoter", "passive", "detractor"), "Answered"),
    "churn_risk": lambda: [
        _segment("churn_risk_high", "Will hardly buy within 90 days", {"field": _CHURN, "at_least": _LIKELY}),
        _segment(
            "churn_risk_medium",
            "May or may not buy within 90 days",
            {"all": [{"field": _CHURN, "at_least": _UNLIKELY}, {"field": _CHURN, "below": _LIKELY}]},
        ),
        _segment("churn_risk_low", "Will rather buy within 90 days", {"field": _CHURN, "below": _UNLIKELY}),
    ],
}
"""Sets of segments by name, as they would stand in a program's file."""


def ready_made(asked: object) -> tuple[list[Data], list[tuple[str, str]]]:
    """The segments of the sets that a program asks for: names, and `{affinity: [category, ...]}` for one segment of
    each category that is bought most. Beside them what is wrong: a path each, and what would fit."""
    if not isinstance(asked, Sequence) or isinstance(asked, str):
        return [], [("", "must be a list of sets")]
    found: list[Data] = []
    problems: list[tuple[str, str]] = []
    for position, item in enumerate(asked):
        if isinstance(item, Mapping) and set(item) == {AFFINITY} and _are_categories(item[AFFINITY]):
            found += _of_field(AFFINITY, "orders.category", item[AFFINITY], "Buys most of")
        elif isinstance(item, str) and item in READY_MADE:
            found += READY_MADE[item]()
        else:
            sets = ", ".join(READY_MADE)
            problems.append((f".{position}", f"must be one of {sets}, or {{{AFFINITY}: [category, ...]}}"))
    return found, problems


def _are_categories(value: object) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str) or not 0 < len(value) <= MAX_CATEGORIES:
        return False
    return all(isinstance(text, str) and _named(text) for text in value)
