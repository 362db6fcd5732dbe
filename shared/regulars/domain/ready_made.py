"""Segments that most shops want, ready made: a program names the sets that it takes (docs/segments.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from regulars.domain.rules.operands import MAX_TEXT
from regulars.domain.scores.lifecycle import Frequency, Stage
from regulars.domain.scores.rfm import KLAVIYO_GROUPS, SHOPIFY_GROUPS

Data = dict[str, Any]
AFFINITY = "affinity"
MAX_CATEGORIES = 30
_LONGEST = 63 - len(AFFINITY)
_NAME = re.compile(f"[a-z0-9_]{{1,{_LONGEST}}}")
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
    """A text as a part of a name: small letters, digits and underscores; what has no such is left out."""
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
    """The segments of the sets that a program asks for: names, and `{affinity: [category, ...]}`, or `{affinity:
    {name: category, ...}}`, for one segment of each category that is bought most. Beside them what is wrong: a path
    each, and what would fit."""
    if not isinstance(asked, Sequence) or isinstance(asked, str):
        return [], [("", "must be a list of sets")]
    found: list[Data] = []
    problems: list[tuple[str, str]] = []
    taken: dict[str, str] = {}
    for position, item in enumerate(asked):
        if isinstance(item, Mapping) and set(item) == {AFFINITY} and _are_few(item[AFFINITY]):
            for path, name, category in _categories(item[AFFINITY]):
                if problem := _category_problem(name, category, taken):
                    problems.append((f".{position}.{AFFINITY}.{path}", problem))
                    continue
                taken[name] = str(category)
                rule = {"field": "orders.category", "equals": category}
                found.append(_segment(f"{AFFINITY}_{name}", f"Buys most of: {category}", rule))
        elif isinstance(item, str) and item in READY_MADE:
            found += READY_MADE[item]()
        else:
            sets = ", ".join(READY_MADE)
            problem = f"must be one of {sets}, or {{{AFFINITY}: [...]}} with 1 to {MAX_CATEGORIES} categories"
            problems.append((f".{position}", problem))
    return found, problems


def _are_few(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return False
    return 0 < len(value) <= MAX_CATEGORIES


def _categories(value: Any) -> list[tuple[str, str, object]]:
    """Where each stands, what its segment is called after `affinity_`, and the category."""
    if isinstance(value, Mapping):
        return [(str(name), str(name), category) for name, category in value.items()]
    return [
        (str(position), _named(category) if isinstance(category, str) else "", category)
        for position, category in enumerate(value)
    ]


def _category_problem(name: str, category: object, taken: Mapping[str, str]) -> str | None:
    if not isinstance(category, str) or not 0 < len(category) <= MAX_TEXT:
        return f"must be a category, a text of 1 to {MAX_TEXT} characters"
    if _NAME.fullmatch(name) and name not in taken:
        return None
    named = f"give it a name: {{{AFFINITY}: {{name: {category}}}}}"
    if name in taken:
        return f"would be called {AFFINITY}_{name} as {taken[name]} is; {named}"
    return f"makes no name of 1 to {_LONGEST} small letters, digits and underscores; {named}"
