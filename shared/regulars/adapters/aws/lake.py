"""The lake on S3.

Every object is put with `If-None-Match: *`, so nothing that is there is ever overwritten, and its key is made from its
contents, so whatever is there under that key is what was to be written:

    200  written now
    412  already there: by an earlier delivery of the same batch, or by this very request whose answer was lost
    409  another request is writing the same key at this moment: ask again, it ends as 200 or 412
    503, timeouts, broken connections: nothing is known and asking again does no harm -> TransientError
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from regulars.adapters import lake_layout as layout
from regulars.adapters.parquet import events_from_parquet
from regulars.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from regulars.domain.events import BadRow, Event

_ALREADY_THERE = "PreconditionFailed"
_BEING_WRITTEN = "ConditionalRequestConflict"
_ABSENT = frozenset({"NoSuchKey", "404"})
_BUSY = frozenset(
    {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling", "ThrottlingException",
     "RequestLimitExceeded", "500", "503"}
)  # fmt: skip
_PUT_TRIES = 3


def is_absent(error: ClientError) -> bool:
    """Whether S3 says that there is no such object."""
    return error.response["Error"]["Code"] in _ABSENT


def as_ours(error: ClientError, what: str) -> TransientError | PermanentError:
    """S3's refusal in our terms; `what` could not be done."""
    code = error.response["Error"]["Code"]
    if code in _BUSY or code == _BEING_WRITTEN:
        return TransientError(f"S3 could not {what} for now: {code}")
    return PermanentError(f"S3 refused to {what}: {code}")


class S3EventLog:
    """`EventLog` in one bucket. `client` is an S3 client with its own bounded retries."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def append(self, events: Sequence[Event]) -> list[str]:
        """One Parquet object for each receipt date; see EventLog.append."""
        return [self._put(key, body, layout.PARQUET_TYPE) for key, body in layout.event_objects(events)]

    def append_bad(self, rows: Sequence[BadRow]) -> list[str]:
        """One gzip JSON-lines object for each receipt date; see EventLog.append_bad."""
        return [self._put(key, body, layout.GZIP_TYPE) for key, body in layout.bad_objects(rows)]

    def read(self, key: str) -> list[Event]:
        """The events of one object, from one GET."""
        return events_from_parquet(self._get(key))

    def read_bad(self, key: str) -> list[BadRow]:
        """The bad rows of one object, from one GET."""
        return layout.bad_rows_from_object(self._get(key))

    def keys(self, *, first_day: datetime | None = None, last_day: datetime | None = None) -> Iterator[str]:
        """Keys of event objects by receipt date; S3 lists in order of key and starts at the first day asked for."""
        yield from self._keys(layout.EVENTS_PREFIX, first_day, last_day)

    def _keys(self, prefix: str, first_day: datetime | None, last_day: datetime | None) -> Iterator[str]:
        start = layout.date_prefix(prefix, first_day) if first_day else ""
        for key, _ in self._list(f"{prefix}date=", start):
            if last_day and layout.date_of(key) > f"{last_day:%Y-%m-%d}":
                return
            yield key

    def landed(self) -> Iterator[tuple[str, datetime]]:
        """Keys of all event objects by receipt date, with S3's instant of writing (whole seconds)."""
        yield from self._list(f"{layout.EVENTS_PREFIX}date=")

    def bad_keys(self, *, first_day: datetime | None = None, last_day: datetime | None = None) -> Iterator[str]:
        """Keys of bad-row objects by receipt date."""
        yield from self._keys(layout.BAD_PREFIX, first_day, last_day)

    def replayed(self, bad_key: str) -> set[str]:
        """The ids of the rows of one bad object that have been replayed."""
        records = self._list(layout.replayed_prefix(bad_key))
        return {row for key, _ in records for row in layout.replayed_rows_from_object(self._get(key))}

    def mark_replayed(self, bad_key: str, row_ids: Sequence[str]) -> None:
        """Record that these rows of one bad object have been replayed. Idempotent."""
        key, body = layout.replayed_object(bad_key, row_ids)
        self._put(key, body, layout.JSON_TYPE)

    def keep_note(self, import_id: str, name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep a note of an import; the first of a name stays."""
        key = layout.note_key(import_id, name)
        self._put(key, orjson.dumps(document), layout.JSON_TYPE)
        return layout.note_from_object(self._get(key))

    def note(self, import_id: str, name: str) -> Mapping[str, Any] | None:
        """One note of an import."""
        names = self.note_names(import_id)
        return layout.note_from_object(self._get(layout.note_key(import_id, name))) if name in names else None

    def note_names(self, import_id: str) -> frozenset[str]:
        """The names of an import's notes."""
        return frozenset({layout.note_name(key) for key, _ in self._list(f"{layout.IMPORTS_PREFIX}{import_id}/")})

    def _put(self, key: str, body: bytes, content_type: str) -> str:
        for _ in range(_PUT_TRIES):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == _ALREADY_THERE:
                    return key
                if code != _BEING_WRITTEN:
                    raise as_ours(error, "write an object") from error
            except (BotocoreConnectionError, HTTPClientError) as error:
                raise TransientError("S3 did not answer a write") from error
            else:
                return key
        raise TransientError("another writer keeps the object busy")

    def _get(self, key: str) -> bytes:
        try:
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except ClientError as error:
            if is_absent(error):
                raise PermanentError("no such object in the lake") from error
            raise as_ours(error, "read an object") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a read") from error

    def _list(self, prefix: str, start: str = "") -> Iterator[tuple[str, datetime]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=start
        )
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"], item["LastModified"].astimezone(UTC)
        except ClientError as error:
            raise as_ours(error, "list the lake") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a listing") from error
