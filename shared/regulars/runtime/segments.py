"""The composition of what operators do with segments, by command and over the admin API."""

from __future__ import annotations

from datetime import timedelta

from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.definitions import S3DefinitionStore
from regulars.adapters.aws.dynamo import dynamo_client
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.aws.queue import SqsQueue, sqs_client
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.spill import DiskSpill
from regulars.adapters.system import SystemClock
from regulars.application.scores_explain import ExplainScores
from regulars.application.scores_report import ReportScores
from regulars.application.segments.admin import AdminApi
from regulars.application.segments.backtest import BacktestSegment
from regulars.application.segments.definitions import Definitions
from regulars.application.segments.drafts import PreviewSegment
from regulars.application.segments.explain import ExplainSegment
from regulars.application.segments.population import ScannedPopulation
from regulars.application.segments.reading import ReadSegments
from regulars.application.segments.report import ReportSegments
from regulars.runtime.settings import program_folder, required


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


def scores_report(bucket: str, table: str) -> ReportScores:
    """Report on the scores of a table's customers."""
    return ReportScores(
        store=DynamoCustomerStore(dynamo_client(), table), programs=programs(bucket), clock=SystemClock()
    )


def scores_explain(bucket: str, table: str) -> ExplainScores:
    """Explain the scores of a table's customers."""
    return ExplainScores(
        store=DynamoCustomerStore(dynamo_client(), table), programs=programs(bucket), clock=SystemClock()
    )


def backtest(bucket: str) -> BacktestSegment:
    """Look back by a bucket's log, with a spill on the local disk that is gone afterwards."""
    return BacktestSegment(log=S3EventLog(s3_client(), bucket), spills=DiskSpill, clock=SystemClock())


def admin() -> AdminApi:
    """The admin API over the table TABLE_NAME and the bucket BUCKET_NAME; changes are told to CHANGES_QUEUE_URL."""
    table, bucket, clock = required("TABLE_NAME"), required("BUCKET_NAME"), SystemClock()
    s3 = s3_client()
    store = DynamoCustomerStore(dynamo_client(), table)
    definitions = S3DefinitionStore(s3, bucket)
    changes = SqsQueue(sqs_client(), required("CHANGES_QUEUE_URL"))
    in_force = S3ProgramStore(s3, bucket, program_folder(), clock=clock, max_age=timedelta(0))
    log = S3EventLog(s3, bucket)
    return AdminApi(
        reading=ReadSegments(store=definitions, basis=in_force.basis),
        definitions=Definitions(
            store=definitions, basis=in_force.basis, programs=in_force, changes=changes, clock=clock
        ),
        basis=in_force.basis,
        preview=PreviewSegment(basis=in_force.basis, population=ScannedPopulation(store, clock), now=clock.now),
        explain=ExplainSegment(store=store, programs=in_force, clock=clock),
        backtest=BacktestSegment(log=log, spills=DiskSpill, clock=clock),
        report=ReportSegments(store=store, log=log, programs=in_force, clock=clock),
        scores=ReportScores(store=store, programs=in_force, clock=clock),
        explain_scores=ExplainScores(store=store, programs=in_force, clock=clock),
    )
