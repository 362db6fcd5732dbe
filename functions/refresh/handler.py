"""Refresh, every night: population thresholds, and the customers whom a new threshold moves."""

from __future__ import annotations

from typing import Any

from regulars.runtime.compose import refresh as compose
from regulars.runtime.observability import count, logger, metrics

_refresh = compose()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: object) -> dict[str, int]:
    """An EventBridge schedule's event, whose content does not matter."""
    report = _refresh()
    count("CustomersMeasured", report.customers)
    count("CustomersMoved", report.changed)
    return {"customers": report.customers, "parameters_version": report.version, "changed": report.changed}
