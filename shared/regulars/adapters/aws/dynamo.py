"""What every DynamoDB adapter shares: the client, its errors as ours, batch reads that leave nothing unread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from regulars.domain.errors import PermanentError, TransientError

CONDITION_FAILED = "ConditionalCheckFailedException"
NO_ANSWER = (HTTPClientError, NoConnectionError)
"""Timeouts and broken connections: the request may have been carried out. Our writes recognise their own effect."""

_BUSY = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ReplicatedWriteConflictException",
    }
)
_BATCH_GET = 100
_BATCH_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.05

Item = dict[str, Any]


def dynamo_client() -> Any:
    """A DynamoDB client for batch work: a few tries, then the queue brings the batch again."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
    return botocore.session.get_session().create_client("dynamodb", config=config)


def as_ours(error: ClientError, what: str) -> TransientError | PermanentError:
    """Our error for DynamoDB's; `what` was being done and holds no personal data."""
    code = error.response.get("Error", {}).get("Code", "")
    kind = TransientError if code in _BUSY else PermanentError
    return kind(f"DynamoDB refused to {what}: {code}")


def batch_get(
    client: Any,
    table: str,
    keys: Sequence[Item],
    *,
    consistent: bool = True,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Item]:
    """The items of `keys` that exist, in no order; strongly consistent unless told otherwise, which costs half. Raises
    TransientError when DynamoDB keeps handing keys back unread."""
    for start in range(0, len(keys), _BATCH_GET):
        request = {table: {"Keys": list(keys[start : start + _BATCH_GET]), "ConsistentRead": consistent}}
        for attempt in range(_BATCH_ATTEMPTS):
            if attempt:
                pause(_FIRST_PAUSE_SECONDS * 2**attempt)
            answer = _asked(client, request)
            yield from answer["Responses"].get(table, ())
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                break
        else:
            raise TransientError("DynamoDB left keys unread")


def _asked(client: Any, request: Item) -> Item:
    try:
        answer: Item = client.batch_get_item(RequestItems=request)
    except ClientError as error:
        raise as_ours(error, "read a batch") from error
    except NO_ANSWER as error:
        raise TransientError("DynamoDB did not answer a batch read") from error
    return answer
