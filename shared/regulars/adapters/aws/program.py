"""`ProgramStore` of files that are packaged with the function, and parameters in one S3 object.

The files cannot change under a running container, so they are read once. The parameters are read again after `max_age`,
and at once when a caller knows of newer ones.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from regulars.adapters.program_files import program_files
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters, parameters_from_doc, parameters_to_doc

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from regulars.domain.program import Program
    from regulars.ports import Clock

PARAMETERS_KEY = "program/parameters.json"
MAX_AGE = timedelta(seconds=60)
_ABSENT = frozenset({"NoSuchKey", "404"})
_LOST_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_BUSY = frozenset(
    {
        "SlowDown",
        "InternalError",
        "ServiceUnavailable",
        "RequestTimeout",
        "Throttling",
        "ThrottlingException",
        "500",
        "503",
    }
)
_PUBLISH_TRIES = 5


class S3ProgramStore:
    """The program in `folder` under the parameters in `bucket`. `client` is a boto3 S3 client with its own retries.

    Raises BadInputError `bad_program` at construction when the files are wrong: no request can be served then.
    """

    def __init__(self, client: Any, bucket: str, folder: Path, *, clock: Clock, max_age: timedelta = MAX_AGE) -> None:
        self._client = client
        self._bucket = bucket
        self._clock = clock
        self._max_age = max_age
        self._program = load_program(program_files(folder))
        self._read_at: datetime | None = None

    def current(self, *, parameters_version: int = 0) -> Program:
        """The program under parameters at most `max_age` old, or newer where `parameters_version` says there are."""
        if self._is_stale() or self._program.parameters.version < parameters_version:
            parameters, _ = self._read()
            self._program = self._program.with_parameters(parameters)
            self._read_at = self._clock.now()
        return self._program

    def publish(self, parameters: ProgramParameters) -> bool:
        """Whether these are in force now; where another's version is as high or higher, nothing changes.

        Each try replaces exactly what it read (If-Match), so of two refreshes the newer wins whoever writes last, and a
        try whose answer was lost finds its own version in force. Raises TransientError when others keep winning.
        """
        body = json.dumps(parameters_to_doc(parameters)).encode()
        for _ in range(_PUBLISH_TRIES):
            stored, etag = self._read()
            if stored.version >= parameters.version or self._put(body, etag):
                self._read_at = None
                return stored.version < parameters.version or stored == parameters
        raise TransientError("other writers keep replacing the parameters")

    def _is_stale(self) -> bool:
        # A clock that was moved back counts as time gone by: better one read too many.
        return self._read_at is None or abs(self._clock.now() - self._read_at) >= self._max_age

    def _read(self) -> tuple[ProgramParameters, str | None]:
        """The stored parameters and their ETag; version 0 and None where nobody has published any."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=PARAMETERS_KEY)
            body = answer["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return ProgramParameters(), None
            raise _as_ours(error, "read") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a read of the parameters") from error
        try:
            return parameters_from_doc(json.loads(body)), answer["ETag"]
        except (ValueError, KeyError, TypeError) as error:
            raise PermanentError(f"{PARAMETERS_KEY} does not hold parameters") from error

    def _put(self, body: bytes, etag: str | None) -> bool:
        """Whether the object was written; False when it is no longer what was read."""
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=PARAMETERS_KEY, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _LOST_RACE:
                return False
            raise _as_ours(error, "write") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a write of the parameters") from error
        return True


def _as_ours(error: ClientError, what: str) -> TransientError | PermanentError:
    code = error.response["Error"]["Code"]
    if code in _BUSY:
        return TransientError(f"S3 could not {what} the parameters for now: {code}")
    return PermanentError(f"S3 refused to {what} the parameters: {code}")
