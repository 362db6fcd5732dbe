"""Receive orders: signed webhooks of shops to the events queue."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from regulars.runtime.compose import receive_orders as compose
from regulars.runtime.http import reply_doc, request_of
from regulars.runtime.observability import count, logger, metrics

_receive_orders = compose()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """One HTTP API request (payload 2.0). Logs and counts only what is out of the ordinary."""
    request = request_of(event)
    reply = _receive_orders(request)
    if reply.counters:
        for name, value in reply.counters.items():
            count(name, value)
        metrics.flush_metrics()
    if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("not stored", extra={"status": reply.status, "request_id": request.request_id})
    return reply_doc(reply)
