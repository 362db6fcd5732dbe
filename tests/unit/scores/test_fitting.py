"""The fits: they find what made the data, say why where they cannot, and agree with the pure scoring."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import cache

import numpy as np
import pytest

from regulars.adapters.fitting import LARGEST_SAMPLE, FitError, fit_bg_nbd, fit_gamma_gamma, sampled, usable
from regulars.adapters.fitting_churn import features, fit_logistic, no_purchase, no_purchase_logistic
from regulars.adapters.fitting_data import OrdersBuilder, buyers_at
from regulars.adapters.fitting_scores import fit_people, fit_scores
from regulars.domain.instants import to_millis
from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.bias import HeldOut, Member, report_by_group
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.history import WEEK_MS, Activity, activity_of, buying_of
from regulars.domain.scores.logistic import FEATURES
from regulars.domain.scores.logistic import features as pure_features
from regulars.domain.scores.model import Kind, NightlyFit, ScoreModel
from regulars.domain.scores.scoring import Scorer
from tests.unit.scores.samples import START, logistic, shop, simulated

TRUE = BgNbd(0.8, 4.0, 0.7, 2.0)
DAYS = 400
END = START + timedelta(days=DAYS)
ORDERS = shop(TRUE, 2_500, days=DAYS, seed=1)


@cache
def whole() -> NightlyFit:
    """The shop's fit, which several tests look at."""
    return fit_scores(ORDERS, END)


def test_bg_nbd_finds_the_parameters_that_made_the_data() -> None:
    histories = simulated(TRUE, 20_000, days=52 * 7, seed=2)
    x = np.array([len(history) - 1.0 for history in histories])
    t_x = np.array([history[-1] / WEEK_MS for history in histories])
    model, _ = fit_bg_nbd(x, t_x, np.full(len(x), 52.0))
    assert model == pytest.approx(TRUE, rel=0.12)


def test_gamma_gamma_finds_the_parameters_that_made_the_data() -> None:
    chance = np.random.default_rng(6)
    nu = chance.gamma(4.0, 1 / 15.0, 20_000)
    x = chance.integers(1, 8, 20_000).astype(float)
    model, _ = fit_gamma_gamma(x, chance.gamma(6.0 * x, 1 / (nu * x)))
    assert model == pytest.approx((6.0, 4.0, 15.0), rel=0.1)


def test_the_unit_of_money_makes_no_difference() -> None:
    chance = np.random.default_rng(7)
    x, mean = np.full(500, 3.0), chance.gamma(9.0, 3.0, 500)
    euro, _ = fit_gamma_gamma(x, mean)
    cents, _ = fit_gamma_gamma(x, mean * 100)
    assert cents == pytest.approx((euro.p, euro.q, euro.gamma * 100), rel=1e-3)


def test_fits_that_the_data_do_not_carry_say_so() -> None:
    none, one = np.zeros(50), np.ones(50)
    with pytest.raises(FitError, match="nobody") as failed:
        fit_bg_nbd(none, none, one)
    assert failed.value.reason is Reason.TOO_FEW_REPEAT_BUYERS
    with pytest.raises(FitError) as failed:  # everybody buys at one rate and nobody leaves
        fit_bg_nbd(np.full(400, 50.0), np.full(400, 50.0), np.full(400, 51.0))
    assert failed.value.reason is Reason.AT_BOUND
    with pytest.raises(FitError) as failed:
        fit_gamma_gamma(one, none)
    assert failed.value.reason is Reason.TOO_FEW_REPEAT_BUYERS
    with pytest.raises(FitError) as failed:  # values with no mean: Pareto's with a shape below 1
        fit_gamma_gamma(np.full(3000, 2.0), np.random.default_rng(1).pareto(0.6, 3000) + 1)
    assert failed.value.reason in {Reason.MEAN_UNDEFINED, Reason.AT_BOUND}


@pytest.mark.parametrize("broken", [TRUE._replace(b=math.nan), TRUE._replace(a=-0.5), TRUE._replace(r=-2.0)])
def test_a_fit_that_says_nothing_sensible_of_some_customer_is_refused(broken: BgNbd) -> None:
    assert usable(TRUE) == TRUE
    with pytest.raises(FitError) as refused:
        usable(broken)
    assert refused.value.reason is Reason.NOT_FINITE


