"""Snapshots: one Parquet row for each customer, with what a program's rules read of it and nothing else.

One file, or several parts. Written a row group at a time, so that memory does not grow with the number of customers.
What the columns are is said in domain/rules/sql_columns.py; how each is spelt, in the files themselves.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from regulars.domain.errors import PermanentError
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.rules.sql import Asked
from regulars.domain.rules.sql_columns import Column, Row, Type, spelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from regulars.domain.program import CompiledProgram
    from regulars.domain.rules.view import View

SCHEMA_VERSION = 3
ROWS_IN_MEMORY = 20_000
"""Rows of a row group."""
_VIEWS_IN_MEMORY = 1_000
"""A customer is many times as large as its row."""
PART_BYTES = 32 * 1024 * 1024
"""A part ends with the row group that makes it so large."""
_METADATA = b"regulars.snapshot"
_LARGE = pa.decimal128(38, 0)
_ARROW = {
    Type.TEXT: pa.string(),
    Type.WHOLE: pa.int64(),
    Type.LARGE: _LARGE,
    Type.NUMBER: pa.float64(),
    Type.FLAG: pa.bool_(),
    Type.TEXTS: pa.list_(pa.string()),
    Type.WHOLES: pa.list_(pa.int64()),
    Type.NUMBERS: pa.list_(pa.float64()),
    Type.FLAGS: pa.list_(pa.bool_()),
    Type.LARGES: pa.list_(_LARGE),
    Type.STEPS: pa.list_(pa.struct([("instant", pa.int64()), ("same", pa.string()), ("place", pa.int64())])),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot's files: `rows` customers as of `now`, taken for a version of a program. `foundations` says what its
    columns were made by (see `foundations`), `kept` what profiles kept then (FeaturePlan.parts; None: nobody had said),
    `spelling` is from column to how it is spelt there."""

    paths: tuple[str, ...]
    rows: int
    now: datetime
    program_version: str
    foundations: str
    kept: Mapping[str, int] | None
    spelling: Mapping[str, str]


def foundations(program: CompiledProgram) -> str:
    """A digest of what makes the columns of a snapshot, whatever the rules read: who is one customer, the currency, the
    calendar, the models of the scores."""
    source, identity = program.program, program.identity
    fitted = source.parameters.scores.fitted_at if source.parameters.scores else None
    made_by = (source.currency, source.time_zone, sorted(identity.limits.items()), sorted(identity.blocked), fitted)
    return hashlib.sha256(repr(made_by).encode()).hexdigest()[:16]


def asked_of(program: CompiledProgram) -> Asked:
    """What a program asks of everybody: its bands, and the segments that do not wait for what is not kept yet."""
    source = program.program
    return Asked(
        [(band.name, band.rule) for band in source.churn.bands],
        [(segment.name, segment.rule) for segment in source.segments if segment.name not in program.waiting],
        program.setting,
    )


def schema_of(columns: Mapping[str, Column], *, metadata: Mapping[str, Any] | None = None) -> pa.Schema:
    """The Arrow schema of a layout."""
    spelling = spelt(columns)
    said = {"schema_version": SCHEMA_VERSION, "spelling": spelling, **(metadata or {})}
    fields = [pa.field(spelling[name], _ARROW[column.type]) for name, column in columns.items()]
    return pa.schema(fields, metadata={_METADATA: json.dumps(said, ensure_ascii=False).encode()})


