"""Snapshots: one Parquet row for each customer, with what a program's rules read of it and nothing else.

Written a row group at a time, so that memory does not grow with the number of customers. What the columns are is said
in domain/rules/sql_columns.py; how each is spelt, in the file itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from regulars.domain.errors import PermanentError
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.rules.sql import Asked
from regulars.domain.rules.sql_columns import Column, Row, Type, spelt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from regulars.domain.program import CompiledProgram
    from regulars.domain.rules.view import View

SCHEMA_VERSION = 1
ROWS_IN_MEMORY = 20_000
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
    Type.LARGES: pa.list_(_LARGE),
    Type.STEPS: pa.list_(pa.struct([("instant", pa.int64()), ("same", pa.string())])),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot's file: `rows` customers as of `now`, taken for a version of a program; `spelling` is from column to
    how it is spelt there."""

    path: str
    rows: int
    now: datetime
    program_version: str
    spelling: Mapping[str, str]


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
    columns = asked_of(program).layout()
    schema = schema_of(columns, metadata={"program_version": program.version, "now": to_millis(now)})
    written, waiting = 0, iter(customers)
    with pq.ParquetWriter(where, schema, compression="zstd") as writer:
        while chunk := list(islice(waiting, ROWS_IN_MEMORY)):
            writer.write_table(table_of(chunk, columns, schema))
            written += len(chunk)
    return written


def read_snapshot(path: str | Path) -> Snapshot:
    """What a snapshot says of itself. Raises PermanentError when the file is none, or one of another form."""
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise PermanentError("not a snapshot: not a Parquet file") from error
    said = (metadata.metadata or {}).get(_METADATA)
    if said is None:
        raise PermanentError("not a snapshot: a Parquet file of something else")
    document = json.loads(said)
    if document["schema_version"] != SCHEMA_VERSION:
        raise PermanentError(f"a snapshot of form {document['schema_version']}; take it again in form {SCHEMA_VERSION}")
    return Snapshot(
        str(path), metadata.num_rows, from_millis(document["now"]), document["program_version"], document["spelling"]
    )
