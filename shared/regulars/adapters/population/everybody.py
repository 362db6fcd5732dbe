"""A program over a snapshot, in DuckDB: who is in which segment, and in which churn band."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from regulars.adapters.population.snapshot import Snapshot, asked_of
from regulars.domain.errors import BadInputError
from regulars.domain.rules.sql import MissingColumnError, population_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pyarrow as pa

    from regulars.domain.program import CompiledProgram
    from regulars.domain.rules.sql import Asked

_TABLE = "snapshot_rows"


def evaluate_population(
    snapshot: Snapshot,
    program: CompiledProgram,
    now: datetime,
    *,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> pa.Table:
    """A row for each customer: `root`, `churn_band`, and `segment.<name>`, true or false, for each segment that does
    not wait.

    Windows and times gone by are as of `now`; fields are as of the snapshot (a consent that has expired since is still
    there). Raises BadInputError `not_in_snapshot` when the program reads what the snapshot was not taken for.
    """
    source = f"read_parquet('{_escaped(snapshot.path)}')"
    query = _query(asked_of(program), snapshot, now, source)
    if connection is not None:
        return connection.sql(query).to_arrow_table()
    with duckdb.connect() as fresh:
        return fresh.sql(query).to_arrow_table()


def _query(asked: Asked, snapshot: Snapshot, now: datetime, source: str) -> str:
    try:
        return population_query(asked, now, source=source, spelling=snapshot.spelling)
    except MissingColumnError as error:
        raise BadInputError(
            "not_in_snapshot", f"the snapshot was taken for other rules: it does not have {error.args[0]}; take it anew"
        ) from error


def evaluate_table(
    table: pa.Table, asked: Asked, now: datetime, *, connection: duckdb.DuckDBPyConnection
) -> Iterator[tuple[str, str | None, frozenset[str]]]:
    """The same over rows in memory: (root, churn band, segments) of each customer."""
    connection.register(_TABLE, table)
    found = connection.execute(population_query(asked, now, source=_TABLE)).fetchall()
    names = [name for name, _ in asked.segments]
    for root, band, *verdicts in found:
        yield root, band, frozenset(name for name, verdict in zip(names, verdicts, strict=True) if verdict)


def _escaped(path: str) -> str:
    return path.replace("'", "''")
