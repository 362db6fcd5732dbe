"""Everybody at once: 25 segments over a snapshot of 1,000,000 made customers, against SQL written by hand for them."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from infra.bench.figures import Figure, rounded
from infra.bench.pure import SEGMENTS, large_program
from infra.bench.segments_by_hand import with_lists, with_rows
from infra.bench.traffic import START
from regulars.adapters.population.everybody import evaluate_population
from regulars.adapters.population.snapshot import asked_of, form_of, read_snapshot
from regulars.domain.instants import to_millis
from regulars.domain.rules.sql import population_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.program import CompiledProgram

CUSTOMERS = 1_000_000
NOW = START
_RUNS = 3
_DAY = 86_400_000
_AT_A_TIME = 100_000
_NOW = to_millis(NOW)

_MADE = f"""
WITH people AS (
  SELECT number,
    CAST(floor(-2.2 * ln(1 - hash(number, 1) % 1000000 / 1000000.0)) AS BIGINT) AS orders,
    CAST(floor(-3 * ln(1 - hash(number, 2) % 1000000 / 1000000.0)) AS BIGINT) AS visits,
    CAST({600 * _DAY} * pow(hash(number, 3) % 1000000 / 1000000.0, 2) AS BIGINT) AS silent
  FROM range(?) AS made(number)
), bought AS (
  SELECT *,
    list_sort(list_transform(range(orders), lambda n:
      {_NOW} - silent - n * {30 * _DAY} - CAST(hash(number, n) % {20 * _DAY} AS BIGINT))) AS instants,
    list_transform(range(orders), lambda n: 1000 + CAST(hash(n, number) % 9000 AS BIGINT)) AS nets,
    list_sort(list_distinct(list_transform(range(visits), lambda n:
      {_NOW // _DAY} - CAST(hash(number, n, 7) % 365 AS BIGINT)))) AS days
  FROM people
)
SELECT 'u_' || md5(CAST(number AS VARCHAR)) AS "root",
  CASE WHEN hash(number, 4) % 10 = 0 THEN {_NOW} - CAST(hash(number, 5) % {5 * _DAY} AS BIGINT) END AS "cart.last_at",
  hash(number, 4) % 10 = 0 AS "cart.open",
  CASE WHEN hash(number, 6) % 2 = 0
    THEN {_NOW} - CAST(hash(number, 8) % {60 * _DAY} AS BIGINT) END AS "consent.email.at",
  days AS "events.Product Viewed:at",
  list_transform(range(len(days) + 1), lambda n: n * 2) AS "events.Product Viewed:sums",
  CASE WHEN orders > 1 THEN (instants[-1] - instants[1]) * 1000 // (orders - 1) END AS "orders.average_gap",
  instants[-1] AS "orders.last_at",
  instants AS "orders:at",
  list_transform(range(orders + 1), lambda n: CAST(COALESCE(list_sum(nets[1:n]), 0) AS BIGINT)) AS "orders:sums",
  hash(number, 6) % 3 = 0 AS "reachable.email"
FROM bought
"""  # noqa: S608 - nothing comes from outside
"""Made customers in the snapshot's columns: about a third never ordered, the others mostly two or three times, some
twenty; most orders are long ago; one in ten has an open cart."""


def figures() -> list[Figure]:
    """The ratio of the two, and how long each took."""
    program = large_program().compiled
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "snapshot.parquet"
        make_snapshot(path, program, connection)
        times, members = _compared(path, program, connection)
    ours, hand = times["ours"], min(times["lists"], times["rows"])
    how = (
        f"{CUSTOMERS:,} made customers x {SEGMENTS} segments and four churn bands, from one Parquet snapshot into"
        f" a table of verdicts, DuckDB {duckdb.__version__}; median of {_RUNS}, taken in turns"
    )
    return [
        Figure(
            "population_ratio",
            ours / hand,
            "x",
            "The rules as SQL against SQL written by hand for the same segments, whichever of two ways of writing is "
            f"faster; the same verdicts. {how}.",
            target=2,
            at_least=False,
            parts={
                "the rules as SQL, seconds": rounded(ours),
                "by hand, lists and lambdas, seconds": rounded(times["lists"]),
                "by hand, lists unnested and grouped, seconds": rounded(times["rows"]),
                "memberships": members,
            },
        ),
        Figure("population", CUSTOMERS / ours, "customers per second", f"{how}."),
    ]


def make_snapshot(
    path: Path, program: CompiledProgram, connection: duckdb.DuckDBPyConnection, *, customers: int = CUSTOMERS
) -> None:
    """Write a snapshot of made customers, as the program needs it."""
    _, schema = form_of(program, NOW)
    made = connection.sql(_MADE, params=[customers]).to_arrow_reader(_AT_A_TIME)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in made:
            writer.write_table(pa.Table.from_batches([batch]).select(schema.names).cast(schema))


def _compared(
    path: Path, program: CompiledProgram, connection: duckdb.DuckDBPyConnection
) -> tuple[dict[str, float], int]:
    """Median seconds of each way, and how many memberships all of them found."""
    source = f"read_parquet('{path}')"
    snapshot = read_snapshot(path)
    queries = {
        "ours": population_query(asked_of(program), NOW, source=source, spelling=snapshot.spelling),
        "lists": with_lists(source, _NOW),
        "rows": with_rows(source, _NOW),
    }
    times: Mapping[str, list[float]] = {name: [] for name in queries}
    for _ in range(_RUNS):
        for name, query in queries.items():
            started = time.perf_counter()
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
            times[name].append(time.perf_counter() - started)
    for one, other in (("ours", "lists"), ("lists", "ours"), ("ours", "rows"), ("rows", "ours")):
        left = connection.execute(f"SELECT count(*) FROM (FROM {one} EXCEPT FROM {other})").fetchall()  # noqa: S608
        if left != [(0,)]:
            raise RuntimeError(f"{left[0][0]} customers are in other segments by {one} than by {other}")
    verdicts = evaluate_population(snapshot, program, NOW, connection=connection)
    members = sum(verdicts.column(name).to_numpy().sum() for name in verdicts.column_names if "segment." in name)
    return {name: statistics.median(taken) for name, taken in times.items()}, int(members)
