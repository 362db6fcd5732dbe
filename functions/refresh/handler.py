"""Refresh, every night: population thresholds, and somewhat later the customers whom new ones move."""

from __future__ import annotations

from typing import Any

from regulars.runtime.compose import refresh as compose
from regulars.runtime.observability import count, left_out, logger, metrics, suspended

_refresh, _announce = compose()
_AFTERWARDS = {"announce": True}


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: Any, _context: object) -> dict[str, int]:
    """A schedule's event: `{"announce": true}`, or EventBridge's own, whose content does not matter."""
    report = _announce() if event == _AFTERWARDS else _refresh()
    count("CustomersMeasured", report.customers)
    count("CustomersMoved", report.changed)
    left_out(report.left_out)
    suspended(report.suspended)
    return {"customers": report.customers, "parameters_version": report.version, "changed": report.changed}
