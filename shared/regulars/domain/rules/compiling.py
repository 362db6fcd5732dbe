"""What all compiled rules share: facts read once, verdicts with their end.

Every leaf that depends on time changes only at instants that the customer's data fix (its *edges*). So one function
answers both questions, whether the rule holds and until when it surely goes on to, and `all` and `any` need only as
much as decides: an `all` with a rule that fails for good fails for good; one whose failing rules may recover fails at
least until the last of them might; one that holds does so until its first rule might fail. `any` is the mirror image.
The instant is never too late, which the property tests hold against a brute-force search; too early costs one
evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import accumulate
from typing import Any

from regulars.domain.rules.operands import ParameterRef
from regulars.domain.rules.view import OrderTotals, Value, View, order_totals
from regulars.domain.rules.windows import FOREVER, Reign

Verdict = tuple[bool, datetime]
"""Whether the rule holds, and the first later instant at which that may change by itself."""
HOLDS: Verdict = (True, FOREVER)
FAILS: Verdict = (False, FOREVER)
RunningDays = tuple[Sequence[int], Sequence[int]]
_MOST_EDGES = 64
"""Edges that are looked at for one that changes the verdict; the next one may, so it is named."""


class Facts(dict[str, Value]):
    """What one evaluation has read of a view: the order totals, and every field at most once, only when it decides."""

    __slots__ = ("_running", "_totals", "segments", "sums", "times", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.times, self.sums = view.order_totals()
        self.segments: dict[str, Verdict] = {}
        self._running: dict[str, RunningDays] = {}
        self._totals: dict[str, OrderTotals] = {}

    def __missing__(self, field: str) -> Value:
        value = self[field] = self.view.value(field)
        return value

    def totals(self, mark: str | None) -> OrderTotals:
        """The order totals of the orders that have a mark."""
        if mark is None:
            return self.times, self.sums
        totals = self._totals.get(mark)
        if totals is None:
            totals = self._totals[mark] = order_totals([(row.at, row.net or 0) for row in self.view.order_rows(mark)])
        return totals

    def running_days(self, event: str) -> RunningDays:
        """Days on which an event happened, newest first, and how many there were from each of them on."""
        running = self._running.get(event)
        if running is None:
            days = self.view.days(event)
            newest_first = sorted(days, reverse=True)
            running = self._running[event] = newest_first, list(accumulate(map(days.__getitem__, newest_first)))
        return running


Compiled = Callable[[Facts, datetime], Verdict]


@dataclass(frozen=True, eq=False)
class Setting:
    """What rules are compiled with: the parameters' values, the calendar's time zone, the rules of the segments that
    others name. `ends`: fields of one customer that time may change, and when; whoever decides looks at these instants
    himself, whoever explains has them here."""

    values: Mapping[str, int] = field(default_factory=dict)
    zone: tzinfo = UTC
    segments: Mapping[str, Any] = field(default_factory=dict)
    ends: Mapping[str, datetime] = field(default_factory=dict)
    ready: dict[str, Compiled] = field(default_factory=dict)

    def resolved(self, operand: Any) -> Any:
        """The operand with parameters replaced by their values."""
        if isinstance(operand, ParameterRef):
            return self.values[operand.parameter]
        if isinstance(operand, tuple):
            return tuple(self.resolved(item) for item in operand)
        return operand


def by_edges(edges: Iterable[datetime], holds: Callable[[datetime], bool], now: datetime) -> Verdict:
    """The verdict of something that changes at edges only, and the first of them at which it is another."""
    verdict = holds(now)
    coming = sorted({edge for edge in edges if edge > now and edge is not FOREVER})
    for edge in coming[:_MOST_EDGES]:
        if holds(edge) is not verdict:
            return verdict, edge
    return (verdict, coming[_MOST_EDGES]) if len(coming) > _MOST_EDGES else (verdict, FOREVER)


def by_reigns(reigns: Sequence[tuple[Reign, Any]], test: Callable[[list[Any]], bool], now: datetime) -> Verdict:
    """The same for things that each are in a window for a time: `test` says what follows from those that are."""

    def holds(then: datetime) -> bool:
        return test([thing for (begins, ends), thing in reigns if begins <= then < ends])

    return by_edges((edge for reign, _ in reigns for edge in reign), holds, now)
