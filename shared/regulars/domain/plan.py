"""The feature plan: which tallies of events the rules in force look at, and how far back. The fold keeps those."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, overload

from regulars.domain.errors import BadInputError
from regulars.domain.events import ORDER, Event
from regulars.domain.rules.features import Feature, document_of, mark_of
from regulars.domain.rules.requirements import required
from regulars.domain.rules.where import Conditions, satisfied
from regulars.domain.tallies import Keeps

MAX_EVENTS = 100
MAX_BUCKETS = 4000
"""Day buckets of one node over all events: about 40 KB of a profile, whatever a shopper does."""
MAX_MARKS = 20
_DAYS_OF_VALUES = 40
"""What a tally of values or instants takes, in day buckets."""
_BUCKETS_A_DAY = {Keeps.TOTALS: 2, Keeps.DAILY_FIRST: 9, Keeps.DAILY_LAST: 9, Keeps.DAILY_VALUES: 9}
"""What a day of a tally takes, where that is more than one bucket."""


class FeaturePlan(Mapping[str, int]):
    """Event name to `days`: buckets are kept for day d while `today - d <= days`; with 0, only total, first and last.
    What looks into properties is in `features` (by key) and `marks` (of orders).

    Immutable. An event that is not in it is not counted at all. `version` is equal for equal plans.
    """

    __slots__ = ("_days", "_of_event", "features", "marks", "version")

    def __init__(
        self,
        days: Mapping[str, int],
        features: Mapping[str, Feature] | None = None,
        marks: Mapping[str, Conditions] | None = None,
    ) -> None:
        self._days = dict(sorted(days.items()))
        self.features = dict(sorted((features or {}).items()))
        self.marks = dict(sorted((marks or {}).items()))
        self._of_event: dict[str, list[tuple[str, Feature]]] = {}
        for key, feature in self.features.items():
            self._of_event.setdefault(feature.event, []).append((key, feature))
        self.version = hashlib.sha256(json.dumps(self._said(), ensure_ascii=False).encode()).hexdigest()[:16]

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

    def __eq__(self, other: object) -> bool:
        return self._said() == other._said() if isinstance(other, FeaturePlan) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.version)

    def __repr__(self) -> str:
        return f"FeaturePlan({self._days}, {list(self.features)}, {list(self.marks)})"

    def days_of(self, key: str) -> int:
        """How many days back an event's or a feature's tally is kept."""
        feature = self.features.get(key)
        return self._days.get(key, 0) if feature is None else feature.days

    def noted(self, event: Event, name: str) -> tuple[tuple[str, Any], ...]:
        """What the features are told of an event of that name: (key, what) of those that it concerns."""
        features = self._of_event.get(name)
        if features is None:
            return ()
        document = document_of(event)
        told = ((key, feature.noted(document)) for key, feature in features)
        return tuple((key, noted) for key, noted in told if noted is not None)

    def marks_of(self, event: Event) -> str:
        """The marks of an order's event, one after the other."""
        if not self.marks or event.type is not ORDER:
            return ""
        document = document_of(event)
        return "".join(mark for mark, where in self.marks.items() if satisfied(where, document))

    def parts(self) -> dict[str, int]:
        """Everything that is kept, with how many days back: what a rule may rely on once it is filled from the log."""
        kept = self._days | {key: feature.days for key, feature in self.features.items()}
        return kept | {f"order {mark}": 0 for mark in self.marks}

    def _said(self) -> list[Any]:
        if not self.features and not self.marks:
            return [self._days]
        return [self._days, {key: feature.days for key, feature in self.features.items()}, sorted(self.marks)]


def lacking(parts: Mapping[str, int], kept: Mapping[str, int] | None) -> frozenset[str]:
    """What of a plan's parts is not kept yet, or not as far back; nothing where nobody knows what is kept (a new
    store)."""
    if kept is None:
        return frozenset()
    return frozenset(part for part, days in parts.items() if kept.get(part, -1) < days)


def still_kept(kept: Mapping[str, int], plan: FeaturePlan) -> dict[str, int]:
    """What can be relied on once profiles follow another plan: what that leaves out has a gap from then on, so a rule
    that asks for it again must wait until it is filled again."""
    parts = plan.parts()
    return {part: min(days, parts[part]) for part, days in kept.items() if part in parts}


NO_PLAN = FeaturePlan({})


def plan_of_rules(rules: Iterable[object], *, besides: Mapping[str, int] | None = None) -> FeaturePlan:
    """The plan that satisfies every rule and measure; `besides`, events with days, are few enough for any profile.

    Raises BadInputError when profiles would grow too large.
    """
    days: dict[str, int] = {}
    features: dict[str, Feature] = {}
    marks: dict[str, Conditions] = {}
    for rule in rules:
        for need in required(rule):
            if not isinstance(need, Feature):
                marks[mark_of(need) or ""] = need
            elif need.keeps is Keeps.COUNT and not need.where:
                days[need.event] = max(days.get(need.event, 0), need.days)
            else:
                known = features.get(need.key)
                features[need.key] = need if known is None else replace(need, days=max(known.days, need.days))
    _check_size(days, features, marks)
    for event, span in (besides or {}).items():
        days[event] = max(days.get(event, 0), span)
    return FeaturePlan(days, features, marks)


def _check_size(days: Mapping[str, int], features: Mapping[str, Feature], marks: Mapping[str, Conditions]) -> None:
    buckets = sum(span + 1 for span in days.values())
    for feature in features.values():
        small = feature.keeps in (Keeps.VALUES, Keeps.INSTANTS)
        buckets += _DAYS_OF_VALUES if small else feature.days * _BUCKETS_A_DAY.get(feature.keeps, 1) + 1
    if len(days) + len(features) > MAX_EVENTS or buckets > MAX_BUCKETS:
        raise BadInputError(
            "bad_program",
            f"the rules count {len(days) + len(features)} events over {buckets} days altogether; "
            f"keep it within {MAX_EVENTS} events and {MAX_BUCKETS} days by shorter windows",
        )
    if len(marks) > MAX_MARKS:
        raise BadInputError(
            "bad_program", f"the rules look at orders in {len(marks)} ways (where); keep it within {MAX_MARKS}"
        )
