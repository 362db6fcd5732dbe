"""Survey: the one-question page behind the links of messages."""

from __future__ import annotations

from typing import Any

from regulars.runtime.compose import survey as compose
from regulars.runtime.http import reply_doc, request_of
from regulars.runtime.observability import count, logger, metrics

_survey = compose()


@metrics.log_metrics
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One HTTP API request (payload 2.0). Neither the link's token nor the answer is ever logged."""
    request = request_of(event)
    reply = _survey(request)
    for name, value in reply.counters.items():
        count(name, value)
    logger.info("survey", extra={"method": request.method, "status": reply.status, "request_id": request.request_id})
    return reply_doc(reply)
