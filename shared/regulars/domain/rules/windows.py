"""Windows of time that aggregates look through: rolling, some time ago, of the calendar, between dates.

What happened at an instant is in a window for one stretch of *now*: in `within: 30d` from then until thirty days later,
in `during: last_month` for the month after its own. Such a stretch, its *reign*, depends on nothing else, so a verdict
can change only where one begins or ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from regulars.domain.instants import EVER, FOREVER, day_start, in_zone, later
from regulars.domain.rules.nodes import Node
from regulars.domain.rules.operands import context_of, instant_of

__all__ = [
    "ALWAYS", "EVER", "FOREVER", "MAX_EVENT_DAYS", "NEVER", "Dates", "During", "Reign", "Window", "bounded",
    "kept_long_enough", "whole_days", "window_of", "zone_of",
]  # fmt: skip
MAX_EVENT_DAYS = 400
_DAY = timedelta(days=1)
_KEPT = timedelta(days=MAX_EVENT_DAYS) + _DAY

Reign = tuple[datetime, datetime]
"""From the first instant on, until the second: when, seen from now, something is in a window."""
ALWAYS: Reign = (EVER, FOREVER)
NEVER: Reign = (FOREVER, FOREVER)


class During(StrEnum):
    """A day, week (from Monday), month or year of the calendar in the program's time zone, seen from now."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    THIS_WEEK = "this_week"
    LAST_WEEK = "last_week"
    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    THIS_YEAR = "this_year"
    LAST_YEAR = "last_year"


_UNITS = {
    During.TODAY: ("day", 0), During.YESTERDAY: ("day", 1), During.THIS_WEEK: ("week", 0),
    During.LAST_WEEK: ("week", 1), During.THIS_MONTH: ("month", 0), During.LAST_MONTH: ("month", 1),
    During.THIS_YEAR: ("year", 0), During.LAST_YEAR: ("year", 1),
}  # fmt: skip
_LONGEST = {
    During.TODAY: 1, During.YESTERDAY: 2, During.THIS_WEEK: 7, During.LAST_WEEK: 14, During.THIS_MONTH: 31,
    During.LAST_MONTH: 62, During.THIS_YEAR: 366,
}  # fmt: skip


def _in_context(raw: Any, info: ValidationInfo) -> datetime:
    return instant_of(raw, context_of(info).zone)


class Dates(Node):
    """Between two instants, the first included; one of them may be left open. A date without a time is a day of the
    program's calendar, and a time without a zone is of that, too."""

    from_: Annotated[datetime, BeforeValidator(_in_context)] = Field(default=EVER, alias="from")
    to: Annotated[datetime, BeforeValidator(_in_context)] = FOREVER

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.model_fields_set or self.from_ >= self.to:
            raise ValueError("must have from, to or both, from before to")
        return self


@dataclass(frozen=True, slots=True)
class Window:
    """`within` reaches back from now, `older_than` leaves out what is younger; `during` is of the calendar."""

    within: timedelta | None = None
    older_than: timedelta | None = None
    during: During | Dates | None = None

    @property
    def is_rolling(self) -> bool:
        """Whether it is `within` alone, or all time."""
        return self.older_than is None and self.during is None

    @property
    def reaches_into_the_past(self) -> bool:
        """Whether what happens today is left out."""
        back = isinstance(self.during, During) and _UNITS[self.during][1] > 0
        return self.older_than is not None or isinstance(self.during, Dates) or back

    def days(self) -> int:
        """How many UTC days back its events must be kept: 0 for none."""
        if isinstance(self.during, Dates):
            return MAX_EVENT_DAYS
        if self.during is not None:
            return _LONGEST[self.during]
        if self.within is None:
            return 0 if self.older_than is None else MAX_EVENT_DAYS
        return self.within // _DAY

    def of_instant(self, at: datetime, zone: tzinfo) -> Reign:
        """When something that happened at an instant is in the window."""
        during = self.during
        if isinstance(during, Dates):
            return ALWAYS if during.from_ <= at < during.to else NEVER
        if during is not None:
            unit, back = _UNITS[during]
            begins, ends = _turns(at, unit, zone)
            return (begins, ends) if not back else (ends, _turns(ends, unit, zone)[1])
        begins = EVER if self.older_than is None else later(at, self.older_than)
        return begins, FOREVER if self.within is None else later(at, self.within)

    def of_day(self, day: int) -> Reign:
        """The same for the events of a UTC day, which are known by the day: each of them counts as long as any of them
        might. Between dates, too, no longer than they are kept for sure: whether somebody did something new, with which
        old days are forgotten, must not matter."""
        start = day_start(day)
        if isinstance(self.during, Dates):
            inside = self.during.from_ < start + _DAY and start < self.during.to
            return (EVER, later(start, _KEPT)) if inside else NEVER
        if self.during is not None:
            return self.of_instant(start, UTC)
        begins = EVER if self.older_than is None else later(start, self.older_than)
        return begins, FOREVER if self.within is None else later(start, self.within + _DAY)


@lru_cache(maxsize=4096)
def _turns(at: datetime, unit: str, zone: tzinfo) -> Reign:
    """When the day, week, month or year that holds an instant begins and ends."""
    today = in_zone(at, zone).date()
    first = _FIRST[unit](today)
    return _midnight(first, zone), _midnight(_FIRST[unit](first + timedelta(days=_SURELY_NEXT[unit])), zone)


_FIRST: dict[str, Callable[[date], date]] = {
    "day": lambda today: today,
    "week": lambda today: today - timedelta(days=today.weekday()),
    "month": lambda today: today.replace(day=1),
    "year": lambda today: today.replace(month=1, day=1),
}
_SURELY_NEXT = {"day": 1, "week": 7, "month": 31, "year": 366}


def _midnight(day: date, zone: tzinfo) -> datetime:
    return in_zone(datetime.combine(day, time(), zone), UTC)


def zone_of(name: str) -> tzinfo:
    """The IANA time zone of that name. Raises ValueError when there is none."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("must be a time zone such as Europe/Berlin or UTC") from error


def window_of(node: Any) -> Window:
    """The window of a node that has the three keys."""
    return Window(node.within, node.older_than, node.during)


def whole_days(span: timedelta | None, *, by_day: bool) -> timedelta | None:
    """Events are kept by the day, so a window on them is in days; one on orders is free. Raises ValueError."""
    if span is not None and by_day and (span % _DAY or span > timedelta(days=MAX_EVENT_DAYS)):
        raise ValueError(f"events are counted by the day: use whole days, at most {MAX_EVENT_DAYS}d")
    return span


def kept_long_enough(during: During | Dates | None, *, by_day: bool) -> During | Dates | None:
    """Events are kept for so many days only. Raises ValueError."""
    if by_day and during is During.LAST_YEAR:
        raise ValueError(f"events are kept for {MAX_EVENT_DAYS} days; only orders can be asked for last year")
    if by_day and isinstance(during, Dates) and during.from_ == EVER:
        raise ValueError(f"events are kept for {MAX_EVENT_DAYS} days: add from; only orders can be asked for ever")
    return during


def bounded(older_than: timedelta | None, within: timedelta | None, *, by_day: bool) -> timedelta | None:
    """So what of events lies some time ago must have a bound farther back. Raises ValueError."""
    if by_day and older_than is not None and within is None:
        raise ValueError(
            f"events are kept for {MAX_EVENT_DAYS} days: add within, such as within: {MAX_EVENT_DAYS}d; "
            "only orders can be asked for ever"
        )
    return older_than
