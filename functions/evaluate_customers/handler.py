"""Evaluate customers: the table's stream (what changed) and the due queue (whose time has come)."""

from __future__ import annotations

from typing import Any

from regulars.runtime.batch import batch_reply
from regulars.runtime.compose import evaluate_customers as compose
from regulars.runtime.envelopes import stream_changes
from regulars.runtime.observability import count, left_out, logger, metrics

_evaluate = compose()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Stream records or SQS records, never both in one event. A stream is retried from the first id that failed."""
    records = event["Records"]
    if records and records[0]["eventSource"] == "aws:dynamodb":
        changes, poison = stream_changes(records)
        report = _evaluate.changed(changes)
    else:
        poison = frozenset[str]()
        report = _evaluate.due([(record["messageId"], record["body"]) for record in records])
    count("CustomersEvaluated", report.evaluated)
    count("StatesWritten", report.written)
    count("OutboxRelayed", report.relayed)
    left_out(report.beyond)
    failed = report.failed | poison
    if failed:
        logger.warning("records come again", extra={"failed": len(failed), "poison": len(poison)})
    return batch_reply(failed)
