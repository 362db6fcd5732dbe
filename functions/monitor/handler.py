"""Monitor, every night: what yesterday's events were like, and what of it is unusual."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from regulars.runtime.observability import count, logger, metrics
from regulars.runtime.quality import nightly

_monitor = nightly()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An EventBridge schedule's event, whose content does not matter: yesterday is measured, and what was missed."""
    days = _monitor(timedelta(milliseconds=context.get_remaining_time_in_millis()))
    anomalies = sum(len(day.anomalies) for day in days)
    count("EventsMeasured", sum(day.events for day in days))
    count("QualityAnomalies", anomalies)
    if anomalies:
        logger.warning("unusual events; `regulars quality` shows them", extra={"anomalies": anomalies})
    return {
        "days": [day.day.isoformat() for day in days],
        "events": sum(day.events for day in days),
        "anomalies": anomalies,
    }
