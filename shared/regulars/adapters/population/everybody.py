"""A program over a snapshot, in DuckDB: who is in which segment, and in which churn band."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from regulars.adapters.population.snapshot import Snapshot, asked_of
from regulars.domain.errors import BadInputError
from regulars.domain.found import Found
from regulars.domain.rules.sql import MissingColumnError, population_query
from regulars.domain.rules.sql_leaves import member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pyarrow as pa

    from regulars.domain.program import CompiledProgram, Program
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
    query = _query(asked_of(program), snapshot, now, _file(snapshot))
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


class SnapshotPopulation:
    """The population as a snapshot has it, as of its instant: a second for a million customers."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def find(self, program: Program, segment: str, *, sample: int) -> Found:
        """One query for the verdicts, one for the figures. Raises BadInputError `not_in_snapshot`, as above."""
        compiled, snapshot = program.compiled, self._snapshot
        others = [other.name for other in program.segments if other.name != segment]
        known = [name for name in others if name not in compiled.waiting]
        it = "FALSE" if segment in compiled.waiting else member(segment)
        sums = [f"count(*) FILTER ({it})"]
        sums += [f"count(*) FILTER ({test})" for name in known for test in (member(name), f"{member(name)} AND {it}")]
        query = _query(asked_of(compiled), snapshot, snapshot.now, _file(snapshot))
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TEMP TABLE verdicts AS {query}")
            # All names are quoted.
            figures = f"SELECT count(*), {', '.join(sums)} FROM verdicts"  # noqa: S608 - as said
            customers, size, *counts = connection.execute(figures).fetchall()[0]
            members = f"SELECT root FROM verdicts WHERE {it} ORDER BY root LIMIT ?"  # noqa: S608 - as said
            chosen = connection.execute(members, [sample]).fetchall()
        found = dict(zip(known, zip(counts[::2], counts[1::2], strict=True), strict=True))
        return Found(
            customers,
            size,
            tuple(root for (root,) in chosen),
            {name: found.get(name, (0, 0))[0] for name in others},
            {name: found.get(name, (0, 0))[1] for name in others},
        )


def _file(snapshot: Snapshot) -> str:
    path = snapshot.path.replace("'", "''")
    return f"read_parquet('{path}')"


def evaluate_table(
    table: pa.Table, asked: Asked, now: datetime, *, connection: duckdb.DuckDBPyConnection
) -> Iterator[tuple[str, str | None, frozenset[str]]]:
    """The same over rows in memory: (root, churn band, segments) of each customer."""
    connection.register(_TABLE, table)
    found = connection.execute(population_query(asked, now, source=_TABLE)).fetchall()
    names = [name for name, _ in asked.segments]
    for root, band, *verdicts in found:
        yield root, band, frozenset(name for name, verdict in zip(names, verdicts, strict=True) if verdict)
