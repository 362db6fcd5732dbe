"""The snapshot of everybody: taken every night for the program in force, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from regulars.application.segments.population import each
from regulars.domain.errors import TransientError

if TYPE_CHECKING:
    from regulars.domain.customer import Customer
    from regulars.domain.program import CompiledProgram
    from regulars.domain.rules.view import View
    from regulars.domain.snapshots import SnapshotReport
    from regulars.ports import Clock, CustomerStore, ProgramStore

_LOOK = 500
"""The clock is looked at once in so many customers."""


class SnapshotStore(Protocol):
    """Where snapshots are kept."""

    def keep(self, customers: Iterable[View], program: CompiledProgram, now: datetime) -> SnapshotReport:
        """Write a row for each customer, as they come, but for those who cannot be computed. Nobody sees any of it
        before all are written; what an error cuts off is never seen. Several may be written at once: the one of the
        latest instant stays."""


def take_snapshot(
    *,
    store: CustomerStore,
    programs: ProgramStore,
    snapshots: SnapshotStore,
    clock: Clock,
    until: datetime | None = None,
) -> SnapshotReport:
    """Everybody, as the rules in force read them. Raises TransientError when it is not done by `until`: there is no
    snapshot then, and the one before stays."""
    now, program = clock.now(), programs.current().compiled
    left_out: list[str] = []

    def customers() -> Iterator[Customer]:
        people = each(lambda person: person.customer, store, program, now, left_out=left_out)
        for number, customer in enumerate(people):
            if until is not None and number % _LOOK == 0 and clock.now() >= until:
                raise TransientError("there is no time left to write a snapshot")
            yield customer

    report = snapshots.keep(customers(), program, now)
    return replace(report, left_out=(*left_out, *report.left_out))
