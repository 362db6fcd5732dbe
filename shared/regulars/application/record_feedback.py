"""Record what the e-mail provider tells: as events for the log and the fold, and as proof for the send ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from regulars.application.tell import tell
from regulars.domain.feedback import Feedback, feedback_of
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from regulars.ports import Clock, Queue

MESSAGE_VERSION = 1
_GREETING = "Successfully validated SNS topic"
"""SES greets a topic with this text when it is made an event destination; it is no event."""


@dataclass(slots=True)
class FeedbackReport:
    """`counts`: events by the provider's name for them. `unreadable`: ids of messages for the dead letters."""

    counts: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)


def record_feedback(
    messages: Sequence[tuple[str, str]], *, events: Queue, sends: Queue, clock: Clock
) -> FeedbackReport:
    """Take (message id, body) pairs of the feedback queue.

    Returns when the events queue has an event for each, and the `messages` queue the proofs of acceptance. Raises as
    Queue.send does: then the whole batch comes again, and gives the same events.
    """
    report = FeedbackReport()
    heard: list[Feedback] = []
    now = clock.now()
    for message_id, body in messages:
        try:
            feedback = _read(body, now)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
            report.unreadable.append(message_id)
            continue
        if feedback is not None:
            report.counts[feedback.kind] += 1
            heard.append(feedback)
    tell([feedback.event for feedback in heard if feedback.event is not None], events)
    proofs = {(f.address_node, f.send_key): f.provider_id for f in heard if f.accepted and f.send_key is not None}
    if proofs:
        sends.send([_proof(node, key, provider_id) for (node, key), provider_id in proofs.items()])
    return report


def _read(body: str, now: datetime) -> Feedback | None:
    """One body: the bare event (raw delivery), or the event in SNS's envelope. None for the greeting."""
    if body.startswith(_GREETING):
        return None
    document: dict[str, Any] = orjson.loads(body)
    if document.get("Type") == "Notification":
        return _read(document["Message"], now)
    return feedback_of(document, now=now)


def _proof(address_node: str | None, send_key: str | None, provider_id: str) -> QueueMessage:
    resolve = {"address_node": address_node, "send_key": send_key, "provider_id": provider_id}
    return QueueMessage(orjson.dumps({"v": MESSAGE_VERSION, "resolve": resolve}).decode())
