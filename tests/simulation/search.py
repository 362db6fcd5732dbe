"""Enumeration, then search: every crash point of an orderly day, then seeds; and the checker's own test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache

from tests.simulation.bugs import BUGS, Bug
from tests.simulation.checker import simulate
from tests.simulation.faults import CHANGING, Fault, Plan
from tests.simulation.simulation import Outcome, Schedule

ORDERLY = Schedule(seed=11, hostile=False, rules=True)
"""One thing after the other, through every function: what is enumerated."""
RATES = (0.0, 0.02, 0.05, 0.1)
_WITH_IDENTITY = 4
"""Of eight seeds."""
Point = tuple[str, str, int]


@cache
def points() -> list[Point]:
    """Every AWS call of the orderly day: (function, operation, which of its calls)."""
    outcome = simulate(ORDERLY)
    if outcome.violations:
        raise AssertionError(outcome.violations)
    return [(function, operation, number) for _task, function, operation, number, _fault in outcome.trace]


def crashes(where: Iterable[Point], *, before: bool = True) -> Iterator[Outcome]:
    """The orderly day, killed after each of these calls, and `before` it."""
    for point in where:
        for fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER) if before else (Fault.CRASH_AFTER,):
            yield simulate(replace(ORDERLY, plan={point: fault}))


def share_of(where: list[Point], part: int) -> list[Point]:
    """The first call of each kind that changes anything, and one of `part` of the others."""
    return [point for index, point in enumerate(where) if (point[2] == 1 and _changes(point)) or index % part == 0]


def _changes(point: Point) -> bool:
    return point[1].partition(".")[2].startswith(CHANGING)


def seeded(seed: int, bug: Bug = nullcontext) -> Outcome:
    """One hostile schedule; the share of calls that fail goes with the seed, and so does whether identities and rules
    change."""
    rate = RATES[seed % len(RATES)]
    if seed % 8 < _WITH_IDENTITY:
        return simulate(Schedule(seed, operations=12, rate=rate, identity=True, rules=_has_rules(seed)), bug)
    return simulate(Schedule(seed, rate=rate, rules=_has_rules(seed)), bug)


def _has_rules(seed: int) -> bool:
    """Every third seed, of all rates, with identities or without."""
    return seed % 3 == 0


def _calls(function: str, operation: str, last: int, fault: Fault, *, after: int = 0) -> Plan:
    return {(function, operation, number): fault for number in range(after + 1, last + 1)}


HINTS: dict[str, Plan] = {
    "marked_before_effect": _calls("send_messages", "sesv2.SendEmail", 1, Fault.CRASH_BEFORE),
    "own_object_not_recognised": _calls("ingest", "s3.PutObject", 1, Fault.CRASH_AFTER),
    "sdk_retries_on_ses": _calls("send_messages", "sesv2.SendEmail", 1, Fault.LOST),
    "outbox_cleared_before_relay": _calls("evaluate_customers", "sqs.SendMessageBatch", 3, Fault.CRASH_BEFORE),
    "partial_failures_ignored": _calls("collect", "sqs.SendMessageBatch", 1, Fault.PARTIAL),
    "opt_out_not_looked_at": _calls("send_messages", "dynamodb.PutItem", 2, Fault.CRASH_BEFORE, after=1),
    "answered_before_stored": _calls("collect", "sqs.SendMessageBatch", 6, Fault.THROTTLE),
    "dead_attempts_never_given_up": _calls("send_messages", "sesv2.SendEmail", 1, Fault.CRASH_BEFORE),
}
"""Where a bug shows at once; the others are looked for by seed."""
SEEDS = {
    "no_optimistic_lock": 1010,
    "due_index_forgotten": 1000,
    "refresh_forgets_whom_it_touches": 1001,
    "unknown_is_sent_again": 1001,
    "no_fencing": 1006,
    "last_arrived_cart_wins": 1027,
    "outbox_not_stored": 1019,
    "failed_records_deleted": 1003,
    "profiles_are_never_filled": 1014,
    "changes_are_not_told": 1074,
    "who_loses_a_link_is_forgotten": 1106,
    "first_user_keeps_the_browser": 1003,
    "split_undone_by_the_next_event": 1001,
}
"""A seed that is tried first."""


@dataclass(frozen=True, slots=True)
class Catch:
    """How a bug was noticed: after how many schedules, and the first violation; None: it was not."""

    bug: str
    schedules: int
    violation: str | None


def caught(name: str, seeds: Iterable[int]) -> Catch:
    """Look for a bug by its hint or seed, without faults, and then by seeds."""
    tried = 1
    if name not in SEEDS and (found := simulate(replace(ORDERLY, plan=HINTS.get(name, {})), BUGS[name]).violations):
        return Catch(name, 1, found[0])
    for tried, seed in enumerate([SEEDS[name], *seeds] if name in SEEDS else seeds, start=1):
        if found := seeded(seed, BUGS[name]).violations:
            return Catch(name, tried, found[0])
    return Catch(name, tried, None)
