"""Ingest: a batch of the events queue becomes one Parquet object and, for what was rejected, one bad-rows object."""

from __future__ import annotations

from typing import Any

from regulars.runtime.batch import batch_reply
from regulars.runtime.compose import ingest as compose
from regulars.runtime.observability import count, logger, metrics

_ingest = compose()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """SQS records to the lake. Only messages that nobody can read come again, and so reach the dead letters.

    A lake that does not answer raises: the whole batch comes again, which changes nothing that was already written.
    """
    report = _ingest([(record["messageId"], record["body"]) for record in event["Records"]])
    count("EventsStored", report.events)
    count("BadRows", report.bad_rows)
    count("BotEvents", report.bots)
    count("DuplicateEvents", report.duplicates)
    count("IdCollisions", report.collisions)
    count("ContractViolations", report.violations)
    count("PoisonMessages", len(report.poison))
    if report.completed is None:
        count("CatalogueUnavailable", 1)
    if report.poison:
        logger.error("messages that cannot be read", extra={"message_ids": report.poison})
    return batch_reply(report.poison)
