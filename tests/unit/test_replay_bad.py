"""Replaying bad rows: what passes now is kept as if it had passed then, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import orjson
import pytest
from click.testing import CliRunner
from moto import mock_aws

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.bots import CrawlerList
from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.application.ingest import ingest
from regulars.application.replay_bad import Normaliser, ReplayReport, Selection, replay_bad
from regulars.cli import main
from regulars.domain.errors import BadInputError, TransientError
from regulars.domain.events import BadRow, Event, event_id_of
from tests.lake_samples import CRAWLER, NOON, a_bad_row, a_message, an_event, an_intake

if TYPE_CHECKING:
    from collections.abc import Mapping

BOTS = CrawlerList()
CALL = {"type": "track", "event": "Product Viewed", "anonymousId": "a1", "messageId": "m1"}


def a_call_row(number: int, **call: Any) -> BadRow:
    original = orjson.dumps({**CALL, **call}).decode()
    return a_bad_row(number, stage="collect/member", original=original)


def run(log: MemoryEventLog, normalisers: Mapping[str, Normaliser] | None = None, **options: Any) -> ReplayReport:
    selection = Selection(**{name: options.pop(name) for name in ("code", "first", "end") if name in options})
    options = {"intake": an_intake(), **options}
    return replay_bad(log=log, replays=log, bots=BOTS, selection=selection, normalisers=normalisers, **options)


def events_of(log: MemoryEventLog) -> list[Event]:
    return [event for key in list(log.keys()) for event in log.read(key)]


def test_a_row_that_passes_now_becomes_the_event_that_it_was() -> None:
    log = MemoryEventLog()
    log.append_bad([a_call_row(1)])
    report = run(log)
    (event,) = events_of(log)
    assert (event.message_id, event.name, event.event_id) == ("m1", "Product Viewed", event_id_of("web", "m1"))
    assert event.received_at == a_call_row(1).received_at
    assert (report.rows, report.replayed, report.events) == (1, 1, 1)


def test_a_row_is_replayed_once() -> None:
    log = MemoryEventLog()
    log.append_bad([a_call_row(1)])
    run(log)
    before = dict(log.objects)
    report = run(log)
    assert report.rows == 0
    assert log.objects == before


def test_a_row_that_is_still_bad_stays_for_the_next_time() -> None:
    log = MemoryEventLog()
    log.append_bad([a_call_row(1), a_call_row(2, event=None)])
    report = run(log)
    assert (report.replayed, sum(report.still_bad.values())) == (1, 1)

    def mended(row: BadRow) -> list[Event]:
        return [an_event(int(row.row_id, 16))]

    assert run(log, {"collect": mended}).replayed == 1
    assert len(events_of(log)) == 2


def test_a_run_that_dies_after_the_lake_is_repeated_without_effect() -> None:
    class Dying(MemoryEventLog):
        alive = False

        def mark_replayed(self, bad_key: str, row_ids: Any) -> None:
            if not self.alive:
                raise TransientError("lost")
            super().mark_replayed(bad_key, row_ids)

    log = Dying()
    log.append_bad([a_call_row(1), a_call_row(2, messageId="m2")])
    with pytest.raises(TransientError):
        run(log)
    log.alive = True
    assert run(log).replayed == 2
    assert len(list(log.keys())) == 1


def test_a_call_without_an_id_gets_the_same_one_each_time() -> None:
    made = []
    for _ in range(2):
        log = MemoryEventLog()
        log.append_bad([a_call_row(1, messageId=None)])
        run(log)
        made.append(events_of(log)[0].event_id)
    assert made[0] == made[1]


def test_a_dry_run_says_what_would_happen_and_writes_nothing() -> None:
    log = MemoryEventLog()
    log.append_bad([a_call_row(1)])
    before = dict(log.objects)
    assert run(log, dry_run=True).replayed == 1
    assert log.objects == before


def test_rows_can_be_chosen_by_code_and_by_day() -> None:
    log = MemoryEventLog()
    log.append_bad([a_call_row(1), replace(a_call_row(2, messageId="m2"), code="other")])
    assert run(log, code="other", dry_run=True).rows == 1
    assert run(log, first=NOON + timedelta(seconds=2), dry_run=True).rows == 1
    assert run(log, end=NOON + timedelta(seconds=2), dry_run=True).rows == 1


def test_machines_are_flagged_on_a_replay_too() -> None:
    log = MemoryEventLog()
    log.append_bad([a_call_row(1, context={"userAgent": CRAWLER}), a_call_row(2, messageId="m2")])
    run(log)
    assert [event.bot for event in events_of(log)] == ["known_crawler", None]


def test_a_collision_is_replayed_on_demand_only_and_as_an_event_of_its_own() -> None:
    log = MemoryEventLog()
    other = replace(an_event(1), payload_hash="f" * 32, properties={"product_id": "9"}, received_at=NOON + timedelta(1))
    ingest(
        [("m", a_message([an_event(1), other]))], log=log, bots=BOTS, intake=an_intake(), catalogue=MemoryCatalogue()
    )
    assert run(log).rows == 0
    assert run(log, code="id_collision").replayed == 1
    assert run(log, code="id_collision").rows == 0
    first, second = events_of(log)
    assert first == an_event(1)
    assert second.message_id == "m1~ffffffffffff"
    assert second == replace(other, message_id=second.message_id, event_id=event_id_of("web", second.message_id))


def test_a_row_of_a_stage_that_nobody_reads_is_counted() -> None:
    log = MemoryEventLog()
    log.append_bad([a_bad_row(1, stage="elsewhere/x")])
    assert dict(run(log).unknown_stage) == {"elsewhere/x": 1}


def test_an_original_that_is_no_event_is_still_bad() -> None:
    log = MemoryEventLog()
    log.append_bad([a_bad_row(1, stage="ingest", original="{}"), a_bad_row(2, stage="update_customers", original="[]")])
    assert dict(run(log).still_bad) == {"bad_json": 2}


def test_a_normaliser_that_refuses_keeps_the_row() -> None:
    def refuse(_row: BadRow) -> list[Event]:
        raise BadInputError("too_large", "still")

    log = MemoryEventLog()
    log.append_bad([a_call_row(1)])
    assert run(log, {"collect": refuse}).still_bad["too_large"] == 1
    assert events_of(log) == []


def test_the_command_replays_a_bucket() -> None:
    with mock_aws():
        client: Any = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="lake")
        log = S3EventLog(client, "lake")
        log.append_bad([a_call_row(1), a_call_row(2, event=None)])
        result = CliRunner().invoke(main, ["replay-bad", "--bucket", "lake", "--from", "2026-11-01"])
        assert result.exit_code == 0, result.output
        assert result.output.startswith("2 rows read, 1 replayed as 1 events\n  1 still bad: ")
        assert len(list(log.keys())) == 1
        assert CliRunner().invoke(main, ["replay-bad", "--bucket", "gone"]).exit_code == 1
