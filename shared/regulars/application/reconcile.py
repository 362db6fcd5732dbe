"""Reconcile: is the projection what the log says? Every night for a share of the nodes; what differs is rebuilt.

Two things that nothing else looks after come with it: customers whose due instant has long passed, though the tick
should have brought them up, and outboxes that still wait (their states are due too). They go to the due queue.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from regulars.application.publishing import SETTLED
from regulars.application.rebuild import EVERYBODY, Doing, Rebuild, RebuildReport, Slice
from regulars.application.segments.definitions import change_message
from regulars.domain.instants import day_number, to_millis
from regulars.ports import Part, QueueMessage

if TYPE_CHECKING:
    from regulars.ports import Clock, CustomerStore, DeadLetterQueue, Queue

SETTLED_AFTER = timedelta(hours=1)
"""What landed longer ago than this is taken to be folded."""
OVERDUE_AFTER = timedelta(minutes=15)
MAX_OVERDUE = 20_000
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """What `compared` found and mended; customers `overdue`, and how many of them had an outbox `dangling`; whether
    messages were waiting to be folded (`backlog`), in which case nothing was repaired."""

    compared: RebuildReport
    overdue: int
    dangling: int
    backlog: int


class Reconcile:
    """Call it with a slice of the nodes. `waiting`: the queues of what has landed and is not folded yet. `changes`
    hears of it when segments wait no longer."""

    def __init__(
        self,
        *,
        rebuild: Rebuild,
        store: CustomerStore,
        due: Queue,
        waiting: tuple[DeadLetterQueue, ...],
        clock: Clock,
        changes: Queue | None = None,
    ) -> None:
        self._rebuild = rebuild
        self._changes = changes
        self._store = store
        self._due = due
        self._waiting = waiting
        self._clock = clock

    def __call__(self, share: Slice, *, repair: bool = True, until: datetime | None = None) -> ReconcileReport:
        """Compare, and repair unless something waits to be folded: that will be, and what it makes of a customer
        deserves its messages, which a rebuild would not send. `until`: when to stop. Raises TransientError.

        A night after the rules began to look at something new, everybody is rebuilt: profiles keep it from then on.
        """
        now = self._clock.now()
        overdue, dangling = self._bring_up(now) if repair else self._count(now)
        backlog = sum(queue.waiting() for queue in self._waiting)
        doing = Doing(repair=repair and not backlog, settled=now - SETTLED_AFTER, until=until)
        if doing.repair and self._rebuild.is_wanted():
            share, doing = EVERYBODY, replace(doing, filling=True)
        compared = self._rebuild(share, doing)
        if doing.filling and self._changes is not None and not self._rebuild.is_wanted():
            self._changes.send([change_message(now, SETTLED)])
        return ReconcileReport(compared, overdue, dangling, backlog)

    def _overdue(self, now: datetime) -> list[tuple[str, datetime]]:
        return list(islice(self._store.due(now - OVERDUE_AFTER), MAX_OVERDUE))

    def _bring_up(self, now: datetime) -> tuple[int, int]:
        """Send who is overdue to the due queue: (customers, of these with an outbox)."""
        overdue = self._overdue(now)
        dangling = 0
        for start in range(0, len(overdue), _AT_ONCE):
            batch = overdue[start : start + _AT_ONCE]
            dangling += self._with_outbox([node for node, _ in batch])
            bodies = [orjson.dumps({"v": 1, "node": node, "due_at": to_millis(at)}).decode() for node, at in batch]
            self._due.send([QueueMessage(body) for body in bodies])
        return len(overdue), dangling

    def _count(self, now: datetime) -> tuple[int, int]:
        overdue = [node for node, _ in self._overdue(now)]
        return len(overdue), self._with_outbox(overdue)

    def _with_outbox(self, nodes: list[str]) -> int:
        heads = self._store.heads(nodes, parts=(Part.STATE,)) if nodes else {}
        return sum(bool(head.state and head.state.value.outbox) for head in heads.values())


def tonight(now: datetime, slices: int) -> Slice:
    """The share of the nodes whose turn it is on a UTC day: after `slices` nights each has had its own."""
    return Slice(day_number(now) % slices, slices)
