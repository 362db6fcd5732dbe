"""Send: decided messages through the ledger to the providers, at most once each.

The protocol and its proof are in docs/adr/0004-send-protocol.md. Whatever fails between the claim and its settlement
ends as UNKNOWN or is given back, never as a second message.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from regulars.application.compose_message import Composed, Shop, compose
from regulars.application.tell import tell
from regulars.domain.errors import PermanentError, TransientError, UnknownOutcomeError
from regulars.domain.message_events import message_event
from regulars.domain.sends import (
    NO_ANSWER,
    REJECTED,
    UNSAFE_CONTENT,
    Claim,
    ClaimOutcome,
    EmailMessage,
    SendRecord,
    SendStatus,
    TemplateError,
    UnsafeContentError,
    send_record_from_doc,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regulars.domain.events import Event
    from regulars.ports import (
        Catalogue,
        Clock,
        Ids,
        Mailer,
        Queue,
        SendLedger,
        SurveyTokens,
        Templates,
        Texter,
        UnsubscribeTokens,
    )

MESSAGE_VERSION = 1


@dataclass(slots=True)
class SendReport:
    """What became of a batch.

    `failed`: message id to a code, for those that must come again (or reach the dead letters). `counts`: outcomes by
    name. `withheld`: reasons.
    """

    failed: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)


class _AgainError(Exception):
    """This message must come again; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Proof:
    """A provider's event showed that a message went out."""

    address_node: str
    send_key: str
    provider_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessages:
    """The use case with its ports; `shop` says who sends."""

    ledger: SendLedger
    mailer: Mailer
    texter: Texter
    templates: Templates
    tokens: UnsubscribeTokens
    surveys: SurveyTokens
    catalogue: Catalogue
    events: Queue
    clock: Clock
    ids: Ids
    shop: Shop

    def __call__(self, messages: Sequence[tuple[str, str]], *, has_time: Callable[[], bool]) -> SendReport:
        """Take (message id, body) pairs in turn, for as long as there is time for one more; the rest comes again.

        What became of them is told to the events queue once for the batch. Should that queue not answer, the whole
        batch comes again: the ledger knows every message then, nothing is sent twice, and the same events are told
        again.
        """
        report = SendReport()
        settled: list[Event] = []
        for message_id, body in messages:
            try:
                record = self._handled(_read(body), report) if has_time() else _out_of_time()
            except _AgainError as again:
                report.failed[message_id] = again.code
            except TemplateError:
                report.failed[message_id] = "template"
            except (TransientError, PermanentError) as error:
                report.failed[message_id] = type(error).__name__
            else:
                if record is not None and (event := message_event(record)) is not None:
                    settled.append(event)
        try:
            tell(settled, self.events)
        except (TransientError, PermanentError):
            report.failed = dict.fromkeys((message_id for message_id, _ in messages), "events_queue") | report.failed
        report.counts["failed"] += len(report.failed)
        return report

    def _handled(self, instruction: SendRecord | _Proof, report: SendReport) -> SendRecord | None:
        """The record as the ledger holds it now; None when there was nothing to do."""
        now = self.clock.now()
        if isinstance(instruction, _Proof):
            proven = self.ledger.resolve(
                instruction.address_node, instruction.send_key, provider_id=instruction.provider_id, now=now
            )
            report.counts["confirmed"] += proven is not None
            return proven
        if instruction.withheld is not None:
            return _counted(self.ledger.withhold(instruction, reason=instruction.withheld, now=now), report)
        attempt = self.ids.new()
        if now > instruction.not_after:
            return self._without_sending(self.ledger.claim(instruction, attempt=attempt, now=now), report)
        try:
            composed = compose(
                instruction,
                templates=self.templates,
                tokens=self.tokens,
                surveys=self.surveys,
                catalogue=self.catalogue,
                shop=self.shop,
            )
        except UnsafeContentError:
            return _counted(self.ledger.withhold(instruction, reason=UNSAFE_CONTENT, now=now), report)
        record = replace(instruction, content_hash=composed.content_hash)
        claim = self.ledger.claim(record, attempt=attempt, now=now)
        if claim.outcome is not ClaimOutcome.CLAIMED:
            return self._without_sending(claim, report)
        return _counted(self._sent(claim.record, composed, attempt, report), report)

    def _without_sending(self, claim: Claim, report: SendReport) -> SendRecord:
        """Not ours to send: what the ledger says stands, unless another attempt is at it."""
        if claim.outcome is ClaimOutcome.IN_FLIGHT:
            raise _AgainError("in_flight")
        if claim.outcome is ClaimOutcome.TAKEN:
            report.counts["duplicate"] += 1
            return claim.record
        return _counted(claim.record, report)

    def _sent(self, record: SendRecord, composed: Composed, attempt: str, report: SendReport) -> SendRecord:
        """Ask the provider, once, and write down what it said."""
        provider_id: str | None = None
        reason: str | None = None
        message = composed.message
        try:
            send = self.mailer.send(message) if isinstance(message, EmailMessage) else self.texter.send(message)
        except TransientError:
            status, reason = SendStatus.PENDING, None
        except UnknownOutcomeError:
            status, reason = SendStatus.UNKNOWN, NO_ANSWER
        except UnsafeContentError:
            status, reason = SendStatus.WITHHELD, UNSAFE_CONTENT
        except PermanentError:
            status, reason = SendStatus.WITHHELD, REJECTED
        else:
            status, provider_id = SendStatus.SENT, send
        settled = self.ledger.settle(
            record, attempt=attempt, status=status, provider_id=provider_id, reason=reason, now=self.clock.now()
        )
        if settled.status is SendStatus.PENDING:
            report.counts["not_accepted"] += 1
            raise _AgainError("not_accepted")
        return settled


def _out_of_time() -> SendRecord | None:
    raise _AgainError("out_of_time")


def _counted(record: SendRecord, report: SendReport) -> SendRecord:
    report.counts[record.status.value.lower()] += 1
    if record.status is SendStatus.WITHHELD:
        report.withheld[record.reason or ""] += 1
    return record


def _read(body: str) -> SendRecord | _Proof:
    """The instruction in a message of the `messages` queue."""
    try:
        document: dict[str, Any] = orjson.loads(body)
        if document["v"] != MESSAGE_VERSION:
            raise _AgainError("unknown_version")
        if "send" in document:
            return send_record_from_doc(document["send"])
        proof = document["resolve"]
        return _Proof(str(proof["address_node"]), str(proof["send_key"]), proof["provider_id"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _AgainError("unreadable") from error
