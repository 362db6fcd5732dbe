"""Collect: pixel hits and SDK calls over HTTP to the events queue, the browser snippet, the API's description."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from regulars.runtime.compose import collect as compose
from regulars.runtime.http import reply_doc, request_of
from regulars.runtime.observability import count, logger, metrics

_files = Path(__file__).parent
_collect = compose(
    snippet=_files / "snippet" / "r.min.js",
    document=_files / "openapi.json",
    analytics=_files / "segment" / "analytics.min.js",
)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One HTTP API request (payload 2.0). Logs and counts only what is out of the ordinary."""
    request = request_of(event)
    reply = _collect(request)
    if reply.counters:
        for name, value in reply.counters.items():
            count(name, value)
        metrics.flush_metrics()
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("not stored", extra={"status": reply.status, "request_id": request.request_id})
    return reply_doc(reply)
