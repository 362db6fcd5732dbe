"""Runs of imports: again, killed and resumed, in parts, with bad rows, in other processes."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
from click.testing import CliRunner
from moto import mock_aws

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.bots import CrawlerList
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.processes import Processes
from regulars.application.importing import TooManyBadRowsError, assembled, document_of
from regulars.application.replay_bad import Selection, replay_bad
from regulars.cli import main
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.events import Event
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.importing.mapping import load_mapping
from tests.importing.samples import LINES, Importer, as_csv, as_it_is, as_jsonl, as_parquet, lines
from tests.lake_samples import NOON
from tests.world import World


@pytest.fixture
def run(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def test_the_same_import_again_writes_nothing_whenever_it_is(run: Importer) -> None:
    first = run.rows(LINES, lines())
    before = dict(run.log.objects)
    run.clock.instant += timedelta(days=40)
    again = run.rows(LINES, lines())
    assert run.log.objects == before
    assert (again.already, again.objects, again.rows, again.events) == (True, 0, 9, 3)
    assert again.received_at == first.received_at == NOON


def test_files_may_be_given_in_any_order_and_twice(run: Importer) -> None:
    rows = lines()
    one, two = run.file("a.csv", as_csv(rows[:4])), run.file("b.csv", as_csv(rows[4:]))
    run(LINES, one, two)
    before = dict(run.log.objects)
    again = run(LINES, two, one, run.file("copy.csv", as_csv(rows[4:])))
    assert again.already
    assert run.log.objects == before
    other = Importer(run.folder)
    other.rows(LINES, rows)
    assert other.events() == run.events()


class _FailingLog(MemoryEventLog):
    """Takes so many objects and then answers no more."""

    def __init__(self, objects: int) -> None:
        super().__init__()
        self.left = objects

    def append(self, events: Sequence[Event]) -> list[str]:
        if not self.left:
            raise TransientError("gone")
        self.left -= 1
        return super().append(events)


def test_an_import_that_was_stopped_goes_on_where_it_was(run: Importer) -> None:
    rows = lines(orders=20, each=2)
    rows = [row | {"card": f"card-{row['receipt']}"} for row in rows]
    log = run.log = _FailingLog(3)
    with pytest.raises(TransientError):
        run.rows(LINES, rows, events_per_object=4)
    there = {key: body for key, body in log.objects.items() if key.startswith("events/")}
    assert len(there) == 3
    log.left = 100
    run.clock.instant += timedelta(days=3)
    report = run.rows(LINES, rows, events_per_object=4)
    assert (report.skipped, report.objects) == (3, 2)
    assert {key for key in log.objects if key.startswith("events/")} > set(there)
    assert all(key.startswith("events/date=2026-11-22/") for key in list(log.keys()))
    whole = Importer(run.folder)
    whole.rows(LINES, rows)
    assert run.events() == whole.events()


def test_a_death_between_an_object_and_its_note_repeats_the_object_without_effect(run: Importer) -> None:
    report = run.rows(LINES, lines())
    notes = [key for key in run.log.objects if key.startswith("imports/") and not key.endswith("begun.json")]
    assert len(notes) == 2
    for key in notes:
        del run.log.objects[key]
    before = set(run.log.objects)
    again = run.rows(LINES, lines())
    assert (again.objects, again.keys) == (1, report.keys)
    assert set(run.log.objects) == before | set(notes)


def test_a_customer_is_never_spread_over_two_objects(run: Importer) -> None:
    rows = [row | {"card": f"card-{number % 7}"} for number, row in enumerate(lines(30, 1))]
    report = run.rows(LINES, rows, events_per_object=5)
    customers = [{event.context["externalIds"][0]["id"] for event in run.log.read(key)} for key in report.keys]
    assert len(customers) > 2
    assert sum(len(some) for some in customers) == 7


def test_a_bad_line_takes_its_order_along_and_no_other(run: Importer) -> None:
    rows = lines()
    rows[4] |= {"amount": "2,11"}
    report = run.rows(LINES, rows)
    assert (report.events, report.bad_rows) == (2, 3)
    assert [(fault.row, fault.code, fault.field) for fault in run.faults] == [
        (4, "same_order", ""), (5, "bad_amount", "fields.line_total"), (6, "same_order", ""),
    ]  # fmt: skip
    (row,) = run.bad()
    assert (row.code, row.stage, row.source) == ("bad_amount", "import/order_lines", "till")
    assert "2,11" not in row.detail


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"receipt": ""}, "missing_value"),
        ({"receipt": "r" * 65}, "bad_shape"),
        ({"time": "yesterday"}, "bad_instant"),
        ({"time": "1999-01-01"}, "bad_instant"),
        ({"time": "2027-01-01"}, "bad_instant"),
        ({"pieces": "1.5"}, "bad_shape"),
        ({"pieces": "-1"}, "bad_shape"),
        ({"pieces": ""}, "missing_value"),
        ({"amount": "-1"}, "bad_amount"),
        ({"amount": "1.234"}, "bad_amount"),
        ({"amount": "1e3"}, "bad_amount"),
        ({"amount": ""}, "missing_value"),
        ({"article": ""}, "missing_value"),
        ({"card": "a\u0007b"}, "bad_identifier"),
        ({"card": ""}, "no_identifier"),
    ],
)
def test_each_bad_value_has_its_code(run: Importer, change: dict[str, Any], code: str) -> None:
    run.rows(LINES, [lines(1, 1)[0] | change])
    assert [fault.code for fault in run.faults] == [code]
    assert [row.code for row in run.bad()] == [code]
    assert run.events() == []


def test_rows_of_an_order_that_contradict_each_other_are_bad(run: Importer) -> None:
    rows = lines(1, 2)
    rows[1] |= {"card": "card-9"}
    run.rows(LINES, rows)
    assert {fault.code for fault in run.faults} == {"conflicting_rows", "same_order"}


def test_lines_that_are_no_rows_are_told_and_kept(run: Importer) -> None:
    content = as_csv(lines(2, 1)) + b"only,three,cells\r\n" + b"\r\n" + "r9,2026-03-01,kärd,a,1,1".encode("cp1252")
    run(LINES, run.file("rows.csv", content))
    assert [(fault.row, fault.code) for fault in run.faults] == [(3, "bad_row"), (4, "bad_encoding")]
    content = as_jsonl(lines(1, 1)) + b'{"receipt": \n[1]\n\xff\n'
    run.faults.clear()
    run(LINES, run.file("rows.jsonl", content))
    assert [(fault.row, fault.code) for fault in run.faults] == [(2, "bad_json"), (3, "bad_json"), (4, "bad_json")]
    assert len(run.bad()) == 5


def test_a_bad_row_can_be_replayed_after_its_rule_was_mended(run: Importer) -> None:
    """The row carries its mapping: here the rule is the mapping's, mended in the bad row itself."""
    run.rows(LINES, [row | {"amount": "2.111"} for row in lines(1, 2)])
    assert _replayed(run.log).still_bad == {"bad_amount": 1}
    (key,) = run.log.bad_keys()
    (row,) = run.log.read_bad(key)
    mended = orjson.loads(row.original)
    mended["mapping"]["fields"]["line_total"]["rounding"] = "half_up"
    log = MemoryEventLog()
    log.append_bad([_with_original(row, orjson.dumps(mended).decode())])
    assert _replayed(log).replayed == 1
    (event,) = [event for one in list(log.keys()) for event in log.read(one)]
    assert event.properties["total_minor"] == 422
    assert _replayed(log).rows == 0


