"""Every EventLog keeps the same promises: the one in memory and the one on S3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.domain.errors import PermanentError
from tests.lake_samples import NOON, a_bad_row, an_event

Log = MemoryEventLog | S3EventLog
YESTERDAY = NOON - timedelta(days=1)


@pytest.fixture(params=["memory", "s3"])
def log(request: pytest.FixtureRequest, lake: Any) -> Log:
    """An empty log."""
    return MemoryEventLog() if request.param == "memory" else S3EventLog(lake, "lake")


def test_what_is_appended_is_read_back_in_order_of_receipt(log: Log) -> None:
    events = [an_event(2, bot="known_crawler"), an_event(1, user_id="u1", traits={"plan": "gold"})]
    (key,) = log.append(events)
    assert log.read(key) == [events[1], events[0]]


def test_events_lie_under_their_utc_date_of_receipt(log: Log) -> None:
    keys = log.append([an_event(1), an_event(2, received_at=YESTERDAY)])
    assert [key.rpartition("/")[0] for key in keys] == ["events/date=2026-11-21", "events/date=2026-11-22"]
    assert list(log.keys()) == keys


def test_the_same_batch_in_any_order_is_one_object(log: Log) -> None:
    first = log.append([an_event(1), an_event(2)])
    again = log.append([an_event(2), an_event(1)])
    assert again == first
    assert list(log.keys()) == first


def test_what_is_there_is_never_overwritten(log: Log) -> None:
    (key,) = log.append([an_event(1)])
    log.append([an_event(1, bot="known_crawler")])
    assert log.read(key) == [an_event(1)]


def test_another_payload_under_a_known_id_is_kept_beside_the_first(log: Log) -> None:
    other = an_event(1, payload_hash="f" * 32, properties={"product_id": "other"})
    (first,) = log.append([an_event(1)])
    (second,) = log.append([other])
    assert (log.read(first), log.read(second)) == ([an_event(1)], [other])


def test_keys_can_be_limited_to_days_both_ends_included(log: Log) -> None:
    days = [NOON + timedelta(days=day) for day in range(4)]
    keys = [log.append([an_event(number, received_at=day)])[0] for number, day in enumerate(days)]
    assert list(log.keys(first_day=days[1], last_day=days[2])) == keys[1:3]
    assert list(log.keys(first_day=days[3])) == keys[3:]
    assert list(log.keys(last_day=days[0])) == keys[:1]


def test_each_key_comes_with_the_instant_of_its_writing(log: Log) -> None:
    """All of them, by receipt date; not the bad rows."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    (late,) = log.append([an_event(1)])
    (early,) = log.append([an_event(2, received_at=YESTERDAY)])
    log.append_bad([a_bad_row(1)])
    landed = list(log.landed())
    assert [key for key, _ in landed] == [early, late]
    assert all(before <= instant <= datetime.now(UTC) for _, instant in landed)


def test_bad_rows_are_kept_with_their_originals_and_apart_from_events(log: Log) -> None:
    rows = [a_bad_row(2, original="gr\u00fc\u00df\n\u0000"), a_bad_row(1, event_id="e" * 32)]
    (key,) = log.append_bad(rows)
    assert key.startswith("bad/date=2026-11-22/")
    assert log.read_bad(key) == [rows[1], rows[0]]
    assert list(log.bad_keys()) == [key]
    assert list(log.keys()) == []


def test_the_same_bad_rows_again_are_one_object(log: Log) -> None:
    assert log.append_bad([a_bad_row(1), a_bad_row(2)]) == log.append_bad([a_bad_row(2), a_bad_row(1)])
    assert len(list(log.bad_keys())) == 1


def test_replays_are_recorded_row_by_row_and_once(log: Log) -> None:
    (key,) = log.append_bad([a_bad_row(1), a_bad_row(2)])
    assert log.replayed(key) == set()
    log.mark_replayed(key, [a_bad_row(1).row_id])
    log.mark_replayed(key, [a_bad_row(1).row_id])
    assert log.replayed(key) == {a_bad_row(1).row_id}
    log.mark_replayed(key, [a_bad_row(2).row_id])
    assert log.replayed(key) == {a_bad_row(1).row_id, a_bad_row(2).row_id}


def test_an_object_that_is_not_there_is_a_permanent_error(log: Log) -> None:
    with pytest.raises(PermanentError, match="no such object"):
        log.read("events/date=2026-11-22/none.parquet")
    with pytest.raises(PermanentError, match="no such object"):
        log.read_bad("bad/date=2026-11-22/none.jsonl.gz")


def test_the_first_note_of_a_name_stays(log: Log) -> None:
    """What is noted of an import, by name; another import's notes are its own."""
    assert log.note("import-1", "begun") is None
    assert log.keep_note("import-1", "begun", {"received_at": 1}) == {"received_at": 1}
    assert log.keep_note("import-1", "begun", {"received_at": 2}) == {"received_at": 1}
    log.keep_note("import-1", "object-000000", {"keys": []})
    log.keep_note("import-2", "begun", {"received_at": 3})
    assert log.note("import-1", "begun") == {"received_at": 1}
    assert log.note_names("import-1") == {"begun", "object-000000"}
    assert list(log.keys()) == []
