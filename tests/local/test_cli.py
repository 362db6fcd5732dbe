"""`regulars invoke`: one function, one event, a fresh cloud; errors are one line and a nonzero exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.local.cli import main

EVENTS = Path(__file__).parents[2] / "events"


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["invoke", *arguments])


def test_a_sample_prints_the_functions_reply_as_json() -> None:
    result = invoked("ingest", str(EVENTS / "ingest" / "batch.json"))
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"batchItemFailures": []}


def test_the_log_is_printed_beside_the_reply_when_asked() -> None:
    result = invoked("ingest", str(EVENTS / "ingest" / "batch.json"), "--log")
    assert json.loads(result.stdout) == {"batchItemFailures": []}
    assert "EventsStored" in result.stderr


def test_steps_beside_the_event_run_first(tmp_path: Path) -> None:
    unread = EVENTS / "ingest" / "batch.json"
    event = tmp_path / "twice.json"
    event.write_text(unread.read_text())
    event.with_suffix(".before.yaml").write_text(f"- {{function: ingest, event: {unread}}}\n")
    assert json.loads(invoked("ingest", str(event)).stdout) == {"batchItemFailures": []}


@pytest.mark.parametrize(
    ("function", "content", "message"),
    [
        ("nobody", "{}", "no function nobody; there are admin, collect, evaluate_customers"),
        ("ingest", "{", "is not JSON"),
        ("ingest", None, "No such file"),
        ("ingest", "{}", "ingest: KeyError: 'Records'"),
    ],
)
def test_an_error_is_one_clear_line_and_a_nonzero_exit(
    tmp_path: Path, function: str, content: str | None, message: str
) -> None:
    event = tmp_path / "event.json"
    if content is not None:
        event.write_text(content)
    result = invoked(function, str(event))
    assert result.exit_code != 0
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_the_operators_commands_are_there_too() -> None:
    listed = CliRunner().invoke(main, ["--help"]).stdout
    assert all(command in listed for command in ("invoke", "dev", "replay-bad", "redrive", "rebuild", "reconcile"))
