"""What a normaliser makes of one request: good events, bad rows, and events that must not be stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regulars.application.bad_rows import row_of
from regulars.application.collect.segment import refusal

if TYPE_CHECKING:
    from regulars.application.collect.receipt import Receipt
    from regulars.domain.errors import BadInputError
    from regulars.domain.events import BadRow, Event

STAGE = "collect"
"""A bad row's stage is `collect/<door>`: the normaliser that reads its original again."""


@dataclass(slots=True)
class Normalised:
    """What became of one request. `refused`: reason to number of good events that must not be stored.

    `errors`: (index in the batch, code) of each bad row, in order.
    """

    events: list[Event] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)

    def take(self, event: Event, receipt: Receipt) -> None:
        """Keep a good event, or count why it must not be kept."""
        reason = refusal(event, receipt)
        if reason is None:
            self.events.append(event)
        else:
            self.refused[reason] = self.refused.get(reason, 0) + 1

    def reject(self, row: BadRow, index: int) -> None:
        """Keep a bad row."""
        self.bad.append(row)
        self.errors.append((index, row.code))

    def answer(self) -> dict[str, object]:
        """What the sender is told. Members that were rejected are named; what must not be stored counts as accepted,
        as it is not to come again."""
        if not self.errors:
            return {"success": True}
        return {
            "success": True,
            "accepted": len(self.events) + sum(self.refused.values()),
            "rejected": len(self.bad),
            "errors": [{"index": index, "code": code} for index, code in self.errors],
        }

    def counters(self) -> dict[str, int]:
        """Only what is out of the ordinary: a metric line for each request would cost more than storing its events."""
        counters = {f"EventsRefused{reason}": number for reason, number in self.refused.items()}
        if self.bad:
            counters["BadRows"] = len(self.bad)
        return counters


def rejected(
    receipt: Receipt, door: str, error: BadInputError, original: bytes, message_id: object = None, *, index: int = 0
) -> BadRow:
    """The bad row of one payload of an authenticated request."""
    return row_of(
        error,
        original,
        source=receipt.source,
        stage=f"{STAGE}/{door}",
        received_at=receipt.received_at,
        request_id=receipt.request_id,
        index=index,
        message_id=message_id,
    )
