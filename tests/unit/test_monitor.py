"""The monitor reads a day of the lake and keeps its figures; a night that was missed is made up for."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from regulars.adapters.contract_files import newest_contracts
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.memory.quality import MemoryQuality
from regulars.adapters.memory.system import FixedClock
from regulars.application.monitor import Monitor
from regulars.domain.errors import TransientError
from regulars.domain.events import Event, Trust, event_id_of
from regulars.domain.quality import MAX_SERIES, MAX_UNKNOWN, OTHERS, DayQuality, quality_from_doc, quality_to_doc
from tests.lake_samples import CONTRACTS, NOON, a_bad_row, an_event, an_intake

TODAY = date(2026, 11, 22)
NIGHT = datetime(2026, 11, 23, 5, tzinfo=UTC)
LATER = NIGHT + timedelta(minutes=10)


class Shop:
    """A lake, what is kept of its days, and the monitor on a clock that a test moves."""

    def __init__(self) -> None:
        self.clock = FixedClock(NIGHT)
        self.log, self.store = MemoryEventLog(), MemoryQuality()
        self.monitor = Monitor(self.log, self.store, newest_contracts(CONTRACTS), self.clock)

    def measured(self, *events: Event) -> DayQuality:
        self.log.append([an_intake()(event) for event in events])
        return self.monitor.measure(TODAY)


def view(number: int, **properties: Any) -> Event:
    return an_event(number, properties=properties)


def test_a_days_events_are_counted_by_source_and_name() -> None:
    shop = Shop()
    shop.log.append_bad([a_bad_row(1), a_bad_row(2)])
    found = shop.measured(
        an_event(1),
        an_event(2, source="app", event_id=event_id_of("app", "2")),
        an_event(3, name="Something New"),
        an_event(4, received_at=NOON + timedelta(days=1)),
        an_event(5, bot="known_crawler"),
    )
    assert {key: one.volume for key, one in found.series.items()} == {
        ("web", "Product Viewed"): 2, ("app", "Product Viewed"): 1, ("web", "Something New"): 1,
    }  # fmt: skip
    assert found.bad == Counter({("web", "missing_event"): 2})
    assert (found.events, found.objects) == (4, 1)
    assert found.series[("web", "Product Viewed")].bots == 1


def test_missing_and_unknown_fields_and_violations_are_counted() -> None:
    found = Shop().measured(
        view(1, product_id="p1", price=1), view(2, product_id="p2", price="1"), view(3, price=None, colour="red")
    )
    one = found.series[("web", "Product Viewed")]
    assert (one.contract, one.volume, one.violations) == ("product-viewed@1", 3, 2)
    assert (one.nulls["properties.product_id"], one.nulls["properties.price"]) == (1, 1)
    assert one.unknown == {"properties.colour": 1}


def test_lag_is_the_time_from_the_event_to_its_receipt() -> None:
    late = an_event(9, timestamp=NOON - timedelta(hours=1))
    found = Shop().measured(*(an_event(number) for number in range(1, 9)), late)
    one = found.series[("web", "Product Viewed")]
    assert (one.lag_within(0.5), one.lag_within(1.0)) == (1, 4096)


def test_what_an_import_brought_is_a_series_of_its_own() -> None:
    found = Shop().measured(an_event(1, trust=Trust.IMPORTED))
    assert set(found.series) == {("web (imported)", "Product Viewed")}


def test_made_up_names_cannot_fill_the_memory_or_the_terminal() -> None:
    names = [an_event(number, name=f"made up {number}") for number in range(MAX_SERIES + 5)]
    fields = view(9_000, product_id="p", **{f"field{number}": 1 for number in range(MAX_UNKNOWN + 9)})
    found = Shop().measured(fields, an_event(9_001, name="\x1b[2J" + "x" * 300), *names)
    assert len(found.series) == MAX_SERIES + 1
    assert found.series[(OTHERS, OTHERS)].volume == 7
    assert sum(one.volume for one in found.series.values()) == len(names) + 2
    found = Shop().measured(fields, an_event(9_001, name="\x1b[2J" + "x" * 300))
    assert len(found.series[("web", "Product Viewed")].unknown) == MAX_UNKNOWN
    assert ("web", "?[2J" + "x" * 96) in found.series
    assert quality_from_doc(quality_to_doc(found)) == found


def test_measuring_again_gives_the_same_figures() -> None:
    shop = Shop()
    first = shop.measured(an_event(1), an_event(2))
    assert shop.monitor.measure(TODAY) == first
    assert list(shop.store.documents) == [TODAY]


def test_every_night_measures_yesterday_and_what_was_missed_since_the_last_one() -> None:
    shop = Shop()
    assert [day.day for day in shop.monitor.nightly(LATER)] == [TODAY]
    shop.clock.instant = NIGHT + timedelta(days=3)
    nights = shop.monitor.nightly(LATER + timedelta(days=3))
    assert [day.day for day in nights] == [TODAY + timedelta(days=number) for number in (1, 2, 3)]
    assert [day.day for day in shop.monitor.nightly(LATER + timedelta(days=3))] == [TODAY + timedelta(days=3)]


def test_a_silent_day_after_busy_ones_is_told() -> None:
    shop = Shop()
    for day in range(8):
        events = [
            an_event(day * 100 + number, received_at=NOON - timedelta(days=day), timestamp=NOON - timedelta(days=day))
            for number in range(60)
        ]
        shop.log.append(events)
    for day in range(7, -1, -1):
        assert shop.monitor.measure(TODAY - timedelta(days=day)).anomalies == []
    (told,) = shop.monitor.measure(TODAY + timedelta(days=1)).anomalies
    assert (told.source, told.event, told.measure, told.value, told.usual) == ("web", "Product Viewed", "volume", 0, 60)


def test_a_night_that_is_too_short_fails_and_keeps_nothing_half_measured() -> None:
    shop = Shop()
    shop.log.append([an_event(1)])
    with pytest.raises(TransientError):
        shop.monitor.nightly(NIGHT)
    assert shop.store.documents == {}