def test_logistic_fits_that_the_data_do_not_carry_say_so() -> None:
    chance = np.random.default_rng(9)
    rows = chance.normal(size=(400, len(FEATURES)))
    for outcome, rows_used, reason in (
        (np.ones(400, dtype=bool), rows, Reason.ONE_OUTCOME),
        (np.ones(40, dtype=bool), rows[:40], Reason.TOO_FEW_BUYERS),
    ):
        with pytest.raises(FitError) as failed:
            fit_logistic(rows_used, outcome)
        assert failed.value.reason is reason
    backwards = (rows[:, 0] > 0) ^ (np.arange(400) % 4 == 3)  # those kept apart do the opposite of the others
    with pytest.raises(FitError) as failed:
        fit_logistic(rows, backwards)
    assert failed.value.reason is Reason.NO_SIGNAL


def test_the_logistic_model_is_calibrated_on_people_it_was_not_fitted_on() -> None:
    chance = np.random.default_rng(8)
    rows = chance.normal(size=(8_000, len(FEATURES)))
    true = 1 / (1 + np.exp(-(0.5 + 1.5 * rows[:, 0] - rows[:, 2])))
    model = fit_logistic(rows, chance.random(8_000) < true)
    fresh = chance.normal(size=(8_000, len(FEATURES)))
    said = 1 / (1 + np.exp(-(model.intercept + fresh @ np.array(model.coefficients))))
    truth = 1 / (1 + np.exp(-(0.5 + 1.5 * fresh[:, 0] - fresh[:, 2])))
    assert np.abs(said - truth).mean() < 0.02


def test_a_large_shop_is_fitted_on_an_even_part_of_it() -> None:
    (kept,) = sampled(np.arange(3.0 * LARGEST_SAMPLE))
    assert len(kept) == LARGEST_SAMPLE
    assert (kept[0], kept[-1]) == (0, 3 * LARGEST_SAMPLE - 1)
    assert np.diff(kept).max() <= 4


def test_columns_say_the_same_as_the_pure_functions() -> None:
    """Histories, weeks, features and both churn probabilities, at an instant in the middle of what is known."""
    now = START + timedelta(days=300)
    buyers = buyers_at(ORDERS, to_millis(now))
    model = logistic(intercept=0.3, recency=0.4, recency_by_frequency=0.2, age=-0.3, seen_on=-0.5, unseen_for=0.1)
    columns = (features(buyers), no_purchase(TRUE, buyers, 90 / 7), no_purchase_logistic(model, buyers))
    known = ORDERS.at <= to_millis(now)
    for row in range(0, len(buyers), 37):
        own = known & (ORDERS.buyer == buyers.buyer[row])
        instants = [START + timedelta(milliseconds=int(at) - to_millis(START)) for at in ORDERS.at[own]]
        buying, activity = buyers.one(row)
        assert buying == buying_of(list(zip(instants, map(int, ORDERS.net[own]), strict=True)))
        days = ORDERS.seen_day[
            (ORDERS.seen_buyer == buyers.buyer[row]) & ((ORDERS.seen_day + 1) * 86_400_000 <= buyers.now)
        ]
        assert activity == activity_of(map(int, days))
        assert columns[0][row] == pytest.approx(pure_features(buying, activity, buyers.now), rel=1e-12)
        assert columns[1][row] == pytest.approx(TRUE.no_purchase(*buying.weeks(buyers.now), 90 / 7), rel=1e-9)
        assert columns[2][row] == pytest.approx(model.no_purchase(buying, activity, buyers.now), rel=1e-9)


def test_a_night_compares_both_models_on_days_that_neither_saw_and_publishes_the_better() -> None:
    night = whole()
    model = night.model
    assert model.gate is None
    assert set(model.metrics) == {Kind.BG_NBD, Kind.LOGISTIC}
    assert model.churn is not None
    assert model.metrics[model.churn].brier == min(each.brier for each in model.metrics.values())
    assert model.bg_nbd == pytest.approx(TRUE, rel=0.4)
    assert model.population.buyers == 2500
    assert set(model.rfm) == {3, 5}
    assert model.rhythm is not None
    buying, activity = buyers_at(ORDERS, to_millis(END)).one(7)
    assert 0 < (Scorer(model).churn(buying, activity, to_millis(END)) or 0) < 1


def test_groups_are_told_what_the_models_of_then_said_of_them() -> None:
    """By the model's document alone: the very scores and outcomes that its published metrics are of."""
    night = whole()
    model = ScoreModel.from_doc(night.model.to_doc())
    people = histories()
    compared, holdout = HeldOut(model), night.holdout
    for buyer, score, stayed_away in list(zip(holdout.people, holdout.scores, holdout.stayed_away, strict=True))[::9]:
        found = compared(*people[buyer])
        assert found is not None
        assert found[0] == pytest.approx(score, rel=1e-9)
        assert found[1] == stayed_away
    assert sum(1 for each in people if compared(*each)) == len(holdout.people)
    members = (Member("ab"[number % 2], *each) for number, each in enumerate(people))
    report = report_by_group(members, model, END)
    assert report is not None
    assert report.everybody.people == ORDERS.buyers
    everybody = report.everybody.held_out
    assert everybody is not None
    assert model.churn is not None
    assert everybody.brier == pytest.approx(model.metrics[model.churn].brier)
    assert [each.group for each in report.groups] == ["a", "b"]
    assert all(each.held_out and abs(each.held_out.gap) < 0.06 for each in report.groups)


