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

    def quality(self, day: date) -> DayQuality | None:
        """What is kept of a day."""
        document = self.documents.get(day)
        return None if document is None else quality_from_doc(document)

    def keep_quality(self, quality: DayQuality) -> None:
        """Keep a day; the last one counts."""
        self.documents[quality.day] = quality_to_doc(quality)
