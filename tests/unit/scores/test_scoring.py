"""A customer's nine scores, why some are absent, when they cross a bound, and what moved them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from pathlib import Path

import pytest

from regulars.domain.scores.cohorts import Cohorts
from regulars.domain.scores.gates import Population, Reason, gate
from regulars.domain.scores.history import DAY_MS, WEEK_MS, Activity
from regulars.domain.scores.lifecycle import Rhythm
from regulars.domain.scores.logistic import Curve
from regulars.domain.scores.metrics import metrics_of
from regulars.domain.scores.model import Kind, ScoreModel
from regulars.domain.scores.rfm import cuts_of
from regulars.domain.scores.scoring import CHURN, MOVING, Scorer, Scores
from tests.unit.scores.samples import AT, CDNOW, VALUES, bought, logistic, model_of

KLAVIYOS = (
    "historic_clv", "predicted_clv", "total_clv", "historic_number_of_orders", "predicted_number_of_orders",
    "average_days_between_orders", "average_order_value", "churn_probability", "expected_date_of_next_order",
)  # fmt: skip
COHORTS = Cohorts(600, ((0.6, 0.8, 0.9, 0.95), (0.3, 0.5, 0.7, 0.8), (0.1, 0.2, 0.5, 0.7)))


def test_the_fields_are_klaviyos_nine() -> None:
    assert tuple(field.name for field in fields(Scores))[:9] == KLAVIYOS


def test_all_nine_of_a_repeat_buyer() -> None:
    """Worked out by hand from the two models' formulas; money in whole minor units."""
    buying = bought(0, 30, 60, net=2000)
    scores = Scorer(model_of(orders_per_purchase=1.5)).scores(buying, None, AT)
    weeks = buying.weeks(AT)
    purchases = CDNOW.expected_purchases(*weeks, 365 / 7)
    assert scores.historic_clv == 6000
    assert scores.historic_number_of_orders == 3
    assert scores.average_order_value == 2000
    assert scores.average_days_between_orders == 30
    assert scores.predicted_number_of_orders == purchases * 1.5
    assert scores.predicted_clv == round(purchases * VALUES.expected_value(2, 2000))
    assert scores.total_clv == 6000 + scores.predicted_clv
    assert scores.churn_probability == CDNOW.no_purchase(*weeks, 90 / 7)
    assert scores.expected_date_of_next_order == buying.latest + round(CDNOW.median_wait(2, 60 / 7) * WEEK_MS)
    assert scores.reasons == {}


def test_churn_is_never_p_alive() -> None:
    """A one-time buyer of half a year ago is alive for sure, and stays away almost as surely."""
    buying = bought(0)
    assert CDNOW.p_alive(*buying.weeks(AT)) == 1
    assert (Scorer(model_of()).churn(buying, None, AT) or 0) > 0.9


def test_the_next_order_is_expected_as_of_the_latest_one() -> None:
    """Time alone does not move it."""
    scorer, buying = Scorer(model_of()), bought(0, 10)
    dates = {scorer.scores(buying, None, AT + day * DAY_MS).expected_date_of_next_order for day in (0, 100, 400)}
    assert len(dates) == 1


def test_who_has_not_bought_has_no_scores_and_the_reason() -> None:
    scores = Scorer(model_of()).scores(None, Activity(AT, 3), AT)
    assert (scores.historic_clv, scores.historic_number_of_orders) == (0, 0)
    absent = [name for name in KLAVIYOS if getattr(scores, name) is None]
    assert scores.reasons == dict.fromkeys(absent, Reason.NO_ORDERS)


def test_one_order_has_no_days_between() -> None:
    scores = Scorer(model_of()).scores(bought(0), None, AT)
    assert scores.average_days_between_orders is None
    assert scores.reasons == {"average_days_between_orders": Reason.ONE_ORDER}


def test_a_next_order_beyond_ten_years_is_not_told() -> None:
    scores = Scorer(model_of(bg_nbd=CDNOW._replace(r=0.05))).scores(bought(0), None, AT)
    assert scores.expected_date_of_next_order is None
    assert scores.reasons["expected_date_of_next_order"] is Reason.TOO_FAR_AHEAD


def test_before_any_fit_only_history_is_told() -> None:
    scores = Scorer(ScoreModel()).scores(bought(0, 5), None, AT)
    assert scores.historic_clv == 5000
    assert scores.churn_probability is None
    assert scores.churn_from is None
    assert set(scores.reasons) == {*MOVING, "expected_date_of_next_order"}
    assert set(scores.reasons.values()) == {Reason.MODEL_NOT_FITTED}


def test_a_model_that_failed_says_why_and_takes_only_its_own_scores_away() -> None:
    no_value = model_of(gamma_gamma=None, reasons={"gamma_gamma": Reason.MEAN_UNDEFINED})
    scores = Scorer(no_value).scores(bought(0, 9), None, AT)
    assert scores.reasons == dict.fromkeys(("predicted_clv", "total_clv"), Reason.MEAN_UNDEFINED)
    assert scores.predicted_number_of_orders is not None
    no_counts = model_of(Kind.LOGISTIC, bg_nbd=None, reasons={"bg_nbd": Reason.AT_BOUND})
    scores = Scorer(no_counts).scores(bought(0, 9), None, AT)
    assert scores.churn_probability is not None
    assert {reason for name, reason in scores.reasons.items()} == {Reason.AT_BOUND}