def histories() -> list[tuple[list[tuple[datetime, int]], list[int]]]:
    """Everybody's orders, and the days they were seen on."""
    people: list[tuple[list[tuple[datetime, int]], list[int]]] = [([], []) for _ in range(ORDERS.buyers)]
    for buyer, at, net in zip(ORDERS.buyer.tolist(), ORDERS.at.tolist(), ORDERS.net.tolist(), strict=True):
        people[buyer][0].append((START + timedelta(milliseconds=at - to_millis(START)), net))
    for buyer, day in zip(ORDERS.seen_buyer.tolist(), ORDERS.seen_day.tolist(), strict=True):
        people[buyer][1].append(day)
    return people


def test_people_are_fitted_as_their_orders_and_told_of_by_their_place() -> None:
    """Everybody second here has not bought."""
    people = [each for person in histories() for each in (person, ([], [1]))]
    night, same = fit_people(people, END), whole()
    assert night.model == same.model
    assert night.holdout.people == [2 * buyer for buyer in same.holdout.people]
    assert night.holdout.scores == same.holdout.scores


def test_what_came_after_now_changes_nothing() -> None:
    """A fit as of an instant is the fit of a shop that ended there."""
    now = START + timedelta(days=320)
    known = ORDERS.at <= to_millis(now)
    builder = OrdersBuilder()
    for buyer in range(ORDERS.buyers):
        own = known & (ORDERS.buyer == buyer)
        instants = [START + timedelta(milliseconds=int(at) - to_millis(START)) for at in ORDERS.at[own]]
        days = ORDERS.seen_day[(ORDERS.seen_buyer == buyer) & ((ORDERS.seen_day + 1) * 86_400_000 <= to_millis(now))]
        builder.add(list(zip(instants, map(int, ORDERS.net[own]), strict=True)), map(int, days))
    assert fit_scores(builder.build(), now).model == fit_scores(ORDERS, now).model


def test_a_small_shop_has_no_model_but_its_cohorts() -> None:
    night = fit_scores(shop(TRUE, 200, days=DAYS, seed=3), END)
    assert night.model.gate is Reason.TOO_FEW_BUYERS
    assert night.model.churn is None
    assert night.model.cohorts is not None
    assert night.model.metrics == {}
    assert night.holdout.people == ()
    buying, activity = buyers_at(ORDERS, to_millis(END)).one(0)
    assert Scorer(night.model).scores(buying, activity, to_millis(END)).churn_from is Kind.COHORT


def test_an_empty_shop_is_fitted_without_trouble() -> None:
    night = fit_scores(OrdersBuilder().build(), END)
    assert night.model.gate is Reason.TOO_FEW_BUYERS
    assert (night.model.cohorts, night.model.rhythm, night.model.rfm) == (None, None, {})


def test_without_half_a_year_before_it_the_logistic_model_does_not_compete() -> None:
    night = fit_scores(shop(TRUE._replace(alpha=1.0), 1500, days=181, seed=4), START + timedelta(days=181))
    assert night.model.gate is None
    assert set(night.model.metrics) == {Kind.BG_NBD}
    assert night.model.churn is Kind.BG_NBD


def test_fixed_days_for_recency_reach_the_cut_points() -> None:
    night = fit_scores(ORDERS, END, recency_days={3: (180, 365)})
    assert night.model.rfm[3].recency == (180 * 86_400_000, 365 * 86_400_000)
    assert night.model.rfm[5].recency != night.model.rfm[3].recency


def test_who_bought_nothing_is_not_counted() -> None:
    builder = OrdersBuilder()
    assert builder.add([], [1, 2]) is None
    assert builder.add([(START, 100)]) == 0
    assert buyers_at(builder.build(), to_millis(END)).one(0)[1] is None


def test_activity_is_known_up_to_the_day_before() -> None:
    builder = OrdersBuilder()
    day = to_millis(START) // 86_400_000
    builder.add([(START, 100)], [day, day - 1])
    orders = builder.build()
    assert buyers_at(orders, to_millis(START)).one(0)[1] == Activity((day - 1) * 86_400_000, 1)
    assert buyers_at(orders, to_millis(END)).one(0)[1] == Activity(day * 86_400_000, 2)
