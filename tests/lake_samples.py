"""Builders of events and bad rows for tests of the lake and of ingest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from regulars.adapters.contacts import ContactForms
from regulars.adapters.contract_checker import JsonSchemaContracts
from regulars.adapters.contract_files import newest_contracts
from regulars.application.intake import Intake
from regulars.domain.events import BadRow, Event, EventType, bad_row_to_doc, event_id_of, event_to_doc
from regulars.domain.sources import Sources

CONTRACTS = Path(__file__).parents[1] / "events" / "contracts"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@cache
def _contracts() -> JsonSchemaContracts:
    return JsonSchemaContracts(newest_contracts(CONTRACTS))


def an_intake(sources: Sources | None = None) -> Intake:
    """The intake of ingest, with the contracts of the repository."""
    return Intake(ContactForms(), _contracts(), sources or Sources())


def an_event(number: int = 1, **changes: Any) -> Event:
    """A product view by a browser, its ids and instants made from `number`."""
    event = Event(
        event_id=event_id_of("web", f"m{number}"),
        source="web",
        message_id=f"m{number}",
        type=EventType.TRACK,
        name="Product Viewed",
        anonymous_id=f"browser-{number}",
        timestamp=NOON + timedelta(seconds=number),
        received_at=NOON + timedelta(seconds=number, milliseconds=250),
        payload_hash=f"{number:032x}",
        context={"userAgent": BROWSER},
        properties={"product_id": str(number), "price": 1.5},
    )
    return replace(event, **changes)


def a_bad_row(number: int = 1, **changes: Any) -> BadRow:
    """A rejected track call."""
    row = BadRow(
        row_id=f"{number:032x}",
        source="web",
        stage="segment",
        code="missing_event",
        detail="event must be a text",
        received_at=NOON + timedelta(seconds=number),
        original='{"type":"track"}',
        message_id=f"bad-{number}",
    )
    return replace(row, **changes)


def a_message(events: list[Event] | None = None, bad: list[BadRow] | None = None) -> str:
    """The body of a message on the events queue."""
    document = {
        "v": 1,
        "events": [event_to_doc(event) for event in events or []],
        "bad": [bad_row_to_doc(row) for row in bad or []],
    }
    return orjson.dumps(document).decode()
