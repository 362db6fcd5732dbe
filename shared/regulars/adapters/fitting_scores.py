"""The nightly fit: from all orders of a shop to the score model in force until the next night."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from regulars.adapters import fitting_churn as churn
from regulars.adapters.fitting import FitError, fit_bg_nbd, fit_gamma_gamma
from regulars.adapters.fitting_data import OrdersBuilder, buyers_at, gaps_at
from regulars.domain.instants import to_millis
from regulars.domain.scores.cohorts import Cohorts, cohorts_of
from regulars.domain.scores.gates import Reason, gate
from regulars.domain.scores.history import DAY_MS
from regulars.domain.scores.lifecycle import Rhythm, rhythm_of
from regulars.domain.scores.metrics import Metrics, metrics_of
from regulars.domain.scores.model import AverageBuyer, Compared, Holdout, Kind, NightlyFit, ScoreModel
from regulars.domain.scores.rfm import QUINTILES, TERTILES, RfmCuts, cuts_of
from regulars.domain.scores.scoring import CHURN_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from regulars.adapters.fitting_data import Buyers, Column, Orders, Truth
    from regulars.domain.scores.logistic import Logistic

CHURN_MS = CHURN_DAYS * DAY_MS
_Model = TypeVar("_Model")


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Who had bought 90 days ago, whether they stayed away since, the models of then, and what each said, by kind."""

    buyers: Buyers
    stayed_away: Truth
    models: Compared
    scores: Mapping[Kind, Column]

    def metrics(self) -> dict[Kind, Metrics]:
        outcome = self.stayed_away.tolist()
        return {kind: metrics_of(scores.tolist(), outcome) for kind, scores in self.scores.items()}

    def holdout(self, kind: Kind | None) -> Holdout:
        if kind is None:
            return Holdout()
        return Holdout(self.buyers.buyer.tolist(), self.scores[kind].tolist(), self.stayed_away.tolist())


def fit_people(people: Iterable[tuple[Sequence[tuple[datetime, int]], Iterable[int]]], now: datetime) -> NightlyFit:
    """`fit_scores` over customers, each as their orders that count, (placed_at, net minor units), oldest first, and the
    UTC days on which they were seen. The holdout names them by their place in `people`, whoever had no orders counted.

    The days must be such that those before an instant would have been the same had one asked then: a "last seen" that
    later visits overwrite is none.
    """
    builder, places = OrdersBuilder(), []
    for place, (orders, days) in enumerate(people):
        if builder.add(orders, days) is not None:
            places.append(place)
    night = fit_scores(builder.build(), now)
    return replace(night, holdout=replace(night.holdout, people=[places[buyer] for buyer in night.holdout.people]))


def fit_scores(orders: Orders, now: datetime, *, recency_days: Mapping[int, Sequence[int]] | None = None) -> NightlyFit:
    """Fit, compare and choose.

    Both churn models are compared on the last 90 days; the one with the lower Brier score is published, fitted anew to
    everything. (The Brier score is proper: only the true probability has the lowest, so it asks for calibration and for
    telling people apart; AUC is blind to calibration, and bands and win-backs act at a probability.) A model that
    cannot be fitted is absent with its reason. `recency_days`: fixed recency cut points for RFM, by number of levels.
    """
    at = to_millis(now)
    buyers = buyers_at(orders, at)
    population = orders.population(at)
    model = ScoreModel(
        fitted_at=at,
        population=population,
        gate=gate(population),
        cohorts=_cohorts(orders, at),
        rfm=_rfm(buyers, recency_days or {}),
        rhythm=_rhythm(orders, buyers),
    )
    if model.gate is not None:
        return NightlyFit(model, Holdout())
    compared = _compare(orders, at)
    fits = _Fits()
    bg_nbd = fits.attempt("bg_nbd", lambda: fit_bg_nbd(*buyers.weeks())[0])
    repeats = buyers.repeats.astype(np.float64)
    gamma_gamma = fits.attempt("gamma_gamma", lambda: fit_gamma_gamma(repeats, buyers.mean_repeat_value())[0])
    logistic = fits.attempt("logistic", lambda: _logistic(orders, at))
    metrics = compared.metrics()
    chosen = _best(metrics, {Kind.BG_NBD: bg_nbd, Kind.LOGISTIC: logistic})
    model = replace(
        model,
        churn=chosen,
        bg_nbd=bg_nbd,
        gamma_gamma=gamma_gamma,
        logistic=logistic,
        average=_average(buyers),
        orders_per_purchase=float(buyers.orders.sum() / (buyers.repeats + 1).sum()),
        reasons=fits.reasons,
        metrics={kind.value: found for kind, found in metrics.items()},
        compared=compared.models,
    )
    return NightlyFit(model, compared.holdout(chosen))


