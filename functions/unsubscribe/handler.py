"""Unsubscribe: the link in every e-mail, for mail programs and for people."""

from __future__ import annotations

from typing import Any

from regulars.runtime.compose import unsubscribe as compose
from regulars.runtime.http import reply_doc, request_of
from regulars.runtime.observability import count, logger, metrics

_unsubscribe = compose()


@metrics.log_metrics
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One HTTP API request (payload 2.0). The link's token is never logged."""
    request = request_of(event)
    reply = _unsubscribe(request)
    for name, value in reply.counters.items():
        count(name, value)
    logger.info(
        "unsubscribe", extra={"method": request.method, "status": reply.status, "request_id": request.request_id}
    )
    return reply_doc(reply)
