"""Admin: segments read, put, tried out, explained, looked back on and reported, behind the gateway's JWT authorizer."""

from __future__ import annotations

from typing import Any

from regulars.runtime.http import reply_doc, request_of
from regulars.runtime.observability import count, logger, metrics
from regulars.runtime.segments import admin as compose

_admin = compose()


@metrics.log_metrics
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One HTTP API request (payload 2.0). Neither who asks nor about whom is ever logged."""
    request = request_of(event)
    reply = _admin(request)
    for name, value in reply.counters.items():
        count(name, value)
    logger.info(
        "admin", extra={"route": event.get("routeKey"), "status": reply.status, "request_id": request.request_id}
    )
    return reply_doc(reply)
