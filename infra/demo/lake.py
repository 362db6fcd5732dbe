"""The demo's lake, copied to a folder and counted with SQL: the figures come from the log, not from what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from infra.demo.traffic import HIT_SOURCE
from regulars.adapters.aws.lake import S3EventLog

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local import LocalCloud

_EVENTS = "CREATE TABLE events AS SELECT * FROM read_parquet(?, hive_partitioning = true)"
# The version of an order that counts is its highest, as in the fold.
_ORDERS = """
CREATE TABLE orders AS
SELECT properties->>'order_id' AS order_id, any_value(user_id) AS user_id,
       arg_max((properties->>'total_minor')::BIGINT, (properties->>'version')::BIGINT) AS total_minor,
       arg_max(json_array_length(properties, 'products'), (properties->>'version')::BIGINT) AS lines,
       arg_max((properties->>'placed_at')::BIGINT, (properties->>'version')::BIGINT) AS placed_at
FROM events WHERE type = 'order' AND trust IN ('signed', 'imported') GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class LakeFigures:
    """What the lake and the bad rows hold. Ids are the senders' message ids."""

    order_lines: int
    orders: int
    customers: int
    revenue_minor: int
    events: int
    rows: int
    hit_ids: frozenset[str]
    bad_hit_ids: frozenset[str]
    bad_rows: int
    bots: int
    revenue_by_month: tuple[tuple[str, int], ...]
    events_by_name: tuple[tuple[str, int], ...]
    entries_by_day: tuple[tuple[str, str, int], ...]


def copy_lake(cloud: LocalCloud, folder: Path) -> int:
    """Every object of the bucket's lake as a file, for any tool that reads Parquet; returns how many."""
    client = cloud.client("s3")
    copied = 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=cloud.bucket_name):
        for item in page.get("Contents", ()):
            if item["Key"].startswith(("events/", "bad/")):
                target = folder / item["Key"]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(client.get_object(Bucket=cloud.bucket_name, Key=item["Key"])["Body"].read())
                copied += 1
    return copied


class Lake:
    """The copied lake under DuckDB. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._connection = duckdb.connect()
        self._connection.execute(_EVENTS, [f"{folder}/events/*/*.parquet"])
        self._connection.execute(_ORDERS)

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query; `?` stands for each value."""
        return list(self._connection.execute(query, list(values)).fetchall())

    def figures(self, cloud: LocalCloud) -> LakeFigures:
        """Everything that is counted, the bad rows read through their own adapter."""
        log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
        bad = [row for key in log.bad_keys() for row in log.read_bad(key)]
        lines, orders, customers, revenue = self.rows(
            "SELECT sum(lines), count(*), count(DISTINCT user_id), sum(total_minor) FROM orders"
        )[0]
        events, rows, bots = self.rows("SELECT count(DISTINCT event_id), count(*), count(bot) FROM events")[0]
        hits = self.rows("SELECT DISTINCT message_id FROM events WHERE source = ?", HIT_SOURCE)
        return LakeFigures(
            order_lines=int(lines),
            orders=orders,
            customers=customers,
            revenue_minor=int(revenue),
            events=events,
            rows=rows,
            hit_ids=frozenset(row[0] for row in hits),
            bad_hit_ids=frozenset(row.message_id for row in bad if row.source == HIT_SOURCE and row.message_id),
            bad_rows=len(bad),
            bots=bots,
            revenue_by_month=tuple(self._by_month()),
            events_by_name=tuple(self._by_name()),
            entries_by_day=tuple(self._entries()),
        )

    def _by_month(self) -> list[tuple[str, int]]:
        return [
            (month, int(revenue))
            for month, revenue in self.rows(
                "SELECT strftime(make_timestamp(placed_at * 1000), '%Y-%m') AS month, sum(total_minor) FROM orders"
                " GROUP BY month ORDER BY month"
            )
        ]

    def _by_name(self) -> list[tuple[str, int]]:
        return [
            (name, count)
            for name, count in self.rows(
                "SELECT coalesce(name, type), count(DISTINCT event_id) FROM events GROUP BY 1 ORDER BY 2 DESC, 1"
            )
        ]

    def _entries(self) -> list[tuple[str, str, int]]:
        """Segment entries after the import by day: (day, segment, entries)."""
        return [
            (day, segment, count)
            for day, segment, count in self.rows(
                "SELECT strftime(timestamp, '%Y-%m-%d'), properties->>'segment', count(*) FROM events"
                " WHERE name = 'Segment Entered' AND source = 'regulars'"
                " AND coalesce(properties->>'trigger', '') <> 'import' GROUP BY 1, 2 ORDER BY 1, 2"
            )
        ]
