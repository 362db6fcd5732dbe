"""Tick: who is due within the next minute goes to the due queue, held back by the queue until the second it is due."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from regulars.domain.instants import to_millis
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from regulars.ports import Clock, CustomerStore, Queue

LOOK_AHEAD = timedelta(seconds=60)
MAX_DUE = 20_000
"""Customers of one tick; the rest is still due a minute later, so a flood is worked off and not lost."""
_SEND_AT_ONCE = 500


def tick(*, store: CustomerStore, due: Queue, clock: Clock) -> int:
    """Send one message per due customer, and return how many. Raises TransientError: what was not sent is still due."""
    now = clock.now()
    found = islice(store.due(now + LOOK_AHEAD), MAX_DUE)
    sent = 0
    while batch := list(islice(found, _SEND_AT_ONCE)):
        due.send(
            [
                QueueMessage(
                    orjson.dumps({"v": 1, "node": node, "due_at": to_millis(due_at)}).decode(),
                    max(math.ceil((due_at - now).total_seconds()), 0),
                )
                for node, due_at in batch
            ]
        )
        sent += len(batch)
    return sent
