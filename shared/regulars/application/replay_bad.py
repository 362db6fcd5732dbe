"""Replay bad rows: once a rule or a sender's mistake is mended, what was rejected is read again and kept after all.

A row goes through the very normaliser that rejected it (`stage` says which). What passes is appended to the lake under
its own receipt, as if it had passed then, and the row is recorded as replayed; what does not stays as it is. Running it
again reads only rows that are not yet replayed, and a run that died between the two writes repeats the first without
effect: same events, same object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import orjson

from regulars.application import importing, receive_orders
from regulars.application.collect import doors as collect_doors
from regulars.application.collect.normalised import STAGE as COLLECT_STAGE
from regulars.application.ingest import ID_COLLISION
from regulars.application.ingest import STAGE as INGEST_STAGE
from regulars.application.seeded_ids import SeededIds
from regulars.application.update_customers import STAGE as UPDATE_STAGE
from regulars.application.webhooks import fetching, signed_events
from regulars.domain.errors import BadInputError
from regulars.domain.events import MAX_MESSAGE_ID_CHARS, BadRow, Event, Trust, event_from_doc, event_id_of

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.ports import BotDetector, EventLog


class ReplayLog(Protocol):
    """Which rows of a bad object have been replayed. Kept beside the lake; the event logs implement it."""

    def replayed(self, bad_key: str) -> set[str]: ...

    def mark_replayed(self, bad_key: str, row_ids: list[str]) -> None: ...


Normaliser = Callable[[BadRow], list[Event]]
"""Reads a row again: its events (none where they must not be stored any more). Raises BadInputError when still bad."""


@dataclass(slots=True)
class ReplayReport:
    """`replayed` rows and the `events` they made; rows `still_bad`, by code; rows of stages that nobody reads."""

    rows: int = 0
    replayed: int = 0
    events: int = 0
    still_bad: Counter[str] = field(default_factory=Counter)
    unknown_stage: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: of what code (any without one), received on or after `first` and before `end`.

    Collisions are left out unless asked for by their code: to replay one is to say that it is another event.
    """

    code: str | None = None
    first: datetime | None = None
    end: datetime | None = None

    def takes(self, row: BadRow) -> bool:
        """Whether the row is asked for."""
        if row.code != self.code and (self.code is not None or row.code == ID_COLLISION):
            return False
        return (self.first is None or row.received_at >= self.first) and (
            self.end is None or row.received_at < self.end
        )


def replay_bad(
    *,
    log: EventLog,
    replays: ReplayLog,
    bots: BotDetector,
    intake: Callable[[Event], Event],
    selection: Selection,
    normalisers: Mapping[str, Normaliser] | None = None,
    dry_run: bool = False,
) -> ReplayReport:
    """Read all selected bad rows again, and take in what passes (regulars.application.intake). `normalisers` (default
    all_normalisers) by the part of `stage` before a slash; `dry_run` writes nothing.

    Raises TransientError when the lake does not answer: run it again.
    """
    report = ReplayReport()
    readers = all_normalisers() if normalisers is None else normalisers
    for key in list(log.bad_keys()):
        done = replays.replayed(key)
        rows = [row for row in log.read_bad(key) if selection.takes(row) and row.row_id not in done]
        passed: list[str] = []
        events: list[Event] = []
        for row in rows:
            found = _read(row, readers, report, intake)
            if found is not None:
                passed.append(row.row_id)
                events += (_flagged(event, bots) for event in found)
        report.rows += len(rows)
        report.replayed += len(passed)
        report.events += len(events)
        if passed and not dry_run:
            if events:
                log.append(events)
            replays.mark_replayed(key, passed)
    return report


def _read(
    row: BadRow, normalisers: Mapping[str, Normaliser], report: ReplayReport, intake: Callable[[Event], Event]
) -> list[Event] | None:
    """The events of a row as the lake is to keep them; None where it stays as it is."""
    stage = row.stage.partition("/")[0]
    normaliser = normalisers.get(stage)
    if normaliser is None:
        report.unknown_stage[row.stage] += 1
        return None
    try:
        events = normaliser(row)
        # What the fold refused comes out of the lake, and has been taken in already.
        return events if stage == UPDATE_STAGE else [intake(event) for event in events]
    except BadInputError as error:
        report.still_bad[error.code] += 1
        return None


def _flagged(event: Event, bots: BotDetector) -> Event:
    """A row does not know its request any more, so an event without an agent is not suspicious here."""
    agent = event.context.get("userAgent")
    if event.trust is not Trust.PUBLIC or event.bot is not None or not isinstance(agent, str):
        return event
    reason = bots.reason(agent)
    return event if reason is None else replace(event, bot=reason)


def read_event(row: BadRow) -> list[Event]:
    """Rows whose original is a canonical event: refused by ingest as a collision, or by the fold for lack of room.

    A collision gets an id of its own, made from its payload, so it stays one event however often it is replayed.
    Raises BadInputError `bad_json` when the original is not such a document.
    """
    try:
        event = event_from_doc(orjson.loads(row.original))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError("bad_json", "the original is not an event's document") from error
    if row.code != ID_COLLISION:
        return [event]
    suffix = f"~{event.payload_hash[:12]}"
    message_id = event.message_id[: MAX_MESSAGE_ID_CHARS - len(suffix)] + suffix
    return [replace(event, message_id=message_id, event_id=event_id_of(event.source, message_id))]


def read_collected(row: BadRow) -> list[Event]:
    """A call or a batch of collect; calls without an id get the same ones each time that the row is read. A batch of
    which only a part can be read stays as it is."""
    normalised = collect_doors.read_again(row, SeededIds(row.row_id))
    if normalised.bad:
        first = normalised.bad[0]
        raise BadInputError(first.code, first.detail)
    return normalised.events


def all_normalisers(*, shop_currency: str | None = None) -> dict[str, Normaliser]:
    """Who reads a row again, by the part of its stage before a slash. `shop_currency`: that of product prices in
    webhooks that name none; without it such products have no price."""
    return {
        COLLECT_STAGE: read_collected,
        receive_orders.STAGE: partial(receive_orders.read_again, currency=shop_currency),
        fetching.STAGE: partial(fetching.read_again, currency=shop_currency),
        signed_events.STAGE: signed_events.read_again,
        importing.STAGE: importing.read_again,
        INGEST_STAGE: read_event,
        UPDATE_STAGE: read_event,
    }
