"""The send ledger and the opt-outs in DynamoDB: items `SEND#<key>` and `OPTOUT#<channel>` under the address node.

Two sequential operations make the claim, and no transaction:

    sender                                     unsubscribe page
    1. put SEND# if absent or PENDING
       -> SENDING, attempt                     put OPTOUT# (answers 200 only after this)
    2. consistent read of OPTOUT#
       opted out -> WITHHELD, no call
    3. provider call

Every opt-out that was answered before step 2 is seen by it; one that comes later lost the race to a message that is on
its way. (A transaction that puts and checks at step 1 sees fewer opt-outs, costs twice the write units, and leaves the
same gap before step 3. See docs/adr/0004-send-protocol.md.)
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
from botocore.exceptions import ClientError

from regulars.adapters.aws.dynamo import CONDITION_FAILED, NO_ANSWER, as_ours
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.sends import (
    ATTEMPT_LOST,
    CLAIM_LEASE,
    CONFIRMED,
    EXPIRED,
    OPTED_OUT,
    Claim,
    ClaimOutcome,
    SendRecord,
    SendStatus,
    is_opted_out,
    send_record_from_doc,
    send_record_to_doc,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_NAMES = {"#status": "status"}
_IS_FREE = "(attribute_not_exists(pk) OR #status = :pending)"
_IS_MINE = "(#status = :sending AND attempt = :attempt)"
_WAS_MINE = "(#status IN (:sending, :unknown) AND attempt = :attempt)"
_IS_UNPROVEN = "#status IN (:pending, :sending, :unknown)"
# The ledger's own attributes; everything else about the decision is in `doc`.
_INSTANTS = ("claimed_at", "settled_at")
_TEXTS = ("attempt", "provider_id", "reason")


class _ConditionFailedError(Exception):
    """A conditional write found something else: `item` is what it found, None when nothing."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        super().__init__("condition failed")
        self.item = item


