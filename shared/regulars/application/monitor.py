"""The monitor: every night, what yesterday's events were like, and what of it is unusual.

It reads the lake a day at a time, one object after the other, so memory does not grow with the day. A night that was
missed is made up for within a week; a day that is measured again is the same figures again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from regulars.domain.anomalies import WEEKS, anomalies
from regulars.domain.errors import TransientError
from regulars.domain.quality import DayQuality

if TYPE_CHECKING:
    from regulars.domain.contracts import Contract
    from regulars.ports import Clock, EventLog, QualityStore

CATCH_UP = 7
"""Days that are measured late if their night was missed."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """`contracts`: the newest of each event name."""

    log: EventLog
    store: QualityStore
    contracts: Mapping[str, Contract]
    clock: Clock

    def nightly(self, until: datetime) -> list[DayQuality]:
        """Measure yesterday, and the days since the last one that was measured; oldest first.

        Raises TransientError when time runs out: what is measured is kept, and the next run goes on from there.
        """
        yesterday = self.clock.now().date() - timedelta(days=1)
        known = self.store.qualities(yesterday - timedelta(days=7 * WEEKS + CATCH_UP), yesterday)
        days = [yesterday - timedelta(days=back) for back in range(CATCH_UP, 0, -1)]
        missed = [day for day in days if known and day > max(known)]
        measured = []
        for day in dict.fromkeys((*missed, yesterday)):
            known[day] = self._measured(day, known, until)
            measured.append(known[day])
        return measured

    def measure(self, day: date) -> DayQuality:
        """Measure one UTC day of receipt, judge it by the weeks before and keep it."""
        before = self.store.qualities(day - timedelta(weeks=WEEKS), day - timedelta(days=1))
        return self._measured(day, before, None)

    def _measured(self, day: date, known: Mapping[date, DayQuality], until: datetime | None) -> DayQuality:
        found = DayQuality(day)
        expected = {name: (contract.label, contract.fields()) for name, contract in self.contracts.items()}
        midnight = datetime.combine(day, time(), UTC)
        for key in self.log.keys(first_day=midnight, last_day=midnight):
            self._check(until)
            found.objects += 1
            for event in self.log.read(key):
                found.add(event, expected)
        for key in self.log.bad_keys(first_day=midnight, last_day=midnight):
            self._check(until)
            for row in self.log.read_bad(key):
                found.add_bad(row)
        found.anomalies = anomalies(found, known)
        self.store.keep_quality(found)
        return found

    def _check(self, until: datetime | None) -> None:
        if until is not None and self.clock.now() >= until:
            raise TransientError("there is no time left to measure the day")
