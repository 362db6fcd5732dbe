"""Refresh: what all customers together decide, thresholds and models, computed anew each night; then whom it moves.

No membership is decided here. New values are published as a new version of the parameters; when they are in force
everywhere, everybody is looked through, and only those for whom the program now says something else than their state
are brought up for evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from regulars.application.segments.population import everybody
from regulars.domain.customer_scores import seen_days
from regulars.domain.parameters import parameter_value
from regulars.domain.people import is_moved
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from regulars.domain.scores.model import NightlyFit
    from regulars.ports import Clock, CustomerStore, ProgramStore, Queue

History = tuple[Sequence[tuple[datetime, int]], Iterable[int]]
"""Somebody's orders that count, (placed_at, net minor units), oldest first, and the UTC days they were seen on."""
Fit = Callable[[Iterable[History], datetime], "NightlyFit"]
"""Fits the models of the scores to everybody; what cannot be fitted is absent, with its reason."""
SETTLED = timedelta(minutes=5)
"""After this long every evaluation is under new parameters: each is shorter, and keeps them for a minute."""
_SEND_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """`customers` looked at, the parameters' `version` in force now, and how many customers were brought up."""

    customers: int
    version: int
    changed: int


def refresh(*, store: CustomerStore, programs: ProgramStore, fit: Fit, clock: Clock) -> RefreshReport:
    """Compute and publish. Safe to run twice, and two at once: of two only one's parameters are in force.

    The parameters name the program that they make; `announce` says when everybody has been looked through for it.
    """
    now = clock.now()
    program = programs.current()
    current = program.parameters
    measures: list[dict[str, int]] = []

    def people() -> Iterator[History]:
        for person in everybody(store, program.compiled, now):
            measures.append(program.compiled.measures(person.customer, now))
            yield person.customer.orders(), seen_days(person.customer)

    scores = fit(people(), now).model
    values = {
        name: parameter_value(definition, (of_customer[name] for of_customer in measures))
        for name, definition in program.definitions.items()
    }
    fresh = replace(current, version=current.version + 1, computed_at=now, values=values, scores=scores)
    published = programs.publish(replace(fresh, program=program.with_parameters(fresh).version))
    return RefreshReport(len(measures), fresh.version if published else current.version, 0)


def announce(*, store: CustomerStore, programs: ProgramStore, due: Queue, clock: Clock) -> RefreshReport:
    """Bring up whomever the program that the last refresh made moves.

    They are looked for only SETTLED after it was published: somebody whose facts change before may be evaluated under
    the old program once more. That it is done is said last, so a run that dies on the way is finished by the next one.
    Safe to run twice, and two at once.
    """
    now = clock.now()
    program = programs.current()
    current = program.parameters
    settled = current.computed_at is not None and now - current.computed_at >= SETTLED
    if current.program != program.version or current.announced == current.program or not settled:
        return RefreshReport(0, current.version, 0)
    looked_at, affected = 0, []
    for person in everybody(store, program.compiled, now):
        looked_at += 1
        if is_moved(person, program.compiled, now):
            affected.append(person.customer.root)
    messages = [
        QueueMessage(orjson.dumps({"v": 1, "node": root, "parameters": current.version}).decode()) for root in affected
    ]
    for start in range(0, len(messages), _SEND_AT_ONCE):
        due.send(messages[start : start + _SEND_AT_ONCE])
    done = replace(current, version=current.version + 1, announced=program.version)
    programs.publish(done)
    return RefreshReport(looked_at, done.version, len(affected))
