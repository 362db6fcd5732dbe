"""`ShopApi` in memory."""

from __future__ import annotations

from regulars.domain.errors import PermanentError, TransientError


class MemoryShopApi:
    """Documents by (source, path); while it is not `available`, every call fails for now. `asked`: the calls so far."""

    def __init__(self, documents: dict[tuple[str, str], bytes] | None = None) -> None:
        self.documents = dict(documents or {})
        self.available = True
        self.asked: list[tuple[str, str]] = []

    def get(self, source: str, path: str) -> bytes:
        """The document at a path."""
        self.asked.append((source, path))
        if not self.available:
            raise TransientError("the shop does not answer")
        if (source, path) not in self.documents:
            raise PermanentError("the shop has no such resource")
        return self.documents[source, path]
