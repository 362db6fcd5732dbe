"""What rules that look into events cost: how large a profile gets, and what a write of it then costs."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.bench.figures import Figure, rounded
from regulars.adapters.items import profile_text
from regulars.domain.events import Event, EventType, event_id_of
from regulars.domain.facts import fact_of
from regulars.domain.loading import load_program
from regulars.domain.plan import FeaturePlan
from regulars.domain.profile import Profile, fold

_RULES = (0, 10, 25, 50)
_DAYS, _VIEWS_A_DAY = 90, 6
_CATEGORIES = ("Dresses", "Shoes", "Bags", "Hats", "Belts")
_START = datetime(2026, 3, 1, tzinfo=UTC)
_UNIT = 1024
"""Bytes of a write capacity unit; the item's keys and attributes besides the document take some hundred more."""


def _rule(number: int) -> dict[str, Any]:
    """The sorts of leaves that need a tally of their own, one after the other."""
    where = {"category": _CATEGORIES[number % len(_CATEGORIES)], "price": {"at_least": 5 * (number // 5)}}
    within = f"{7 * (1 + number % 4)}d"
    leaves: list[dict[str, Any]] = [
        {"count": "Product Viewed", "where": where, "within": within, "at_least": 3},
        {"average": "events.Product Viewed.price", "where": where, "within": within, "at_least": 20},
        {"distinct": "events.Product Viewed.product_id", "where": where, "within": within, "at_least": 3},
        {"last": "events.Product Viewed.category", "where": where, "equals": "Shoes"},
        {"sequence": [{"event": "Product Viewed", "where": where}, {"event": "Product Added"}], "same": "product_id"},
    ]
    return leaves[number % 5]


def _plan(rules: int) -> FeaturePlan:
    segments = [{"name": f"s{number}", "rule": _rule(number)} for number in range(rules)]
    return load_program({"p.yaml": {"currency": "USD", "segments": segments}}).plan


def _events() -> list[Event]:
    """A busy shopper's quarter of a year."""
    events = []
    for number in range(_DAYS * _VIEWS_A_DAY):
        at = _START + timedelta(days=number // _VIEWS_A_DAY, minutes=number % _VIEWS_A_DAY)
        product = {"product_id": f"p{number % 40}", "category": _CATEGORIES[number % 5], "price": number % 97}
        name = "Product Added" if number % 7 == 0 else "Product Viewed"
        events.append(
            Event(
                event_id=event_id_of("web", str(number)), source="web", message_id=str(number), type=EventType.TRACK,
                name=name, user_id="u", timestamp=at, received_at=at, properties=product,
            )
        )  # fmt: skip
    return events


def figures() -> list[Figure]:
    """The same quarter of a year folded under programs of more and more such rules."""
    events, sizes = _events(), {}
    for rules in _RULES:
        plan = _plan(rules)
        facts = [fact for event in events if (fact := fact_of(event, currency="USD", plan=plan))]
        sizes[rules] = len(profile_text(fold(Profile(), facts, plan)).encode())
    most = sizes[_RULES[-1]]
    return [
        Figure(
            name="bytes of a profile by rules",
            value=rounded((most - sizes[0]) / _RULES[-1]),
            unit="bytes a rule",
            how=f"Each rule looks into events' properties with a tally of its own; a busy shopper's {_DAYS} days of "
            f"{_VIEWS_A_DAY} products viewed a day.",
            parts={
                f"{rules} rules": f"{size} bytes, {math.ceil(size / _UNIT)} write units"
                for rules, size in sizes.items()
            },
        )
    ]
