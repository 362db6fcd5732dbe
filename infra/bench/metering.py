"""A meter on every AWS call of the local cloud: requests, payloads and capacity units, as AWS would bill them."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from math import ceil
from typing import TYPE_CHECKING, Any

from infra.bench.prices import SQS_CHUNK

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from infra.local.aws_calls import AwsCall, Proceed

_WRITE_UNIT, _READ_UNIT = 1024, 4096
_INDEX_KEYS = ("due_shard", "due_at")


def item_bytes(item: dict[str, Any]) -> int:
    """Size of an item: names and values in UTF-8, a number about half its digits and one (DynamoDB, "Item sizes")."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return ceil(len(content) / 2) + 1
    raise ValueError(f"an attribute of type {kind}, which the table's items do not have")


class Meter:
    """An interceptor of `AwsCalls`. Only calls made by `functions` are metered.

    `units` counts what is billed: requests to SQS, writes and reads of S3, write and read units of DynamoDB.
    `calls` counts API calls by (function, service); `stored` the bytes that were put by service.
    """

    def __init__(self, functions: frozenset[str]) -> None:
        self._functions = functions
        self.units: Counter[str] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.operations: Counter[str] = Counter()
        self.stored: defaultdict[str, int] = defaultdict(int)
        self.messages: Counter[str] = Counter()
        self._items: dict[tuple[str, str], dict[str, Any]] = {}

    def __call__(self, call: AwsCall, proceed: Proceed) -> AWSResponse | None:
        """Let the call pass and take note of it."""
        reply = proceed()
        if call.function in self._functions:
            self.calls[call.function, call.service] += 1
            self.operations[f"{call.function}: {call.service}.{call.operation}"] += 1
            note = getattr(self, f"_{call.service}", None)
            if note is None:
                raise ValueError(f"{call.service} has no price here")
            note(call, reply)
        return reply

    def _sqs(self, call: AwsCall, _reply: AWSResponse | None) -> None:
        entries = json.loads(_text(call))["Entries"]
        payload = sum(len(entry["MessageBody"].encode()) for entry in entries)
        self.units["sqs requests"] += max(1, ceil(payload / SQS_CHUNK))
        self.messages[call.function] += len(entries)

    def _s3(self, call: AwsCall, _reply: AWSResponse | None) -> None:
        if call.operation == "PutObject":
            self.units["s3 writes"] += 1
            self.stored["s3"] += _length(call.request)
        else:
            self.units["s3 reads"] += 1

    def _dynamodb(self, call: AwsCall, reply: AWSResponse | None) -> None:
        document = json.loads(_text(call))
        if call.operation == "PutItem":
            self.units["dynamodb write units"] += self._write_units(document["Item"])
        elif call.operation == "BatchGetItem":
            self.units["dynamodb read units"] += _batch_units(document, reply)
        elif call.operation == "Query":
            # One page of an index, eventually consistent; the index's entries are under 100 bytes.
            self.units["dynamodb read units"] += 1
        else:
            raise ValueError(f"{call.operation} has no price here")

    def _write_units(self, item: dict[str, Any]) -> int:
        """The larger of the item before and after, and the index entry where its keys change (out and in are two)."""
        key = item["pk"]["S"], item["sk"]["S"]
        before = self._items.get(key, {})
        self._items[key] = item
        units = ceil(max(item_bytes(item), item_bytes(before)) / _WRITE_UNIT)
        was = [before.get(name) for name in _INDEX_KEYS]
        now = [item.get(name) for name in _INDEX_KEYS]
        if was != now:
            units += (was[1] is not None) + (now[1] is not None)
        return units

    def table_bytes(self) -> int:
        """Bytes in the table, with DynamoDB's 100 bytes for each item."""
        return sum(item_bytes(item) + 100 for item in self._items.values())


def _batch_units(document: dict[str, Any], reply: AWSResponse | None) -> int:
    """Each item by itself, an absent one like a small one; eventually consistent ones cost half."""
    if reply is None:
        raise ValueError("a batch read without an answer")
    found = json.loads(reply.text)["Responses"]
    asked = sum(len(table["Keys"]) for table in document["RequestItems"].values())
    items = [item for table in found.values() for item in table]
    units = asked - len(items) + sum(ceil(item_bytes(item) / _READ_UNIT) for item in items)
    strong = all(table.get("ConsistentRead") for table in document["RequestItems"].values())
    return units if strong else ceil(units / 2)


def _length(request: AWSPreparedRequest) -> int:
    """Bytes of an object that is put. With a checksum behind it, it goes in chunks; a header says how long it is."""
    value = request.headers.get("X-Amz-Decoded-Content-Length") or request.headers["Content-Length"]
    return int(value)


def _text(call: AwsCall) -> str:
    body = call.request.body
    return body.decode() if isinstance(body, bytes) else str(body)
