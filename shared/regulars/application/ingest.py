"""Ingest: queue messages into the lake.

Everything that was acknowledged to a sender is in these messages, as an event or as a bad row, and leaves here as one
of the two: `acknowledged = good + bad`. An event that comes twice in a batch is written once; two *different* payloads
under one event id are an `id_collision`: the earlier one stays, the other becomes a bad row with its original. What the
lake keeps of an event is the intake's business (regulars.application.intake); what it refuses is a bad row, too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from regulars.application.catalogue import complete_products
from regulars.domain.errors import BadInputError
from regulars.domain.events import PUBLIC, BadRow, Event, bad_row_from_doc, event_from_doc, event_to_doc
from regulars.domain.facts import QUALITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from regulars.ports import BotDetector, Catalogue, EventLog

MESSAGE_VERSION = 1
STAGE = "ingest"
ID_COLLISION = "id_collision"
NO_USER_AGENT = "no_user_agent"
"""Reason for taking a sender for a machine: a browser always says which one it is."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a batch. `violations`: events that break their contract, kept or refused. `poison`: ids of the
    messages that are not ours to read, for the dead letters. `completed`: events whose products the catalogue
    completed; None when it did not answer."""

    events: int
    bad_rows: int
    bots: int
    duplicates: int
    collisions: int
    violations: int
    poison: tuple[str, ...]
    completed: int | None


def ingest(
    messages: Iterable[tuple[str, str]],
    *,
    log: EventLog,
    bots: BotDetector,
    intake: Callable[[Event], Event],
    catalogue: Catalogue,
) -> IngestReport:
    """Write the events and bad rows of a batch of (message id, body) to the lake, one object a receipt date.

    `intake` gives what the lake keeps of an event, or raises BadInputError (regulars.application.intake.Intake).

    Returns only when the lake has them all. Raises TransientError when it has not: the whole batch may come again, and
    changes nothing that is already there.
    """
    received, bad, poison = _read(messages)
    events, collisions, duplicates = _distinct(received)
    kept, refused = _taken_in(events, intake)
    flagged, completed = complete_products([_flagged(event, bots) for event in kept], catalogue)
    rejected = _distinct_rows([*bad, *refused, *(_collision_row(event) for event in collisions)])
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
        violations=len(refused) + sum(1 for event in kept if "violations" in event.context.get(QUALITY, ())),
        poison=tuple(poison),
        completed=completed,
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


def _taken_in(events: Iterable[Event], intake: Callable[[Event], Event]) -> tuple[list[Event], list[BadRow]]:
    """(what the lake keeps, the bad rows of what the intake refuses)."""
    kept: list[Event] = []
    refused: list[BadRow] = []
    for event in events:
        try:
            kept.append(intake(event))
        except BadInputError as error:
            refused.append(_bad_row(event, error.code, error.detail))
    return kept, refused


def _collision_row(event: Event) -> BadRow:
    """The bad row of a second payload under an event id."""
    return _bad_row(event, ID_COLLISION, "another payload came first under this messageId")


def _bad_row(event: Event, code: str, detail: str) -> BadRow:
    """The bad row of an event, whose document is the original."""
    return BadRow(
        row_id=hashlib.sha256(f"{code}:{event.event_id}:{event.payload_hash}".encode()).hexdigest()[:32],
        source=event.source,
        stage=STAGE,
        code=code,
        detail=detail,
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
