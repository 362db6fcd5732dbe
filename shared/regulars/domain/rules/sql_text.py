"""Rules as SQL: what all nodes share. The dialect is DuckDB's, kept to what other engines can be told, too
(adapters/population/athena.py).

Every condition is TRUE or FALSE, never NULL: absent values must satisfy `not_equals` and the like, and NOT must turn
verdicts round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from regulars.domain.instants import day_number, day_start, to_millis
from regulars.domain.rules.compiling import Setting
from regulars.domain.rules.windows import EVER, FOREVER, MAX_EVENT_DAYS, Dates, During, Window

DAY_MS = 86_400_000
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)
_RUNNING = {
    During.YESTERDAY: During.TODAY, During.LAST_WEEK: During.THIS_WEEK, During.LAST_MONTH: During.THIS_MONTH,
    During.LAST_YEAR: During.THIS_YEAR,
}  # fmt: skip

Bounds = tuple[int | None, int | None]
"""From the first on, to before the second; None is open."""


class MissingColumnError(LookupError):
    """A rule reads what the snapshot does not have: it was taken for other rules. The name is the argument."""


@dataclass(frozen=True)
class Query:
    """What a rule is written for: the instant, the setting, how columns are spelt in the snapshot.

    `figures` collects what rules have in common, such as how many orders were before an instant: each is found once for
    a customer, in a step before the rules. From expression to name.
    """

    now: datetime
    setting: Setting
    spelling: Mapping[str, str]
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def millis(self) -> int:
        """The instant as columns keep instants."""
        return to_millis(self.now)

    def column(self, name: str) -> str:
        """A column of the snapshot as SQL. Raises MissingColumnError."""
        spelling = self.spelling.get(name)
        if spelling is None:
            raise MissingColumnError(name)
        return quoted(spelling)

    def figure(self, name: str, expression: str) -> str:
        """The column of something found before the rules are looked at; `name` says what it is."""
        if expression not in self.figures:
            taken = {known.casefold() for known in self.figures.values()}
            self.figures[expression] = f"{name} ~{len(taken)}" if name.casefold() in taken else name
        return quoted(self.figures[expression])


@singledispatch
def condition(rule: object, query: Query) -> str:  # noqa: ARG001 - dispatches on the rule
    """The rule as a condition on a snapshot's row. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot write {type(rule).__name__} as SQL")


def quoted(name: str) -> str:
    """An identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(value: Any) -> str:
    """A constant: a text, true or false, a number (floats are doubles, not decimals), an instant, a duration in
    microseconds."""
    for kind, spelt in _LITERALS.items():
        if isinstance(value, kind):
            return spelt(value)
    raise TypeError(f"cannot write {type(value).__name__} as SQL")


def _double(value: float) -> str:
    text = repr(value)
    if not math.isfinite(value):
        return f"CAST('{text}' AS DOUBLE)"
    return text if "e" in text else f"{text}e0"


def _text(text: str) -> str:
    """A text between quotes; a NUL, which SQL text cannot hold, is spliced in."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"


_LITERALS: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: "TRUE" if value else "FALSE",  # before int, which it is, too
    int: str,
    float: _double,
    datetime: lambda value: str(to_millis(value)),
    timedelta: lambda value: str(value // timedelta(microseconds=1)),
    str: _text,
}


def known(test: str, *, unless: bool = False) -> str:
    """A test that is NULL where a value is absent, as TRUE or FALSE: `unless` is what it is then."""
    return f"COALESCE({test}, {literal(unless)})"


def both(conditions: list[str]) -> str:
    """All of them."""
    return conditions[0] if len(conditions) == 1 else f"({' AND '.join(conditions)})"


def either(conditions: list[str]) -> str:
    """At least one of them."""
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"


def instants_in(window: Window, query: Query) -> Bounds:
    """The instants, as epoch milliseconds, that are in a window now (Window.of_instant, seen from the other side)."""
    during, now = window.during, query.now
    if isinstance(during, Dates):
        return _instant(during.from_), _instant(during.to)
    if during is not None:
        begins, ends = _unit(during, query.now, query.setting)
        return to_millis(begins), to_millis(ends)
    first = None if window.within is None else to_millis(now - window.within) + 1
    return first, None if window.older_than is None else to_millis(now - window.older_than) + 1


def _instant(instant: datetime) -> int | None:
    return None if instant in (EVER, FOREVER) else to_millis(instant)


def _unit(during: During, now: datetime, setting: Setting) -> tuple[datetime, datetime]:
    """The day, week, month or year that `during` means now."""
    this = Window(during=_RUNNING.get(during, during))
    begins, ends = this.of_instant(now, setting.zone)
    if during not in _RUNNING:
        return begins, ends
    return this.of_instant(begins - _MILLISECOND, setting.zone)[0], begins


def days_in(window: Window, query: Query) -> Bounds:
    """The same for UTC day numbers (Window.of_day)."""
    during = window.during
    if isinstance(during, Dates):
        first, end = to_millis(during.from_), _instant(during.to)
        kept = _first_day_after(query.now - timedelta(days=MAX_EVENT_DAYS) - _DAY)
        return max(first // DAY_MS, kept), None if end is None else -(-end // DAY_MS)
    if during is not None:
        begins, ends = _unit(during, query.now, Setting())
        return day_number(begins), day_number(ends)
    first_day = None if window.within is None else _first_day_after(query.now - window.within - _DAY)
    return first_day, None if window.older_than is None else day_number(query.now - window.older_than) + 1


def _first_day_after(instant: datetime) -> int:
    """The first day that starts after an instant."""
    return day_number(instant) + 1


__all__ = [
    "DAY_MS", "Bounds", "MissingColumnError", "Query", "both", "condition", "day_start", "days_in", "either",
    "instants_in", "known", "literal", "quoted",
]  # fmt: skip
