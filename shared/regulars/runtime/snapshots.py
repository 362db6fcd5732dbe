"""The composition of snapshots: taken by night or by an operator's hand, and what is asked of the latest."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.dynamo import dynamo_client
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.aws.snapshots import S3Snapshots
from regulars.adapters.system import RandomIds, SystemClock
from regulars.application.segments.drafts import PreviewSegment
from regulars.application.segments.snapshot import take_snapshot
from regulars.domain.errors import PermanentError
from regulars.runtime.settings import program_folder, required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regulars.domain.snapshots import SnapshotReport

_LAST_WORDS = timedelta(seconds=30)
"""Time kept back at the end of a function's life: the last part is written then."""


def taking(bucket: str, table: str) -> Callable[..., SnapshotReport]:
    """Take a snapshot of a table's customers into a bucket, under the program in force."""
    s3, clock = s3_client(), SystemClock()
    return partial(
        take_snapshot,
        store=DynamoCustomerStore(dynamo_client(), table),
        programs=S3ProgramStore(s3, bucket, program_folder(), clock=clock),
        snapshots=S3Snapshots(s3, bucket, ids=RandomIds()),
        clock=clock,
    )


def nightly() -> Callable[[timedelta], SnapshotReport]:
    """The function's: TABLE_NAME into BUCKET_NAME; takes the time that is left."""
    take, clock = taking(required("BUCKET_NAME"), required("TABLE_NAME")), SystemClock()
    return lambda left: take(until=clock.now() + left - _LAST_WORDS)


@contextmanager
def preview(bucket: str) -> Iterator[PreviewSegment]:
    """Try drafts out on the latest snapshot of a bucket, which is copied to the local disk meanwhile. For operators: it
    needs DuckDB, which no function carries. Raises PermanentError without it."""
    try:
        from regulars.adapters.population.everybody import SnapshotPopulation  # noqa: PLC0415 - as said
    except ModuleNotFoundError as error:
        raise PermanentError("DuckDB is not installed here: pip install duckdb, or ask without --snapshot") from error
    s3, clock = s3_client(), SystemClock()
    programs = S3ProgramStore(s3, bucket, program_folder(), clock=clock)
    with tempfile.TemporaryDirectory(prefix="regulars-") as folder:
        snapshot = S3Snapshots(s3, bucket, ids=RandomIds()).fetch(Path(folder))
        yield PreviewSegment(basis=programs.basis, population=SnapshotPopulation(snapshot), now=clock.now)
