"""The dates that rules ask events for: profiles keep their days for so long only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from regulars.domain.instants import earlier, iso
from regulars.domain.rules.aggregates import ORDERS, Aggregate, Count
from regulars.domain.rules.tree import All, AnyOf, Not
from regulars.domain.rules.windows import MAX_EVENT_DAYS, Dates

_KEPT = timedelta(days=MAX_EVENT_DAYS)


def forgotten(rule: Any, written_at: datetime, path: str = "rule") -> Iterator[str]:
    """What is wrong with the dates of a rule that was written at an instant: for each its path and the fix, where they
    began so long before that nobody knows of all their events any more."""
    if isinstance(rule, All | AnyOf):
        name = "all" if isinstance(rule, All) else "any"
        for number, child in enumerate(rule.rules):
            yield from forgotten(child, written_at, f"{path}.{name}.{number}")
    elif isinstance(rule, Not):
        yield from forgotten(rule.rule, written_at, f"{path}.not")
    elif isinstance(rule, Count | Aggregate) and rule.event != ORDERS and isinstance(rule.during, Dates):
        oldest = earlier(written_at, _KEPT)
        if rule.during.from_ < oldest:
            day = iso(oldest + timedelta(days=1))[:10]
            yield f"{path}.during.from: events are kept for {MAX_EVENT_DAYS} days; say {day} or later"
