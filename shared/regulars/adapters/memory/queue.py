"""`Queue` in memory, with a receiving side for tests and benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.ports import QueueMessage


class MemoryQueue:
    """Keeps messages in order of arrival. While `available` is False it takes nothing, as a queue that is down does."""

    def __init__(self) -> None:
        self.messages: list[QueueMessage] = []
        self.available = True

    def send(self, messages: Sequence[QueueMessage]) -> None:
        """Take all messages. Raises TransientError, and takes none, while the queue is not available."""
        if not self.available:
            raise TransientError("the queue is not available")
        self.messages.extend(messages)

    def receive(self) -> list[QueueMessage]:
        """All messages, which leave the queue."""
        taken, self.messages = self.messages, []
        return taken
