"""Send messages: the messages queue through the send ledger to SES and SNS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.runtime.batch import batch_reply
from regulars.runtime.compose import send_messages as compose
from regulars.runtime.observability import count, logger, metrics

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_send = compose()
_TIME_FOR_ONE_MILLIS = 25_000
"""A provider's longest answer (13 s) and the writing down of it, with room for a table that is slow to answer."""


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """SQS records: decisions to be carried out, and proofs that a message went out. What failed comes again."""
    report = _send(
        [(record["messageId"], record["body"]) for record in event["Records"]],
        has_time=lambda: context.get_remaining_time_in_millis() > _TIME_FOR_ONE_MILLIS,
    )
    count("MessagesTaken", len(event["Records"]))
    for outcome, number in report.counts.items():
        count(f"Messages{outcome.title().replace('_', '')}", number)
    if report.failed:
        logger.warning("messages come again", extra={"failed": report.failed})
    if report.withheld:
        logger.info("messages withheld", extra={"reasons": dict(report.withheld)})
    return batch_reply(report.failed)
