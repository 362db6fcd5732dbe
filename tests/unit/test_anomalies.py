"""The monitor's judgement: what is unusual is told, the usual ups and downs of a shop are not."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from regulars.domain.anomalies import anomalies
from regulars.domain.quality import DayQuality, Series, quality_from_doc, quality_to_doc

TODAY = date(2026, 11, 20)
KEY = ("web", "Product Viewed")
WEEKEND = 5


def a_day(day: date, **figures: int) -> DayQuality:
    """A day with one series of 1,000 events and whatever differs from a calm one."""
    volume = figures.get("volume", 1_000)
    one = Series(volume, violations=figures.get("violations", 0), contract="product-viewed@1")
    one.lags[figures.get("lag", 1)] = volume
    one.nulls["properties.price"] = figures.get("null", 10)
    if figures.get("unknown"):
        one.unknown["properties.prize"] = figures["unknown"]
    found = DayQuality(day, objects=1, events=volume, series={KEY: one} if volume else {})
    if figures.get("bad"):
        found.bad[("web", "too_large")] = figures["bad"]
    return found


def history(days: int = 56, **figures: int) -> dict[date, DayQuality]:
    return {day: a_day(day, **figures) for back in range(1, days + 1) if (day := TODAY - timedelta(days=back))}


def measures(today: DayQuality, past: dict[date, DayQuality]) -> list[str]:
    return [anomaly.measure for anomaly in anomalies(today, past)]


@pytest.mark.parametrize(
    ("figures", "measure"),
    [
        ({"volume": 400}, "volume"),
        ({"volume": 3_000, "null": 30}, "volume"),
        ({"volume": 0}, "volume"),
        ({"violations": 100}, "violations"),
        ({"null": 400}, "null:properties.price"),
        ({"lag": 10}, "lag"),
        ({"unknown": 300}, "unknown:properties.prize"),
        ({"bad": 50}, "bad:too_large"),
    ],
)
def test_what_is_far_from_usual_is_told(figures: dict[str, int], measure: str) -> None:
    assert measures(a_day(TODAY, **figures), history()) == [measure]


@pytest.mark.parametrize(
    "figures",
    [{}, {"volume": 900}, {"volume": 1_150, "null": 12}, {"violations": 15}, {"null": 25}, {"null": 0}, {"lag": 3},
     {"unknown": 9}, {"bad": 3}],
)  # fmt: skip
def test_what_is_near_to_usual_is_not(figures: dict[str, int]) -> None:
    assert measures(a_day(TODAY, **figures), history()) == []


def test_a_weekday_is_compared_with_its_like() -> None:
    """A shop that sells three times as much on weekends is calm on a Saturday, and alarmed by a Saturday's half."""
    past = {
        day: a_day(day, volume=3_000 if day.weekday() >= WEEKEND else 1_000)
        for back in range(1, 57)
        if (day := TODAY - timedelta(days=back))
    }
    saturday = TODAY + timedelta(days=1)
    past[TODAY] = a_day(TODAY)
    assert measures(a_day(saturday, volume=3_000, null=30), past) == []
    assert measures(a_day(saturday, volume=1_500, null=15), past) == ["volume"]


def test_bad_days_of_the_past_do_not_make_the_next_one_look_right() -> None:
    past = history()
    for weeks in (1, 3, 5):
        past[TODAY - timedelta(weeks=weeks)] = a_day(TODAY - timedelta(weeks=weeks), volume=100)
    assert measures(a_day(TODAY, volume=100, null=1), past) == ["volume"]


def test_without_a_past_there_is_no_verdict() -> None:
    assert measures(a_day(TODAY, volume=1), {}) == []
    assert measures(a_day(TODAY, volume=9_999), history(6)) == []
    assert measures(a_day(TODAY, volume=9_999, null=99), history(7)) == ["volume"]


def test_days_after_it_and_long_before_it_do_not_count() -> None:
    other = {TODAY + timedelta(days=1): a_day(TODAY + timedelta(days=1), volume=1)}
    old = {TODAY - timedelta(days=back): a_day(TODAY - timedelta(days=back), volume=1) for back in range(57, 90)}
    assert measures(a_day(TODAY), other | old) == []
    assert measures(a_day(TODAY), history() | other | old) == []


def test_a_new_event_is_no_anomaly_and_one_that_is_gone_is() -> None:
    assert measures(a_day(TODAY), history(volume=0)) == []
    (gone,) = anomalies(a_day(TODAY, volume=0), history())
    assert (gone.source, gone.event, gone.value, gone.usual) == ("web", "Product Viewed", 0.0, 1000.0)


def test_rare_events_cannot_alarm_by_their_shares() -> None:
    assert measures(a_day(TODAY, volume=20, violations=20, null=20, lag=15), history(volume=20)) == []


def test_a_year_of_chance_alone_is_nearly_silent() -> None:
    """Volumes and shares that vary as counts do, with a weekly pattern, from the shop's first day on."""
    chance = random.Random(4)  # noqa: S311
    days: dict[date, DayQuality] = {}
    told = 0
    for number in range(200):
        day = TODAY + timedelta(days=number)
        mean = 600 if day.weekday() >= WEEKEND else 400
        volume = round(chance.gauss(mean, mean**0.5))
        nulls = sum(chance.random() < 0.1 for _ in range(volume))
        today = a_day(day, volume=volume, null=nulls)
        told += len(anomalies(today, days))
        days[day] = today
    assert told <= 2


def test_a_day_comes_back_from_its_document() -> None:
    today = a_day(TODAY, violations=300, unknown=30, bad=2)
    today.anomalies = anomalies(today, history())
    assert today.anomalies
    assert quality_from_doc(quality_to_doc(today)) == today
