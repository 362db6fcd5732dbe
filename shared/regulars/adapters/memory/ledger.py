"""The send ledger and the opt-outs in memory. Records are kept as JSON text, so nothing is shared with the caller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from regulars.domain.errors import PermanentError
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
    from datetime import datetime


class MemoryLedger:
    """`SendLedger` and `OptOuts`. One process, one thread."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], bytes] = {}
        self._opt_outs: dict[tuple[str, str], tuple[datetime, str]] = {}

    def claim(self, record: SendRecord, *, attempt: str, now: datetime) -> Claim:
        """See SendLedger.claim."""
        if now > record.not_after:
            stored = self.withhold(record, reason=EXPIRED, now=now)
            expired = stored.status is SendStatus.WITHHELD and stored.reason == EXPIRED
            return Claim(ClaimOutcome.EXPIRED, stored) if expired else self._taken(stored, now)
        present = self._read(record.address_node, record.send_key)
        if present is not None and present.status is not SendStatus.PENDING and not _held_by(present, attempt):
            return self._taken(present, now)
        claimed = self._write(replace(record, status=SendStatus.SENDING, attempt=attempt, claimed_at=now))
        if is_opted_out(self.opted_out_at(record.address_node, channel=record.channel.value), record.consent_at):
            withheld = self._write(replace(claimed, status=SendStatus.WITHHELD, reason=OPTED_OUT, settled_at=now))
            return Claim(ClaimOutcome.OPTED_OUT, withheld)
        return Claim(ClaimOutcome.CLAIMED, claimed)

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
        """See SendLedger.settle."""
        stored = self._read(record.address_node, record.send_key)
        if stored is None:
            raise PermanentError("a record that was never claimed cannot be settled")
        open_to = {SendStatus.SENDING, SendStatus.UNKNOWN} if status is SendStatus.SENT else {SendStatus.SENDING}
        if stored.attempt != attempt or stored.status not in open_to:
            return stored
        return self._write(replace(stored, status=status, provider_id=provider_id, reason=reason, settled_at=now))

    def resolve(self, address_node: str, send_key: str, *, provider_id: str | None, now: datetime) -> SendRecord | None:
        """See SendLedger.resolve."""
        stored = self._read(address_node, send_key)
        if stored is None or stored.status is SendStatus.WITHHELD:
            return None
        if stored.status is SendStatus.SENT:
            return stored if stored.reason == CONFIRMED else None
        return self._write(
            replace(stored, status=SendStatus.SENT, provider_id=provider_id, reason=CONFIRMED, settled_at=now)
        )

    def withhold(self, record: SendRecord, *, reason: str, now: datetime) -> SendRecord:
        """See SendLedger.withhold."""
        stored = self._read(record.address_node, record.send_key)
        if stored is not None and stored.status is not SendStatus.PENDING:
            return stored
        return self._write(replace(record, status=SendStatus.WITHHELD, reason=reason, settled_at=now))

    def sends(self, address_node: str) -> list[SendRecord]:
        """See SendLedger.sends."""
        records = [_record(text) for (node, _), text in self._records.items() if node == address_node]
        return sorted(records, key=lambda record: (record.decided_at, record.send_key))

    def opt_out(self, address_node: str, *, channel: str, at: datetime, source: str) -> None:
        """See OptOuts.opt_out."""
        known = self._opt_outs.get((address_node, channel))
        if known is None or known[0] < at:
            self._opt_outs[address_node, channel] = (at, source)

    def opted_out_at(self, address_node: str, *, channel: str) -> datetime | None:
        """See OptOuts.opted_out_at."""
        known = self._opt_outs.get((address_node, channel))
        return known[0] if known else None

    def _taken(self, stored: SendRecord, now: datetime) -> Claim:
        if stored.status is not SendStatus.SENDING or stored.claimed_at is None:
            return Claim(ClaimOutcome.TAKEN, stored)
        if now < stored.claimed_at + CLAIM_LEASE:
            return Claim(ClaimOutcome.IN_FLIGHT, stored)
        unknown = replace(stored, status=SendStatus.UNKNOWN, reason=ATTEMPT_LOST, settled_at=now)
        return Claim(ClaimOutcome.ABANDONED, self._write(unknown))

    def _read(self, address_node: str, send_key: str) -> SendRecord | None:
        text = self._records.get((address_node, send_key))
        return None if text is None else _record(text)

    def _write(self, record: SendRecord) -> SendRecord:
        kept = replace(record, variables={})
        self._records[record.address_node, record.send_key] = orjson.dumps(send_record_to_doc(kept))
        return kept


def _record(text: bytes) -> SendRecord:
    return send_record_from_doc(orjson.loads(text))


def _held_by(stored: SendRecord, attempt: str) -> bool:
    return stored.status is SendStatus.SENDING and stored.attempt == attempt
