"""The feature plan: which event counters the rules in force look at, and how far back. The fold keeps exactly those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from regulars.domain.errors import BadInputError
from regulars.domain.rules.requirements import required

MAX_EVENTS = 100
MAX_BUCKETS = 4000
"""Day buckets of one node over all events: about 40 KB of a profile, whatever a shopper does."""


class FeaturePlan(Mapping[str, int]):
    """Event name to `days`: buckets are kept for day d while `today - d <= days`; with 0, only total, first and last.

    Immutable. An event that is not in it is not counted at all. `version` is equal for equal plans.
    """

    __slots__ = ("_days", "version")

    def __init__(self, days: Mapping[str, int]) -> None:
        self._days = dict(sorted(days.items()))
        self.version = hashlib.sha256(json.dumps(self._days, ensure_ascii=False).encode()).hexdigest()[:16]

    def __getitem__(self, event: str) -> int:
        return self._days[event]

    def __iter__(self) -> Iterator[str]:
        return iter(self._days)

    def __len__(self) -> int:
        return len(self._days)

    @overload
    def get(self, key: str, /) -> int | None: ...
    @overload
    def get(self, key: str, default: Any, /) -> Any: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        """As Mapping's, without its exceptions: the fold asks for every event."""
        return self._days.get(key, default)

    def __repr__(self) -> str:
        return f"FeaturePlan({self._days})"


def plan_of_rules(rules: Iterable[object]) -> FeaturePlan:
    """The plan that satisfies every rule and measure. Raises BadInputError when profiles would grow too large."""
    days: dict[str, int] = {}
    for rule in rules:
        for event, span in required(rule):
            days[event] = max(days.get(event, 0), span)
    buckets = sum(span + 1 for span in days.values())
    if len(days) > MAX_EVENTS or buckets > MAX_BUCKETS:
        raise BadInputError(
            "bad_program",
            f"the rules count {len(days)} events over {buckets} days altogether; "
            f"keep it within {MAX_EVENTS} events and {MAX_BUCKETS} days by shorter windows",
        )
    return FeaturePlan(days)
