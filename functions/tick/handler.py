"""Tick, every minute: who is due goes to the due queue."""

from __future__ import annotations

from typing import Any

from regulars.runtime.compose import tick as compose
from regulars.runtime.observability import count, logger, metrics

_tick = compose()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: object) -> dict[str, int]:
    """An EventBridge schedule's event, whose content does not matter: who is due, is due."""
    due = _tick()
    count("CustomersDue", due)
    return {"due": due}
