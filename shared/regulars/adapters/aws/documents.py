"""Small JSON documents in S3 that are replaced as a whole, each by exactly one of those who try at once."""

from __future__ import annotations

from typing import Any, NamedTuple

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from regulars.domain.errors import PermanentError, TransientError

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


class Document(NamedTuple):
    """What was read, and the ETag that a replacement must still find."""

    body: bytes
    etag: str


class S3Documents:
    """The documents of a bucket. `client` is a boto3 S3 client with its own retries; `what` names them in errors.

    All methods raise TransientError (S3 is busy or out of reach) and PermanentError (it refuses).
    """

    def __init__(self, client: Any, bucket: str, *, what: str) -> None:
        self._client = client
        self._bucket = bucket
        self._what = what

    def read(self, key: str) -> Document | None:
        """The document, None where there is none."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            return Document(answer["Body"].read(), answer["ETag"])
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise self._as_ours(error, "read") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError(f"S3 did not answer a read of {self._what}") from error

    def put(self, key: str, body: bytes, *, replaces: str | None) -> bool:
        """Whether the document was written; False when it is no longer the one with that ETag (None: there was
        none)."""
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _LOST_RACE:
                return False
            raise self._as_ours(error, "write") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError(f"S3 did not answer a write of {self._what}") from error
        return True

    def _as_ours(self, error: ClientError, what: str) -> TransientError | PermanentError:
        code = error.response["Error"]["Code"]
        if code in _BUSY:
            return TransientError(f"S3 could not {what} {self._what} for now: {code}")
        return PermanentError(f"S3 refused to {what} {self._what}: {code}")
