"""Events to Parquet and back: the explicit schema of the lake, and nothing about where its objects are.

The schema is written down rather than inferred: an inferred one changes with the batch (a column of nulls has no type),
and then two objects of one partition can no longer be read together. What senders are free to shape (`context`,
`properties`, `traits`) is JSON text, which DuckDB, Athena and Spark all query; everything else has a type. Instants are
`timestamp[ms, UTC]`. The receipt date is not a column: it is the partition (`date=YYYY-MM-DD`).

Columns are built directly from the events, without a dict per row in between (docs/adr/0005-lake.md has the figures).
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from regulars.domain.errors import PermanentError
from regulars.domain.events import SCHEMA_VERSION, Event, EventType, Trust
from regulars.domain.instants import EPOCH, from_millis

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENUMS = ("type", "trust")
_INSTANTS = ("timestamp", "original_timestamp", "sent_at", "received_at")
_SHARED_INSTANTS = ("sent_at", "received_at")
"""The calls of one request have these two in common, so each is converted once."""
_DOCUMENTS = ("context", "properties", "traits")
_REQUIRED = frozenset({"event_id", "source", "message_id", "type", "timestamp", "received_at", "trust", "payload_hash"})
_INSTANT_TYPE = pa.timestamp("ms", tz="UTC")
_VERSION_KEY = b"regulars.schema_version"

_COLUMNS = (
    "event_id", "source", "message_id", "type", "name", "user_id", "anonymous_id", "timestamp", "original_timestamp",
    "sent_at", "received_at", "trust", "bot", "payload_hash", "context", "properties", "traits",
)  # fmt: skip
_FIELDS_OF = attrgetter(*_COLUMNS)
_TYPES = {kind.value: kind for kind in EventType}
_TRUSTS = {trust.value: trust for trust in Trust}

# Dictionaries and statistics where a query gains from them; elsewhere they only cost time and bytes.
_DICTIONARIES = ["source", "type", "name", "trust", "bot"]
_STATISTICS = ["source", "type", "name", "user_id", "timestamp", "received_at"]


def _field(name: str) -> pa.Field:
    kind = _INSTANT_TYPE if name in _INSTANTS else pa.string()
    return pa.field(name, kind, nullable=name not in _REQUIRED)


EVENT_SCHEMA: pa.Schema = pa.schema(
    [_field(name) for name in _COLUMNS], metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode()}
)
"""One column for each field of Event, in an order that does not change."""


def _column_from(values: Sequence[Any], field: pa.Field) -> pa.Array:
    """One column, from the form that pyarrow takes fastest."""
    if field.name in _INSTANTS:
        # As times since the epoch, rounded down to the millisecond: a sixth of what datetimes cost.
        spans = [None if value is None else value - EPOCH for value in values]
        return pa.array(spans, type=pa.duration("ms")).cast(pa.int64()).cast(field.type)
    if field.name in _DOCUMENTS:
        values = [orjson.dumps(value) if value else None for value in values]
    return pa.array(values, type=field.type)


def events_to_parquet(events: Sequence[Event]) -> bytes:
    """One zstd-compressed Parquet file with the events in the given order; the same events give the same bytes.

    Raises TypeError when a document holds what JSON cannot (every normaliser refuses such input, so that is a bug).
    """
    columns = zip(*map(_FIELDS_OF, events), strict=True) if events else [()] * len(EVENT_SCHEMA)
    arrays = [_column_from(values, field) for values, field in zip(columns, EVENT_SCHEMA, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(
        table, sink, compression="zstd", use_dictionary=_DICTIONARIES, write_statistics=_STATISTICS, store_schema=False
    )
    return bytes(sink.getvalue().to_pybytes())


def _column_of(table: pa.Table, name: str) -> list[Any]:
    """One column as an event's values; nulls where the file is older than the column."""
    if name not in table.column_names:
        if name in _REQUIRED:
            raise PermanentError(f"not an events file: column {name} is missing")
        return [{} if name in _DOCUMENTS else None for _ in range(table.num_rows)]
    column = table.column(name)
    if name in _INSTANTS:
        # As integers: pyarrow's own datetimes cost twice as much and bring a time zone of another type.
        millis = column.cast(_INSTANT_TYPE).cast(pa.int64()).to_pylist()
        if name in _SHARED_INSTANTS:
            instants = {value: None if value is None else from_millis(value) for value in set(millis)}
            return [instants[value] for value in millis]
        return [None if value is None else from_millis(value) for value in millis]
    values = column.to_pylist()
    if name in _DOCUMENTS:
        return [orjson.loads(value) if value else {} for value in values]
    if name in _ENUMS:
        members: dict[str, Any] = _TYPES if name == "type" else _TRUSTS
        return [members[value] for value in values]
    return list(values)


def events_from_parquet(data: bytes) -> list[Event]:
    """The inverse of `events_to_parquet`, for every schema version so far; columns that are not known are left out.

    Raises PermanentError when `data` is not an events file.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except pa.ArrowException as error:
        raise PermanentError("not a Parquet file") from error
    columns = [_column_of(table, name) for name in Event.__slots__]
    return [Event(*row) for row in zip(*columns, strict=True)]