class _Fits:
    """Fits that may fail, with their reasons."""

    def __init__(self) -> None:
        self.reasons: dict[str, Reason] = {}

    def attempt(self, name: str, fit: Callable[[], _Model]) -> _Model | None:
        """The model, or None with its reason kept."""
        try:
            return fit()
        except FitError as error:
            self.reasons[name] = error.reason
            return None


def _compare(orders: Orders, at: int) -> _Comparison:
    cut = at - CHURN_MS
    then = buyers_at(orders, cut)
    fits = _Fits()
    scores: dict[Kind, Column] = {}
    bg_nbd = fits.attempt("bg_nbd", lambda: fit_bg_nbd(*then.weeks())[0])
    if bg_nbd is not None:
        scores[Kind.BG_NBD] = churn.no_purchase(bg_nbd, then, CHURN_DAYS / 7)
    logistic = fits.attempt("logistic", lambda: _logistic(orders, cut))
    if logistic is not None:
        scores[Kind.LOGISTIC] = churn.no_purchase_logistic(logistic, then)
    return _Comparison(then, ~orders.bought_between(cut, at)[then.buyer], Compared(cut, bg_nbd, logistic), scores)


def _logistic(orders: Orders, at: int) -> Logistic:
    """The logistic model that the 90 days before `at` teach."""
    then = buyers_at(orders, at - CHURN_MS)
    return churn.fit_logistic(churn.features(then), ~orders.bought_between(at - CHURN_MS, at)[then.buyer])


def _best(metrics: Mapping[Kind, Metrics], models: Mapping[Kind, object]) -> Kind | None:
    """The kind with the lowest Brier score of those that were compared and are there; of equals BG/NBD."""
    there = [kind for kind, model in models.items() if model is not None and kind in metrics]
    return min(there, key=lambda kind: metrics[kind].brier, default=None)


def _cohorts(orders: Orders, at: int) -> Cohorts | None:
    then = buyers_at(orders, at - CHURN_MS)
    stayed_away = ~orders.bought_between(at - CHURN_MS, at)[then.buyer]
    return cohorts_of(then.repeats.tolist(), (then.now - then.last).tolist(), stayed_away.tolist())


def _rfm(buyers: Buyers, recency_days: Mapping[int, Sequence[int]]) -> dict[int, RfmCuts]:
    if not len(buyers):
        return {}
    columns = [column.tolist() for column in (buyers.now - buyers.latest, buyers.orders, buyers.revenue)]
    return {
        levels: cuts_of(levels, *columns, recency_days=recency_days.get(levels)) for levels in (TERTILES, QUINTILES)
    }


def _rhythm(orders: Orders, buyers: Buyers) -> Rhythm | None:
    gaps = gaps_at(orders, buyers.now)
    if not len(gaps):
        return None
    again = buyers.repeats > 0
    mean = (buyers.last - buyers.first)[again] // buyers.repeats[again]
    return rhythm_of(gaps.tolist(), mean.tolist())


def _average(buyers: Buyers) -> AverageBuyer:
    x, t_x, T = buyers.weeks()  # noqa: N806 - the paper's name
    again = buyers.repeats > 0
    value = float(buyers.mean_repeat_value()[again].mean()) if again.any() else 0.0
    return AverageBuyer(round(float(x.mean())), float(t_x.mean()), float((T - t_x).mean()), value)
