"""The composition of what an operator looks into and says: identity, the catalogue."""

from __future__ import annotations

from regulars.adapters.aws.catalogue import DynamoCatalogue
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.dynamo import dynamo_client
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.aws.queue import SqsQueue, sqs_client
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.system import SystemClock
from regulars.application.identity import Identity
from regulars.runtime.recovery import queue_urls
from regulars.runtime.settings import program_folder


def catalogue(table: str) -> DynamoCatalogue:
    """The catalogue in a table."""
    return DynamoCatalogue(dynamo_client(), table)


def identity(stack: str, bucket: str, table: str) -> Identity:
    """Explain, split and join identifiers of a deployment. Raises PermanentError when it has no queue of events."""
    s3 = s3_client()
    (events,) = queue_urls(stack, "events")
    return Identity(
        store=DynamoCustomerStore(dynamo_client(), table),
        programs=S3ProgramStore(s3, bucket, program_folder(), clock=SystemClock()),
        log=S3EventLog(s3, bucket),
        events=SqsQueue(sqs_client(), events),
        clock=SystemClock(),
    )
