"""What the scores need of a customer: the buying history in a few numbers, and when they were seen.

Purchases follow the convention of the BG/NBD papers: orders of one UTC day are one purchase, placed when the first of
them was; `repeats` counts those after the first. Instants are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from regulars.domain.instants import to_millis

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
INTENSITY_DAYS = 28
"""Activity is judged by the days seen within so many days up to the latest."""


class Buying(NamedTuple):
    """A customer's orders. `first` and `last`: the first and the latest purchase (the first order of its day),
    `latest`: the latest order. `revenue` of all orders and `repeat_revenue` of all but the first purchase's, minor
    units. `last_gap`: milliseconds between the latest two purchases, 0 where there is one."""

    orders: int
    revenue: int
    first: int
    latest: int
    repeats: int
    last: int
    repeat_revenue: int
    last_gap: int

    @property
    def mean_repeat_value(self) -> float:
        """Minor units of a repeat purchase on average, refunds taken off; 0 without any."""
        return self.repeat_revenue / self.repeats if self.repeats else 0.0

    def weeks(self, now: int) -> tuple[int, float, float]:
        """(x, t_x, T) of the BG/NBD papers at `now`, which counts as no earlier than the latest purchase."""
        t_x = (self.last - self.first) / WEEK_MS
        return self.repeats, t_x, max((now - self.first) / WEEK_MS, t_x)


class Activity(NamedTuple):
    """When a customer was seen: `last` is the start of the latest UTC day, `days` how many of the 28 days that end with
    it they were seen on."""

    last: int
    days: int


def buying_of(orders: Sequence[tuple[datetime, int]]) -> Buying | None:
    """The history in orders that count, (placed_at, net minor units), oldest first. None without any."""
    if not orders:
        return None
    day = last_day = 0
    revenue = first_revenue = repeats = 0
    purchase = earlier = orders[0][0]
    for placed, net in orders:
        day = placed.toordinal()
        if day != last_day:
            if last_day:
                repeats += 1
                earlier = purchase
            last_day, purchase = day, placed
        revenue += net
        if not repeats:
            first_revenue += net
    last = to_millis(purchase)
    return Buying(
        orders=len(orders),
        revenue=revenue,
        first=to_millis(orders[0][0]),
        latest=to_millis(orders[-1][0]),
        repeats=repeats,
        last=last,
        repeat_revenue=revenue - first_revenue,
        last_gap=last - to_millis(earlier) if repeats else 0,
    )


def activity_of(days: Iterable[int]) -> Activity | None:
    """The activity in the UTC day numbers on which a customer was seen, in any order. None without any."""
    seen = set(days)
    if not seen:
        return None
    latest = max(seen)
    return Activity(latest * DAY_MS, sum(1 for day in seen if day > latest - INTENSITY_DAYS))
