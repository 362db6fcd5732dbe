"""Events of server-side systems (a support desk, a review tool, an enrichment service): Segment's calls, signed.

They pass the very normaliser that collect has, and are believed: `trust` is `signed`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from regulars.application.bad_rows import original_bytes
from regulars.application.collect.doors import BATCH, DOORS, MEMBER
from regulars.application.collect.normalised import Normalised
from regulars.application.collect.receipt import Receipt
from regulars.application.collect.wire import inflated, parsed_object
from regulars.application.seeded_ids import SeededIds
from regulars.domain.errors import BadInputError
from regulars.domain.events import Trust

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.domain.events import BadRow, Event

STAGE = "signed_events"
"""A row's stage is `signed_events/<batch or member>`: the door that reads its original again."""
MAX_BYTES = 500 * 1024


def signed_events(raw: bytes, *, source: str, received_at: datetime, request_id: str) -> Normalised:
    """The events and bad rows of a body: a batch of calls (`{"batch": [...]}`), or one call with its `type`.

    The body may be gzip. A call without an id gets one that is made of the body, so the same body again makes the same
    ones. Raises BadInputError when the whole of it is bad.
    """
    body = inflated(raw, MAX_BYTES)
    document = parsed_object(body)
    door = BATCH if "batch" in document else MEMBER
    receipt = Receipt(source=source, received_at=received_at, request_id=request_id)
    found = DOORS[door](body, document, receipt, SeededIds(hashlib.sha256(body).hexdigest()[:32]))
    found.events = [replace(event, trust=Trust.SIGNED) for event in found.events]
    found.bad = [replace(row, stage=f"{STAGE}/{MEMBER}") for row in found.bad]
    return found


def read_again(row: BadRow) -> list[Event]:
    """A bad row of this stage once more, as of its own receipt. Raises BadInputError when (a part of) it is still
    bad."""
    found = signed_events(original_bytes(row), source=row.source, received_at=row.received_at, request_id=row.row_id)
    if found.bad:
        raise BadInputError(found.bad[0].code, found.bad[0].detail)
    return found.events
