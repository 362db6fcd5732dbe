"""Figures of days in memory, as documents, so nothing is shared with the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.quality import quality_from_doc, quality_to_doc

if TYPE_CHECKING:
    from datetime import date

    from regulars.domain.quality import DayQuality


class MemoryQuality:
    """`QualityStore` over a dict."""

    def __init__(self) -> None:
        self.documents: dict[date, dict[str, Any]] = {}

    def qualities(self, first: date, last: date) -> dict[date, DayQuality]:
        """What is kept of some days."""
        days = sorted(day for day in self.documents if first <= day <= last)
        return {day: quality_from_doc(self.documents[day]) for day in days}

    def keep_quality(self, quality: DayQuality) -> None:
        """Keep a day; the last one counts."""
        self.documents[quality.day] = quality_to_doc(quality)
