"""The starter program, told as customers' stories: who they are as the days go by."""

from __future__ import annotations

from datetime import timedelta

import pytest

from regulars.adapters.program_files import program_files
from regulars.domain.rules.view import Value
from tests.rule_samples import DAY, HOUR, NOON, TICK, FakeView, ordered
from tests.world import PROGRAM_FOLDER, starter_program

PROGRAM = starter_program().compiled


def members(view: FakeView, after: timedelta = timedelta(0)) -> set[str]:
    return set(PROGRAM.memberships(view, NOON + after))


def band(view: FakeView, after: timedelta) -> str | None:
    return PROGRAM.churn_band(view, NOON + after)


def test_a_subscriber_is_new_for_two_weeks_or_until_the_first_order() -> None:
    consent: dict[str, Value] = {"reachable.email": True, "consent.email.at": NOON}
    assert members(FakeView(consent)) == {"new_subscriber"}
    assert members(FakeView(consent), 14 * DAY - TICK) == {"new_subscriber"}
    assert members(FakeView(consent), 14 * DAY) == set()
    assert "new_subscriber" not in members(FakeView(consent, orders=[(NOON, 100)]))


def test_no_order_in_thirty_days_ends_being_active_to_the_millisecond() -> None:
    view = ordered(0)
    assert "active" in members(view, 30 * DAY - TICK)
    assert "active" not in members(view, 30 * DAY)


def test_a_cart_is_abandoned_after_an_hour_and_forgotten_after_three_days() -> None:
    view = FakeView({"cart.open": True, "cart.last_at": NOON})
    assert PROGRAM.next_flip(view, NOON) == NOON + HOUR
    assert members(view, HOUR - TICK) == set()
    assert members(view, HOUR) == {"cart_abandoner"}
    assert members(view, 3 * DAY) == set()


@pytest.mark.parametrize(
    ("orders", "days_and_bands"),
    [
        ((0, 7, 14, 21), [(13, "low"), (14, "medium"), (28, "high"), (42, "lost")]),
        ((0, 20, 40), [(39, "low"), (40, "medium"), (60, "high"), (100, "lost")]),
        ((0, 100, 200), [(89, "low"), (90, "medium"), (150, "high"), (240, "lost")]),
        ((0,), [(29, "low"), (30, "medium"), (60, "high"), (120, "lost")]),
    ],
    ids=["weekly: a grocer's regular", "every 20 days", "seasonal: a fashion shop's regular", "ordered once"],
)
def test_churn_follows_the_customers_own_rhythm(
    orders: tuple[float, ...], days_and_bands: list[tuple[int, str]]
) -> None:
    view = ordered(*orders)
    assert [(day, band(view, day * DAY)) for day, _ in days_and_bands] == days_and_bands


def test_who_never_ordered_has_no_band() -> None:
    assert PROGRAM.churn_band(FakeView(), NOON) is None


def test_a_regular_is_loyal_then_at_risk_then_lapsed_and_wakes_only_for_that() -> None:
    view = ordered(0, 7, 14, 21, 28, net=1000)
    story, now = [], NOON
    while (flip := PROGRAM.next_flip(view, now)) is not None and flip < NOON + 300 * DAY:
        now = flip
        story.append(((now - NOON).days, band(view, now - NOON), sorted(members(view, now - NOON))))
    assert story == [
        (14, "medium", ["active", "loyal"]),
        (28, "high", ["active", "at_risk"]),
        (30, "high", ["at_risk"]),
        (42, "lost", ["lapsed"]),
    ]


def test_a_single_order_long_ago_is_a_lapsed_customer_who_never_was_at_risk() -> None:
    view = ordered(0)
    assert "at_risk" not in members(view, 61 * DAY)
    assert members(view, 120 * DAY) == {"lapsed"}


def test_a_big_spender_has_spent_the_parameter_within_a_year() -> None:
    least = starter_program().values["big_spender_min"]
    assert "big_spender" in members(ordered(3, net=least))
    assert "big_spender" not in members(ordered(3, net=least - 1))
    assert "big_spender" not in members(ordered(0, net=least), 365 * DAY)


def test_a_last_word_is_for_those_who_do_not_come_by() -> None:
    (campaign,) = PROGRAM.campaigns_of("lapsed")
    assert PROGRAM.applies(campaign, FakeView({"last_active": NOON - 7 * DAY}), NOON)
    assert PROGRAM.applies(campaign, FakeView(), NOON)
    assert not PROGRAM.applies(campaign, FakeView({"last_active": NOON - 6 * DAY}), NOON)


def test_every_campaign_has_its_template() -> None:
    for campaign in starter_program().campaigns:
        assert (PROGRAM_FOLDER / "templates" / campaign.channel / campaign.template).is_dir(), campaign.name


def test_every_segment_says_in_plain_english_what_it_is() -> None:
    program = starter_program()
    assert program.describe("active") == "at least 1 order in the last 30 days"
    assert all(segment.description and program.describe(segment.name) for segment in program.segments)


def test_the_program_is_its_yaml_files_and_nothing_beside_them() -> None:
    assert sorted(program_files(PROGRAM_FOLDER)) == [
        "campaigns.yaml",
        "identity.yaml",
        "program.yaml",
        "segments.yaml",
        "sources.yaml",
    ]
