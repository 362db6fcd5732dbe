"""Ingest: queue messages into the lake.

Everything that was acknowledged to a sender is in these messages, as an event or as a bad row, and leaves here as one
of the two: `acknowledged = good + bad`. An event that comes twice in a batch is written once; two *different* payloads
under one event id are an `id_collision`: the earlier one stays, the other becomes a bad row with its original.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from regulars.domain.events import PUBLIC, BadRow, Event, bad_row_from_doc, event_from_doc, event_to_doc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from regulars.ports import BotDetector, EventLog

MESSAGE_VERSION = 1
STAGE = "ingest"
ID_COLLISION = "id_collision"
NO_USER_AGENT = "no_user_agent"
"""Reason for taking a sender for a machine: a browser always says which one it is."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a batch. `poison`: ids of the messages that are not ours to read, for the dead letters."""

    events: int
    bad_rows: int
    bots: int
    duplicates: int
    collisions: int
    poison: tuple[str, ...]


def ingest(messages: Iterable[tuple[str, str]], *, log: EventLog, bots: BotDetector) -> IngestReport:
    """Write the events and bad rows of a batch of (message id, body) to the lake, one object a receipt date.

    Returns only when the lake has them all. Raises TransientError when it has not: the whole batch may come again, and
    changes nothing that is already there.
    """
    received, bad, poison = _read(messages)
    events, collisions, duplicates = _distinct(received)
    flagged = [_flagged(event, bots) for event in events]
    rejected = _distinct_rows([*bad, *(_collision_row(event) for event in collisions)])
    if flagged:
        log.append(flagged)
    if rejected:
        log.append_bad(rejected)
    return IngestReport(
        events=len(flagged),
        bad_rows=len(rejected),
        bots=sum(event.bot is not None for event in flagged),
        duplicates=duplicates,
        collisions=len(collisions),
        poison=tuple(poison),
    )


def _read(messages: Iterable[tuple[str, str]]) -> tuple[list[Event], list[BadRow], list[str]]:
    """The events and bad rows of all readable messages, and the ids of the others."""
    events: list[Event] = []
    bad: list[BadRow] = []
    poison: list[str] = []
    for message_id, body in messages:
        try:
            message = _message_of(body)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            poison.append(message_id)
            continue
        events += message[0]
        bad += message[1]
    return events, bad, poison


def _message_of(body: str) -> tuple[list[Event], list[BadRow]]:
    """One message, whole or not at all. Raises what a misshapen document raises: our producers make none."""
    document: dict[str, Any] = orjson.loads(body)
    if document["v"] != MESSAGE_VERSION:
        raise ValueError("unknown message version")
    events = [event_from_doc(doc) for doc in document.get("events", ())]
    return events, [bad_row_from_doc(doc) for doc in document.get("bad", ())]


def _distinct(events: Sequence[Event]) -> tuple[list[Event], list[Event], int]:
    """(one event per id, other payloads under a known id, number of repeats). The earliest receipt keeps the id.

    Which payload stays does not depend on the order of the batch.
    """
    first: dict[str, Event] = {}
    others: list[Event] = []
    for event in events:
        known = first.setdefault(event.event_id, event)
        if known is not event:
            others.append(event)
    if not others:
        return list(first.values()), [], 0
    kept: dict[str, dict[str, Event]] = {}
    for event in sorted(events, key=lambda event: (event.received_at, event.payload_hash)):
        kept.setdefault(event.event_id, {}).setdefault(event.payload_hash, event)
    good = [next(iter(payloads.values())) for payloads in kept.values()]
    collisions = [event for payloads in kept.values() for event in list(payloads.values())[1:]]
    return good, collisions, len(events) - len(good) - len(collisions)


def _distinct_rows(rows: Sequence[BadRow]) -> list[BadRow]:
    return list({row.row_id: row for row in rows}.values())


def _collision_row(event: Event) -> BadRow:
    """The bad row of a second payload under an event id; its original is the event's document."""
    return BadRow(
        row_id=hashlib.sha256(f"{ID_COLLISION}:{event.event_id}:{event.payload_hash}".encode()).hexdigest()[:32],
        source=event.source,
        stage=STAGE,
        code=ID_COLLISION,
        detail="another payload came first under this messageId",
        received_at=event.received_at,
        original=orjson.dumps(event_to_doc(event)).decode(),
        event_id=event.event_id,
        message_id=event.message_id,
    )


def _flagged(event: Event, bots: BotDetector) -> Event:
    reason = bot_reason(event, bots)
    return event if reason is None else replace(event, bot=reason)


def bot_reason(event: Event, bots: BotDetector) -> str | None:
    """Why the sender of an event is taken for a machine, or None.

    Only public events are judged: a signed source proved who it is. A server's library (`context.library`) has no
    browser and need not name one; what claims to come from a browser and names none is a machine.
    """
    if event.trust is not PUBLIC:
        return None
    agent = event.context.get("userAgent")
    if isinstance(agent, str) and agent:
        return bots.reason(agent)
    return None if event.context.get("library") else NO_USER_AGENT
