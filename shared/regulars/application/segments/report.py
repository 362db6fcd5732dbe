"""How segments fare: size over time, who came and went, overlap, revenue; and which are too small or never change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

from regulars.application.segments.population import each
from regulars.domain.events import BY_SYSTEM
from regulars.domain.instants import day_number, day_start, iso
from regulars.domain.money import decimal_text

if TYPE_CHECKING:
    from regulars.domain.people import Person
    from regulars.domain.program import Program
    from regulars.ports import Clock, CustomerStore, EventLog, ProgramStore

ENTERED, EXITED = "Segment Entered", "Segment Exited"
TOO_SMALL, NEVER_CHANGING = "too_small", "never_changing"
_DELIVERED_WITHIN = timedelta(days=1)
"""Decisions land in the lake within minutes; a day later they are looked for still."""


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of a segment: who came and went, and the size at its end."""

    day: int
    entries: int
    exits: int
    size: int


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """One segment. `drift`: change of its size since the first day began, as a share of that size (None where nobody
    was in it). `turnover`: entries and exits for each member that it has on average. `revenue_minor`: what its members
    have brought altogether, ever. `flags`: `too_small`, `never_changing`."""

    name: str
    size: int
    share: float
    days: tuple[Day, ...]
    drift: float | None
    turnover: float | None
    revenue_minor: int
    flags: tuple[str, ...]

    @property
    def entries(self) -> int:
        """How often anybody came in these days."""
        return sum(day.entries for day in self.days)

    @property
    def exits(self) -> int:
        """How often anybody went."""
        return sum(day.exits for day in self.days)

    @property
    def revenue_per_member(self) -> int:
        """Minor units, rounded down."""
        return self.revenue_minor // self.size if self.size else 0


@dataclass(frozen=True, slots=True)
class Report:
    """All segments of the program in force, as decided; `both` has how many are in two of them, where anybody is.
    `not_computed`: so many customers of whom nothing can be computed are left out."""

    at: datetime
    currency: str
    program_version: str
    customers: int
    segments: tuple[SegmentFigures, ...]
    both: Mapping[tuple[str, str], int]
    not_computed: int = 0


@dataclass(slots=True)
class _Now:
    """What the states say; `left_out`: of these customers nothing."""

    left_out: list[str] = field(default_factory=list)
    customers: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    revenue: Counter[str] = field(default_factory=Counter)
    both: Counter[tuple[str, str]] = field(default_factory=Counter)


class ReportSegments:
    """Call it with the number of days to look back. Reads every customer once, and the lake's objects of those days."""

    def __init__(self, *, store: CustomerStore, log: EventLog, programs: ProgramStore, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._programs = programs
        self._clock = clock

    def __call__(self, days: int = 30, *, smallest: int = 20) -> Report:
        """`smallest`: a segment of fewer members is flagged."""
        program, now = self._programs.current(), self._clock.now()
        last = day_number(now)
        first = last - days + 1
        moves = self._moves(first, last)
        present = self._present(program, now)
        figures = []
        for name in (segment.name for segment in program.segments):
            size = present.sizes[name]
            by_day = tuple(_days(size, moves.get(name, {}), first, last))
            figures.append(_figures(name, size, by_day, present, smallest))
        return Report(
            now,
            program.currency,
            program.version,
            present.customers,
            tuple(figures),
            present.both,
            len(present.left_out),
        )

    def _present(self, program: Program, now: datetime) -> _Now:
        found = _Now()
        known = frozenset(segment.name for segment in program.segments)

        def asked(person: Person) -> tuple[list[str], int]:
            members = sorted(known & person.state.memberships.keys()) if person.state else []
            return members, sum(net for _, net in person.customer.orders()) if members else 0

        for members, revenue in each(asked, self._store, program.compiled, now, left_out=found.left_out):
            found.customers += 1
            found.sizes.update(members)
            found.both.update(combinations(members, 2))
            for name in members:
                found.revenue[name] += revenue
        return found

    def _moves(self, first: int, last: int) -> dict[str, dict[int, list[int]]]:
        """Segment to day to [entries, exits], each decision counted once however often the lake has it."""
        moves: dict[str, dict[int, list[int]]] = {}
        seen: set[int] = set()
        for key in self._log.keys(first_day=day_start(first), last_day=day_start(last) + _DELIVERED_WITHIN):
            for event in self._log.read(key):
                if event.trust is not BY_SYSTEM or event.name not in (ENTERED, EXITED):
                    continue  # anybody may send events of that name
                day = day_number(event.timestamp)
                if not first <= day <= last:
                    continue
                short = int(event.event_id[:16], 16)
                if short not in seen:
                    seen.add(short)
                    name = str(event.properties.get("segment"))
                    moves.setdefault(name, {}).setdefault(day, [0, 0])[event.name == EXITED] += 1
        return moves


def _days(size: int, moves: Mapping[int, Sequence[int]], first: int, last: int) -> Iterable[Day]:
    """Each day with the size at its end, walked back from the size now."""
    found = []
    for day in range(last, first - 1, -1):
        entries, exits = moves.get(day, (0, 0))
        found.append(Day(day, entries, exits, size))
        size = max(size - entries + exits, 0)
    return reversed(found)


def _figures(name: str, size: int, days: tuple[Day, ...], present: _Now, smallest: int) -> SegmentFigures:
    before = max(days[0].size - days[0].entries + days[0].exits, 0)
    average = sum(day.size for day in days) / len(days)
    moved = sum(day.entries + day.exits for day in days)
    flags = [TOO_SMALL] if size < smallest else []
    if not moved:
        flags.append(NEVER_CHANGING)
    return SegmentFigures(
        name=name,
        size=size,
        share=size / present.customers if present.customers else 0.0,
        days=days,
        drift=(size - before) / before if before else None,
        turnover=moved / average if average else None,
        revenue_minor=present.revenue[name],
        flags=tuple(flags),
    )


def report_doc(report: Report) -> dict[str, Any]:
    """The JSON document of a report."""
    return {
        "at": iso(report.at),
        "program_version": report.program_version,
        "customers": report.customers,
        "not_computed": report.not_computed,
        "currency": report.currency,
        "segments": [_figures_doc(figures, report.currency) for figures in report.segments],
        "overlap": list(_overlap(report)),
    }


def _figures_doc(figures: SegmentFigures, currency: str) -> dict[str, Any]:
    return {
        "segment": figures.name,
        "size": figures.size,
        "share": round(figures.share, 4),
        "entries": figures.entries,
        "exits": figures.exits,
        "drift": None if figures.drift is None else round(figures.drift, 4),
        "turnover": None if figures.turnover is None else round(figures.turnover, 4),
        "revenue_per_member": decimal_text(figures.revenue_per_member, currency),
        "flags": list(figures.flags),
        "days": [
            {"day": day_start(day.day).date().isoformat(), "entries": day.entries, "exits": day.exits, "size": day.size}
            for day in figures.days
        ],
    }


def _overlap(report: Report) -> Iterator[dict[str, Any]]:
    """Pairs of segments, the most alike first; `alike` is Jaccard's index: both by either."""
    sizes = {figures.name: figures.size for figures in report.segments}
    found = [
        {"segments": [one, other], "both": both, "alike": round(both / (sizes[one] + sizes[other] - both), 4)}
        for (one, other), both in report.both.items()
    ]
    yield from sorted(found, key=lambda item: (-float(str(item["alike"])), str(item["segments"])))
