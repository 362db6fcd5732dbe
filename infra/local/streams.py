"""The table's stream as an event source: in order, filtered, with bisecting, retries and a failure destination.

moto's stream is read from its backend and tidied first: an UpdateItem that makes an item gives two INSERTs there (the
first with keys only), and a write that changes nothing gives a MODIFY; DynamoDB gives one INSERT and nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from moto.dynamodb.models import dynamodb_backends

from infra.local.aws_calls import AwsCalls
from infra.local.filters import compile_filters
from infra.local.functions import InvocationError
from infra.local.moto_patches import indexed
from infra.local.queues import failed_identifiers, put_message
from infra.local.template import ACCOUNT, REGION, Stack

if TYPE_CHECKING:
    from moto.dynamodb.models.table import StreamShard

_BATCH_BUDGET: Final = 5 * 1024 * 1024
_FOR_EVER: Final = -1
_KEPT: Final = 1000
"""Records that stay readable after they were delivered (on AWS: those of a day)."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records that go together, and how often they have failed."""

    records: list[dict[str, Any]]
    failures: int = 0


class StreamSource:
    """One mapping of a table's stream to a function; one shard."""

    def __init__(
        self,
        properties: dict[str, Any],
        function: str,
        invoke: Callable[[str, Any], Any],
        calls: AwsCalls,
        now: Callable[[], datetime],
    ) -> None:
        self.function = function
        self._arn: str = properties["EventSourceArn"]
        self.window = int(properties.get("MaximumBatchingWindowInSeconds", 0))
        self._batch_size = int(properties.get("BatchSize", 100))
        self._partial = "ReportBatchItemFailures" in properties.get("FunctionResponseTypes", [])
        self._bisects = bool(properties.get("BisectBatchOnFunctionError", False))
        self._retries = int(properties.get("MaximumRetryAttempts", _FOR_EVER))
        self._max_age = int(properties.get("MaximumRecordAgeInSeconds", _FOR_EVER))
        destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        self._failure_queue = destination.rsplit(":", 1)[1] if destination else None
        self._passes = compile_filters(properties.get("FilterCriteria"))
        self._invoke = invoke
        self._calls = calls
        self._now = now
        self._waiting: deque[_Batch] = deque()
        self._next: int | None = None

    def pump(self) -> bool:
        """One invocation, if there is a record to deliver. Says whether there was."""
        if not self._waiting:
            self._waiting.extend(self._new_batches())
        if not self._waiting:
            return False
        self._deliver(self._waiting.popleft())
        return True

    def _new_batches(self) -> Iterator[_Batch]:
        records = self._read()
        if records:
            self._calls.add("dynamodbstreams", "GetRecords", f"{self.function} (source)")
        batch: list[dict[str, Any]] = []
        size = 0
        for record in records:
            weight = len(orjson.dumps(record))
            if batch and (len(batch) >= self._batch_size or size + weight > _BATCH_BUDGET):
                yield _Batch(batch)
                batch, size = [], 0
            batch.append(record)
            size += weight
        if batch:
            yield _Batch(batch)

    def _deliver(self, batch: _Batch) -> None:
        """One attempt; what has to be tried again goes back to the front, so order is kept."""
        if self._is_too_old(batch.records[0]):
            self._give_up(_Batch(batch.records[:1], batch.failures), "RecordAgeExceeded")
            self._put_back(_Batch(batch.records[1:], batch.failures))
            return
        try:
            reply = self._invoke(self.function, {"Records": batch.records})
        except InvocationError:
            self._retry(batch)
            return
        sequence_numbers = [record["dynamodb"]["SequenceNumber"] for record in batch.records]
        failed = failed_identifiers(reply, sequence_numbers) if self._partial else set()
        if failed:
            self._checkpoint(batch, min(sequence_numbers.index(number) for number in failed))

    def _checkpoint(self, batch: _Batch, first_failed: int) -> None:
        """Everything before the lowest failed sequence number is done; the rest comes again."""
        rest = batch.records[first_failed:]
        if first_failed > 0:
            self._put_back(_Batch(rest, batch.failures))
        else:
            self._retry(_Batch(rest, batch.failures))

    def _retry(self, batch: _Batch) -> None:
        """Bisecting costs no attempt; a batch that fails too often goes to the failure destination."""
        if self._bisects and len(batch.records) > 1:
            middle = len(batch.records) // 2
            self._put_back(_Batch(batch.records[middle:], batch.failures))
            self._put_back(_Batch(batch.records[:middle], batch.failures))
            return
        again = _Batch(batch.records, batch.failures + 1)
        if self._retries != _FOR_EVER and again.failures > self._retries:
            self._give_up(again, "RetryAttemptsExhausted")
        else:
            self._put_back(again)

    def _put_back(self, batch: _Batch) -> None:
        if batch.records:
            self._waiting.appendleft(batch)

    def _is_too_old(self, record: dict[str, Any]) -> bool:
        age = self._now().timestamp() - record["dynamodb"]["ApproximateCreationDateTime"]
        return self._max_age != _FOR_EVER and age > self._max_age

    def _give_up(self, batch: _Batch, condition: str) -> None:
        """The failure record names positions in the stream, not the items."""
        if self._failure_queue is None:
            return
        first, last = batch.records[0]["dynamodb"], batch.records[-1]["dynamodb"]
        document = {
            "requestContext": {"condition": condition, "approximateInvokeCount": batch.failures},
            "version": "1.0",
            "timestamp": self._now().astimezone(UTC).isoformat(),
            "DDBStreamBatchInfo": {
                "shardId": _shard(self._arn).id,
                "startSequenceNumber": first["SequenceNumber"],
                "endSequenceNumber": last["SequenceNumber"],
                "batchSize": len(batch.records),
                "streamArn": self._arn,
            },
        }
        put_message(self._failure_queue, orjson.dumps(document).decode())

    def _read(self) -> list[dict[str, Any]]:
        """The new records that pass the filter. AWS keeps a day's; moto would keep all, so old ones are taken out."""
        shard = _shard(self._arn)
        first = shard.starting_sequence_number
        raw = [item.record for item in shard.items[(first if self._next is None else self._next) - first :]]
        self._next = first + len(shard.items)
        if (surplus := len(shard.items) - _KEPT) > 0:
            shard.starting_sequence_number += surplus
            del shard.items[:surplus]
        envelopes = (self._envelope(record) for record in tidied(raw))
        return [record for record in envelopes if self._passes(record)]

    def _envelope(self, record: dict[str, Any]) -> dict[str, Any]:
        change = record["dynamodb"]
        created: datetime = change["ApproximateCreationDateTime"]
        return {
            "eventID": record["eventID"],
            "eventName": record["eventName"],
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": {**change, "ApproximateCreationDateTime": int(created.replace(tzinfo=UTC).timestamp())},
            "eventSourceARN": self._arn,
        }


