"""The composition of what operators do with segments, by command and over the admin API."""

from __future__ import annotations

from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.dynamo import dynamo_client
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.spill import DiskSpill
from regulars.adapters.system import SystemClock
from regulars.application.segments.backtest import BacktestSegment
from regulars.application.segments.drafts import PreviewSegment
from regulars.application.segments.explain import ExplainSegment
from regulars.application.segments.population import ScannedPopulation
from regulars.application.segments.report import ReportSegments
from regulars.runtime.settings import program_folder


def programs(bucket: str) -> S3ProgramStore:
    """The program in the folder PROGRAM_PATH with the definitions and parameters of a bucket."""
    return S3ProgramStore(s3_client(), bucket, program_folder(), clock=SystemClock())


def explain(bucket: str, table: str) -> ExplainSegment:
    """Explain segments to the customers of a table."""
    return ExplainSegment(
        store=DynamoCustomerStore(dynamo_client(), table), programs=programs(bucket), clock=SystemClock()
    )


def preview(bucket: str, table: str) -> PreviewSegment:
    """Try drafts out on the customers of a table."""
    clock = SystemClock()
    population = ScannedPopulation(DynamoCustomerStore(dynamo_client(), table), clock)
    return PreviewSegment(basis=programs(bucket).basis, population=population, now=clock.now)


def report(bucket: str, table: str) -> ReportSegments:
    """Report on the segments of a table, with what a bucket's lake says of the past."""
    s3 = s3_client()
    return ReportSegments(
        store=DynamoCustomerStore(dynamo_client(), table),
        log=S3EventLog(s3, bucket),
        programs=S3ProgramStore(s3, bucket, program_folder(), clock=SystemClock()),
        clock=SystemClock(),
    )


def backtest(bucket: str) -> BacktestSegment:
    """Look back by a bucket's log, with a spill on the local disk that is gone afterwards."""
    return BacktestSegment(log=S3EventLog(s3_client(), bucket), spills=DiskSpill, clock=SystemClock())
