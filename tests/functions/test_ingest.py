"""The ingest function on true SQS envelopes, against S3 in moto."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from regulars.adapters.aws.lake import S3EventLog
from regulars.runtime.settings import SettingsError

ROOT = Path(__file__).parents[2]
CONTEXT = SimpleNamespace(
    function_name="ingest",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:ingest",
    aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
)
Handler = Callable[[dict[str, Any], object], dict[str, Any]]


def sample(case: str) -> dict[str, Any]:
    """One recorded invocation of the function."""
    event: dict[str, Any] = json.loads((ROOT / "events" / "ingest" / f"{case}.json").read_text())
    return event


def load_handler() -> Handler:
    """The handler of a new container: its module loaded afresh."""
    spec = importlib.util.spec_from_file_location("ingest_under_test", ROOT / "functions" / "ingest" / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Handler = module.handler
    return handler


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3EventLog]:
    """The bucket of the function, empty."""
    monkeypatch.setenv("BUCKET_NAME", "lake")
    monkeypatch.setenv("TABLE_NAME", "customers")
    monkeypatch.setenv("PROGRAM_PATH", str(ROOT / "program"))
    monkeypatch.setenv("CONTRACTS_PATH", str(ROOT / "events" / "contracts"))
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "ingest")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Regulars")
    with mock_aws():
        client: Any = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="lake")
        yield S3EventLog(client, "lake")


def test_a_batch_is_stored_and_nothing_comes_again(lake: S3EventLog) -> None:
    assert load_handler()(sample("batch"), CONTEXT) == {"batchItemFailures": []}
    assert [event.message_id for key in list(lake.keys()) for event in lake.read(key)] == ["m-1"]
    assert [row.message_id for key in lake.bad_keys() for row in lake.read_bad(key)] == ["m-2"]


def test_a_redelivered_batch_adds_nothing(lake: S3EventLog) -> None:
    handler = load_handler()
    handler(sample("batch"), CONTEXT)
    handler(sample("batch"), CONTEXT)
    assert (len(list(lake.keys())), len(list(lake.bad_keys()))) == (1, 1)


def test_only_the_poison_message_comes_again(lake: S3EventLog) -> None:
    poison = sample("poison")["Records"][1]["messageId"]
    assert load_handler()(sample("poison"), CONTEXT) == {"batchItemFailures": [{"itemIdentifier": poison}]}
    assert len(list(lake.keys())) == 1


def test_the_log_of_an_invocation_holds_counts_and_ids_but_no_payload(
    lake: S3EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    event = sample("poison")
    event["Records"][1]["body"] = "maria@example.com"
    load_handler()(event, CONTEXT)
    output = capsys.readouterr().out
    assert '"EventsStored":[1.0]' in output.replace(" ", "")
    assert "maria@example.com" not in output
    assert len(list(lake.keys())) == 1


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_an_event_that_is_no_sqs_batch_is_a_failed_invocation(lake: S3EventLog) -> None:
    with pytest.raises(KeyError):
        load_handler()({}, CONTEXT)
    assert list(lake.keys()) == []


def test_a_deployment_without_a_bucket_fails_at_cold_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUCKET_NAME", raising=False)
    with pytest.raises(SettingsError, match="BUCKET_NAME"):
        load_handler()
