"""All orders of a shop as columns, and what was known of each buyer at an instant."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regulars.domain.instants import to_millis
from regulars.domain.scores.gates import Population
from regulars.domain.scores.history import DAY_MS, INTENSITY_DAYS, WEEK_MS, Activity, Buying
from regulars.domain.scores.model import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    Whole = NDArray[np.int64]
    Column = NDArray[np.float64]
    Truth = NDArray[np.bool_]

NEVER = -1
_THIRD_ORDER = 2


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders that count, by `buyer` (0, 1, ...) and instant: `at` epoch milliseconds, `net` minor units; and the days
    on which buyers were seen, by both: `seen_day` UTC day numbers. `buyers`: how many there are."""

    buyers: int
    buyer: Whole
    at: Whole
    net: Whole
    seen_buyer: Whole
    seen_day: Whole

    def bought_between(self, start: int, end: int) -> Truth:
        """By buyer: whether they ordered after `start` and not after `end`, epoch milliseconds."""
        bought = np.zeros(self.buyers, dtype=np.bool_)
        bought[self.buyer[(self.at > start) & (self.at <= end)]] = True
        return bought

    def population(self, now: int) -> Population:
        """The shop's history at `now`."""
        at = self.at[self.at <= now]
        if not len(at):
            return NOBODY
        counts = np.bincount(self.buyer[self.at <= now])
        history, silence = (now - int(at.min())) / DAY_MS, (now - int(at.max())) / DAY_MS
        return Population(int((counts > 0).sum()), history, silence, int((counts > _THIRD_ORDER).sum()))


class OrdersBuilder:
    """Collects orders buyer by buyer, at 24 bytes an order and 16 a day."""

    def __init__(self) -> None:
        self._orders = array("q")
        self._seen = array("q")
        self._buyers = 0

    def add(self, orders: Sequence[tuple[datetime, int]], days: Iterable[int] = ()) -> int | None:
        """One customer's orders that count, (placed_at, net minor units), oldest first, and the UTC day numbers on
        which they were seen. Returns the buyer's number; None, and nothing is kept, without orders."""
        if not orders:
            return None
        number = self._buyers
        for placed, net in orders:
            self._orders.extend((number, to_millis(placed), net))
        for day in sorted(set(days)):
            self._seen.extend((number, day))
        self._buyers += 1
        return number

    def build(self) -> Orders:
        """What was collected."""
        orders = np.array(self._orders, dtype=np.int64).reshape(-1, 3)
        seen = np.array(self._seen, dtype=np.int64).reshape(-1, 2)
        buyer, at, net = (np.ascontiguousarray(orders[:, place]) for place in range(3))
        return Orders(self._buyers, buyer, at, net, seen[:, 0], seen[:, 1])


@dataclass(frozen=True, slots=True)
class Buyers:
    """Everybody who had bought by an instant, one row each, in the columns of `Buying` and `Activity`; `buyer` is their
    number. `seen_last` is NEVER where nobody saw them."""

    now: int
    buyer: Whole
    orders: Whole
    revenue: Whole
    first: Whole
    latest: Whole
    repeats: Whole
    last: Whole
    repeat_revenue: Whole
    last_gap: Whole
    seen_last: Whole
    seen_days: Whole

    def __len__(self) -> int:
        return len(self.buyer)

    def weeks(self) -> tuple[Column, Column, Column]:
        """(x, t_x, T) of the BG/NBD papers."""
        return (
            self.repeats.astype(np.float64),
            (self.last - self.first) / WEEK_MS,
            (self.now - self.first) / WEEK_MS,
        )

    def mean_repeat_value(self) -> Column:
        """Minor units of a repeat purchase on average, 0 without any."""
        return self.repeat_revenue / np.maximum(self.repeats, 1)

    def one(self, row: int) -> tuple[Buying, Activity | None]:
        """What the pure scoring takes of the buyer in a row."""
        columns = (
            self.orders, self.revenue, self.first, self.latest, self.repeats, self.last, self.repeat_revenue,
            self.last_gap,
        )  # fmt: skip
        seen = int(self.seen_last[row])
        activity = None if seen == NEVER else Activity(seen, int(self.seen_days[row]))
        return Buying(*(int(column[row]) for column in columns)), activity


def buyers_at(orders: Orders, now: int) -> Buyers:
    """Everybody who had ordered by `now`, as they were then. Of the day in progress nothing of being seen is known."""
    known = orders.at <= now
    buyer, at, net = orders.buyer[known], orders.at[known], orders.net[known]
    day = at // DAY_MS
    if not len(buyer):
        nobody = np.zeros(0, dtype=np.int64)
        return Buyers(now, *[nobody] * 11)
    starts = _starts(buyer)
    purchase_starts = np.flatnonzero(np.r_[True, (buyer[1:] != buyer[:-1]) | (day[1:] != day[:-1])])
    purchase_at, purchase_net = at[purchase_starts], np.add.reduceat(net, purchase_starts)
    own = _starts(buyer[purchase_starts])
    ends = np.r_[own[1:], len(purchase_at)] - 1
    repeats = ends - own
    revenue = np.add.reduceat(net, starts)
    numbers = buyer[starts]
    seen_last, seen_days = _seen(orders, numbers, now)
    return Buyers(
        now=now,
        buyer=numbers,
        orders=np.diff(np.r_[starts, len(buyer)]),
        revenue=revenue,
        first=at[starts],
        latest=at[np.r_[starts[1:], len(buyer)] - 1],
        repeats=repeats,
        last=purchase_at[ends],
        repeat_revenue=revenue - purchase_net[own],
        last_gap=np.where(repeats > 0, purchase_at[ends] - purchase_at[np.maximum(ends - 1, 0)], 0),
        seen_last=seen_last,
        seen_days=seen_days,
    )


def gaps_at(orders: Orders, now: int) -> Whole:
    """Milliseconds of every gap between two purchases of one buyer, up to `now`."""
    known = orders.at <= now
    buyer, at = orders.buyer[known], orders.at[known]
    day = at // DAY_MS
    first = np.r_[True, (buyer[1:] != buyer[:-1]) | (day[1:] != day[:-1])][: len(buyer)]
    buyer, at = buyer[first], at[first]
    gaps: Whole = np.diff(at)[buyer[1:] == buyer[:-1]]
    return gaps


def _starts(sorted_ids: Whole) -> Whole:
    """Where each run of equal ids begins."""
    return np.flatnonzero(np.r_[True, sorted_ids[1:] != sorted_ids[:-1]])


def _seen(orders: Orders, numbers: Whole, now: int) -> tuple[Whole, Whole]:
    """By buyer in `numbers`: the start of the latest whole day on which they were seen, and how many of the 28 days up
    to it they were seen on."""
    known = (orders.seen_day + 1) * DAY_MS <= now
    buyer, day = orders.seen_buyer[known], orders.seen_day[known]
    latest = np.full(orders.buyers, NEVER, dtype=np.int64)
    np.maximum.at(latest, buyer, day)
    recent = day > latest[buyer] - INTENSITY_DAYS
    counts = np.bincount(buyer[recent], minlength=orders.buyers)[numbers]
    return np.where(latest[numbers] == NEVER, NEVER, latest[numbers] * DAY_MS), counts
