"""What an import reads from, and where it notes how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class UnreadableRow(NamedTuple):
    """A row that is no row: `code` is stable, `problem` says what to do, `text` is what stands there."""

    number: int
    code: str
    problem: str
    text: str


class RowBatch(NamedTuple):
    """Some rows of a file, each its number (from 1) and its values; `position`: bytes of the file read so far."""

    position: int
    rows: list[tuple[int, list[Any]]]
    unreadable: list[UnreadableRow]


class RowFile(Protocol):
    """A file of rows."""

    @property
    def name(self) -> str:
        """What reports call it: the name of the file, without folders."""

    @property
    def digest(self) -> str:
        """Hex of a hash over its bytes: two files alike are one."""

    @property
    def size(self) -> int:
        """Bytes as it lies there."""

    @property
    def weight(self) -> int:
        """About how many bytes it is unpacked."""

    def rows(self, columns: Sequence[str]) -> Iterator[RowBatch]:
        """All rows in order, the values of each in the order of `columns`: texts, numbers, booleans, None, JSON.

        Raises BadInputError `bad_mapping` when the file says which columns it has and one is not among them,
        PermanentError when it is damaged.
        """


class ImportNotes(Protocol):
    """What is noted of an import, beside the lake: when it was begun, which objects it has written. Notes are small
    JSON documents; none is ever changed."""

    def keep_note(self, import_id: str, name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep a note unless there is one of that name; returns the one that is there now."""

    def note(self, import_id: str, name: str) -> Mapping[str, Any] | None:
        """The note of that name."""

    def note_names(self, import_id: str) -> frozenset[str]:
        """The names of an import's notes."""
