"""Figures of days on S3: one small JSON object a day, `quality/date=YYYY-MM-DD.json`, which DuckDB and Athena read."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from regulars.adapters.aws.lake import as_ours
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.quality import quality_from_doc, quality_to_doc

if TYPE_CHECKING:
    from regulars.domain.quality import DayQuality


_PREFIX = "quality/date="


class S3Quality:
    """`QualityStore` in one bucket. `client` is a boto3 S3 client with its own bounded retries."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def qualities(self, first: date, last: date) -> dict[date, DayQuality]:
        """What is kept of some days, by one listing and a read each. Raises PermanentError when an object is no such
        document."""
        return {day: self._read(day) for day in self._days(first, last)}

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

    def _days(self, first: date, last: date) -> list[date]:
        start = _key(first - timedelta(days=1))
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=_PREFIX, StartAfter=start
        )
        try:
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        except ClientError as error:
            raise as_ours(error, "list the days' figures") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a listing") from error
        days = [date.fromisoformat(key.removeprefix(_PREFIX).removesuffix(".json")) for key in keys]
        return [day for day in days if day <= last]

    def _read(self, day: date) -> DayQuality:
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=_key(day))["Body"].read()
        except ClientError as error:
            raise as_ours(error, "read a day's figures") from error
        except (BotocoreConnectionError, HTTPClientError) as error:
            raise TransientError("S3 did not answer a read") from error
        try:
            return quality_from_doc(orjson.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            raise PermanentError(f"{_key(day)} does not hold a day's figures") from error


def _key(day: date) -> str:
    return f"{_PREFIX}{day.isoformat()}.json"
