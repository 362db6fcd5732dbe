"""Dates that stores keep as traits: a birthday, a renewal, an appointment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from regulars.domain.instants import truncated

_LONGEST = 40


def instant_in(value: Any) -> datetime | None:
    """An instant, or a text that is an ISO 8601 date (its first instant in UTC) or instant; None for all else."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    try:
        instant = datetime.fromisoformat(value)
        return truncated(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
