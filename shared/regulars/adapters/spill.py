"""`Spill` on the local disk, and in memory."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Self
from zlib import crc32

if TYPE_CHECKING:
    from types import TracebackType

GROUPS = 64
"""Each is an open file; some systems allow 256 of them."""


def group_of(node: str, groups: int) -> int:
    """The group of a node: evenly spread, and for ever the same."""
    return crc32(node.encode()) % groups


class DiskSpill:
    """Temporary files, one a group, gone when it is closed. Use it as a context manager.

    Holds as many bytes as the lines of the events read, about 200 each; a group, which is what memory must hold, is a
    sixty-fourth of them.
    """

    def __init__(self, groups: int = GROUPS) -> None:
        self.groups = groups
        self._files: dict[int, IO[bytes]] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._closing.close()
        self._files.clear()

    def add(self, node: str, line: bytes) -> None:
        """Append to the group's file."""
        group = group_of(node, self.groups)
        file = self._files.get(group)
        if file is None:
            file = self._files[group] = self._closing.enter_context(
                tempfile.TemporaryFile()  # noqa: SIM115 - closed with the spill
            )
        file.write(b"%b %b\n" % (node.encode(), line))

    def take(self, group: int) -> dict[str, list[bytes]]:
        """Read the group's file and empty it."""
        found: defaultdict[str, list[bytes]] = defaultdict(list)
        file = self._files.get(group)
        if file is not None:
            file.seek(0)
            for record in file:
                node, _, line = record.rstrip(b"\n").partition(b" ")
                found[node.decode()].append(line)
            file.seek(0)
            file.truncate()
        return dict(found)


class MemorySpill:
    """A dict of lines."""

    def __init__(self, groups: int = GROUPS) -> None:
        self.groups = groups
        self._lines: defaultdict[int, dict[str, list[bytes]]] = defaultdict(dict)

    def add(self, node: str, line: bytes) -> None:
        """Keep the line."""
        self._lines[group_of(node, self.groups)].setdefault(node, []).append(line)

    def take(self, group: int) -> dict[str, list[bytes]]:
        """The group's lines, which leave."""
        return self._lines.pop(group, {})
