"""Events on their way to the events queue, for use cases that make events themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.application.queue_messages import messages_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.domain.events import Event
    from regulars.ports import Queue


def tell(events: Sequence[Event], queue: Queue) -> None:
    """Put `events` on the events queue. Raises as Queue.send does; telling the same events again does no harm."""
    if events:
        queue.send(messages_of(events))
