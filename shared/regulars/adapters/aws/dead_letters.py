"""Dead letters on SQS, and the table's stream read by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from regulars.adapters.aws.dynamo import NO_ANSWER
from regulars.adapters.aws.stream import change_from_record
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.stored import FragmentChange
from regulars.ports import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.stored import Change
    from regulars.ports import StreamPosition

_AT_ONCE = 10
_HIDDEN_SECONDS = 900
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_GONE = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException"})
_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "AccessDenied"})
_MAX_PAGES = 1000


class SqsDeadLetters:
    """`DeadLetterQueue` of one queue; received letters are hidden for a quarter of an hour."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def waiting(self) -> int:
        """SQS's own estimate, with those that are in flight or delayed."""
        answer = self._asked("get_queue_attributes", AttributeNames=list(_COUNTS))
        return sum(int(answer["Attributes"].get(name, 0)) for name in _COUNTS)

    def receive(self) -> list[DeadLetter]:
        """Ten at most. A dead letter keeps the instant at which it was sent to its first queue."""
        answer = self._asked(
            "receive_message",
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        return [
            DeadLetter(message["ReceiptHandle"], message["Body"], _instant(message["Attributes"]["SentTimestamp"]))
            for message in answer.get("Messages", ())
        ]

    def remove(self, letters: Sequence[DeadLetter]) -> None:
        """Ten a call. Raises TransientError when SQS kept some; they come again."""
        for start in range(0, len(letters), _AT_ONCE):
            batch = letters[start : start + _AT_ONCE]
            entries = [{"Id": str(number), "ReceiptHandle": letter.handle} for number, letter in enumerate(batch)]
            if self._asked("delete_message_batch", Entries=entries).get("Failed"):
                raise TransientError("SQS kept some of the dead letters that have been dealt with")

    def _asked(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client, operation)(QueueUrl=self._url, **request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            kind = PermanentError if code in _NO_QUEUE else TransientError
            raise kind(f"SQS refused {operation}: {code}") from error
        except NO_ANSWER as error:
            raise TransientError(f"SQS did not answer {operation}") from error


def _change(record: dict[str, Any]) -> Change | None:
    """The change; of one that cannot be read, whose it is."""
    try:
        return change_from_record(record)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        body = record["dynamodb"]
        return FragmentChange(body["SequenceNumber"], body["Keys"]["pk"]["S"], 0, None, None, None)


def _instant(millis: str) -> datetime:
    return datetime.fromtimestamp(int(millis) / 1000, UTC)


class DynamoTableStream:
    """`TableStream` of DynamoDB Streams. `client` is a low-level client of that service."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def changes(self, position: StreamPosition) -> list[Change]:
        """An iterator at the first sequence number, then page by page to the last."""
        iterator = self._asked(
            "get_shard_iterator",
            StreamArn=position.stream,
            ShardId=position.shard,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=position.first,
        )["ShardIterator"]
        found: list[Change] = []
        for _ in range(_MAX_PAGES):
            answer = self._asked("get_records", ShardIterator=iterator)
            for record in answer["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if number <= int(position.last) and (change := _change(record)) is not None:
                    found.append(change)
                if number >= int(position.last):
                    return found
            iterator = answer.get("NextShardIterator")
            if iterator is None:
                break
        raise PermanentError("the stream keeps these changes no longer")

    def _asked(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client, operation)(**request)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _GONE:
                raise PermanentError("the stream keeps these changes no longer") from error
            raise TransientError(f"DynamoDB Streams refused {operation}: {code}") from error
        except NO_ANSWER as error:
            raise TransientError(f"DynamoDB Streams did not answer {operation}") from error
