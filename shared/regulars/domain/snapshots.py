"""Snapshots of everybody, as they are told of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """A snapshot as it was written: `customers` in `parts`, as of `taken_at`, for a version of the program. `latest`:
    previews are answered from it now; else a later one is there already. `left_out`: the customers of whom nothing can
    be computed, who have no row."""

    customers: int
    parts: int
    taken_at: datetime
    program_version: str
    latest: bool
    left_out: tuple[str, ...] = ()
