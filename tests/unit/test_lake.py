"""What the lake on S3 does when S3 answers late, twice or not at all; and what its files promise."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import boto3
import duckdb
import pyarrow.parquet as pq
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.lake_layout import bad_rows_from_object, event_objects
from regulars.adapters.parquet import EVENT_SCHEMA, events_from_parquet, events_to_parquet
from regulars.domain.errors import PermanentError, TransientError
from tests.lake_samples import an_event

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Body:
    """What urllib3 would hand to botocore."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


class Faults:
    """Answers a PutObject with the next of its faults; a lost answer reaches S3 and never comes back."""

    def __init__(self, client: Any, faults: list[str]) -> None:
        self._client = client
        self._left = faults
        client.meta.events.register_first("before-send.s3.PutObject", self)

    def __call__(self, request: Any, **_: object) -> AWSResponse | None:
        fault = self._left.pop(0) if self._left else None
        if fault is None:
            return None
        if fault == "lost":
            other: Any = boto3.client("s3", region_name="us-east-1")
            other.put_object(Bucket="lake", Key=request.url.partition("/lake/")[2], Body=request.body)
            raise ReadTimeoutError(endpoint_url="https://s3.invalid")
        status, code = fault.split()
        body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()
        return AWSResponse(request.url, int(status), {"content-type": "application/xml"}, _Body(body))


@pytest.fixture
def client() -> Iterator[Any]:
    """An S3 client without retries of its own, and the bucket `lake`."""
    with mock_aws():
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        client: Any = boto3.client("s3", region_name="us-east-1", config=config)
        client.create_bucket(Bucket="lake")
        yield client


def test_a_write_that_meets_another_writer_asks_again(client: Any) -> None:
    Faults(client, ["409 ConditionalRequestConflict"])
    log = S3EventLog(client, "lake")
    (key,) = log.append([an_event(1)])
    assert log.read(key) == [an_event(1)]


def test_a_key_that_stays_busy_is_a_transient_error(client: Any) -> None:
    Faults(client, ["409 ConditionalRequestConflict"] * 3)
    with pytest.raises(TransientError):
        S3EventLog(client, "lake").append([an_event(1)])


@pytest.mark.parametrize("fault", ["503 SlowDown", "500 InternalError"])
def test_a_busy_store_is_a_transient_error(client: Any, fault: str) -> None:
    Faults(client, [fault])
    with pytest.raises(TransientError):
        S3EventLog(client, "lake").append([an_event(1)])


def test_a_refusal_for_good_is_a_permanent_error(client: Any) -> None:
    Faults(client, ["403 AccessDenied"])
    with pytest.raises(PermanentError, match="AccessDenied"):
        S3EventLog(client, "lake").append([an_event(1)])


def test_a_lost_answer_is_a_transient_error_and_the_next_delivery_finds_its_own_object(client: Any) -> None:
    Faults(client, ["lost"])
    log = S3EventLog(client, "lake")
    with pytest.raises(TransientError):
        log.append([an_event(1)])
    (key,) = log.append([an_event(1)])
    assert list(log.keys()) == [key]
    assert log.read(key) == [an_event(1)]


def test_the_schema_does_not_depend_on_the_batch() -> None:
    """A batch without a single anonymous id, bot or trait has the same columns and types as any other."""
    bare = an_event(1, anonymous_id=None, name=None, context={}, properties={})
    ((_, data),) = event_objects([bare])
    assert pq.read_schema(BytesIO(data)).equals(EVENT_SCHEMA)


def test_the_same_events_are_the_same_bytes() -> None:
    events = [an_event(number) for number in range(5)]
    assert list(event_objects(events)) == list(event_objects(events[::-1]))


def test_an_analyst_can_query_the_lake_with_sql(tmp_path: Any) -> None:
    path = tmp_path / "events.parquet"
    path.write_bytes(events_to_parquet([an_event(1), an_event(2)]))
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT name, count(*), sum((properties->>'price')::DECIMAL(9, 2))::VARCHAR,"
            " max(received_at)::DATE::VARCHAR"
            " FROM read_parquet(?) GROUP BY name",
            [str(path)],
        ).fetchall()
    assert rows == [("Product Viewed", 2, "3.00", "2026-11-22")]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not parquet at all"])
def test_a_file_that_is_not_parquet_is_a_permanent_error(data: bytes) -> None:
    with pytest.raises(PermanentError):
        events_from_parquet(data)


@pytest.mark.parametrize("data", [b"", b"plain text", b"\x1f\x8b\x08\x00"])
def test_a_file_that_holds_no_bad_rows_is_a_permanent_error(data: bytes) -> None:
    with pytest.raises(PermanentError):
        bad_rows_from_object(data)
