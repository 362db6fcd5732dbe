"""The competition for the churn probability: BG/NBD against a recalibrated logistic model, on 90 days that neither has
seen.

Time splits everything. With now the end of the data, both models know only what lay before now - 90 days when they are
compared: BG/NBD is fitted to it; the logistic model is fitted to buyers as they were at now - 180 days, with what they
did in the 90 days after as the outcome, and recalibrated (Platt, 1999) on what it says of those of them whom it was not
fitted on: each quarter is scored by a fit to the other three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from regulars.adapters.fitting import FitError, minimised, sampled
from regulars.adapters.fitting_data import NEVER
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.history import DAY_MS
from regulars.domain.scores.logistic import FEATURES, Logistic

if TYPE_CHECKING:
    from regulars.adapters.fitting_data import Buyers, Column, Truth
    from regulars.domain.scores.bgnbd import BgNbd

_FOLDS = 4
"""Parts of the buyers; each is scored by a fit to the others."""
_RIDGE = 1.0
"""The penalty on a standardised coefficient: as if one more buyer spoke against it. It decides between features that
say the same, and nothing else."""
_LEAST = 100
"""Fewer buyers than this teach nine coefficients nothing."""


def no_purchase(model: BgNbd, buyers: Buyers, weeks: float) -> Column:
    """BG/NBD's P(no purchase in the next `weeks`) of each buyer (regulars.domain.scores.bgnbd, in columns)."""
    x, t_x, T = buyers.weeks()  # noqa: N806 - the paper's name
    r, alpha, a, b = model
    odds = np.full(len(x), -np.inf)
    again = x > 0
    odds[again] = np.log(a / (b + x[again] - 1)) + ((r + x) * np.log((alpha + T) / (alpha + t_x)))[again]
    alive = np.exp(-np.logaddexp(0, odds))
    probability: Column = 1 + alive * np.expm1(-(r + x) * np.log1p(weeks / (alpha + T)))
    return probability


def features(buyers: Buyers) -> Column:
    """A row of FEATURES for each buyer (regulars.domain.scores.logistic, in columns)."""
    recency, age = (np.log1p((buyers.now - instant) / DAY_MS) for instant in (buyers.last, buyers.first))
    frequency = np.log1p(buyers.repeats)
    gap = (buyers.last - buyers.first) / DAY_MS / np.maximum(buyers.repeats, 1)
    seen = buyers.seen_last != NEVER
    unseen_for = np.where(seen, np.log1p(np.maximum(buyers.now - buyers.seen_last, 0) / DAY_MS), 0)
    columns = {
        "recency": recency,
        "age": age,
        "frequency": frequency,
        "recency_by_frequency": recency * frequency,
        "value": np.log1p(buyers.revenue / buyers.orders),
        "rhythm": np.log1p(gap),
        "seen": seen.astype(np.float64),
        "unseen_for": unseen_for,
        "seen_on": np.where(seen, np.log1p(buyers.seen_days), 0),
    }
    return np.column_stack([columns[name] for name in FEATURES])


def no_purchase_logistic(model: Logistic, buyers: Buyers) -> Column:
    """The logistic model's P(no purchase in the next 90 days) of each buyer."""
    log_odds = model.intercept + features(buyers) @ np.array(model.coefficients)
    probability: Column = np.exp(-np.logaddexp(0, -log_odds))
    return probability


@dataclass(frozen=True, slots=True)
class _Line:
    intercept: float
    coefficients: Column


def fit_logistic(rows: Column, stayed_away: Truth) -> Logistic:
    """The logistic model of `stayed_away` given rows of features, recalibrated.

    The recalibration is linear in the log-odds, so it folds into the coefficients and the explanations stay exact.
    Raises FitError: `too_few_buyers`, `one_outcome`, `no_convergence`, `no_signal`.
    """
    if len(rows) < _LEAST:
        raise FitError(Reason.TOO_FEW_BUYERS, f"fewer than {_LEAST} buyers to look back on")
    rows, outcome = sampled(rows, stayed_away.astype(np.float64))
    fold = np.arange(len(rows)) % _FOLDS
    if any(len(np.unique(outcome[fold == each])) == 1 for each in range(_FOLDS)):
        raise FitError(Reason.ONE_OUTCOME, "all buyers did the same, in all or in a part of them")
    means, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1
    standard = (rows - means) / spread
    unseen = np.empty(len(rows))
    for each in range(_FOLDS):
        line = _regression(standard[fold != each], outcome[fold != each], _RIDGE)
        unseen[fold == each] = line.intercept + standard[fold == each] @ line.coefficients
    platt = _regression(unseen[:, None], outcome, 0.0)
    slope = float(platt.coefficients[0])
    if slope <= 0:
        raise FitError(Reason.NO_SIGNAL, "on other buyers the score rises where it should fall")
    raw = _regression(standard, outcome, _RIDGE)
    coefficients = slope * raw.coefficients / spread
    intercept = platt.intercept + slope * raw.intercept - float(coefficients @ means)
    return Logistic(intercept, tuple(map(float, coefficients)), tuple(map(float, means)))


def _regression(rows: Column, outcome: Column, ridge: float) -> _Line:
    """Logistic regression of `outcome` (0 or 1) by maximum likelihood, with a penalty on all but the intercept."""
    design = np.column_stack([np.ones(len(rows)), rows])
    penalty = np.r_[0.0, np.full(rows.shape[1], ridge)]

    def objective(weights: Column) -> tuple[float, Column]:
        z = design @ weights
        loss = np.logaddexp(0, z).sum() - outcome @ z + penalty @ (weights * weights) / 2
        slope = design.T @ (np.exp(-np.logaddexp(0, -z)) - outcome) + penalty * weights
        return loss / len(rows), slope / len(rows)

    start = np.zeros(design.shape[1])
    found = minimised(objective, start, options={"maxiter": 1000, "ftol": 1e-14})
    if not found.success or not np.isfinite(found.x).all():
        raise FitError(Reason.NO_CONVERGENCE, "the regression did not converge")
    return _Line(float(found.x[0]), found.x[1:])
