"""Instants in the forms that clients send."""

from __future__ import annotations

import pytest

from regulars.domain.instants import from_millis
from regulars.domain.times import event_times, parse_instant

INSTANT = from_millis(1_795_339_800_123)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:30:00.123Z",
        "2026-11-22T09:30:00.123456789Z",
        "2026-11-22T10:30:00.123+01:00",
        "2026-11-22T09:30:00.123",
        " 2026-11-22 09:30:00.123 ",
        "1795339800123",
        1_795_339_800_123,
        1_795_339_800.123,
    ],
)
def test_an_instant_is_read_in_every_form_that_clients_send(text: object) -> None:
    assert parse_instant(text) == INSTANT


def test_small_numbers_are_seconds_and_a_leap_second_is_the_one_before() -> None:
    assert parse_instant("1795339800") == from_millis(1_795_339_800_000)
    assert parse_instant("2016-12-31T23:59:60Z") == parse_instant("2016-12-31T23:59:59Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13-01",
        None,
        True,
        {},
        "9" * 30,
        1e300,
        -1e300,
        "0001-01-01T00:00:00+14:00",
        "\u0661",
        float("nan"),
    ],
)
def test_what_is_no_instant_is_none(text: object) -> None:
    assert parse_instant(text) is None


def test_a_span_that_leaves_the_calendar_is_a_broken_clock() -> None:
    times = event_times("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", INSTANT)
    assert (times.timestamp, times.flag) == (INSTANT, "past")


def test_a_clock_that_is_years_behind_is_corrected() -> None:
    times = event_times("1970-01-02T00:00:00Z", "1970-01-02T00:00:07Z", INSTANT)
    assert (times.timestamp, times.flag) == (from_millis(1_795_339_793_123), None)


def test_nothing_happens_after_it_was_received() -> None:
    times = event_times("2026-11-22T09:35:00Z", None, INSTANT)
    assert (times.timestamp, times.flag) == (INSTANT, None)
