"""Reconcile, every night: whether the profiles are what the lake says; what differs is rebuilt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from regulars.runtime.observability import count, logger, metrics
from regulars.runtime.recovery import nightly

_reconcile = nightly()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An EventBridge schedule's event, whose content does not matter: the date says whose turn it is."""
    report = _reconcile(timedelta(milliseconds=context.get_remaining_time_in_millis()))
    compared = report.compared
    count("NodesCompared", compared.nodes)
    count("NodesRebuilt", compared.rebuilt)
    count("CustomersOverdue", report.overdue)
    count("OutboxesDangling", report.dangling)
    count("ProjectionDrift", compared.different + compared.missing + compared.products_behind)
    count("ReconcileIncomplete", int(not compared.complete))
    return {
        "complete": compared.complete,
        "nodes": compared.nodes,
        "different": compared.different,
        "missing": compared.missing,
        "rebuilt": compared.rebuilt,
        "products_behind": compared.products_behind,
        "unsettled": compared.unsettled,
        "overdue": report.overdue,
        "dangling": report.dangling,
        "backlog": report.backlog,
    }
