"""`Clock` and `Ids` for tests and benchmarks: both repeat."""

from __future__ import annotations

from datetime import datetime


class FixedClock:
    """Shows what it was set to."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        """The instant that was set."""
        return self.instant


class CountedIds:
    """`<prefix>1`, `<prefix>2`, ..."""

    def __init__(self, prefix: str = "id-") -> None:
        self._prefix = prefix
        self._count = 0

    def new(self) -> str:
        """The next id."""
        self._count += 1
        return f"{self._prefix}{self._count}"
