"""Lifecycle stages, how often somebody buys, and the cohorts' rates."""

from __future__ import annotations

import pytest

from regulars.domain.scores.cohorts import Cohorts, cohorts_of
from regulars.domain.scores.history import DAY_MS
from regulars.domain.scores.lifecycle import Frequency, Rhythm, Stage, rhythm_of
from tests.unit.scores.samples import bought

RHYTHM = Rhythm(usual=30 * DAY_MS, long=90 * DAY_MS, frequent=14 * DAY_MS)


@pytest.mark.parametrize(
    ("days", "elapsed", "stage"),
    [
        ((0,), 0, Stage.NEW),
        ((0,), 89, Stage.NEW),
        ((0,), 90, Stage.LAPSED),
        ((0, 20), 29, Stage.ACTIVE),
        ((0, 20), 30, Stage.COOLING),
        ((0, 20), 90, Stage.LAPSED),
        ((0, 20, 110), 0, Stage.REACTIVATED),
        ((0, 20, 110, 115), 0, Stage.ACTIVE),
        ((0, 20, 110), 30, Stage.COOLING),
    ],
)
def test_stages_begin_at_their_bound(days: tuple[int, ...], elapsed: int, stage: Stage) -> None:
    buying = bought(*days)
    now = buying.latest + elapsed * DAY_MS
    assert RHYTHM.stage(buying, now) is stage
    at = RHYTHM.next_change(buying, now)
    if at is None:
        assert RHYTHM.stage(buying, now + 4000 * DAY_MS) is stage
    else:
        assert RHYTHM.stage(buying, at - 1) is stage
        assert RHYTHM.stage(buying, at) is not stage


def test_who_never_bought_is_a_prospect_for_ever() -> None:
    assert RHYTHM.stage(None, 0) is Stage.PROSPECT
    assert RHYTHM.next_change(None, 0) is None
    assert RHYTHM.frequency(None) is None


def test_one_off_occasional_frequent() -> None:
    found = [RHYTHM.frequency(bought(*days)) for days in ((0,), (0, 0.1), (0, 14), (0, 15), (0, 2, 28))]
    assert found == [Frequency.ONE_OFF, Frequency.ONE_OFF, Frequency.FREQUENT, Frequency.OCCASIONAL, Frequency.FREQUENT]


def test_the_rhythm_is_the_shops_own() -> None:
    rhythm = rhythm_of(list(range(1, 101)), [10, 20, 30])
    assert rhythm == (75, 95, 10)
    assert Rhythm.from_doc(rhythm.to_doc()) == rhythm


def test_cohorts_tell_people_apart_by_purchases_and_silence() -> None:
    """200 recent regulars who all came back, 200 one-time buyers of long ago who did not; and nobody else."""
    cohorts = cohorts_of([4] * 200 + [0] * 200, [DAY_MS] * 200 + [200 * DAY_MS] * 200, [False] * 200 + [True] * 200)
    assert cohorts is not None
    regular, once = bought(0, 10, 20), bought(0)
    assert cohorts.no_purchase(regular, regular.last + DAY_MS) == pytest.approx(0.0, abs=0.05)
    assert cohorts.no_purchase(once, once.last + 200 * DAY_MS) == pytest.approx(1.0, abs=0.05)
    twice = bought(0, 10)
    assert cohorts.no_purchase(twice, twice.last) == pytest.approx(0.5)
    assert Cohorts.from_doc(cohorts.to_doc()) == cohorts


def test_fewer_than_fifty_are_no_cohort() -> None:
    assert cohorts_of([0] * 49, [1] * 49, [True] * 49) is None
    assert cohorts_of([0] * 50, [1] * 50, [True] * 50) is not None