def table_of(views: Sequence[View], columns: Mapping[str, Column], schema: pa.Schema) -> pa.Table:
    """The rows of some customers."""
    rows = [Row(view) for view in views]
    arrays = [
        pa.array([column.read(row) for row in rows], type=field.type)
        for column, field in zip(columns.values(), schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_snapshot(
    where: str | Path | IO[bytes], customers: Iterable[View], program: CompiledProgram, now: datetime
) -> int:
    """Write everybody's row as of `now`, in the order in which they come; returns how many. `where` is a path or a file
    that is open for writing."""
    columns, schema = form_of(program, now)
    written = 0
    with pq.ParquetWriter(where, schema, compression="zstd") as writer:
        for group in _groups(customers, columns, schema):
            writer.write_table(group)
            written += group.num_rows
    return written


def snapshot_parts(
    customers: Iterable[View], program: CompiledProgram, now: datetime, *, left_out: list[str]
) -> Iterator[tuple[bytes, int]]:
    """The same as parts of about PART_BYTES: each a file's bytes, and how many rows it has. There is one at least. Who
    has something that cannot be computed, or does not fit its column, is left out, and named in `left_out`."""
    columns, schema = form_of(program, now)
    groups = _groups(customers, columns, schema, left_out)
    group = next(groups, None)
    while True:
        body, rows = BytesIO(), 0
        with pq.ParquetWriter(body, schema, compression="zstd") as writer:
            while group is not None and not (rows and body.tell() >= PART_BYTES):
                writer.write_table(group)
                rows += group.num_rows
                group = next(groups, None)
        yield body.getvalue(), rows
        if group is None:
            return


def form_of(program: CompiledProgram, now: datetime) -> tuple[Mapping[str, Column], pa.Schema]:
    """The columns of a program's snapshot, and its Arrow schema with what the snapshot says of itself."""
    columns = asked_of(program).layout()
    metadata = {
        "program_version": program.version,
        "now": to_millis(now),
        "foundations": foundations(program),
        "kept": program.program.parameters.parts,
    }
    return columns, schema_of(columns, metadata=metadata)


def _groups(
    customers: Iterable[View], columns: Mapping[str, Column], schema: pa.Schema, left_out: list[str] | None = None
) -> Iterator[pa.Table]:
    """Row groups. Raises PermanentError on who does not fit, unless they are to be named in `left_out`."""
    waiting = iter(customers)
    tables: list[pa.Table] = []
    while chunk := list(islice(waiting, min(_VIEWS_IN_MEMORY, ROWS_IN_MEMORY))):
        tables += _fitting(chunk, columns, schema, left_out)
        if sum(table.num_rows for table in tables) >= ROWS_IN_MEMORY:
            yield pa.concat_tables(tables).combine_chunks()
            tables = []
    if tables:
        yield pa.concat_tables(tables).combine_chunks()


_UNFIT = (ArithmeticError, pa.ArrowInvalid)


def _fitting(
    views: Sequence[View], columns: Mapping[str, Column], schema: pa.Schema, left_out: list[str] | None
) -> list[pa.Table]:
    """The rows of some customers; one by one where they do not all fit."""
    try:
        return [table_of(views, columns, schema)]
    except _UNFIT as error:
        if left_out is None:
            raise PermanentError("what is known of a customer does not fit into a snapshot") from error
    tables = []
    for view in views:
        try:
            tables.append(table_of([view], columns, schema))
        except _UNFIT:
            left_out.append(view.root)
    return tables


def read_snapshot(*paths: str | Path) -> Snapshot:
    """What a snapshot says of itself; `paths`: its file, or all its parts. Raises PermanentError when a file is none,
    or one of another form, or of another snapshot."""
    found = [_said(path) for path in paths]
    first, _ = found[0]
    if any(said != first for said, _ in found):
        raise PermanentError("these are parts of several snapshots")
    return Snapshot(
        tuple(str(path) for path in paths),
        sum(rows for _, rows in found),
        from_millis(first["now"]),
        first["program_version"],
        first["foundations"],
        first["kept"],
        first["spelling"],
    )


def _said(path: str | Path) -> tuple[dict[str, Any], int]:
    """What is written in a file, and how many rows it has."""
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise PermanentError("not a snapshot: not a Parquet file") from error
    said = (metadata.metadata or {}).get(_METADATA)
    if said is None:
        raise PermanentError("not a snapshot: a Parquet file of something else")
    document: dict[str, Any] = json.loads(said)
    if document["schema_version"] != SCHEMA_VERSION:
        raise PermanentError(f"a snapshot of form {document['schema_version']}; take it again in form {SCHEMA_VERSION}")
    return document, metadata.num_rows
