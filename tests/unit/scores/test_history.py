"""What scores need of a history: the papers' convention of repeat purchases, in instants."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from regulars.domain.instants import day_number, to_millis
from regulars.domain.scores.history import DAY_MS, Activity, activity_of, buying_of


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_orders_of_one_utc_day_are_one_purchase() -> None:
    """The first purchase is left out of the repeat value, all its day's orders with it."""
    orders = [
        ("2026-01-01T09:00", 1000),
        ("2026-01-01T23:59", 500),
        ("2026-01-02T00:00", 700),
        ("2026-01-09T08:00", 900),
    ]
    buying = buying_of([(instant(at), net) for at, net in orders])
    assert buying is not None
    assert (buying.orders, buying.repeats, buying.revenue, buying.repeat_revenue) == (4, 2, 3100, 1600)
    assert buying.mean_repeat_value == 800
    assert buying.last_gap == to_millis(instant("2026-01-09T08:00")) - to_millis(instant("2026-01-02T00:00"))
    x, t_x, T = buying.weeks(to_millis(instant("2026-01-15T09:00")))  # noqa: N806 - the paper's name
    assert (x, T) == (2, 2.0)
    assert t_x == pytest.approx((8 - 1 / 24) / 7)


def test_a_second_order_on_the_latest_day_does_not_make_the_purchase_later() -> None:
    buying = buying_of([(instant("2026-01-01T09:00"), 1), (instant("2026-01-01T20:00"), 1)])
    assert buying is not None
    assert buying.repeats == 0
    assert buying.weeks(buying.latest)[1] == 0.0
    assert buying.latest - buying.last == 11 * 3_600_000


def test_an_order_dated_ahead_of_the_clock_is_the_end_of_what_was_seen() -> None:
    buying = buying_of([(instant("2026-01-01T00:00"), 1), (instant("2026-01-15T00:00"), 1)])
    assert buying is not None
    assert buying.weeks(to_millis(instant("2026-01-08T00:00"))) == (1, 2.0, 2.0)


def test_nothing_bought_and_nothing_seen() -> None:
    assert buying_of([]) is None
    assert activity_of([]) is None


def test_activity_counts_the_days_within_four_weeks_of_the_latest() -> None:
    """So it changes only when the customer is seen again, not as days go by."""
    latest = day_number(instant("2026-03-29T00:00"))
    assert activity_of([latest - 28, latest, latest, latest - 27, latest - 400]) == Activity(latest * DAY_MS, 2)
