"""Refresh: what all customers together decide, thresholds and models, computed anew each night; then whom it moves.

No membership is decided here. New values are published as a new version of the parameters; when they are in force
everywhere, everybody is looked through, and only those for whom the program now says something else than their state
are brought up for evaluation. A definition that was put is followed the same way within minutes
(`application.changes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from regulars.application.publishing import SETTLED, amended, forget_beyond, noted, settled_at
from regulars.application.segments.population import each
from regulars.domain.customer_scores import seen_days
from regulars.domain.parameters import parameter_value
from regulars.domain.people import is_moved
from regulars.domain.scores.seen import chosen
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from regulars.domain.definitions import InForce
    from regulars.domain.parameters import ProgramParameters
    from regulars.domain.people import Person
    from regulars.domain.scores.model import NightlyFit
    from regulars.ports import Clock, CustomerStore, ProgramStore, Queue

History = tuple[Sequence[tuple[datetime, int]], Iterable[int]]
"""Somebody's orders that count, (placed_at, net minor units), oldest first, and the UTC days they were seen on."""
Fit = Callable[[Iterable[History], datetime], "NightlyFit"]
"""Fits the models of the scores to everybody; what cannot be fitted is absent, with its reason."""
_SEND_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """`customers` looked at, the parameters' `version` in force now, and how many customers were brought up.
    `left_out`: the customers of whom nothing can be computed. `suspended`: definitions that the files do not fit."""

    customers: int
    version: int
    changed: int
    left_out: tuple[str, ...] = ()
    suspended: frozenset[str] = frozenset()


def refresh(*, store: CustomerStore, programs: ProgramStore, fit: Fit, clock: Clock) -> RefreshReport:
    """Compute and publish. Safe to run twice, and two at once: of two only one's parameters are in force.

    The parameters name the program that they make; `announce` says when everybody has been looked through for it.
    """
    now = clock.now()
    force = programs.in_force()
    program, current = force.program, force.program.parameters
    events = chosen(current.scores, program.plan, current.parts)
    measures: list[dict[str, int]] = []
    left_out: list[str] = []

    def asked(person: Person) -> tuple[History, dict[str, int]]:
        customer = person.customer
        return (customer.orders(), seen_days(customer, events)), program.compiled.measures(customer, now)

    def people() -> Iterator[History]:
        for history, measured in each(asked, store, program.compiled, now, left_out=left_out):
            measures.append(measured)
            yield history

    scores = replace(fit(people(), now).model, seen_by=events)
    # A part of the past would give another value: what waits for the rest of it stays as it is.
    stay = program.waits.parameters
    values = {name: current.values[name] for name in sorted(stay & program.computed)} | {
        name: parameter_value(definition, (of_customer[name] for of_customer in measures))
        for name, definition in program.definitions.items()
        if name not in stay
    }
    marks = {name: (program.definition_marks if name in stay else program.own_marks)[name] for name in values}

    def computed(known: ProgramParameters) -> ProgramParameters | None:
        if known.computed_at != current.computed_at:
            return None  # another refresh was quicker
        fresh = replace(known, version=known.version + 1, computed_at=now, values=values, scores=scores)
        units = {name: program.units[name] for name in values}
        fresh = replace(fresh, files=force.files, computed_by=marks, units=units)
        return replace(noted(fresh, program, now), program=program.with_parameters(fresh).version)

    published = amended(programs, computed)
    forget_beyond((program.with_parameters(published) if published else program).plan, programs)
    version = published.version if published else current.version
    return RefreshReport(len(measures), version, 0, tuple(left_out), program.suspended)


def announce(*, store: CustomerStore, programs: ProgramStore, due: Queue, clock: Clock) -> RefreshReport:
    """Bring up whomever the program in force moves, unless everybody has been looked through for it already.

    They are looked for only SETTLED after its last change: somebody whose facts change before may be evaluated under
    the old program once more. Safe to run twice, and two at once.
    """
    now, force = clock.now(), programs.in_force()
    settled = settled_at(force.program.parameters)
    is_young = force.changed_at is not None and now - force.changed_at < SETTLED
    if settled is None or now < settled or is_young:
        return RefreshReport(0, force.program.parameters.version, 0)
    return look_through(force, store=store, programs=programs, due=due, now=now)


def look_through(
    force: InForce, *, store: CustomerStore, programs: ProgramStore, due: Queue, now: datetime
) -> RefreshReport:
    """Bring up whomever the program moves, unless that was done. It must be in force everywhere.

    That it is done is said last, so a run that dies on the way is finished by the next one; and only under files that
    are known to be deployed everywhere, or that a refresh has seen: else the next night looks once more. Who cannot
    be computed is left out.
    """
    program, current = force.program, force.program.parameters
    if current.announced == program.version:
        return RefreshReport(0, current.version, 0)
    left_out: list[str] = []

    def asked(person: Person) -> tuple[str, bool]:
        return person.customer.root, is_moved(person, program.compiled, now)

    looked_at, affected = 0, []
    for root, moved in each(asked, store, program.compiled, now, left_out=left_out):
        looked_at += 1
        if moved:
            affected.append(root)
    bring_up(due, affected, parameters=current.version)
    is_deployed = force.files in (current.files, current.deployed)
    done = amended(programs, lambda known: _announced(known, force, now)) if is_deployed else None
    return RefreshReport(looked_at, done.version if done else current.version, len(affected), tuple(left_out))


def bring_up(due: Queue, roots: Iterable[str], *, parameters: int) -> None:
    """Customers into the due queue, for evaluation under parameters of this version or newer."""
    waiting = iter(roots)
    while chunk := list(islice(waiting, _SEND_AT_ONCE)):
        bodies = [orjson.dumps({"v": 1, "node": root, "parameters": parameters}).decode() for root in chunk]
        due.send([QueueMessage(body) for body in bodies])


def _announced(known: ProgramParameters, force: InForce, now: datetime) -> ProgramParameters | None:
    """Parameters that say that everybody was looked through for a program; None where they do already."""
    if known.announced == force.program.version:
        return None
    return replace(
        known,
        announced=force.program.version,
        rules=force.program.compiled.known_rules,
        rules_before=known.rules,
        looked_at=now,
        looked_before=known.looked_at,
    )
