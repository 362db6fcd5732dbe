"""What the server knows about a request, as far as events take something from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.domain.privacy import truncated_ip

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from regulars.application.http import HttpRequest

BROWSER_LIBRARIES = frozenset({"analytics.js", "regulars.js", "snowplow-js", "RudderLabs JavaScript SDK"})
"""`context.library.name` of clients that run in the shopper's browser, so that the request's own agent and address
count."""

_MAX_AGENT_CHARS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One authenticated request. `origin`: it came from a page; `opted_out`: it carries Global Privacy Control or Do
    Not Track."""

    source: str
    received_at: datetime
    request_id: str
    ip: str | None = None
    user_agent: str | None = None
    referer: str | None = None
    origin: bool = False
    opted_out: bool = False

    def from_browser(self, library: object) -> bool:
        """Whether the shopper's own machine sent it. A server's library (`context.library`) says nothing about the
        shopper."""
        return self.origin or library is None or library in BROWSER_LIBRARIES


def receipt_of(request: HttpRequest, source: str) -> Receipt:
    """The receipt of a request of an authenticated source."""
    headers = request.headers
    agent = headers.get("user-agent")
    return Receipt(
        source=source,
        received_at=request.received_at,
        request_id=request.request_id,
        ip=truncated_ip(request.source_ip) if request.source_ip else None,
        user_agent=agent[:_MAX_AGENT_CHARS] if agent else None,
        referer=headers.get("referer"),
        origin="origin" in headers,
        opted_out=headers.get("sec-gpc") == "1" or headers.get("dnt") == "1",
    )


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether the browser loads the page in case the shopper should go there: nobody has seen it yet."""
    purpose = headers.get("sec-purpose") or headers.get("purpose") or headers.get("x-moz") or ""
    return purpose.startswith("prefetch")
