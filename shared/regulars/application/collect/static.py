"""Files that anybody may have: the browser snippet, Segment's browser library, and the description of the API."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from regulars.application.http import HttpReply

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.application.http import HttpRequest

SNIPPET_PATH, DOCUMENT_PATH = "/r.js", "/openapi.json"
ANALYTICS_PATH = "/analytics.js/v1/{key}/analytics.min.js"
"""Where Segment's snippet loads the library from; the same file under every key."""
JAVASCRIPT, JSON = "text/javascript; charset=utf-8", "application/json"


class StaticFile:
    """A text that browsers keep for an hour and then ask for by its ETag. Every page may read it."""

    def __init__(self, text: str, content_type: str) -> None:
        self._text = text
        self._etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
        self._headers = {
            "content-type": content_type,
            "cache-control": "public, max-age=3600",
            "etag": self._etag,
            "x-content-type-options": "nosniff",
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
        }

    def reply(self, request: HttpRequest) -> HttpReply:
        """The text; 304 to who has it, nothing of it to HEAD."""
        known = request.headers.get("if-none-match", "")
        if known.strip() == "*" or self._etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return HttpReply(status=304, headers=self._headers)
        return HttpReply(status=200, headers=self._headers, body="" if request.method == "HEAD" else self._text)


class LazyFile:
    """A static file that is read when somebody first asks for it: most containers never serve it."""

    def __init__(self, read: Callable[[], str], content_type: str) -> None:
        self._read = read
        self._content_type = content_type
        self._file: StaticFile | None = None

    def reply(self, request: HttpRequest) -> HttpReply:
        """As `StaticFile.reply`."""
        if self._file is None:
            self._file = StaticFile(self._read(), self._content_type)
        return self._file.reply(request)
