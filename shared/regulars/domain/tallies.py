"""Tallies: what profiles keep for rules that look into events' properties, each a small commutative monoid.

    merged(a, b) = merged(b, a),  merged(merged(a, b), c) = merged(a, merged(b, c))

Each has a bound, so that a profile stays small whatever a shopper does. Numbers are whole thousandths
(rules/numbers.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, NamedTuple

from regulars.domain.values import value

MAX_VALUES = 100
"""Different values that are told apart; of more, those last seen are."""
MAX_DAILY = 10
"""Different values of one day that are told apart where every day is kept; of more, those whose hashes are smallest."""
HASH_CHARACTERS = 8
"""A value's hash is so long."""
MAX_INSTANTS = 50
"""Instants of each step of a sequence, the newest."""


class Keeps(StrEnum):
    """What is kept of the events that a feature looks at."""

    COUNT = "count"
    TOTALS = "totals"
    VALUES = "values"
    FIRST = "first"
    LAST = "last"
    DAILY_VALUES = "daily values"
    DAILY_FIRST = "daily first"
    DAILY_LAST = "daily last"
    INSTANTS = "instants"


class Total(NamedTuple):
    """How many numbers, their sum, the least and the greatest of them."""

    number: int
    sum: int
    least: int
    greatest: int

    def plus(self, other: Total) -> Total:
        """Of both."""
        return Total(
            self.number + other.number,
            self.sum + other.sum,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
        )


@value(frozen=True, slots=True)
class Totals:
    """Numbers: all of them ever, and by UTC day as far back as the plan asks."""

    ever: Total
    days: Mapping[int, Total] = field(default_factory=dict)

    def merged(self, other: Totals, keep: int) -> Totals:
        """Of both; `keep` is how many days before the newest are kept, 0 for none."""
        if not keep:
            return Totals(self.ever.plus(other.ever))
        days = dict(self.days)
        for day, total in other.days.items():
            known = days.get(day)
            days[day] = total if known is None else known.plus(total)
        oldest = max(days, default=0) - keep
        return Totals(self.ever.plus(other.ever), {day: days[day] for day in sorted(days) if day >= oldest})


@value(frozen=True, slots=True)
class Values:
    """Different values by a short hash, each with the UTC day on which it was last seen."""

    days: Mapping[str, int] = field(default_factory=dict)

    def merged(self, other: Values, keep: int) -> Values:  # noqa: ARG002 - how many are kept does not depend on days
        """Of both, the newest MAX_VALUES."""
        days = dict(self.days)
        for name, day in other.days.items():
            days[name] = max(day, days.get(name, day))
        if len(days) > MAX_VALUES:
            newest = sorted(days, key=lambda name: (days[name], name))[-MAX_VALUES:]
            days = {name: days[name] for name in newest}
        return Values(days)


@value(frozen=True, slots=True)
class Told:
    """A property's value at an instant (epoch milliseconds), `first` or last of all; of one instant the first or the
    last by its text."""

    at: int
    value: Any
    first: bool

    def merged(self, other: Told, keep: int) -> Told:  # noqa: ARG002 - one value is kept whatever its age
        """The earlier or the later of the two."""
        mine, theirs = (self.at, repr(self.value)), (other.at, repr(other.value))
        return self if (mine <= theirs) is self.first else other


@value(frozen=True, slots=True)
class DailyTold:
    """What each UTC day `told` first, or last; for windows that do not end now."""

    days: Mapping[int, Told]

    def merged(self, other: DailyTold, keep: int) -> DailyTold:
        """Of both; `keep` is how many days before the newest are kept."""
        days = dict(self.days)
        for day, told in other.days.items():
            known = days.get(day)
            days[day] = told if known is None else known.merged(told, keep)
        return DailyTold(_newest(days, keep))


@value(frozen=True, slots=True)
class DailyValues:
    """Different values of each UTC day, by short hashes in order, at most MAX_DAILY."""

    days: Mapping[int, tuple[str, ...]]

    def merged(self, other: DailyValues, keep: int) -> DailyValues:
        """Of both; `keep` is how many days before the newest are kept."""
        days = dict(self.days)
        for day, names in other.days.items():
            days[day] = tuple(sorted({*days.get(day, ()), *names})[:MAX_DAILY])
        return DailyValues(_newest(days, keep))


