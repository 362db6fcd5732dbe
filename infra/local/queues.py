"""SQS event sources: the queues' messages to their functions, with Lambda's semantics of success and failure.

What Lambda's own pollers do on AWS happens here straight on moto's queue, so it costs no request; the requests that AWS
would bill (ten messages each) are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends

from infra.local.aws_calls import AwsCalls
from infra.local.functions import InvocationError
from infra.local.template import ACCOUNT, REGION, Stack

_REQUEST_BATCH: Final = 10
_BODY_BUDGET: Final = 5 * 1024 * 1024
"""Bytes of message bodies in one invocation; leaves room under Lambda's 6 MB for escapes and attributes."""


class QueueSource:
    """One mapping of a queue to a function."""

    def __init__(
        self, properties: dict[str, Any], function: str, invoke: Callable[[str, Any], Any], calls: AwsCalls
    ) -> None:
        self.queue_name: str = properties["EventSourceArn"].rsplit(":", 1)[1]
        self.function = function
        self._arn: str = properties["EventSourceArn"]
        self.window = int(properties.get("MaximumBatchingWindowInSeconds", 0))
        self._batch_size = int(properties.get("BatchSize", 10))
        self._partial = "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", [])
        self._invoke = invoke
        self._calls = calls

    def pump(self) -> bool:
        """One batch, if there is a message that can be seen. Says whether there was."""
        messages = self._receive()
        if not messages:
            return False
        for batch in _within_budget(messages):
            self._deliver(batch)
        return True

    def next_visible(self) -> datetime | None:
        """When the next message that is delayed or in flight can be seen (again)."""
        instants = [max(message.visible_at, message.delayed_until) for message in self._queue()._messages]
        # A message is visible after, not at, the end of its timeout.
        return datetime.fromtimestamp(min(instants) / 1000, UTC) + timedelta(milliseconds=1) if instants else None

    def _deliver(self, batch: list[Message]) -> None:
        event = {"Records": [self._record(message) for message in batch]}
        try:
            reply = self._invoke(self.function, event)
        except InvocationError:
            return  # all stay, and come again when their visibility timeout is over
        failed = failed_identifiers(reply, [message.id for message in batch]) if self._partial else set()
        self._delete([message for message in batch if message.id not in failed])

    def _receive(self) -> list[Message]:
        backend = _backend()
        queue = self._queue()
        messages = backend.receive_message(self.queue_name, self._batch_size, 0, queue.visibility_timeout)  # type: ignore[attr-defined]
        if messages:
            self._calls.add("sqs", "ReceiveMessage", f"{self.function} (source)", -(-len(messages) // _REQUEST_BATCH))
        return messages

    def _delete(self, messages: list[Message]) -> None:
        """moto's delete looks through the whole queue for each message; this looks once."""
        if not messages:
            return
        self._calls.add("sqs", "DeleteMessageBatch", f"{self.function} (source)", -(-len(messages) // _REQUEST_BATCH))
        queue, done = self._queue(), {message.id for message in messages}
        for message in queue._messages:
            if message.id in done:
                queue.pending_messages.discard(message)
        queue._messages = [message for message in queue._messages if message.id not in done]

    def _record(self, message: Message) -> dict[str, Any]:
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": str(message.approximate_receive_count),
                "SentTimestamp": str(message.sent_timestamp),
                "SenderId": message.sender_id,
                "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
            },
            "messageAttributes": {},
            "md5OfBody": message.body_md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": REGION,
        }

    def _queue(self) -> Queue:
        return _backend().get_queue(self.queue_name)


def _backend() -> SQSBackend:
    return sqs_backends[ACCOUNT][REGION]


def queue_sources(
    stack: Stack, functions: dict[str, str], invoke: Callable[[str, Any], Any], calls: AwsCalls
) -> list[QueueSource]:
    """The stack's queue mappings. `functions` gives a function's name by its deployed name."""
    return [
        QueueSource(properties, functions[properties["FunctionName"]], invoke, calls)
        for _logical, properties in stack.of_type("AWS::Lambda::EventSourceMapping")
        if ":sqs:" in properties["EventSourceArn"]
    ]


def failed_identifiers(reply: Any, identifiers: list[str]) -> set[str]:
    """Which items a partial batch response fails. Nothing, null or an empty list: none. An identifier that is empty or
    not of this batch, or a reply of another shape: all of them, as in Lambda."""
    if reply is None or reply == {} or (isinstance(reply, dict) and reply.get("batchItemFailures", ()) in ([], None)):
        return set()
    everything = set(identifiers)
    entries = reply.get("batchItemFailures") if isinstance(reply, dict) else None
    if not isinstance(entries, list):
        return everything
    failed = {entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in entries}
    return {name for name in failed if name} if failed <= everything else everything


def _within_budget(messages: list[Message]) -> Iterator[list[Message]]:
    """Batches whose bodies fit into one invocation, once escaped as JSON strings."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        weight = len(orjson.dumps(message.body)) + 1000
        if batch and size + weight > _BODY_BUDGET:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += weight
    yield batch


def queue_bodies(name: str) -> list[str]:
    """All message bodies of a queue by its name, seen or not."""
    return [message.body for message in _backend().get_queue(name)._messages]


def put_message(name: str, body: str) -> None:
    """A message from AWS itself, such as a failure record."""
    _backend().send_message(name, body)
