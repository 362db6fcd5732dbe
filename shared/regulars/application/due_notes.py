"""What a due message says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from regulars.domain.engine import BULK, IMPORT, REBUILD

_WHOLES = {None: None, BULK: BULK, IMPORT: IMPORT, REBUILD: REBUILD}
"""What a due message may say of what nobody has looked at."""


@dataclass(frozen=True, slots=True)
class Note:
    """A due message: its id, whom it brings up, the parameters' version that it knows of, and whether to decide at any
    rate (evaluate_customers)."""

    id: str
    node: str
    parameters: int
    whole: str | None


def notes_of(messages: Iterable[tuple[str, str]]) -> tuple[list[Note], set[str]]:
    """The notes of due messages, and the ids of those that are none."""
    notes, poison = [], set()
    for id_, body in messages:
        try:
            doc = orjson.loads(body)
            notes.append(Note(id_, str(doc["node"]), int(doc.get("parameters", 0)), _WHOLES[doc.get("whole")]))
        except (ValueError, KeyError, TypeError, AttributeError):
            poison.add(id_)
    return notes, poison
