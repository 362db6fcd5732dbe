"""The composition of what puts things right: rebuild, reconcile, redrive; by an operator's hand or by night."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import ClientError

from regulars.adapters.aws.catalogue import DynamoCatalogue
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.dead_letters import DynamoTableStream, SqsDeadLetters
from regulars.adapters.aws.dynamo import dynamo_client
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.aws.queue import SqsQueue, sqs_client
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.spill import DiskSpill
from regulars.adapters.system import RandomIds, SystemClock
from regulars.application.changes import FollowChanges, deployed
from regulars.application.rebuild import Rebuild
from regulars.application.reconcile import Reconcile, tonight
from regulars.application.redrive import FETCHES, QUEUES, SCHEDULES, STREAM, Deployment, Redrive
from regulars.domain.errors import PermanentError
from regulars.runtime.envelopes import landed_keys_of
from regulars.runtime.settings import optional, program_folder, required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from regulars.application.changes import ChangesReport
    from regulars.application.rebuild import RebuildReport
    from regulars.application.reconcile import ReconcileReport
    from regulars.application.redrive import RedriveReport

_LAST_WORDS = timedelta(seconds=60)
"""Time kept back at the end of a function's life."""


@contextmanager
def rebuild(bucket: str, table: str) -> Iterator[Rebuild]:
    """Rebuild a table from a bucket, with a spill on the local disk that is gone afterwards."""
    s3 = s3_client()
    dynamo = dynamo_client()
    with DiskSpill() as spill:
        yield Rebuild(
            log=S3EventLog(s3, bucket),
            store=DynamoCustomerStore(dynamo, table),
            catalogue=DynamoCatalogue(dynamo, table),
            programs=S3ProgramStore(s3, bucket, program_folder(), clock=SystemClock()),
            spill=spill,
            clock=SystemClock(),
            ids=RandomIds(),
        )


@contextmanager
def reconcile(
    bucket: str, table: str, *, due: str, waiting: tuple[str, ...], changes: str | None = None
) -> Iterator[Reconcile]:
    """Reconcile a table with a bucket; `due`, `waiting` and `changes` are the URLs of the due queue, of the queues of
    what has landed, and of the one that hears of changes."""
    sqs = sqs_client()
    with rebuild(bucket, table) as rebuilder:
        yield Reconcile(
            rebuild=rebuilder,
            store=DynamoCustomerStore(dynamo_client(), table),
            due=SqsQueue(sqs, due),
            waiting=tuple(SqsDeadLetters(sqs, url) for url in waiting),
            clock=SystemClock(),
            changes=SqsQueue(sqs, changes) if changes else None,
        )


def nightly() -> Callable[[timedelta], ReconcileReport]:
    """The function's: tonight's share of the nodes of TABLE_NAME, one of RECONCILE_SLICES; takes the time that is
    left."""
    bucket, table, due = required("BUCKET_NAME"), required("TABLE_NAME"), required("DUE_QUEUE_URL")
    waiting = (required("LANDED_QUEUE_URL"), required("LANDED_DLQ_URL"))
    slices, changes = int(optional("RECONCILE_SLICES", "1")), required("CHANGES_QUEUE_URL")
    clock = SystemClock()

    def run(left: timedelta) -> ReconcileReport:
        now = clock.now()
        with reconcile(bucket, table, due=due, waiting=waiting, changes=changes) as use_case:
            return use_case(tonight(now, slices), until=now + left - _LAST_WORDS)

    return run


def following() -> Callable[[Sequence[tuple[str, str]], timedelta], ChangesReport]:
    """The function's: what changes of definitions make of TABLE_NAME, told in (message id, body) pairs of
    CHANGES_QUEUE_URL; takes the time that is left, too."""
    bucket, table, due = required("BUCKET_NAME"), required("TABLE_NAME"), required("DUE_QUEUE_URL")
    changes, lost = required("CHANGES_QUEUE_URL"), required("LANDED_DLQ_URL")
    clock = SystemClock()

    def run(messages: Sequence[tuple[str, str]], left: timedelta) -> ChangesReport:
        until, sqs = clock.now() + left - _LAST_WORDS, sqs_client()
        with rebuild(bucket, table) as rebuilder:
            use_case = FollowChanges(
                rebuild=rebuilder,
                store=DynamoCustomerStore(dynamo_client(), table),
                programs=S3ProgramStore(s3_client(), bucket, program_folder(), clock=clock),
                changes=SqsQueue(sqs, changes),
                due=SqsQueue(sqs, due),
                lost=SqsDeadLetters(sqs, lost),
                clock=clock,
            )
            return use_case(messages, until=until)

    return run


def deployments() -> Callable[..., bool]:
    """The function's: whether a deployment (or one that was `rolled_back`) brought other rules; if so,
    CHANGES_QUEUE_URL is told."""
    bucket, changes, clock = required("BUCKET_NAME"), required("CHANGES_QUEUE_URL"), SystemClock()

    def run(*, rolled_back: bool) -> bool:
        programs = S3ProgramStore(s3_client(), bucket, program_folder(), clock=clock)
        told = SqsQueue(sqs_client(), changes)
        return deployed(programs=programs, changes=told, clock=clock, rolled_back=rolled_back)

    return run


def queue_urls(stack: str, *names: str) -> list[str]:
    """The URLs of a stack's queues. Raises PermanentError when there is no such queue."""
    sqs = sqs_client()
    return [_queue_url(sqs, f"{stack}-{name}") for name in names]


def redrive(stack: str, bucket: str, table: str) -> Callable[..., RedriveReport]:
    """Redrive a stack's dead letters: takes `names` of queues and `dry_run`."""
    sqs, session = sqs_client(), botocore.session.get_session()
    names = (*QUEUES, FETCHES) if _has_queue(sqs, f"{stack}-{FETCHES}") else QUEUES
    sources = {
        name: None if name in (STREAM, SCHEDULES) else SqsQueue(sqs, _queue_url(sqs, f"{stack}-{name}"))
        for name in names
    }
    deployment = Deployment(
        queues={
            name: (SqsDeadLetters(sqs, _queue_url(sqs, f"{stack}-{name}-dlq")), source)
            for name, source in sources.items()
        },
        due=SqsQueue(sqs, _queue_url(sqs, f"{stack}-due")),
        stream=DynamoTableStream(session.create_client("dynamodbstreams")),
        log=S3EventLog(s3_client(), bucket),
        store=DynamoCustomerStore(dynamo_client(), table),
        clock=SystemClock(),
        keys_of=landed_keys_of,
    )
    return Redrive(deployment, lambda nodes: _rebuilt(bucket, table, nodes))


def _has_queue(sqs: Any, name: str) -> bool:
    return name in {url.rpartition("/")[2] for url in sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])}


def _queue_url(sqs: Any, name: str) -> str:
    try:
        return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except ClientError as error:
        raise PermanentError(f"there is no queue {name}, or it may not be looked at") from error


def _rebuilt(bucket: str, table: str, nodes: frozenset[str]) -> RebuildReport:
    with rebuild(bucket, table) as use_case:
        return use_case(nodes)
