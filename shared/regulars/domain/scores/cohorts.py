"""What people like this one did: the fallback where a shop's history carries no model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from regulars.domain.scores.history import DAY_MS, Buying

LEAST_OBSERVED = 50
"""Buyers with 90 days to look back on; below, not even a cohort's rate is told."""
_EDGES = tuple(days * DAY_MS for days in (30, 90, 180))
_MOST_PURCHASES = 3
_WEIGHT = 20.0
"""A cohort's rate counts as much as its members, that of the wider group as this many."""


class Cohorts(NamedTuple):
    """Share without a purchase in the 90 days after, by purchases (1, 2, 3 or more) and time since the latest (under
    30, 90, 180 days, longer): `rates[purchases - 1][band]`, over `n` buyers."""

    n: int
    rates: tuple[tuple[float, ...], ...]

    def no_purchase(self, buying: Buying, now: int) -> float:
        """The rate of the customer's cohort at `now`."""
        band = bisect_right(_EDGES, now - buying.last)
        return self.rates[min(buying.repeats + 1, _MOST_PURCHASES) - 1][band]

    def crossing(self, buying: Buying, bound: float, now: int) -> int | None:
        """The first instant after `now` at which `no_purchase >= bound` changes: a cohort's edge."""
        above = self.no_purchase(buying, now) >= bound
        for edge in _EDGES:
            at = buying.last + edge
            if at > now and (self.no_purchase(buying, at) >= bound) is not above:
                return at
        return None

    def to_doc(self) -> dict[str, Any]:
        """Their JSON document."""
        return {"n": self.n, "rates": [list(rates) for rates in self.rates]}

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Cohorts:
        """The inverse of `to_doc`."""
        return cls(doc["n"], tuple(tuple(rates) for rates in doc["rates"]))


def cohorts_of(repeats: Sequence[int], elapsed: Sequence[int], stayed_away: Sequence[bool]) -> Cohorts | None:
    """The rates over buyers as they were 90 days ago: repeat purchases, milliseconds since the latest, and whether no
    purchase followed. A small cohort is drawn towards the rate of its number of purchases, and that towards everybody's
    (as if 20 more people had done so). None over fewer than 50."""
    if len(repeats) < LEAST_OBSERVED:
        return None
    bands = len(_EDGES) + 1
    counts = [[[0, 0] for _ in range(bands)] for _ in range(_MOST_PURCHASES)]
    for purchases, since, away in zip(repeats, elapsed, stayed_away, strict=True):
        cell = counts[min(purchases + 1, _MOST_PURCHASES) - 1][bisect_right(_EDGES, since)]
        cell[0] += 1
        cell[1] += away
    overall = sum(1 for away in stayed_away if away) / len(stayed_away)
    rates = []
    for row in counts:
        wider = _drawn(sum(n for n, _ in row), sum(away for _, away in row), overall)
        rates.append(tuple(_drawn(n, away, wider) for n, away in row))
    return Cohorts(len(repeats), tuple(rates))


def _drawn(n: int, happened: int, towards: float) -> float:
    return (happened + _WEIGHT * towards) / (n + _WEIGHT)