def _newest(days: dict[int, Any], keep: int) -> dict[int, Any]:
    oldest = max(days) - keep
    return {day: days[day] for day in sorted(days) if day >= oldest}


@value(frozen=True, slots=True)
class Instants:
    """When something happened (epoch milliseconds), and what was the same in it; ascending. What happened twice at one
    instant is there twice."""

    at: tuple[tuple[int, str], ...] = ()

    def merged(self, other: Instants, keep: int) -> Instants:  # noqa: ARG002 - how many are kept does not depend on days
        """Of both, the newest MAX_INSTANTS."""
        return Instants(tuple(sorted((*self.at, *other.at))[-MAX_INSTANTS:]))


Tally = Totals | Values | Told | DailyTold | DailyValues | Instants


def tally_of(keeps: Keeps, noted: Any, *, day: int, millis: int, keep: int) -> Tally:
    """The tally of one event: `noted` is its number, hash, value or text, `day` and `millis` when it happened."""
    if keeps is Keeps.TOTALS:
        total = Total(1, noted, noted, noted)
        return Totals(total, {day: total} if keep else {})
    if keeps is Keeps.VALUES:
        return Values({noted: day})
    if keeps is Keeps.DAILY_VALUES:
        return DailyValues({day: (noted,)})
    if keeps in (Keeps.DAILY_FIRST, Keeps.DAILY_LAST):
        return DailyTold({day: Told(millis, noted, keeps is Keeps.DAILY_FIRST)})
    if keeps is Keeps.INSTANTS:
        return Instants(((millis, noted),))
    return Told(millis, noted, keeps is Keeps.FIRST)


def merged_tally(one: Tally | None, other: Tally, keep: int) -> Tally:
    """Of two tallies of one feature, which are of one class."""
    merge: Any = other.merged
    result: Tally = other if one is None else merge(one, keep)
    return result


def trimmed(tally: Tally, keep: int) -> Tally:
    """The tally with no more days than `keep` before its newest, which the fold would have kept of the same events."""
    if isinstance(tally, Totals):
        return Totals(tally.ever, _newest(dict(tally.days), keep) if keep and tally.days else {})
    if isinstance(tally, DailyTold):
        return DailyTold(_newest(dict(tally.days), keep))
    if isinstance(tally, DailyValues):
        return DailyValues(_newest(dict(tally.days), keep))
    return tally


def tally_to_doc(tally: Tally) -> list[Any]:
    """A compact JSON array led by a letter for the class."""
    if isinstance(tally, Totals):
        return ["t", list(tally.ever), {str(day): list(tally.days[day]) for day in sorted(tally.days)}]
    if isinstance(tally, Values):
        return ["v", {name: tally.days[name] for name in sorted(tally.days)}]
    if isinstance(tally, Told):
        return ["f" if tally.first else "l", tally.at, tally.value]
    if isinstance(tally, DailyValues):
        return ["d", {str(day): "".join(tally.days[day]) for day in sorted(tally.days)}]
    if isinstance(tally, DailyTold):
        first = any(told.first for told in tally.days.values())
        days = {str(day): [tally.days[day].at, tally.days[day].value] for day in sorted(tally.days)}
        return ["F" if first else "L", days]
    return ["i", [list(pair) if pair[1] else pair[0] for pair in tally.at]]


def tally_from_doc(doc: list[Any]) -> Tally:
    """The inverse of `tally_to_doc`."""
    kind = doc[0]
    if kind == "t":
        return Totals(Total(*doc[1]), {int(day): Total(*total) for day, total in doc[2].items()})
    if kind == "v":
        return Values(dict(doc[1]))
    if kind == "d":
        return DailyValues({int(day): _hashes(names) for day, names in doc[1].items()})
    if kind in {"F", "L"}:
        return DailyTold({int(day): Told(at, value, kind == "F") for day, (at, value) in doc[1].items()})
    if kind == "i":
        return Instants(tuple((pair, "") if isinstance(pair, int) else (pair[0], pair[1]) for pair in doc[1]))
    return Told(doc[1], doc[2], kind == "f")


def _hashes(names: str) -> tuple[str, ...]:
    """Short hashes that stand one after the other."""
    return tuple(names[start : start + HASH_CHARACTERS] for start in range(0, len(names), HASH_CHARACTERS))
