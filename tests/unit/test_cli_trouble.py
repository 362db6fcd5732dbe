"""What does not work is told by the operator's commands in a line, with exit code 1, and never as a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from regulars.cli import main
from regulars.cli_options import trouble
from regulars.domain.errors import BadInputError, PermanentError, TransientError

DEPLOYMENT = {"BUCKET_NAME": "lake", "TABLE_NAME": "gone"}
WHO = {"explain": ("user:ann",), "split": ("user:ann", "user:bob"), "join": ("user:ann", "user:bob")}


@pytest.fixture
def half() -> Iterator[Any]:
    """A deployment that lost its table, and whose queue of events goes when a test deletes it."""
    with mock_aws():
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="lake")
        sqs: Any = boto3.client("sqs", region_name="us-east-1")
        sqs.create_queue(QueueName="regulars-events")
        yield sqs


def command(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env=DEPLOYMENT | environment)


def assert_told(result: Result, words: str) -> None:
    """One line that begins with Error, and no other way out."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert words in result.output


@pytest.mark.usefixtures("half")
def test_identity_tells_of_a_table_that_is_not_there() -> None:
    assert_told(command("identity", "explain", *WHO["explain"]), "ResourceNotFoundException")


@pytest.mark.parametrize("name", WHO)
def test_identity_tells_of_a_queue_that_is_not_there(half: Any, name: str) -> None:
    half.delete_queue(QueueUrl=half.get_queue_url(QueueName="regulars-events")["QueueUrl"])
    assert_told(command("identity", name, *WHO[name]), "there is no queue regulars-events")


@pytest.mark.usefixtures("half")
def test_identity_tells_of_a_program_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text("sources: [", encoding="utf-8")
    assert_told(command("identity", "explain", *WHO["explain"], PROGRAM_PATH=str(tmp_path)), "sources.yaml")


@pytest.mark.usefixtures("half")
def test_replay_tells_of_contracts_that_are_not_there(tmp_path: Path) -> None:
    assert_told(command("replay-bad", CONTRACTS_PATH=str(tmp_path)), "no contracts there")


@pytest.mark.usefixtures("half")
def test_rebuild_tells_of_a_program_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "segments.yaml").write_text("segments: [", encoding="utf-8")
    assert_told(command("rebuild", "--all", PROGRAM_PATH=str(tmp_path)), "segments.yaml")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadInputError("bad_program", "segments.yaml: no"), "segments.yaml: no"),
        (PermanentError("it is not there"), "it is not there"),
        (TransientError("not now"), "not now; again"),
    ],
)
def test_each_kind_of_failure_is_told_in_its_own_words(error: Exception, words: str) -> None:
    with pytest.raises(Exception, match=f"^{words}$"), trouble(for_now="; again"):
        raise error


def test_the_commands_start_without_an_sdk() -> None:
    code = "import sys, regulars.cli; print(sorted({'boto3', 'botocore', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
