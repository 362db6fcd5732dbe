"""Client clocks: reading instants in the forms that clients send, and correcting them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from regulars.domain.events import corrected_timestamp
from regulars.domain.instants import from_millis, truncated

OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A corrected time before this is a broken clock, not history."""

_AHEAD = timedelta(hours=1)
_SECONDS_BELOW = 100_000_000_000
"""An epoch number under this is seconds (until year 5138); as milliseconds it would be before 1973-03-04."""


class Times(NamedTuple):
    """The instants of an event. `flag` says what was wrong with the client's: unreadable, future, past; None when
    nothing."""

    timestamp: datetime
    original: datetime | None
    sent_at: datetime | None
    flag: str | None


def parse_instant(value: object) -> datetime | None:
    """An instant from ISO 8601 (UTC where it names no zone) or epoch milliseconds or seconds, as number or digits.

    None where it is not readable as one. A leap second is read as the second before it. An instant that was read
    before is itself.
    """
    try:
        if isinstance(value, str):
            text = value.strip()
            if text.isascii() and text.isdigit():
                return _from_epoch(int(text[:20]))
            parsed = datetime.fromisoformat(text.replace(":60", ":59") if ":60" in text else text)
            return truncated(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        if isinstance(value, datetime):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_epoch(value)
    except (ValueError, OverflowError):
        return None
    return None


def _from_epoch(number: float) -> datetime:
    return from_millis(int(number * 1000 if abs(number) < _SECONDS_BELOW else number))


def event_times(original: object, sent_at: object, received_at: datetime) -> Times:
    """The four timestamps of Segment's common fields from what a client sent as `timestamp` and `sentAt`.

    A time that cannot be read counts as not sent; a corrected time before `OLDEST` is replaced by `received_at`.
    Both, and a client that is more than an hour ahead of itself or of us, are flagged.
    """
    happened, sent = parse_instant(original), parse_instant(sent_at)
    unreadable = (original is not None and happened is None) or (sent_at is not None and sent is None)
    flag = "unreadable" if unreadable else None
    try:
        timestamp = corrected_timestamp(original=happened, sent_at=sent, received_at=received_at)
    except OverflowError:
        timestamp = OLDEST - _AHEAD
    if timestamp < OLDEST:
        return Times(received_at, happened, sent, "past")
    if happened is not None and happened - (sent or received_at) > _AHEAD:
        flag = "future"
    return Times(timestamp, happened, sent, flag)
