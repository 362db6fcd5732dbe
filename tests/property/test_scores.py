"""Properties of the scores over random models, histories and instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.cohorts import Cohorts
from regulars.domain.scores.history import DAY_MS, Activity, Buying, buying_of
from regulars.domain.scores.lifecycle import Rhythm
from regulars.domain.scores.logistic import FEATURES, Logistic
from regulars.domain.scores.model import Kind, ScoreModel
from regulars.domain.scores.rfm import RfmCuts, klaviyo_group, next_group_change, shopify_group
from regulars.domain.scores.scoring import CHURN, Scorer
from tests.unit.scores.samples import START, VALUES

positive = st.floats(0.01, 20)
bg_nbds = st.builds(BgNbd, positive, positive, positive, positive)
coefficient = st.floats(-3, 3)
logistics = st.builds(
    lambda intercept, coefficients: Logistic(intercept, tuple(coefficients), (0.0,) * len(FEATURES)),
    coefficient,
    st.lists(coefficient, min_size=len(FEATURES), max_size=len(FEATURES)),
)
rate = st.floats(0, 1)
cohorts = st.builds(
    lambda rates: Cohorts(100, tuple(tuple(rates[row : row + 4]) for row in (0, 4, 8))),
    st.lists(rate, min_size=12, max_size=12),
)
days = st.floats(0, 400).map(lambda day: round(day, 5))


@st.composite
def histories(draw: st.DrawFn) -> Buying:
    orders = sorted(draw(st.lists(st.tuples(days, st.integers(0, 50_000)), min_size=1, max_size=12)))
    buying = buying_of([(START + timedelta(days=day), net) for day, net in orders])
    assert buying is not None
    return buying


def activities(buying: Buying) -> st.SearchStrategy[Activity | None]:
    seen = st.builds(Activity, st.integers(buying.first // DAY_MS, buying.last // DAY_MS + 100).map(DAY_MS.__mul__),
                     st.integers(1, 28))  # fmt: skip
    return st.none() | seen


models = st.one_of(
    bg_nbds.map(lambda model: ScoreModel(gate=None, churn=Kind.BG_NBD, bg_nbd=model, gamma_gamma=VALUES)),
    logistics.map(lambda model: ScoreModel(gate=None, churn=Kind.LOGISTIC, logistic=model)),
    cohorts.map(lambda model: ScoreModel(cohorts=model)),
)


@given(bg_nbds, histories(), st.lists(st.integers(0, 2000 * DAY_MS), min_size=2, max_size=8))
def test_bg_nbds_churn_rises_and_its_expectations_fall_while_nothing_happens(
    model: BgNbd, buying: Buying, after: list[int]
) -> None:
    points = [buying.weeks(buying.last + elapsed) for elapsed in sorted(after)]
    churn = [model.no_purchase(*point, 90 / 7) for point in points]
    expected = [model.expected_purchases(*point, 365 / 7) for point in points]
    assert all(0 <= each <= 1 for each in churn)
    assert all(each >= 0 for each in expected)
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(churn))
    assert all(later <= earlier * (1 + 1e-6) + 1e-12 for earlier, later in pairwise(expected))


@given(st.data(), models, histories(), rate)
def test_a_crossing_is_never_late_and_is_one(
    data: st.DataObject, model: ScoreModel, buying: Buying, bound: float
) -> None:
    """Against brute force: no instant before it has another verdict, and it has one itself."""
    scorer, activity = Scorer(model), data.draw(activities(buying))
    now = buying.last + data.draw(st.integers(0, 500 * DAY_MS))

    def verdict(at: int) -> bool:
        score = scorer.churn(buying, activity, at)
        assert score is not None
        return score >= bound

    before, at = verdict(now), scorer.next_change(CHURN, bound, buying, activity, now)
    end = now + 3650 * DAY_MS if at is None else at
    quiet = [now + (end - 1 - now) * step // 400 for step in range(401)]
    assert all(verdict(instant) is before for instant in quiet)
    if at is not None:
        assert at > now
        assert verdict(at) is not before


@given(
    histories(),
    st.integers(0, 800 * DAY_MS),
    st.lists(st.integers(1, 500 * DAY_MS), min_size=4, max_size=4, unique=True),
)
def test_groups_and_stages_change_when_they_say(buying: Buying, elapsed: int, bounds: list[int]) -> None:
    now, recency = buying.latest + elapsed, sorted(bounds)
    fives = RfmCuts(5, tuple(recency), (1, 2, 3, 5), (1000, 3000, 9000, 20_000))
    threes = RfmCuts(3, tuple(recency[:2]), (1, 3), (2000, 9000))
    rhythm = Rhythm(recency[0], recency[1], recency[2])
    groups: list[tuple[int | None, Callable[[int], str]]] = [
        (next_group_change(fives, buying, now), lambda instant: shopify_group(fives.scores(buying, instant))),
        (next_group_change(threes, buying, now), lambda instant: klaviyo_group(threes.scores(buying, instant))),
        (rhythm.next_change(buying, now), lambda instant: rhythm.stage(buying, instant)),
    ]
    for at, told in groups:
        end = now + 1000 * DAY_MS if at is None else at
        assert all(told(now + (end - 1 - now) * step // 60) == told(now) for step in range(61))
        if at is not None:
            assert told(at) != told(now)