def test_behind_a_gate_the_cohorts_rate_stands_in_and_says_so() -> None:
    model = model_of(
        churn=None, bg_nbd=None, gamma_gamma=None, logistic=None, gate=Reason.TOO_FEW_BUYERS, cohorts=COHORTS
    )
    buying = bought(0, 9)
    scorer = Scorer(model)
    scores = scorer.scores(buying, None, buying.last + 40 * DAY_MS)
    assert (scores.churn_probability, scores.churn_from) == (0.5, Kind.COHORT)
    assert scores.reasons[CHURN] is Reason.TOO_FEW_BUYERS
    assert scorer.next_change(CHURN, 0.7, buying, None, buying.last) == buying.last + 90 * DAY_MS
    assert scorer.next_change(CHURN, 0.9, buying, None, buying.last) is None
    explanation = scorer.explain(buying, None, AT)
    assert explanation is not None
    assert explanation.contributions == ()


@pytest.mark.parametrize(
    ("population", "reason"),
    [
        (Population(500, 180, 30, 30), None),
        (Population(499, 180, 30, 30), Reason.TOO_FEW_BUYERS),
        (Population(500, 179.9, 30, 30), Reason.HISTORY_TOO_SHORT),
        (Population(500, 180, 30.1, 30), Reason.NO_RECENT_ORDER),
        (Population(500, 180, 30, 29), Reason.TOO_FEW_REPEAT_BUYERS),
    ],
)
def test_a_gate_opens_at_its_bound(population: Population, reason: Reason | None) -> None:
    assert gate(population) is reason


@pytest.mark.parametrize("kind", [Kind.BG_NBD, Kind.LOGISTIC])
def test_a_crossing_is_exact_to_the_millisecond(kind: Kind) -> None:
    scorer, buying = Scorer(model_of(kind)), bought(0, 20, 40)
    now = buying.last
    begins = scorer.churn(buying, None, now) or 0
    for share in (0.01, 0.3, 0.66, 0.9):
        bound = begins + (1 - begins) * share
        at = scorer.next_change(CHURN, bound, buying, None, now)
        assert at is not None
        before, after = (scorer.churn(buying, None, instant) for instant in (at - 1, at))
        assert before is not None
        assert after is not None
        assert before < bound <= after


@pytest.mark.parametrize("score", ["predicted_number_of_orders", "predicted_clv", "total_clv"])
def test_predicted_orders_and_value_fall_below_a_bound_on_the_millisecond(score: str) -> None:
    scorer, buying = Scorer(model_of()), bought(0, 20, 40)
    bound = getattr(scorer.scores(buying, None, buying.last), score) * 0.95
    at = scorer.next_change(score, bound, buying, None, buying.last)
    assert at is not None
    assert getattr(scorer.scores(buying, None, at), score) < bound
    assert getattr(scorer.scores(buying, None, at - 1), score) >= bound


def test_what_time_does_not_move_never_crosses() -> None:
    scorer = Scorer(model_of())
    assert scorer.next_change("historic_clv", 1, bought(0), None, AT) is None
    assert scorer.next_change(CHURN, 1.5, bought(0), None, AT) is None
    assert scorer.next_change(CHURN, 0.5, None, None, AT) is None
    with pytest.raises(KeyError):
        scorer.next_change("p_alive", 0.5, bought(0), None, AT)


def test_a_churn_score_that_turns_crosses_both_ways() -> None:
    """Silence counts first; then age, which counts more but grows more slowly."""
    model = model_of(Kind.LOGISTIC, logistic=logistic(intercept=3.2, recency=0.5, age=-1.0))
    scorer, buying = Scorer(model), bought(0, 60)
    now, seen = buying.last, []
    while (at := scorer.next_change(CHURN, 0.5, buying, None, now)) is not None:
        before, after = (scorer.churn(buying, None, instant) for instant in (at - 1, at))
        assert before is not None
        assert after is not None
        assert (before >= 0.5) is not (after >= 0.5)
        seen.append(after >= 0.5)
        now = at
    assert seen == [True, False]


def test_the_turns_of_a_curve_are_where_its_slope_is_nothing() -> None:
    """0.5 / (t - 9) = 1 / (1 + t), days: t = 19; and with a third term, the roots that brute force finds."""
    two = Curve(0.0, ((-1.0, 0), (0.5, 10 * DAY_MS)))
    assert 19 * DAY_MS in two.turns()
    three = Curve(0.0, ((2.0, 0), (-3.2, 10 * DAY_MS), (0.9, 40 * DAY_MS)))
    hours = [hour * 3_600_000 for hour in range(41 * 24, 4000 * 24)]
    odds = [three.log_odds(hour) for hour in hours]
    turns = [
        hours[place]
        for place in range(1, len(hours) - 1)
        if (odds[place] - odds[place - 1]) * (odds[place + 1] - odds[place]) < 0
    ]
    assert turns
    assert all(any(abs(turn - told) < 3_600_000 for told in three.turns()) for turn in turns)