def _with_original(row: Any, original: str) -> Any:
    return replace(row, original=original)


def _replayed(log: MemoryEventLog) -> Any:
    return replay_bad(log=log, replays=log, bots=CrawlerList(), intake=as_it_is, selection=Selection())


def test_too_many_bad_rows_stop_an_import_before_anything_is_written(run: Importer) -> None:
    with pytest.raises(TooManyBadRowsError):
        run.rows(LINES, [row | {"amount": "x"} for row in lines(10, 1)], max_bad=3)
    assert [key for key in run.log.objects if not key.startswith("imports/")] == []


def test_a_dry_run_finds_everything_and_writes_nothing(run: Importer) -> None:
    report = run.rows(LINES, [*lines(), lines(1, 1)[0] | {"receipt": "r7", "amount": "x"}], dry_run=True)
    assert (report.events, report.bad_rows) == (3, 1)
    assert run.log.objects == {}


def test_progress_is_told_of_every_pass_to_its_end(run: Importer) -> None:
    run.rows(LINES, lines())
    last = {what: (done, total) for what, done, total in run.shown}
    assert list(last) == ["reading", "assembling", "writing"]
    assert all(done == total > 0 for done, total in last.values())


def test_what_the_intake_refuses_is_a_bad_row() -> None:
    def strict() -> Any:
        def refuse(_event: Event) -> Event:
            raise BadInputError("contract_violation", "order@1: required")

        return refuse

    mapping = load_mapping(LINES)
    found = assembled(document_of(mapping), NOON, strict, [[orjson.dumps([[0, 1, _values(mapping)]])]])
    assert [fault[0] for fault, _ in found.rejected] == ["contract_violation"]


