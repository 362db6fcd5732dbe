"""Snapshots of everybody on S3: parts under `snapshots/date=YYYY-MM-DD/<run>/`, and `snapshots/latest.json`, which
names those of the latest.

Each run has a folder of its own, and `latest.json` is written once all its parts are there, by exactly one of those who
try at once; so a reader never sees half a snapshot, nor parts of two. What a run that died has left is in nobody's way,
and expires with the old ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from regulars.adapters.aws.documents import S3Documents
from regulars.adapters.aws.lake import as_ours, is_absent
from regulars.adapters.population.snapshot import Snapshot, read_snapshot, snapshot_parts
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.instants import to_millis
from regulars.domain.snapshots import SnapshotReport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from regulars.domain.program import CompiledProgram
    from regulars.domain.rules.view import View
    from regulars.ports import Ids

FOLDER = "snapshots"
LATEST_KEY = f"{FOLDER}/latest.json"
NO_SNAPSHOT = "no_snapshot"
_TRIES = 5
_CHUNK = 1024 * 1024


class S3Snapshots:
    """The snapshots of a bucket. `client` is a boto3 S3 client with its own retries."""

    def __init__(self, client: Any, bucket: str, *, ids: Ids) -> None:
        self._client = client
        self._bucket = bucket
        self._documents = S3Documents(client, bucket, what="the latest snapshot")
        self._ids = ids

    def keep(self, customers: Iterable[View], program: CompiledProgram, now: datetime) -> SnapshotReport:
        """Write a snapshot, a part at a time; see SnapshotStore.keep."""
        folder = f"{FOLDER}/date={now:%Y-%m-%d}/{now:%H%M%S}-{self._ids.new()}"
        parts: list[dict[str, Any]] = []
        left_out: list[str] = []
        for body, rows in snapshot_parts(customers, program, now, left_out=left_out):
            key = f"{folder}/part-{len(parts):05}.parquet"
            self._put(key, body)
            parts.append({"key": key, "rows": rows, "bytes": len(body)})
        customers_written = sum(part["rows"] for part in parts)
        document = {
            "v": 1,
            "taken_at": to_millis(now),
            "program_version": program.version,
            "rows": customers_written,
            "parts": parts,
        }
        latest = self._put_in_force(document)
        return SnapshotReport(customers_written, len(parts), now, program.version, latest, tuple(left_out))

    def fetch(self, folder: Path) -> Snapshot:
        """The latest snapshot, its parts copied into a folder.

        Raises BadInputError `no_snapshot` where there is none, or it expired meanwhile.
        """
        document = self._latest()
        if document is None:
            raise BadInputError(NO_SNAPSHOT, "there is no snapshot; one is taken every night")
        paths = []
        for number, part in enumerate(document["parts"]):
            paths.append(folder / f"part-{number:05}.parquet")
            self._copy(part["key"], paths[-1])
        return read_snapshot(*paths)

    def _put_in_force(self, document: dict[str, Any]) -> bool:
        """Whether this is the latest now. Raises TransientError when others keep winning."""
        body = json.dumps(document).encode()
        for _ in range(_TRIES):
            found = self._documents.read(LATEST_KEY)
            if found is not None:
                stored = _parsed(found.body)
                if stored["taken_at"] >= document["taken_at"]:
                    return bool(stored == document)
            if self._documents.put(LATEST_KEY, body, replaces=found.etag if found else None):
                return True
        raise TransientError("other writers keep replacing the latest snapshot")

    def _latest(self) -> dict[str, Any] | None:
        found = self._documents.read(LATEST_KEY)
        return _parsed(found.body) if found else None

    def _put(self, key: str, body: bytes) -> None:
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/vnd.apache.parquet"
            )
        except ClientError as error:
            raise as_ours(error, "write a part of a snapshot") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a write") from error

    def _copy(self, key: str, path: Path) -> None:
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with path.open("wb") as file:
                for chunk in body.iter_chunks(_CHUNK):
                    file.write(chunk)
        except ClientError as error:
            if is_absent(error):
                raise BadInputError(NO_SNAPSHOT, "the latest snapshot has expired; one is taken every night") from error
            raise as_ours(error, "read a part of a snapshot") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a read") from error


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(body)
        return {name: document[name] for name in ("v", "taken_at", "program_version", "rows", "parts")}
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{LATEST_KEY} does not name a snapshot") from error
