"""Update customers: objects that landed in the lake are folded into profiles and order books."""

from __future__ import annotations

from typing import Any

from regulars.runtime.batch import batch_reply
from regulars.runtime.compose import update_customers as compose
from regulars.runtime.envelopes import landed_keys
from regulars.runtime.observability import count, logger, metrics

_update = compose()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """SQS records, each an S3 notification. A record comes again when one of its customers could not be written."""
    landed, poison = landed_keys(event["Records"])
    report = _update(landed)
    count("EventsFolded", report.events)
    count("FragmentsWritten", report.written)
    count("EventsRefused", report.refused)
    if report.products:
        count("ProductsWritten", report.products)
    failed = report.failed | poison
    if failed:
        logger.warning("records come again", extra={"failed": len(failed), "poison": len(poison)})
    return batch_reply(failed)
