"""Events on their way to the events queue, for use cases that make events themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from regulars.domain.events import event_to_doc
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.events import Event
    from regulars.ports import Queue

MESSAGE_VERSION = 1
_EVENTS_PER_MESSAGE = 50
"""Regulars' own events are well under 2 KB each, so a body stays far under the 240 KB that the queue's contract
allows."""


def tell(events: Sequence[Event], queue: Queue) -> None:
    """Put `events` on the events queue. Raises as Queue.send does; telling the same events again does no harm."""
    starts = range(0, len(events), _EVENTS_PER_MESSAGE)
    if events:
        queue.send([_message(events[start : start + _EVENTS_PER_MESSAGE]) for start in starts])


def _message(events: Sequence[Event]) -> QueueMessage:
    return QueueMessage(orjson.dumps({"v": MESSAGE_VERSION, "events": [event_to_doc(e) for e in events]}).decode())
