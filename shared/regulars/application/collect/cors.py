"""Cross-origin requests: which pages may send, and what the browser must be told (clients retry with new headers)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from regulars.application.http import HttpReply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.application.http import HttpRequest

ANY = "*"
_MAX_HEADER_CHARS = 1_000
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, \-]*")


class Origins:
    """The allow-list. `*` allows every page, also one without an origin (`null`)."""

    def __init__(self, allowed: str) -> None:
        """`allowed`: `*` or a comma-separated list of origins such as `https://shop.example`."""
        self._allowed = frozenset(origin.strip().rstrip("/").lower() for origin in allowed.split(",") if origin.strip())

    def allows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request may come from where it says. One that names no origin does not come from another page."""
        origin = headers.get("origin")
        return origin is None or ANY in self._allowed or origin.lower() in self._allowed

    def headers(self, headers: Mapping[str, str], *, credentials: bool = False) -> dict[str, str]:
        """What every reply says: who may read it, that `Retry-After` may be read, that it depends on the origin.

        `credentials`: also to a client that would send cookies, had it any; no reply depends on one.
        """
        origin = headers.get("origin")
        reply = {"vary": "Origin"}
        if origin is not None and self.allows(headers):
            reply["access-control-allow-origin"] = origin
            reply["access-control-expose-headers"] = "Retry-After"
            if credentials:
                reply["access-control-allow-credentials"] = "true"
        return reply

    def preflight(self, request: HttpRequest, methods: str, *, credentials: bool = False) -> HttpReply:
        """The answer to OPTIONS. Echoes the headers that the client wants to send: a retry asks for others than the
        first try does, and `*` does not cover `Authorization`."""
        reply = self.headers(request.headers, credentials=credentials)
        if "access-control-allow-origin" in reply:
            wanted = request.headers.get("access-control-request-headers", "")
            if wanted and len(wanted) <= _MAX_HEADER_CHARS and _HEADER_NAMES.fullmatch(wanted):
                reply["access-control-allow-headers"] = wanted
            reply["access-control-allow-methods"] = methods
            reply["access-control-max-age"] = "86400"
            reply["vary"] = "Origin, Access-Control-Request-Headers"
        return HttpReply(status=204, headers={**reply, "cache-control": "no-store"})
