"""Figures of days on S3: one small JSON object a day, `quality/date=YYYY-MM-DD.json`, which DuckDB and Athena read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from regulars.adapters.aws.lake import as_ours, is_absent
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.quality import quality_from_doc, quality_to_doc

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.quality import DayQuality


class S3Quality:
    """`QualityStore` in one bucket. `client` is a boto3 S3 client with its own bounded retries."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def quality(self, day: date) -> DayQuality | None:
        """What is kept of a day. Raises PermanentError when the object is no such document."""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=_key(day))["Body"].read()
        except ClientError as error:
            if is_absent(error):
                return None
            raise as_ours(error, "read a day's figures") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a read") from error
        try:
            return quality_from_doc(orjson.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            raise PermanentError(f"{_key(day)} does not hold a day's figures") from error

    def keep_quality(self, quality: DayQuality) -> None:
        """Keep a day; a day that is measured again is replaced."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=_key(quality.day),
                Body=orjson.dumps(quality_to_doc(quality)),
                ContentType="application/json",
            )
        except ClientError as error:
            raise as_ours(error, "write a day's figures") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a write") from error


def _key(day: date) -> str:
    return f"quality/date={day.isoformat()}.json"