@contextmanager
def _faults(what: str) -> Iterator[None]:
    """AWS errors as ours. All writes here are conditional or idempotent, so a lost answer is a reason to come again."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] == CONDITION_FAILED:
            raise _ConditionFailedError(error.response.get("Item")) from error
        raise as_ours(error, what) from error
    except NO_ANSWER as error:
        raise TransientError(f"DynamoDB did not answer: {what}") from error


def _claim_of_another(stored: SendRecord) -> Claim:
    """What the holder made of it meanwhile; the message must come again unless it is settled."""
    open_ = stored.status in (SendStatus.PENDING, SendStatus.SENDING)
    return Claim(ClaimOutcome.IN_FLIGHT if open_ else ClaimOutcome.TAKEN, stored)


class DynamoLedger:
    """`SendLedger` and `OptOuts`. `client` is a boto3 DynamoDB client with its own bounded retries."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, record: SendRecord, *, attempt: str, now: datetime) -> Claim:
        """One conditional put and one consistent read; see SendLedger.claim."""
        if now > record.not_after:
            stored = self.withhold(record, reason=EXPIRED, now=now)
            expired = stored.status is SendStatus.WITHHELD and stored.reason == EXPIRED
            return Claim(ClaimOutcome.EXPIRED, stored) if expired else self._taken(stored, now)
        claimed = replace(record, status=SendStatus.SENDING, attempt=attempt, claimed_at=now, variables={})
        try:
            self._put(claimed, f"{_IS_FREE} OR {_IS_MINE}", sending="SENDING", attempt=attempt)
            opted_out_at = self.opted_out_at(record.address_node, channel=record.channel.value)
        except _ConditionFailedError as found:
            return self._taken(_record_of(found), now)
        except TransientError:
            self._give_back(claimed, attempt, now)
            raise
        if not is_opted_out(opted_out_at, record.consent_at):
            return Claim(ClaimOutcome.CLAIMED, claimed)
        withheld = self.settle(
            claimed, attempt=attempt, status=SendStatus.WITHHELD, provider_id=None, reason=OPTED_OUT, now=now
        )
        return Claim(ClaimOutcome.OPTED_OUT, withheld)

    def settle(
        self,
        record: SendRecord,
        *,
        attempt: str,
        status: SendStatus,
        provider_id: str | None,
        reason: str | None,
        now: datetime,
    ) -> SendRecord:
        """One conditional update; see SendLedger.settle."""
        condition = _WAS_MINE if status is SendStatus.SENT else _IS_MINE
        values = {"sending": "SENDING", "attempt": attempt}
        if status is SendStatus.SENT:
            values["unknown"] = "UNKNOWN"
        try:
            return self._settle(record, condition, to=status, now=now, provider_id=provider_id, reason=reason, **values)
        except _ConditionFailedError as found:
            return _record_of(found)

    def resolve(self, address_node: str, send_key: str, *, provider_id: str | None, now: datetime) -> SendRecord | None:
        """One consistent read, and a conditional update where there is something to settle; see SendLedger.resolve.

        Nearly every message is settled by its own attempt: the read costs a tenth of the update that it saves.
        """
        with _faults("read a send"):
            answer = self._client.get_item(
                TableName=self._table, Key=_send_id(address_node, send_key), ConsistentRead=True
            )
        if "Item" not in answer:
            return None
        stored = _record_from(answer["Item"])
        if stored.status in (SendStatus.PENDING, SendStatus.SENDING, SendStatus.UNKNOWN):
            unproven = {"pending": "PENDING", "sending": "SENDING", "unknown": "UNKNOWN"}
            try:
                stored = self._settle(
                    stored,
                    _IS_UNPROVEN,
                    to=SendStatus.SENT,
                    now=now,
                    provider_id=provider_id,
                    reason=CONFIRMED,
                    **unproven,
                )
            except _ConditionFailedError as found:
                stored = _record_of(found)
        return stored if stored.status is SendStatus.SENT and stored.reason == CONFIRMED else None

    def withhold(self, record: SendRecord, *, reason: str, now: datetime) -> SendRecord:
        """One conditional put; see SendLedger.withhold."""
        withheld = replace(record, status=SendStatus.WITHHELD, reason=reason, settled_at=now, variables={})
        try:
            self._put(withheld, _IS_FREE)
        except _ConditionFailedError as found:
            return _record_of(found)
        return withheld

    def sends(self, address_node: str) -> list[SendRecord]:
        """One consistent query of the address's partition; see SendLedger.sends."""
        records: list[SendRecord] = []
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :node AND begins_with(sk, :sends)",
            "ExpressionAttributeValues": {":node": {"S": address_node}, ":sends": {"S": "SEND#"}},
            "ConsistentRead": True,
        }
        while True:
            with _faults("list sends"):
                page = self._client.query(**query)
            records += [_record_from(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return sorted(records, key=lambda record: (record.decided_at, record.send_key))
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def opt_out(self, address_node: str, *, channel: str, at: datetime, source: str) -> None:
        """One conditional put: the latest instant stays; see OptOuts.opt_out."""
        try:
            with _faults("record an opt-out"):
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        **_opt_out_id(address_node, channel),
                        "at": {"N": str(to_millis(at))},
                        "source": {"S": source},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR #at < :at",
                    ExpressionAttributeNames={"#at": "at"},
                    ExpressionAttributeValues={":at": {"N": str(to_millis(at))}},
                )
        except _ConditionFailedError:
            return  # opted out at that instant, or later, already

    def opted_out_at(self, address_node: str, *, channel: str) -> datetime | None:
        """One consistent read; see OptOuts.opted_out_at."""
        with _faults("read an opt-out"):
            answer = self._client.get_item(
                TableName=self._table, Key=_opt_out_id(address_node, channel), ConsistentRead=True
            )
        return from_millis(int(answer["Item"]["at"]["N"])) if "Item" in answer else None

    def _taken(self, stored: SendRecord, now: datetime) -> Claim:
        """Somebody else's record: settled, held, or held by an attempt that died, which makes it UNKNOWN."""
        if stored.status is not SendStatus.SENDING or stored.claimed_at is None:
            return Claim(ClaimOutcome.TAKEN, stored)
        if now < stored.claimed_at + CLAIM_LEASE:
            return Claim(ClaimOutcome.IN_FLIGHT, stored)
        holder = {"sending": "SENDING", "attempt": stored.attempt or ""}
        try:
            lost = self._settle(stored, _IS_MINE, to=SendStatus.UNKNOWN, now=now, reason=ATTEMPT_LOST, **holder)
        except _ConditionFailedError as found:
            return _claim_of_another(_record_of(found))
        return Claim(ClaimOutcome.ABANDONED, lost)

    def _give_back(self, claimed: SendRecord, attempt: str, now: datetime) -> None:
        """Nothing was sent under this claim. Where this fails too, the lease ends it: as UNKNOWN, never a resend."""
        try:
            self._settle(claimed, _IS_MINE, to=SendStatus.PENDING, now=now, sending="SENDING", attempt=attempt)
        except (_ConditionFailedError, TransientError):
            return

    def _put(self, record: SendRecord, condition: str, **values: str) -> None:
        with _faults("claim a send"):
            self._client.put_item(
                TableName=self._table,
                Item=_item_of(record),
                ConditionExpression=condition,
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues=_values(pending="PENDING", **values),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )

    def _settle(
        self,
        record: SendRecord,
        condition: str,
        *,
        to: SendStatus,
        now: datetime,
        provider_id: str | None = None,
        reason: str | None = None,
        **values: str,
    ) -> SendRecord:
        """The one update there is: what the ledger says about a decision. The decision itself (`doc`) never changes."""
        new = {"status": to.value, "provider_id": provider_id, "reason": reason}
        kept = {name: {"S": text} for name, text in new.items() if text is not None}
        kept["settled_at"] = {"N": str(to_millis(now))}
        absent = [f"#{name}" for name, text in new.items() if text is None]
        expression = "SET " + ", ".join(f"#{name} = :new_{name}" for name in kept)
        if absent:
            expression += " REMOVE " + ", ".join(absent)
        with _faults("settle a send"):
            answer = self._client.update_item(
                TableName=self._table,
                Key=_send_id(record.address_node, record.send_key),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in (*new, "settled_at")},
                ExpressionAttributeValues=_values(**values) | {f":new_{name}": value for name, value in kept.items()},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        return _record_from(answer["Attributes"])


def _values(**texts: str) -> dict[str, dict[str, str]]:
    return {f":{name}": {"S": text} for name, text in texts.items()}


def _send_id(address_node: str, send_key: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": address_node}, "sk": {"S": f"SEND#{send_key}"}}


def _opt_out_id(address_node: str, channel: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": address_node}, "sk": {"S": f"OPTOUT#{channel}"}}


def _item_of(record: SendRecord) -> dict[str, dict[str, str]]:
    decision = send_record_to_doc(replace(record, variables={}))
    ledger = {name: decision.pop(name) for name in ("status", *_TEXTS, *_INSTANTS) if name in decision}
    return {
        **_send_id(record.address_node, record.send_key),
        "doc": {"S": orjson.dumps(decision).decode()},
        **{name: {"N": str(value)} if name in _INSTANTS else {"S": value} for name, value in ledger.items()},
    }


def _record_from(item: dict[str, Any]) -> SendRecord:
    doc = orjson.loads(item["doc"]["S"])
    doc |= {name: item[name]["S"] for name in ("status", *_TEXTS) if name in item}
    doc |= {name: int(item[name]["N"]) for name in _INSTANTS if name in item}
    return send_record_from_doc(doc)


def _record_of(found: _ConditionFailedError) -> SendRecord:
    if found.item is None:
        raise PermanentError("a record that was never claimed cannot be settled") from found
    return _record_from(found.item)
