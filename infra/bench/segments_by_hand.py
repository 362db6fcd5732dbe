"""The segments of the large program in SQL as a person would write it over the snapshot, in two ways: with lists and
lambdas, and with lists unnested, grouped and joined again. Nothing here is generated from the rules."""

from __future__ import annotations

from itertools import islice

_DAY = 86_400_000
_HOUR = 3_600_000
_EXTRA = 18
"""Segments that the large program has beyond the starter program's seven (pure.large_program)."""
_BIG_SPENDER = 30_000
"""The starter program's default, in cents: there was no refresh."""


def _extra() -> list[tuple[int, str, int, int]]:
    """(number, sort, days, bound) of each of the segments beyond the starter program's."""
    sorts = ("orders", "revenue", "viewed", "silent")
    return [(n, sorts[n % 4], 7 + 11 * n, (1 + n % 4, 2_500 * (n + 1), 12 + n, 0)[n % 4]) for n in range(_EXTRA)]


def _verdicts(now: int) -> str:
    """The segments, from named figures."""
    extra = [
        f"COALESCE(last_at <= {now - days * _DAY}, FALSE) AND cart_open AS bench_{number}"
        if sort == "silent"
        else f"{sort}_{days} >= {bound} AS bench_{number}"
        for number, sort, days, bound in _extra()
    ]
    # No part of these texts comes from outside.
    return f"""SELECT root, band,
  COALESCE(reachable AND consent_at > {now - 14 * _DAY} AND orders = 0, FALSE) AS new_subscriber,
  orders_30 >= 1 AS active,
  COALESCE(orders_365 >= 5 AND band IN ('low', 'medium'), FALSE) AS loyal,
  revenue_365 >= {_BIG_SPENDER} AS big_spender,
  COALESCE(cart_open AND cart_at <= {now - _HOUR} AND cart_at > {now - 3 * _DAY}, FALSE) AS cart_abandoner,
  COALESCE(orders >= 2 AND band = 'high', FALSE) AS at_risk,
  COALESCE(band = 'lost', FALSE) AS lapsed,
  {", ".join(extra)}
FROM banded"""  # noqa: S608 - as said


def _bands(now: int) -> str:
    """The churn bands, from `orders`, `last_at` and `gap` (mean time between orders, in milliseconds)."""

    def within(times: int, least: int, most: int) -> str:
        slack = f"LEAST(GREATEST(COALESCE(gap * {times}, 0), {least * _DAY}), {most * _DAY})"
        return f"{now} - last_at < {slack}"

    def alone(days: int) -> str:
        return f"(orders = 1 AND {now} - last_at < {days * _DAY})"

    return f"""banded AS (SELECT *, CASE
  WHEN {within(2, 14, 90)} OR {alone(30)} THEN 'low'
  WHEN {within(3, 28, 150)} OR {alone(60)} THEN 'medium'
  WHEN {within(5, 42, 240)} OR {alone(120)} THEN 'high'
  WHEN orders >= 1 THEN 'lost' END AS band
FROM figures)"""  # noqa: S608 - as said


_FIELDS = """"cart.open" AS cart_open, "cart.last_at" AS cart_at, "reachable.email" AS reachable,
  "consent.email.at" AS consent_at, "orders.last_at" AS last_at, "orders.average_gap" // 1000 AS gap"""


def with_lists(source: str, now: int) -> str:
    """Each figure by a lambda over a list."""

    def orders(days: int) -> str:
        return f'len(list_filter("orders:at", lambda t: t > {now - days * _DAY})) AS orders_{days}'

    def revenue(days: int) -> str:
        left = f'len(list_filter("orders:at", lambda t: t <= {now - days * _DAY}))'
        return f'"orders:sums"[-1] - "orders:sums"[{left} + 1] AS revenue_{days}'

    def viewed(days: int) -> str:
        left = f'len(list_filter("events.Product Viewed:at", lambda d: d < {now // _DAY - days}))'
        return f'"events.Product Viewed:sums"[-1] - "events.Product Viewed:sums"[{left} + 1] AS viewed_{days}'

    sorts = {"orders": orders, "revenue": revenue, "viewed": viewed}
    extra = [sorts[sort](days) for _, sort, days, _ in _extra() if sort in sorts]
    return f"""WITH figures AS (SELECT root, {_FIELDS}, len("orders:at") AS orders,
  {orders(30)}, {orders(365)}, {revenue(365)},
  {", ".join(extra)}
FROM {source}),
{_bands(now)}
{_verdicts(now)}"""  # noqa: S608 - as said


def with_rows(source: str, now: int) -> str:
    """Lists as rows, grouped by customer once for orders and once for visits, and joined."""
    bought = {
        "orders": lambda days: f"count(*) FILTER (WHERE t > {now - days * _DAY}) AS orders_{days}",
        "revenue": lambda days: f"COALESCE(sum(net) FILTER (WHERE t > {now - days * _DAY}), 0) AS revenue_{days}",
    }
    extra = _extra()
    of_orders = [bought[sort](days) for _, sort, days, _ in extra if sort in bought]
    of_visits = [
        f"COALESCE(sum(views) FILTER (WHERE d >= {now // _DAY - days}), 0) AS viewed_{days}"
        for _, sort, days, _ in islice(extra, 2, None, 4)
        if sort == "viewed"
    ]
    names = [f"{sort}_{days}" for _, sort, days, _ in extra if sort != "silent"]
    names += ["orders_30", "orders_365", "revenue_365"]
    return f"""WITH everybody AS (FROM {source}),
bought AS (SELECT root, count(*) AS orders, {bought["orders"](30)}, {bought["orders"](365)}, {bought["revenue"](365)},
  {", ".join(of_orders)}
FROM (SELECT root, unnest("orders:at") AS t, unnest("orders:sums"[2:]) - unnest("orders:sums"[:-2]) AS net
  FROM everybody)
GROUP BY root),
visited AS (SELECT root, {", ".join(of_visits)}
FROM (SELECT root, unnest("events.Product Viewed:at") AS d,
  unnest("events.Product Viewed:sums"[2:]) - unnest("events.Product Viewed:sums"[:-2]) AS views FROM everybody)
GROUP BY root),
figures AS (SELECT root, {_FIELDS}, COALESCE(orders, 0) AS orders,
  {", ".join(f"COALESCE({name}, 0) AS {name}" for name in names)}
FROM everybody LEFT JOIN bought USING (root) LEFT JOIN visited USING (root)),
{_bands(now)}
{_verdicts(now)}"""  # noqa: S608 - as said