def tidied(records: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Records as DynamoDB would give them (see the module's text)."""
    for position, record in enumerate(records):
        change = record["dynamodb"]
        if record["eventName"] == "MODIFY" and change.get("OldImage") == change.get("NewImage"):
            continue
        following = records[position + 1] if position + 1 < len(records) else None
        if (
            record["eventName"] == "INSERT"
            and following is not None
            and following["eventName"] == "INSERT"
            and following["dynamodb"]["Keys"] == change["Keys"]
        ):
            continue
        yield record


def _shard(stream_arn: str) -> StreamShard:
    shard = dynamodb_backends[ACCOUNT][REGION].get_table(stream_arn.split("/")[1]).stream_shard
    if shard is None:
        raise LookupError("the table has no stream")
    return shard


def due_instants(table_name: str, attribute: str = "due_at") -> list[int]:
    """Every value of the due index, once, in no order, read past moto's API: it scans, and this is asked often."""
    table = dynamodb_backends[ACCOUNT][REGION].get_table(table_name)
    return [int(value) for value in indexed(table, attribute)]


def stream_sources(
    stack: Stack,
    functions: dict[str, str],
    invoke: Callable[[str, Any], Any],
    calls: AwsCalls,
    now: Callable[[], datetime],
) -> list[StreamSource]:
    """The stack's stream mappings. `functions` gives a function's name by its deployed name."""
    return [
        StreamSource(properties, functions[properties["FunctionName"]], invoke, calls, now)
        for _logical, properties in stack.of_type("AWS::Lambda::EventSourceMapping")
        if "/stream/" in properties["EventSourceArn"]
    ]
