"""Files and mappings for tests of imports, and a place to import into."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.memory.system import FixedClock
from regulars.adapters.row_files import row_file
from regulars.adapters.spill import DiskSpill, MemorySpill
from regulars.application.importing import ImportFiles, ImportReport, RowFault
from regulars.domain.events import BadRow, Event
from regulars.domain.importing.mapping import ImportMapping, load_mapping
from tests.lake_samples import NOON

Rows = Sequence[Mapping[str, Any]]

LINES: dict[str, Any] = {
    "version": 1,
    "kind": "order_lines",
    "source": "till",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "fields": {
        "order_id": "receipt",
        "placed_at": "time",
        "status": {"value": "fulfilled"},
        "channel": {"value": "store"},
        "loyalty_card": "card",
        "product_id": "article",
        "quantity": "pieces",
        "line_total": "amount",
    },
}


def lines(orders: int = 3, each: int = 3) -> list[dict[str, Any]]:
    """The lines of some receipts; amounts and articles differ."""
    return [
        {
            "receipt": f"r{order}",
            "time": f"2026-03-0{1 + order % 9} 10:00:00",
            "card": f"card-{order % 2 + 1}",
            "article": f"a{line}",
            "pieces": line + 1,
            "amount": f"{order + 1}.{10 + line}",
        }
        for order in range(orders)
        for line in range(each)
    ]


def as_csv(rows: Rows, **options: Any) -> bytes:
    """RFC 4180 with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), **options)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_jsonl(rows: Rows) -> bytes:
    """One object a line."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def as_parquet(rows: Rows) -> bytes:
    """Types as pyarrow finds them."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), sink)
    return bytes(sink.getvalue().to_pybytes())


WRITERS = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}


def as_it_is(event: Event) -> Event:
    """An intake that changes nothing."""
    return event


class Importer:
    """Imports into memory; what was wrong is in `faults`, what was shown of progress in `shown`."""

    def __init__(self, folder: Path, log: MemoryEventLog | None = None, now: datetime = NOON) -> None:
        self.folder = folder
        self.clock = FixedClock(now)
        self.log = log or MemoryEventLog(self.clock)
        self.faults: list[RowFault] = []
        self.shown: list[tuple[str, int, int]] = []

    def file(self, name: str, content: bytes) -> Path:
        """A file on the disk."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def __call__(self, mapping: Mapping[str, Any], *paths: Path, **options: Any) -> ImportReport:
        loaded: ImportMapping = load_mapping(mapping)
        per_object = options.pop("events_per_object", 10_000)
        groups = options.pop("groups", None)
        use_case = ImportFiles(
            log=options.pop("log", self.log),
            notes=options.pop("notes", self.log),
            clock=self.clock,
            spills=DiskSpill if groups is None else lambda _: _Open(groups),
            intake=lambda: as_it_is,
            events_per_object=per_object,
        )
        return use_case(
            loaded,
            [row_file(path, loaded) for path in paths],
            on_fault=self.faults.append,
            progress=lambda what, done, total: self.shown.append((what, done, total)),
            **options,
        )

    def rows(self, mapping: Mapping[str, Any], rows: Rows, kind: str = "csv", **options: Any) -> ImportReport:
        """Import rows written as a file of a format."""
        return self(mapping, self.file(f"rows.{kind}", WRITERS[kind](rows)), **options)

    def events(self) -> list[Event]:
        """What the lake has, by event id."""
        keys = list(self.log.keys())
        return sorted((event for key in keys for event in self.log.read(key)), key=lambda event: event.event_id)

    def bad(self) -> list[BadRow]:
        """The bad rows of the lake."""
        return [row for key in self.log.bad_keys() for row in self.log.read_bad(key)]


class _Open(MemorySpill):
    """A spill in memory as a context manager, of any number of groups."""

    def __enter__(self) -> _Open:
        return self

    def __exit__(self, *_: object) -> None:
        return


def later(days: int) -> timedelta:
    """Some days."""
    return timedelta(days=days)


def orders_by_id(events: Iterable[Event]) -> dict[str, Event]:
    """Order events by the shop's id."""
    return {event.properties["order_id"]: event for event in events}
