"""The lake in memory: the very objects that S3 would hold, by key, so nothing is shared with the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from regulars.adapters import lake_layout as layout
from regulars.adapters.parquet import events_from_parquet
from regulars.adapters.system import SystemClock
from regulars.domain.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from regulars.domain.events import BadRow, Event
    from regulars.ports import Clock


class MemoryEventLog:
    """`EventLog` over a dict of objects. `objects` may be looked at and copied; only this class changes it.

    `clock` says when an object was written (the machine's clock unless given).
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self._clock = clock or SystemClock()
        self._landed: dict[str, datetime] = {}

    def append(self, events: Sequence[Event]) -> list[str]:
        """One Parquet object for each receipt date; see EventLog.append."""
        return self._put(layout.event_objects(events))

    def append_bad(self, rows: Sequence[BadRow]) -> list[str]:
        """One gzip JSON-lines object for each receipt date; see EventLog.append_bad."""
        return self._put(layout.bad_objects(rows))

    def read(self, key: str) -> list[Event]:
        """The events of one object."""
        return events_from_parquet(self._get(key))

    def read_bad(self, key: str) -> list[BadRow]:
        """The bad rows of one object."""
        return layout.bad_rows_from_object(self._get(key))

    def keys(self, *, first_day: datetime | None = None, last_day: datetime | None = None) -> Iterator[str]:
        """Keys of event objects by receipt date."""
        return self._keys(layout.EVENTS_PREFIX, first_day, last_day)

    def _keys(self, prefix: str, first_day: datetime | None, last_day: datetime | None) -> Iterator[str]:
        first = f"{first_day:%Y-%m-%d}" if first_day else ""
        last = f"{last_day:%Y-%m-%d}" if last_day else "9999-12-31"
        return (key for key in self._list(prefix) if first <= layout.date_of(key) <= last)

    def landed(self) -> Iterator[tuple[str, datetime]]:
        """Keys of all event objects by receipt date, with their instants of writing."""
        return ((key, self._landed[key]) for key in self._list(layout.EVENTS_PREFIX))

    def bad_keys(self, *, first_day: datetime | None = None, last_day: datetime | None = None) -> Iterator[str]:
        """Keys of bad-row objects by receipt date."""
        return self._keys(layout.BAD_PREFIX, first_day, last_day)

    def replayed(self, bad_key: str) -> set[str]:
        """The ids of the rows of one bad object that have been replayed."""
        records = self._list(layout.replayed_prefix(bad_key))
        return {row for key in records for row in layout.replayed_rows_from_object(self._get(key))}

    def mark_replayed(self, bad_key: str, row_ids: Sequence[str]) -> None:
        """Record that these rows of one bad object have been replayed. Idempotent."""
        self._put([layout.replayed_object(bad_key, row_ids)])

    def keep_note(self, import_id: str, name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep a note of an import; the first of a name stays."""
        key = layout.note_key(import_id, name)
        self._put([(key, orjson.dumps(document))])
        return layout.note_from_object(self._get(key))

    def note(self, import_id: str, name: str) -> Mapping[str, Any] | None:
        """One note of an import."""
        names = self.note_names(import_id)
        return layout.note_from_object(self._get(layout.note_key(import_id, name))) if name in names else None

    def note_names(self, import_id: str) -> frozenset[str]:
        """The names of an import's notes."""
        return frozenset({layout.note_name(key) for key in self._list(f"{layout.IMPORTS_PREFIX}{import_id}/")})

    def _put(self, objects: Iterable[tuple[str, bytes]]) -> list[str]:
        keys = []
        for key, body in objects:
            self.objects.setdefault(key, body)
            self._landed.setdefault(key, self._clock.now())
            keys.append(key)
        return keys

    def _get(self, key: str) -> bytes:
        try:
            return self.objects[key]
        except KeyError as error:
            raise PermanentError("no such object in the lake") from error

    def _list(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))
