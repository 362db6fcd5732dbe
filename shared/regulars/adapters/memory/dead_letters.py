"""`DeadLetterQueue` and `TableStream` in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.errors import PermanentError
from regulars.ports import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from regulars.domain.stored import Change
    from regulars.ports import StreamPosition

_AT_ONCE = 10


class MemoryDeadLetters:
    """`put` is how they get there; `bodies` looks at all of them."""

    def __init__(self) -> None:
        self._letters: dict[str, DeadLetter] = {}
        self._hidden: set[str] = set()
        self._count = 0

    @property
    def bodies(self) -> list[str]:
        """What is there, received or not."""
        return [letter.body for letter in self._letters.values()]

    def put(self, body: str, sent_at: datetime) -> None:
        """A message that failed too often."""
        self._count += 1
        handle = str(self._count)
        self._letters[handle] = DeadLetter(handle, body, sent_at)

    def waiting(self) -> int:
        """How many there are."""
        return len(self._letters)

    def receive(self) -> list[DeadLetter]:
        """Ten at most, none that was received before."""
        found = [letter for handle, letter in self._letters.items() if handle not in self._hidden][:_AT_ONCE]
        self._hidden.update(letter.handle for letter in found)
        return found

    def remove(self, letters: Sequence[DeadLetter]) -> None:
        """Forget them."""
        for letter in letters:
            self._letters.pop(letter.handle, None)


class MemoryTableStream:
    """A stream that still keeps `changes`, by sequence number."""

    def __init__(self, changes: Mapping[str, Change]) -> None:
        self.kept = dict(changes)

    def changes(self, position: StreamPosition) -> list[Change]:
        """The changes from the first to the last; PermanentError when one of these two is not kept."""
        if position.first not in self.kept or position.last not in self.kept:
            raise PermanentError("the stream keeps these changes no longer")
        return [change for key, change in self.kept.items() if int(position.first) <= int(key) <= int(position.last)]
