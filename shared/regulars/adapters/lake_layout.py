"""Where the lake keeps what, and the bytes of each object: shared by every store of it.

    events/date=YYYY-MM-DD/<hash>.parquet      by UTC date of receipt
    bad/date=YYYY-MM-DD/<hash>.jsonl.gz        rejected payloads, one JSON document a line
    replayed/<hash of the bad key>/<hash>.json which rows of that bad object have been replayed
    imports/<import id>/<name>.json            what is noted of an import

A key is made from what is inside, so the same batch again is the same object, and the store may refuse to write it
again without a loss. The hash of events is over ids *and* payload hashes: were it over ids alone, a second payload
under an id that is already there would meet the first one's key and be dropped silently.
"""

from __future__ import annotations

import gzip
import hashlib
from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from regulars.adapters.parquet import events_to_parquet
from regulars.domain.errors import PermanentError
from regulars.domain.events import BadRow, Event, bad_row_from_doc, bad_row_to_doc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

EVENTS_PREFIX = "events/"
BAD_PREFIX = "bad/"
REPLAYED_PREFIX = "replayed/"
IMPORTS_PREFIX = "imports/"
PARQUET_TYPE = "application/vnd.apache.parquet"
GZIP_TYPE = "application/gzip"
JSON_TYPE = "application/json"

_Received = TypeVar("_Received", Event, BadRow)


def date_prefix(prefix: str, day: date) -> str:
    """`events/date=2026-11-22/` of a UTC day."""
    return f"{prefix}date={day:%Y-%m-%d}/"


def date_of(key: str) -> str:
    """`2026-11-22` of `events/date=2026-11-22/...`."""
    return key.partition("date=")[2][:10]


def _digest(parts: Iterable[str]) -> str:
    """128 bits in hex over the sorted parts; a line feed cannot be part of an id."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32]


def _by_date(prefix: str, received: Sequence[_Received]) -> dict[str, list[_Received]]:
    groups: dict[date, list[_Received]] = defaultdict(list)
    for item in received:
        groups[item.received_at.date()].append(item)
    return {date_prefix(prefix, day): group for day, group in groups.items()}


def event_objects(events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of one object for each receipt date, rows in order of receipt and id."""
    for folder, group in sorted(_by_date(EVENTS_PREFIX, events).items()):
        key = _digest(f"{event.event_id}:{event.payload_hash}" for event in group)
        rows = sorted(group, key=attrgetter("event_id"))
        rows.sort(key=attrgetter("received_at"))  # stable; pairs as keys cost several times as much
        yield f"{folder}{key}.parquet", events_to_parquet(rows)


def bad_objects(rows: Sequence[BadRow]) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of one object for each receipt date, rows in order of receipt and id."""
    for folder, group in sorted(_by_date(BAD_PREFIX, rows).items()):
        ordered = sorted(group, key=lambda row: (row.received_at, row.row_id))
        lines = b"".join(orjson.dumps(bad_row_to_doc(row)) + b"\n" for row in ordered)
        # mtime=0: the same rows give the same bytes.
        yield f"{folder}{_digest(row.row_id for row in group)}.jsonl.gz", gzip.compress(lines, mtime=0)


def bad_rows_from_object(data: bytes) -> list[BadRow]:
    """The rows of one `bad/` object. Raises PermanentError when it is not one."""
    try:
        rows = [bad_row_from_doc(orjson.loads(line)) for line in gzip.decompress(data).splitlines()]
    except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
        raise PermanentError("not a bad-rows file") from error
    if not rows:
        raise PermanentError("a bad-rows file without rows")
    return rows


def replayed_prefix(bad_key: str) -> str:
    """Where the replays of one bad object are recorded."""
    return f"{REPLAYED_PREFIX}{_digest([bad_key])}/"


def replayed_object(bad_key: str, row_ids: Sequence[str]) -> tuple[str, bytes]:
    """Key and bytes of the record that these rows of a bad object have been replayed."""
    document = {"v": 1, "bad_key": bad_key, "row_ids": sorted(row_ids)}
    return f"{replayed_prefix(bad_key)}{_digest(row_ids)}.json", orjson.dumps(document)


def replayed_rows_from_object(data: bytes) -> list[str]:
    """The row ids of one record of replays. Raises PermanentError when it is not one."""
    try:
        return list(orjson.loads(data)["row_ids"])
    except (ValueError, TypeError, KeyError) as error:
        raise PermanentError("not a record of replays") from error


def note_key(import_id: str, name: str) -> str:
    """Where a note of an import is kept."""
    return f"{IMPORTS_PREFIX}{import_id}/{name}.json"


def note_name(key: str) -> str:
    """The name of the note under a key."""
    return key.rpartition("/")[2].removesuffix(".json")


def note_from_object(data: bytes) -> dict[str, Any]:
    """One note. Raises PermanentError when it is not one."""
    try:
        note: dict[str, Any] = orjson.loads(data)
    except ValueError as error:
        raise PermanentError("not a note of an import") from error
    return note
