"""Following changes: definitions that were put or taken out, and files that were deployed, act on everybody in minutes.

Each change is told by a message that is heard when its program is in force everywhere. Then profiles are filled with
what it newly looks at, should it wait for that; and once this is in force, too, everybody is looked through, and whom
the program moves is brought up. No model is fitted and no threshold computed: that is the night's.

A message does nothing where another change came later, which has one of its own, and where everybody was looked through
already: several changes in a row cost one look. What is lost, or does not fit into the time, the night does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from regulars.application.publishing import SETTLED, amended, forget_beyond, forgotten, noted, settled_at
from regulars.application.rebuild import EVERYBODY, Doing
from regulars.application.refresh import look_through
from regulars.application.segments.definitions import change_message, changed_at_of

if TYPE_CHECKING:
    from regulars.application.rebuild import Rebuild
    from regulars.domain.definitions import InForce
    from regulars.domain.parameters import ProgramParameters
    from regulars.ports import Clock, CustomerStore, DeadLetterQueue, ProgramStore, Queue

LEFT_TO_THE_FOLD = timedelta(days=1)
"""What landed within this time and no profile has heard of is on its way through the queue, which is never empty by
day. It is left to the fold, for what it makes of a customer deserves its messages."""


@dataclass(frozen=True, slots=True)
class ChangesReport:
    """`failed`: ids of the messages that nobody can read. Customers `looked_at`, and `moved`: brought up. Nodes
    `rebuilt`; `waiting`: whether rules wait for the night, as not everything could be filled.
    `left_out`: the customers of whom nothing can be computed. `suspended`: definitions that the files do not fit."""

    failed: frozenset[str] = frozenset()
    looked_at: int = 0
    moved: int = 0
    rebuilt: int = 0
    waiting: bool = False
    left_out: tuple[str, ...] = ()
    suspended: frozenset[str] = frozenset()


def deployed(*, programs: ProgramStore, changes: Queue, clock: Clock, rolled_back: bool = False) -> bool:
    """A deployment has come to its end: whether it brought other rules, which are in force from now on. One that was
    `rolled_back` may have brought others for a while, by which customers were evaluated, and profiles pruned.

    Told before it is noted, so what dies in between is told again. Safe to run twice.
    """
    now, force = clock.now(), programs.in_force()

    def noticed(known: ProgramParameters) -> ProgramParameters | None:
        told = noted(known, force.program, now)
        if not rolled_back and known.deployed == force.files and told.since == known.since:
            return None
        told = replace(told, deployed=force.files, announced=None, in_doubt=rolled_back or known.in_doubt)
        return forgotten(told, force.program.plan)

    if noticed(force.program.parameters) is None:
        return False
    changes.send([change_message(now)])
    amended(programs, noticed)
    return True


class FollowChanges:
    """Call it with a batch of the changes queue. `lost`: where messages about what has landed are left that nobody
    could fold; while there are some, nothing is filled (`Reconcile`)."""

    def __init__(
        self,
        *,
        rebuild: Rebuild,
        store: CustomerStore,
        programs: ProgramStore,
        changes: Queue,
        due: Queue,
        lost: DeadLetterQueue,
        clock: Clock,
    ) -> None:
        self._rebuild = rebuild
        self._store = store
        self._programs = programs
        self._changes = changes
        self._due = due
        self._lost = lost
        self._clock = clock

    def __call__(self, messages: Iterable[tuple[str, str]], *, until: datetime | None = None) -> ChangesReport:
        """Follow the newest of the changes in (message id, body) pairs; filling stops at `until`.

        Raises TransientError: all of it can be done again.
        """
        heard, failed = [], set()
        for id_, body in messages:
            try:
                heard.append(changed_at_of(body))
            except ValueError:
                failed.add(id_)
        return self._follow(max(heard), until, frozenset(failed)) if heard else ChangesReport(frozenset(failed))

    def _follow(self, changed_at: datetime, until: datetime | None, failed: frozenset[str]) -> ChangesReport:
        force, now = self._programs.in_force(), self._clock.now()
        if force.changed_at is not None and force.changed_at > changed_at:
            return ChangesReport(failed)
        program = force.program
        settled = settled_at(program.parameters)
        if settled is not None and settled > now:  # a refresh has just come between
            self._changes.send([change_message(changed_at, settled - now)])
            return ChangesReport(failed)
        force = self._noted(force, changed_at)
        forget_beyond(program.plan, self._programs)  # again: a rebuild under the plan before may have come between
        rebuilt = 0
        if program.waits:
            rebuilt = self._filled(now, until)
            if not self._programs.in_force().program.waits:
                self._changes.send([change_message(changed_at, SETTLED)])
                return ChangesReport(failed, rebuilt=rebuilt)
        looked = look_through(force, store=self._store, programs=self._programs, due=self._due, now=now)
        if not program.waits and self._rebuild.is_wanted():
            # Of a new store nobody knows what profiles keep, so nothing waits, and all is filled as soon as it can be.
            rebuilt = self._filled(now, until)
        waiting, left_out = bool(program.waits), looked.left_out
        return ChangesReport(failed, looked.customers, looked.changed, rebuilt, waiting, left_out, program.suspended)

    def _noted(self, force: InForce, at: datetime) -> InForce:
        """What is in force, with since when the rules are of which nobody said it."""

        def since(known: ProgramParameters) -> ProgramParameters | None:
            told = noted(known, force.program, at)
            return None if told == known else told

        told = amended(self._programs, since)
        return force if told is None else replace(force, program=force.program.with_parameters(told))

    def _filled(self, now: datetime, until: datetime | None) -> int:
        """Fill profiles with what the rules newly look at; how many nodes were written."""
        if self._lost.waiting():
            return 0
        doing = Doing(settled=now - LEFT_TO_THE_FOLD, until=until, filling=True)
        return self._rebuild(EVERYBODY, doing).rebuilt
