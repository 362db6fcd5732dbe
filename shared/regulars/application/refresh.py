"""Refresh: the thresholds that all customers together decide, computed anew each night.

No membership is decided here. New values are published as a new version of the parameters; when they are in force
everywhere, only the customers whose measure lies between the old and the new value of a threshold are brought up for
evaluation: nobody else's verdict can change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson

from regulars.domain.customer import Fragment, customer_of
from regulars.domain.links import partition
from regulars.domain.parameters import ProgramParameters, parameter_value
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regulars.domain.program import CompiledProgram
    from regulars.ports import Clock, CustomerStore, ProgramStore, Queue

SETTLED = timedelta(minutes=5)
"""After this long every evaluation is under new parameters: each is shorter, and keeps them for a minute."""
_SEND_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """`customers` looked at, the parameters' `version` in force now, and how many customers were brought up."""

    customers: int
    version: int
    changed: int


def refresh(*, store: CustomerStore, programs: ProgramStore, clock: Clock) -> RefreshReport:
    """Compute and publish. Safe to run twice, and two at once: of two only one's parameters are in force.

    The parameters say since which values not everybody has been brought up; `announce` takes that back.
    """
    now = clock.now()
    program = programs.current()
    current = program.parameters
    if not program.definitions:
        return RefreshReport(0, current.version, 0)
    measures = dict(_measures(store, program.compiled, now))
    values = {
        name: parameter_value(definition, (of_customer[name] for of_customer in measures.values()))
        for name, definition in program.definitions.items()
    }
    if values == program.values:
        return RefreshReport(len(measures), current.version, 0)
    fresh = ProgramParameters(current.version + 1, now, values, (*current.unannounced, program.values))
    published = programs.publish(fresh)
    return RefreshReport(len(measures), fresh.version if published else current.version, 0)


def announce(*, store: CustomerStore, programs: ProgramStore, due: Queue, clock: Clock) -> RefreshReport:
    """Bring up whoever new values may move, once every evaluation is under them.

    Whom they move is looked at only then (SETTLED after they were published): somebody whose measure changes before may
    be evaluated under the old values once more. What is unannounced is taken back last, so a run that dies on the way
    is finished by the next one. Safe to run twice, and two at once.
    """
    now = clock.now()
    program = programs.current()
    current = program.parameters
    if not current.unannounced or (current.computed_at is not None and now - current.computed_at < SETTLED):
        return RefreshReport(0, current.version, 0)
    measures = dict(_measures(store, program.compiled, now))
    thresholds = (*current.unannounced, program.values)
    affected = [root for root, mine in measures.items() if _is_touched(mine, thresholds)]
    messages = [
        QueueMessage(orjson.dumps({"v": 1, "node": root, "parameters": current.version}).decode()) for root in affected
    ]
    for start in range(0, len(messages), _SEND_AT_ONCE):
        due.send(messages[start : start + _SEND_AT_ONCE])
    done = replace(current, version=current.version + 1, unannounced=())
    programs.publish(done)
    return RefreshReport(len(measures), done.version, len(affected))


def _is_touched(mine: dict[str, int], thresholds: Sequence[Mapping[str, int]]) -> bool:
    """Whether a measure lies between any two of a parameter's values, old and new."""
    for name, measure in mine.items():
        known = [values[name] for values in thresholds if name in values]
        if len(set(known)) > 1 and min(known) <= measure <= max(known):
            return True
    return False


def _measures(store: CustomerStore, program: CompiledProgram, now: datetime) -> Iterator[tuple[str, dict[str, int]]]:
    """(root, measures) of every customer. Nodes without links, which are most, are customers by themselves and are not
    kept; the others are put together once all are read."""
    linked: dict[str, Fragment] = {}
    for node, head in store.scan():
        fragment = head.fragment(node)
        if fragment.profile.links:
            linked[node] = fragment
        else:
            yield node, _measured(node, [fragment], program, now)
    links = {node: fragment.profile.links for node, fragment in linked.items()}
    for root, members in partition(links, program.identity).items():
        yield root, _measured(root, [linked[member] for member in sorted(members)], program, now)


def _measured(root: str, fragments: list[Fragment], program: CompiledProgram, now: datetime) -> dict[str, int]:
    customer = customer_of(root, fragments, plan=program.plan, currency=program.currency, now=now, zone=program.zone)
    return program.measures(customer, now)
