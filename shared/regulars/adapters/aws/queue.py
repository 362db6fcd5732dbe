"""`Queue` on SQS.

On the path of every hit, so it uses botocore's own session: `import boto3` costs about 100 ms more at a cold start.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from regulars.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from regulars.ports import QueueMessage

MAX_ENTRIES = 10
MAX_CALL_BYTES = 1_048_576
"""SQS quota of one SendMessageBatch, all bodies together (1 MiB)."""

_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.05
# Codes that no repetition cures; everything else that SQS answers is worth another try.
_HOPELESS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "InvalidMessageContents",
        "InvalidParameterValue",
        "AWS.SimpleQueueService.BatchRequestTooLong",
    }
)


def sqs_client() -> Any:
    """An SQS client that gives up soon: a browser waits for the answer, and may send again."""
    config = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
    return botocore.session.get_session().create_client("sqs", config=config)


class SqsQueue:
    """One standard queue by its URL. `pause` waits between attempts, in seconds."""

    def __init__(self, client: Any, url: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._url = url
        self._pause = pause

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Returns only when SQS has taken every message.

        Entries that SQS reports as failed are sent again, alone. Raises TransientError when some are still not taken
        after three attempts, PermanentError when SQS says that it never will take one. Some may have been taken then:
        receivers are idempotent.
        """
        for chunk in _chunks(messages):
            self._send_chunk(chunk)

    def _send_chunk(self, entries: list[dict[str, Any]]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._pause(pause)
                pause *= 4
            failed = self._failed(entries)
            if not failed:
                return
            entries = [entry for entry in entries if entry["Id"] in failed]
        raise TransientError(f"SQS did not take {len(entries)} of the messages")

    def _failed(self, entries: list[dict[str, Any]]) -> set[str]:
        """Ids of the entries that SQS did not take."""
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _HOPELESS:
                raise PermanentError(f"SQS refused: {code}") from error
            return {entry["Id"] for entry in entries}
        except (HTTPClientError, NoConnectionError):
            # Timeouts and broken connections. SQS may have the messages: a repetition is harmless.
            return {entry["Id"] for entry in entries}
        failed = answer.get("Failed", [])
        hopeless = [entry for entry in failed if entry.get("SenderFault")]
        if hopeless:
            raise PermanentError(f"SQS refused a message: {hopeless[0].get('Code', '')}")
        return {entry["Id"] for entry in failed}


def _chunks(messages: Sequence[QueueMessage]) -> Iterator[list[dict[str, Any]]]:
    """Entries in groups that one call may carry."""
    chunk: list[dict[str, Any]] = []
    size = 0
    for message in messages:
        length = len(message.body.encode())
        if chunk and (len(chunk) == MAX_ENTRIES or size + length > MAX_CALL_BYTES):
            yield chunk
            chunk, size = [], 0
        entry: dict[str, Any] = {"Id": str(len(chunk)), "MessageBody": message.body}
        if message.delay_seconds:
            entry["DelaySeconds"] = message.delay_seconds
        chunk.append(entry)
        size += length
    if chunk:
        yield chunk
