"""A program over a snapshot, in DuckDB: who is in which segment, and in which churn band."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from regulars.adapters.population.snapshot import Snapshot, asked_of, foundations
from regulars.domain.errors import BadInputError
from regulars.domain.found import Found
from regulars.domain.plan import lacking, plan_of_rules
from regulars.domain.rules.reads import segments_in
from regulars.domain.rules.sql import Asked, MissingColumnError, population_query
from regulars.domain.rules.sql_columns import layout
from regulars.domain.rules.sql_leaves import member

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    import pyarrow as pa

    from regulars.domain.program import CompiledProgram, Program

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
    query = _query(asked_of(program), snapshot, now, _files(snapshot))
    if connection is not None:
        return connection.sql(query).to_arrow_table()
    with duckdb.connect() as fresh:
        return fresh.sql(query).to_arrow_table()


def _query(asked: Asked, snapshot: Snapshot, now: datetime, source: str) -> str:
    try:
        return population_query(asked, now, source=source, spelling=snapshot.spelling)
    except MissingColumnError as error:
        raise _not_there(f"it does not have {error.args[0]}") from error


def _not_there(what: str) -> BadInputError:
    return BadInputError("not_in_snapshot", f"the snapshot was taken for other rules: {what}; take it anew")


class SnapshotPopulation:
    """The population as a snapshot has it, as of its instant: a second for a million customers."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def find(self, program: Program, segment: str, *, sample: int) -> Found:
        """One query for the verdicts, one for the figures. Other segments that the snapshot does not hold are left out.

        Raises BadInputError `not_in_snapshot` where it does not hold this one, or was made on other foundations.
        """
        compiled, snapshot = program.compiled, self._snapshot
        if foundations(compiled) != snapshot.foundations:
            raise _not_there("identities, models, currency or calendar are others now")
        asked, left_out = self._asked(compiled, segment)
        others = [other.name for other in program.segments if other.name not in (segment, *left_out)]
        known = [name for name in others if name not in compiled.waiting]
        it = "FALSE" if segment in compiled.waiting else member(segment)
        sums = [f"count(*) FILTER ({it})"]
        sums += [f"count(*) FILTER ({test})" for name in known for test in (member(name), f"{member(name)} AND {it}")]
        query = _query(asked, snapshot, snapshot.now, _files(snapshot))
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
            snapshot.now,
            "snapshot",
            left_out,
        )

    def _asked(self, compiled: CompiledProgram, segment: str) -> tuple[Asked, tuple[str, ...]]:
        """What is asked for a segment, and which others are left out of it."""
        asked = asked_of(compiled)
        segments = dict(asked.segments) | dict(asked.setting.segments)
        for rule in (*(rule for _, rule in asked.bands), *([segments[segment]] if segment in segments else [])):
            if missing := self._missing(rule, segments):
                raise _not_there(missing)
        left_out = {name for name, rule in segments.items() if self._missing(rule, segments)}
        setting = replace(asked.setting, segments=_without(asked.setting.segments.items(), left_out))
        held = Asked(asked.bands, list(_without(asked.segments, left_out).items()), setting)
        return held, tuple(sorted(left_out))

    def _missing(self, rule: object, segments: Mapping[str, Any]) -> str:
        """What the snapshot does not hold of a rule and of the segments that it names, in words; empty where all is
        there."""
        rules = [rule]
        for one in rules:  # which grows; the program has no cycles
            rules += [segments[name] for name in segments_in(one)]
        if missing := layout(rules).keys() - self._snapshot.spelling.keys():
            return f"it does not have {min(missing)}"
        if lacking(plan_of_rules(rules).parts(), self._snapshot.kept):
            return "profiles did not keep what it looks at as far back then"
        return ""


def _without(named: Iterable[tuple[str, Any]], names: Collection[str]) -> dict[str, Any]:
    return {name: rule for name, rule in named if name not in names}


def _files(snapshot: Snapshot) -> str:
    paths = ", ".join("'" + path.replace("'", "''") + "'" for path in snapshot.paths)
    return f"read_parquet([{paths}])"


def evaluate_table(
    table: pa.Table, asked: Asked, now: datetime, *, connection: duckdb.DuckDBPyConnection
) -> Iterator[tuple[str, str | None, frozenset[str]]]:
    """The same over rows in memory: (root, churn band, segments) of each customer."""
    connection.register(_TABLE, table)
    found = connection.execute(population_query(asked, now, source=_TABLE)).fetchall()
    names = [name for name, _ in asked.segments]
    for root, band, *verdicts in found:
        yield root, band, frozenset(name for name, verdict in zip(names, verdicts, strict=True) if verdict)
