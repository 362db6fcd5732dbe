"""`Clock` and `Ids` of the machine."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from regulars.domain.instants import truncated


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current instant, aware UTC, cut to the millisecond."""
        return truncated(datetime.now(UTC))


class RandomIds:
    """128 random bits in hex; not a UUID, whose module costs a cold start and whose fixed bits tell nothing."""

    def new(self) -> str:
        """A fresh unique id."""
        return os.urandom(16).hex()
