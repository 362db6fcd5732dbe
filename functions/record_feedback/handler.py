"""Record feedback: what SES tells of deliveries, bounces, complaints, opens and clicks."""

from __future__ import annotations

from typing import Any

from regulars.runtime.batch import batch_reply
from regulars.runtime.compose import record_feedback as compose
from regulars.runtime.observability import count, logger, metrics

_record = compose()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """SQS records to the events queue. Only what nobody can read comes again, and so reaches the dead letters."""
    report = _record([(record["messageId"], record["body"]) for record in event["Records"]])
    count("FeedbackTaken", len(event["Records"]))
    for kind, number in report.counts.items():
        count(f"Email{kind.title().replace(' ', '')}", number)
    if report.unreadable:
        logger.error("feedback that cannot be read", extra={"message_ids": report.unreadable})
    return batch_reply(report.unreadable)