def _values(mapping: Any) -> list[Any]:
    return [lines(1, 1)[0][column] for column in mapping.columns]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_damaged_or_foreign_file_is_refused_as_a_whole(run: Importer, kind: str) -> None:
    whole = as_parquet(lines())
    path = run.file(f"rows.{kind}", whole[:-20]) if kind == "parquet" else run.file(f"rows.{kind}.gz", b"no gzip")
    with pytest.raises(PermanentError, match=path.name):
        run(LINES, path)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_is_not_there_is_named_with_its_likely_name(run: Importer, kind: str) -> None:
    wrong = LINES | {"fields": LINES["fields"] | {"line_total": "amonut"}}
    with pytest.raises(BadInputError, match="no column amonut; did you mean amount"):
        run.rows(wrong, lines(), kind)


def test_imported_orders_make_customers_and_start_no_campaign(run: Importer) -> None:
    world = World(now=NOON)
    run.log = world.log
    report = run.rows(LINES | {"currency": "USD"}, lines())
    world.update([("record", report.keys)])
    world.settle()
    books = [world.store.heads([node])[node].orders for node in _cards()]
    assert [len(book.value.entries) for book in books if book] == [2, 1]
    assert world.decisions == []
    assert {fact["properties"].get("trigger") for fact in world.told} <= {"import"}


def _cards() -> list[str]:
    return [node_id(NodeKind.LOYALTY, f"card-{number}") for number in (1, 2)]


def test_processes_give_what_one_process_gives_in_order() -> None:
    assert list(Processes(2)(abs, [-3, 2, -1])) == [3, 2, 1]
    assert list(Processes(2)(abs, [-3])) == [3]


def test_the_work_of_the_second_pass_can_be_done_elsewhere() -> None:
    mapping = load_mapping(LINES)
    work = partial(assembled, document_of(mapping), NOON, _plain)
    piece = [[orjson.dumps([[0, 1, _values(mapping)]])]]
    assert pickle.loads(pickle.dumps(work))(piece) == work(piece)  # noqa: S301 - our own


def _plain() -> Any:
    return as_it_is


def test_the_command_checks_files_and_reports_bad_rows(run: Importer) -> None:
    mapping = run.file("mapping.yaml", orjson.dumps(LINES))
    rows = run.file("rows.csv", as_csv([*lines(2, 1), lines(1, 1)[0] | {"receipt": "r7", "amount": "x"}]))
    report = run.folder / "errors.csv"
    command = ["import", str(rows), "--mapping", str(mapping), "--dry-run", "--errors", str(report)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "3 rows, 2 events, 1 bad rows; nothing was written" in done.output
    assert report.read_text().splitlines() == [
        "file,row,code,field,problem",
        "rows.csv,3,bad_amount,fields.line_total,fields.line_total: must be a plain decimal number",
    ]


def test_the_command_imports_into_a_bucket_once(run: Importer) -> None:
    mapping, rows = run.file("mapping.yaml", orjson.dumps(LINES)), run.file("rows.csv", as_csv(lines()))
    command = ["import", str(rows), "--mapping", str(mapping), "--bucket"]
    with mock_aws():
        client: Any = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="lake")
        first = CliRunner().invoke(main, [*command, "lake"])
        again = CliRunner().invoke(main, [*command, "lake"])
        log = S3EventLog(client, "lake")
        orders = [event.properties["order_id"] for key in list(log.keys()) for event in log.read(key)]
        missing = CliRunner().invoke(main, [*command, "nowhere"])
    assert "9 rows, 3 events, 0 bad rows; 1 objects written" in first.output
    assert "all of it was imported before, nothing was written" in again.output
    assert sorted(orders) == ["r0", "r1", "r2"]
    assert (missing.exit_code, "NoSuchBucket" in missing.output) == (1, True)


def test_the_command_names_what_is_wrong_with_a_mapping(run: Importer) -> None:
    mapping = run.file("mapping.yaml", b"version: 1\nkind: orders\nsource: Shop\nfields: {order_id: id, totl: x}\n")
    done = CliRunner().invoke(main, ["import", str(mapping), "--mapping", str(mapping), "--dry-run"])
    assert done.exit_code == 1
    assert "mapping.yaml: fields.totl: orders have no such field; did you mean total?" in done.output
    assert "mapping.yaml: source: use small letters" in done.output
