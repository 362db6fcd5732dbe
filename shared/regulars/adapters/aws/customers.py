"""The customer store on DynamoDB: PROFILE, ORDERS, STATE and CONSENT# items of the one table (ADR 1).

A put and its race:

    reader A            reader B            table
    read v3             read v3             v3
    put, expect v3  ->                      v4, owner a      the answer to A is lost
                        put, expect v3  ->  refused: v4      B reads again and folds onto v4
    (SDK) put, expect v3 ->                 refused: v4, owner a  -> it is A's own: success
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson
from botocore.exceptions import ClientError

from regulars.adapters import items
from regulars.adapters.aws.dynamo import CONDITION_FAILED, NO_ANSWER, Item, as_ours, batch_get
from regulars.domain.errors import TransientError, VersionConflictError
from regulars.domain.facts_doc import consent_from_doc, consent_to_doc
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile
from regulars.domain.state import CustomerState
from regulars.domain.statements import ConsentRecord
from regulars.domain.stored import Applied, Head, Stored
from regulars.ports import ALL_PARTS, Part

_DUE_INDEX = "due"

T = TypeVar("T")


class DynamoCustomerStore:
    """`CustomerStore` in one table. `client` is a low-level DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def heads(self, nodes: Sequence[str], *, parts: Sequence[Part] = ALL_PARTS) -> dict[str, Head]:
        """A key for each part of each node, a hundred keys a call; the writer's latest (strongly consistent)."""
        wanted = list(dict.fromkeys(nodes))
        keys = [{"pk": {"S": node}, "sk": {"S": kind}} for node in wanted for kind in parts]
        found: dict[str, dict[str, Item]] = {node: {} for node in wanted}
        for item in batch_get(self._client, self._table, keys):
            found[item["pk"]["S"]][item["sk"]["S"]] = item
        return {node: head_of(found_parts) for node, found_parts in found.items()}

    def put_profile(self, node: str, profile: Profile, *, applied: Applied, expected: int, owner: str) -> None:
        """One conditional write; see the module's drawing."""
        self._put(
            node, items.PROFILE, items.profile_text(profile), expected=expected, owner=owner, extra=_applied(applied)
        )

    def put_orders(self, node: str, orders: OrderBook, *, applied: Applied, expected: int, owner: str) -> None:
        """One conditional write; see the module's drawing."""
        self._put(
            node, items.ORDERS, items.orders_text(orders), expected=expected, owner=owner, extra=_applied(applied)
        )

    def put_state(self, node: str, state: CustomerState, *, expected: int, owner: str) -> None:
        """One conditional write, with what the due index and the stream's filter look at."""
        extra: Item = {"outbox": {"N": str(len(state.outbox))}}
        due = state.next_due
        if due is not None:
            extra |= {"due_shard": {"S": items.due_shard(node)}, "due_at": {"N": str(to_millis(due))}}
        self._put(node, items.STATE, items.state_text(state), expected=expected, owner=owner, extra=extra)

    def append_consents(self, node: str, records: Sequence[ConsentRecord]) -> None:
        """One item a statement, its key made of the statement: writing it again writes the same."""
        for record in records:
            sk = f"CONSENT#{to_millis(record.at):015d}#{record.event_id}#{record.channel}"
            item = {"pk": {"S": node}, "sk": {"S": sk}, "doc": {"S": items.text_of(consent_to_doc(record))}}
            try:
                self._client.put_item(TableName=self._table, Item=item)
            except ClientError as error:
                raise as_ours(error, "append a consent") from error
            except NO_ANSWER as error:
                raise TransientError("DynamoDB did not answer an append") from error

    def consents(self, node: str) -> list[ConsentRecord]:
        """The ledger of a node; the sort key is in order of instant."""
        pages = self._pages(
            "query",
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": node}, ":prefix": {"S": "CONSENT#"}},
            ConsistentRead=True,
        )
        return [consent_from_doc(orjson.loads(item["doc"]["S"])) for item in pages]

    def due(self, before: datetime) -> Iterator[tuple[str, datetime]]:
        """Every shard of the due index in turn; the index lags, so who is told must look at the item again."""
        for shard in range(items.DUE_SHARDS):
            pages = self._pages(
                "query",
                IndexName=_DUE_INDEX,
                KeyConditionExpression="due_shard = :shard AND due_at <= :before",
                ExpressionAttributeValues={":shard": {"S": str(shard)}, ":before": {"N": str(to_millis(before))}},
            )
            for item in pages:
                yield item["pk"]["S"], from_millis(int(item["due_at"]["N"]))

    def scan(self) -> Iterator[tuple[str, Head]]:
        """Items of one node come together (they share a partition key), so heads are put together on the way."""
        node, parts = "", dict[str, Item]()
        for item in self._pages(
            "scan",
            FilterExpression="sk IN (:profile, :orders, :state)",
            ExpressionAttributeValues={f":{kind.lower()}": {"S": kind} for kind in items.KINDS},
        ):
            if item["pk"]["S"] != node:
                if parts:
                    yield node, head_of(parts)
                node, parts = item["pk"]["S"], {}
            parts[item["sk"]["S"]] = item
        if parts:
            yield node, head_of(parts)

    def _pages(self, operation: str, **request: Any) -> Iterator[Item]:
        try:
            for page in self._client.get_paginator(operation).paginate(TableName=self._table, **request):
                yield from page["Items"]
        except ClientError as error:
            raise as_ours(error, operation) from error
        except NO_ANSWER as error:
            raise TransientError(f"DynamoDB did not answer a {operation}") from error

    def _put(self, node: str, kind: str, doc: str, *, expected: int, owner: str, extra: Item) -> None:
        item = {
            "pk": {"S": node},
            "sk": {"S": kind},
            "doc": {"S": doc},
            "version": {"N": str(expected + 1)},
            "owner": {"S": owner},
            **extra,
        }
        if expected:
            condition: Item = {
                "ConditionExpression": "#version = :expected",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
            }
        else:
            condition = {"ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self._client.put_item(
                TableName=self._table, Item=item, ReturnValuesOnConditionCheckFailure="ALL_OLD", **condition
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != CONDITION_FAILED:
                raise as_ours(error, f"write {kind}") from error
            if error.response.get("Item", {}).get("owner", {}).get("S") != owner:
                raise VersionConflictError(f"{kind} moved on") from error
        except NO_ANSWER as error:
            raise TransientError(f"DynamoDB did not answer a write of {kind}") from error


def _applied(applied: Applied) -> Item:
    text = items.applied_text(applied)
    if text is not None:
        return {"applied": {"S": text}}
    return {"imported": {"BOOL": applied.imported}} | ({"rebuilt": {"BOOL": True}} if applied.rebuilt else {})


def head_of(parts: dict[str, Item]) -> Head:
    """What is stored for one node, out of its items by sort key."""
    profile, orders, state = (parts.get(kind) for kind in items.KINDS)
    return Head(
        _stored(profile, items.parsed_profile) if profile else None,
        _stored(orders, items.parsed_orders) if orders else None,
        _stored(state, items.parsed_state) if state else None,
    )


def _stored(item: Item, parse: Callable[[str], T]) -> Stored[T]:
    rebuilt = "rebuilt" in item
    return Stored(item["doc"]["S"], parse, int(item["version"]["N"]), item["owner"]["S"], rebuilt=rebuilt)
