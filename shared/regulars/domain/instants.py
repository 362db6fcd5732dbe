"""Instants are aware UTC datetimes, cut to the millisecond so that a round trip through storage changes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)
"""No instant at all: what would be after it never comes."""
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MILLISECOND = timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """The instant `millis` milliseconds after 1970-01-01T00:00Z. Raises OverflowError outside years 1-9999."""
    return EPOCH + millis * _MILLISECOND


def to_millis(instant: datetime) -> int:
    """Whole milliseconds since 1970-01-01T00:00Z, rounded down. `instant` must be aware."""
    return (instant - EPOCH) // _MILLISECOND


def truncated(instant: datetime) -> datetime:
    """The same instant in UTC, rounded down to the millisecond."""
    if instant.tzinfo is UTC and not instant.microsecond % 1000:
        return instant
    return from_millis(to_millis(instant))


def later(instant: datetime, span: timedelta) -> datetime:
    """`span` after an instant; FOREVER where the calendar ends before that, as after a date of the year 9999."""
    try:
        return instant + span
    except OverflowError:
        return FOREVER


def earlier(instant: datetime, span: timedelta) -> datetime:
    """`span` before an instant; EVER where the calendar begins after that."""
    try:
        return instant - span
    except OverflowError:
        return EVER


def in_zone(instant: datetime, zone: tzinfo) -> datetime:
    """The instant on a zone's clock; at either end of the calendar, where that clock has no such time, on UTC's."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant.replace(tzinfo=zone)


def day_number(instant: datetime) -> int:
    """Days since 1970-01-01 of the UTC day that holds `instant`."""
    return instant.toordinal() - _EPOCH_ORDINAL


def day_start(day: int) -> datetime:
    """The first instant of UTC day number `day`."""
    return EPOCH + timedelta(days=day)


def iso(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, e.g. `2026-11-22T09:30:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
