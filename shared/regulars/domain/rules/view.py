"""What a rule can see of a customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple, Protocol

from regulars.domain.tallies import Tally

Value = bool | int | float | str | datetime | timedelta | tuple[str, ...] | None
"""A field's value. Money is minor units of the program's currency; instants are aware UTC; texts are a tuple, never an
empty one; None is absent."""

OrderTotals = tuple[Sequence[datetime], Sequence[int]]
"""Instants of a customer's orders in order of time, and running sums: `sums[i]` is the net of the first `i` orders."""


class OrderRow(NamedTuple):
    """One order that counts. `net`: minor units, None where it was paid in another currency than the program's;
    `categories`: what it was mostly of."""

    at: datetime
    net: int | None
    channel: str
    categories: tuple[str, ...]


class View(Protocol):
    """One customer as rules see it: a value that does not change while nothing happens to the customer.

    Orders are the ones that are not cancelled; their net amounts are never negative (refunds stop at the total).
    All instants are whole milliseconds.
    """

    def value(self, field: str) -> Value:
        """The value of a field of the catalogue (regulars.domain.rules.fields), or None where it is absent.

        `churn_band` is never asked for: the evaluator decides it.
        """

    @property
    def root(self) -> str:
        """The customer's id."""

    def at(self, field: str, then: datetime) -> Value:
        """The value of a field that time moves (fields.MOVING), at an instant, with nothing happening until then."""

    def changes(self, field: str, bound: float | None, now: datetime) -> datetime | None:
        """The first instant after `now` at which `field >= bound` changes with nothing happening; with no bound, at
        which the field may have another value. None: never. Also asked of what consents end (fields.LAPSING)."""

    def order_totals(self) -> OrderTotals:
        """Placed-at instants, ascending, and running net sums in minor units; the sums start with 0, so one longer."""

    def order_rows(self, mark: str | None = None) -> Sequence[OrderRow]:
        """The orders one by one, ascending; of those that have a mark (rules/features.py), where one is given."""

    def days(self, event: str) -> Mapping[int, int]:
        """UTC day number to how many events of that name, or of that feature, happened on it, for the days that the
        feature plan keeps."""

    def count(self, event: str) -> int:
        """How many events of that name, or of that feature, there ever were."""

    def tally(self, key: str) -> Tally | None:
        """What is kept for a feature, by its key; None while there is nothing."""


def order_totals(orders: Sequence[tuple[datetime, int]]) -> OrderTotals:
    """`View.order_totals` of `(placed_at, net minor units)` pairs in order of time."""
    return [placed_at for placed_at, _ in orders], list(accumulate((net for _, net in orders), initial=0))