def test_log_odds_explanations_sum_exactly_to_the_difference() -> None:
    model = model_of(Kind.LOGISTIC)
    scorer, buying, activity = Scorer(model), bought(0, 20, 90), Activity(AT - 5 * DAY_MS, 4)
    explanation = scorer.explain(buying, activity, AT)
    assert explanation is not None
    assert explanation.average is not None
    difference = sum(each.effect for each in explanation.contributions)
    odds = [math.log(p / (1 - p)) for p in (explanation.score, explanation.average)]
    assert difference == pytest.approx(odds[0] - odds[1])
    assert {each.factor for each in explanation.contributions} == {"recency", "frequency", "age", "value", "engagement"}
    assert json.loads(json.dumps(explanation.to_doc()))["scale"] == "log_odds"


def test_bg_nbd_explanations_change_one_thing_at_a_time() -> None:
    """Long unseen after many purchases: it is the silence that speaks against them."""
    buying = bought(*range(0, 60, 6))
    explanation = Scorer(model_of()).explain(buying, None, AT)
    assert explanation is not None
    assert explanation.scale == "score"
    assert explanation.score == pytest.approx(Scorer(model_of()).churn(buying, None, AT) or 0)
    effects = dict(explanation.contributions)
    weeks = buying.weeks(AT)
    alike = CDNOW.no_purchase(weeks[0], weeks[1], weeks[1] + 25.0, 90 / 7)
    assert effects["recency"] == pytest.approx(explanation.score - alike)
    assert set(effects) == {"recency", "frequency", "age"}
    assert explanation.average == CDNOW.no_purchase(1, 6.8, 31.8, 90 / 7)


@pytest.mark.parametrize("score", ["predicted_number_of_orders", "predicted_clv", "total_clv"])
def test_predicted_orders_and_value_are_explained_too(score: str) -> None:
    """Value by what the customer spends, orders not."""
    scorer, buying = Scorer(model_of(Kind.LOGISTIC, orders_per_purchase=1.5)), bought(0, 20, 90, net=9000)
    explanation = scorer.explain(buying, None, AT, score=score)
    assert explanation is not None
    assert explanation.score == pytest.approx(getattr(scorer.scores(buying, None, AT), score), abs=0.5)
    effects = dict(explanation.contributions)
    assert ("value" in effects) is (score != "predicted_number_of_orders")
    assert effects.get("value", 1) > 0  # they spend three times what others do
    sizes = [abs(each.effect) for each in explanation.contributions]
    assert sizes == sorted(sizes, reverse=True)


def test_where_there_is_no_score_there_is_no_explanation() -> None:
    nothing = Scorer(ScoreModel())
    assert nothing.explain(bought(0), None, AT) is None
    assert nothing.explain(bought(0), None, AT, score="predicted_clv") is None
    assert Scorer(model_of()).explain(None, None, AT) is None
    with pytest.raises(KeyError):
        nothing.explain(bought(0), None, AT, score="historic_clv")


def test_a_score_alone_is_what_it_is_among_all_nine() -> None:
    scorer, buying = Scorer(model_of(orders_per_purchase=1.25)), bought(0, 20, 90)
    scores = scorer.scores(buying, None, AT)
    assert scorer.predicted_orders(buying, AT) == scores.predicted_number_of_orders
    assert scorer.predicted_value(buying, AT) == scores.predicted_clv
    assert scorer.total_value(buying, AT) == scores.total_clv
    assert scorer.expected_next(buying) == scores.expected_date_of_next_order
    alone = (scorer.predicted_orders(None, AT), scorer.predicted_value(None, AT), scorer.total_value(None, AT))
    assert (*alone, scorer.expected_next(None)) == (None,) * 4


def test_scores_are_a_document() -> None:
    doc = json.loads(json.dumps(Scorer(model_of()).scores(bought(0), None, AT).to_doc()))
    assert tuple(doc)[:9] == KLAVIYOS
    assert doc["churn_from"] == "bg_nbd"
    assert doc["reasons"] == {"average_days_between_orders": "one_order"}


def test_every_reason_is_documented_once() -> None:
    page = (Path(__file__).parents[3] / "docs" / "scores.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([a-z_]+)` \| [^|]+ \|$", page, re.MULTILINE)) == sorted(Reason)


def test_a_model_is_a_document_that_keeps_every_digit() -> None:
    full = model_of(
        Kind.LOGISTIC,
        population=Population(600, 200.5, 1.25, 40),
        cohorts=COHORTS,
        reasons={"gamma_gamma": Reason.AT_BOUND},
        metrics={"bg_nbd": metrics_of([0.1, 0.7], [False, True])},
        rfm={3: cuts_of(3, [1, 2], [1, 2], [3, 4])},
        rhythm=Rhythm(1, 2, 3),
    )
    for model in (full, ScoreModel()):
        assert ScoreModel.from_doc(json.loads(json.dumps(model.to_doc()))) == model
    with pytest.raises(ValueError, match="schema"):
        ScoreModel.from_doc({**full.to_doc(), "v": 2})
