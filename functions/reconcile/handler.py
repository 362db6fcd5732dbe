"""Reconcile: every night whether the profiles are what the lake says; by day what changed definitions ask of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from regulars.runtime.batch import batch_reply
from regulars.runtime.observability import count, left_out, logger, metrics, suspended
from regulars.runtime.recovery import deployments, following, nightly

_reconcile, _follow, _deployed = nightly(), following(), deployments()
_CLOUD_FORMATION = "aws.cloudformation"
_ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """SQS records of the changes queue; CloudFormation's event of a deployment; or an EventBridge schedule's, whose
    content does not matter: the date says whose turn it is."""
    if event.get("source") == _CLOUD_FORMATION:
        return {"changed": _deployed(rolled_back=event["detail"]["status-details"]["status"] == _ROLLED_BACK)}
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    return _followed(event["Records"], left) if "Records" in event else _compared(left)


def _followed(records: list[dict[str, Any]], left: timedelta) -> dict[str, Any]:
    report = _follow([(record["messageId"], record["body"]) for record in records], left)
    count("CustomersMoved", report.moved)
    count("NodesRebuilt", report.rebuilt)
    left_out(report.left_out)
    suspended(report.suspended)
    count("SegmentsWaiting", int(report.waiting))
    return batch_reply(report.failed)


def _compared(left: timedelta) -> dict[str, Any]:
    report = _reconcile(left)
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
