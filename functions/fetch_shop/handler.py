"""Fetch shop: what a shop's webhooks only name, from the shop's API to the events queue."""

from __future__ import annotations

from typing import Any

from regulars.runtime.batch import batch_reply
from regulars.runtime.compose import fetch_shop as compose
from regulars.runtime.observability import count, logger, metrics

_fetch = compose()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """SQS records. What the shop does not give comes again, and after its tries is a dead letter."""
    report = _fetch([(record["messageId"], record["body"]) for record in event["Records"]])
    count("ResourcesFetched", report.events)
    if report.bad_rows:
        count("BadRows", report.bad_rows)
    if report.failed:
        logger.warning("not fetched", extra={"message_ids": report.failed})
    return batch_reply(report.failed)
