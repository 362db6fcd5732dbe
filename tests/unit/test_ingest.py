"""Ingest: what was acknowledged ends in the lake or in the bad rows, whatever the batch looks like."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from regulars.adapters.bots import CrawlerList
from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.application.ingest import ingest
from regulars.domain.errors import TransientError
from regulars.domain.events import EventType, Trust, event_from_doc
from tests.lake_samples import BROWSER, CRAWLER, a_bad_row, a_message, an_event, an_intake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.application.ingest import IngestReport
    from regulars.domain.events import BadRow, Event

BOTS = CrawlerList()


def taken(log: MemoryEventLog, *bodies: str) -> IngestReport:
    """Ingest these message bodies as one batch."""
    messages = [(f"message-{n}", body) for n, body in enumerate(bodies)]
    return ingest(messages, log=log, bots=BOTS, intake=an_intake(), catalogue=MemoryCatalogue())


def stored(log: MemoryEventLog) -> list[Event]:
    return [event for key in list(log.keys()) for event in log.read(key)]


def rejected(log: MemoryEventLog) -> list[BadRow]:
    return [row for key in log.bad_keys() for row in log.read_bad(key)]


def test_a_batch_of_messages_becomes_one_object_of_events_and_one_of_bad_rows() -> None:
    log = MemoryEventLog()
    report = taken(log, a_message([an_event(1)], [a_bad_row(1)]), a_message([an_event(2), an_event(3)]))
    assert stored(log) == [an_event(1), an_event(2), an_event(3)]
    assert rejected(log) == [a_bad_row(1)]
    assert len(log.objects) == 2
    assert (report.events, report.bad_rows, report.poison) == (3, 1, ())


def test_the_same_batch_again_changes_nothing() -> None:
    log = MemoryEventLog()
    taken(log, a_message([an_event(1)], [a_bad_row(1)]))
    before = dict(log.objects)
    taken(log, a_message([an_event(1)], [a_bad_row(1)]))
    assert log.objects == before


def test_an_event_that_comes_twice_in_a_batch_is_written_once() -> None:
    log = MemoryEventLog()
    report = taken(log, a_message([an_event(1)]), a_message([an_event(1)]))
    assert stored(log) == [an_event(1)]
    assert (report.events, report.duplicates, report.collisions) == (1, 1, 0)


def test_a_second_payload_under_one_id_is_kept_as_a_bad_row_whichever_comes_first_in_the_batch() -> None:
    first = an_event(1)
    second = replace(first, payload_hash="f" * 32, properties={"product_id": "9"}, received_at=an_event(2).received_at)
    for order in itertools.permutations([first, second, first]):
        log = MemoryEventLog()
        report = taken(log, a_message(list(order)))
        assert stored(log) == [first]
        (row,) = rejected(log)
        assert (row.code, row.stage, row.event_id) == ("id_collision", "ingest", first.event_id)
        assert event_from_doc(orjson.loads(row.original)) == second
        assert (report.duplicates, report.collisions) == (1, 1)


def test_a_bad_row_that_comes_twice_is_written_once() -> None:
    log = MemoryEventLog()
    taken(log, a_message(bad=[a_bad_row(1), a_bad_row(1)]))
    assert rejected(log) == [a_bad_row(1)]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not json",
        "null",
        "[]",
        '"text"',
        "{}",
        '{"v":2,"events":[]}',
        '{"v":1,"events":[{}]}',
        '{"v":1,"events":[null]}',
        '{"v":1,"events":5}',
        '{"v":1,"bad":[{"row_id":"1"}]}',
        '{"v":1,"bad":[{"received_at":1,"unknown":1}]}',
        a_message([an_event(1)]).replace('"track"', '"unheard of"'),
        a_message([an_event(1)]).replace('"timestamp":', '"timestamp":99999999999999999,"was":'),
    ],
)
def test_a_message_that_is_not_ours_is_reported_and_the_others_are_stored(body: str) -> None:
    log = MemoryEventLog()
    report = taken(log, a_message([an_event(2)]), body)
    assert report.poison == ("message-1",)
    assert stored(log) == [an_event(2)]


def test_nothing_of_a_half_readable_message_is_stored() -> None:
    log = MemoryEventLog()
    body = a_message([an_event(1)]).replace("]", ",{}]", 1)
    assert taken(log, body).poison == ("message-0",)
    assert log.objects == {}


def test_a_lake_that_does_not_answer_fails_the_whole_batch() -> None:
    class Down(MemoryEventLog):
        def append(self, events: Sequence[Event]) -> list[str]:
            raise TransientError(f"{len(events)} events not written")

    with pytest.raises(TransientError):
        taken(Down(), a_message([an_event(1)]))


def bot_of(**changes: Any) -> str | None:
    log = MemoryEventLog()
    taken(log, a_message([an_event(1, **changes)]))
    return stored(log)[0].bot


def test_known_crawlers_are_flagged_and_browsers_are_not() -> None:
    assert bot_of(context={"userAgent": CRAWLER}) == "known_crawler"
    assert bot_of(context={"userAgent": BROWSER}) is None


def test_what_claims_to_be_a_browser_without_naming_one_is_flagged() -> None:
    assert bot_of(context={}) == "no_user_agent"
    assert bot_of(context={"userAgent": ""}) == "no_user_agent"
    assert bot_of(context={"userAgent": 7}) == "no_user_agent"


def test_a_servers_library_needs_no_user_agent() -> None:
    assert bot_of(context={"library": {"name": "analytics-python", "version": "2"}}) is None


@pytest.mark.parametrize("trust", [Trust.SIGNED, Trust.SYSTEM])
@pytest.mark.parametrize("context", [{}, {"userAgent": CRAWLER}])
def test_a_source_that_proved_who_it_is_is_no_machine(trust: Trust, context: dict[str, str]) -> None:
    assert bot_of(trust=trust, type=EventType.ORDER, context=context) is None


def test_a_flood_of_long_user_agents_is_judged_by_their_beginnings() -> None:
    assert BOTS.reason("x" * 1_000 + "Googlebot/2.1") is None
    assert BOTS.reason("Googlebot/2.1" + "x" * 1_000_000) == "known_crawler"
    assert BOTS.reason(None) is None
