"""Fitting BG/NBD and Gamma-Gamma by maximum likelihood, over columns of a whole population.

A fit either converges well inside its bounds or raises FitError with the reason; there are no default parameters.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, psi
from threadpoolctl import threadpool_limits

from regulars.domain.errors import RegularsError
from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.gamma_gamma import GammaGamma
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.scoring import CHURN_DAYS, VALUE_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Column = NDArray[np.float64]
    Objective = Callable[[Column], tuple[float, Column]]

LARGEST_SAMPLE = 100_000
"""Buyers whom a fit looks at; of more, evenly spread ones. Standard errors are then below one per cent."""
_BOUND = np.log(1e4)
"""Parameters lie between 1e-4 and 1e4, in weeks and in mean values."""
_AT_BOUND = 1e-2
_BG_NBD_STARTS = ((1.0, 1.0, 1.0, 1.0), (0.3, 5.0, 0.8, 2.5), (2.0, 4.0, 0.1, 5.0))
_PROBED_PURCHASES, _PROBED_WEEKS = (0, 1, 2, 5, 20, 100), (0.0, 1.0, 4.0, 13.0, 52.0, 260.0)
"""Repeat purchases, and weeks since the first one, of customers whom a fitted model is tried on."""
_GAMMA_GAMMA_STARTS = ((1.0, 2.0, 1.0), (6.0, 4.0, 0.5), (2.0, 10.0, 5.0))


class FitError(RegularsError):
    """A model could not be fitted."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def sampled(*columns: Column) -> tuple[Column, ...]:
    """The same columns, of at most LARGEST_SAMPLE rows, evenly spread over them."""
    rows = len(columns[0])
    if rows <= LARGEST_SAMPLE:
        return columns
    chosen = np.linspace(0, rows - 1, LARGEST_SAMPLE).astype(np.int64)
    return tuple(column[chosen] for column in columns)


def fit_bg_nbd(x: Column, t_x: Column, T: Column) -> tuple[BgNbd, float]:  # noqa: N803 - the paper's names
    """The parameters at which the likelihood is greatest (eq. 6 of Fader, Hardie & Lee 2005), and its logarithm over
    the rows looked at.

    `x` repeat purchases, the latest `t_x` weeks after the first, seen for `T` weeks. Raises FitError.
    """
    if not (x > 0).any():
        raise FitError(Reason.TOO_FEW_REPEAT_BUYERS, "nobody bought twice")
    x, t_x, T = sampled(x, t_x, T)  # noqa: N806
    rows, counts = np.unique(np.column_stack([x, t_x, T]), axis=0, return_counts=True)
    data = _BgNbdData(rows[:, 0], rows[:, 1], rows[:, 2], counts.astype(np.float64))
    best, mean = _best(data.objective, _BG_NBD_STARTS, ("r", "alpha", "a", "b"))
    return usable(BgNbd(*best)), mean * len(x)


def usable(model: BgNbd) -> BgNbd:
    """The model, once it has said something sensible of customers of every kind: it scores in the hot path, where
    nobody could do anything about it. Raises FitError: NOT_FINITE."""
    for x, T in itertools.product(_PROBED_PURCHASES, _PROBED_WEEKS):  # noqa: N806 - the paper's name
        for t_x in (0.0,) if not x else (0.5 * T, T):
            try:
                stays_away = model.no_purchase(x, t_x, T, CHURN_DAYS / 7)
                purchases = model.expected_purchases(x, t_x, T, VALUE_DAYS / 7)
            except (ArithmeticError, ValueError):
                purchases = stays_away = math.nan
            if not (0 <= stays_away <= 1 and 0 <= purchases < math.inf):
                raise FitError(Reason.NOT_FINITE, f"no score for {x} repeat purchases in {T} weeks")
    return model


class _BgNbdData:
    """Distinct rows and how often each occurs; what depends on x alone is computed once for each x."""

    def __init__(self, x: Column, t_x: Column, T: Column, counts: Column) -> None:  # noqa: N803
        self.values, self.place = np.unique(x, return_inverse=True)
        self.x, self.t_x, self.T, self.counts = x, t_x, T, counts
        self.of_value = np.bincount(self.place, weights=counts)
        self.buys = x > 0
        self.later = x[self.buys] - 1

    def objective(self, logs: Column) -> tuple[float, Column]:
        """Minus the mean log-likelihood, and its gradient, by the logarithms of r, alpha, a and b."""
        r, alpha, a, b = np.exp(logs)
        x, n, k = self.x, self.counts, self.values
        # A1 and A2 of the paper.
        constant = gammaln(r + k) - gammaln(r) + r * np.log(alpha)
        constant = constant + gammaln(a + b) + gammaln(b + k) - gammaln(b) - gammaln(a + b + k)
        log_T, log_t = np.log(alpha + self.T), np.log(alpha + self.t_x)  # noqa: N806
        lived = -(r + x) * log_T
        left = np.full_like(lived, -np.inf)
        left[self.buys] = np.log(a) - np.log(b + self.later) - ((r + x) * log_t)[self.buys]
        both = np.logaddexp(lived, left)
        likelihood = n @ both + self.of_value @ constant
        gone = np.exp(left - both)  # the share of the likelihood in which the customer has left
        here = 1 - gone
        total, by_value = n.sum(), self.of_value
        slope = np.array(
            [
                by_value @ (psi(r + k) - psi(r) + np.log(alpha)) - n @ (here * log_T + gone * log_t),
                total * r / alpha - n @ ((r + x) * (here / (alpha + self.T) + gone / (alpha + self.t_x))),
                by_value @ (psi(a + b) - psi(a + b + k)) + n @ gone / a,
                by_value @ (psi(a + b) + psi(b + k) - psi(b) - psi(a + b + k))
                - (n * gone)[self.buys] @ (1 / (b + self.later)),
            ]
        )
        return -likelihood / total, -slope * np.array([r, alpha, a, b]) / total


def fit_gamma_gamma(x: Column, mean: Column) -> tuple[GammaGamma, float]:
    """The parameters at which the likelihood of eq. 1a in Fader & Hardie, "The Gamma-Gamma Model of Monetary Value"
    (2013) is greatest, and its logarithm over the rows looked at.

    `mean` is the mean value of each customer's `x` repeat purchases, in any unit; who has none, or has paid nothing, is
    left out. Raises FitError: MEAN_UNDEFINED where q <= 1: the population's mean would be infinite.
    """
    some = (x > 0) & (mean > 0)
    if not some.any():
        raise FitError(Reason.TOO_FEW_REPEAT_BUYERS, "nobody bought twice and paid")
    x, mean = sampled(x[some], mean[some])
    unit = float(mean.mean())
    z = mean / unit

    def objective(logs: Column) -> tuple[float, Column]:
        p, q, gamma = np.exp(logs)
        spread = np.log(gamma + x * z)
        terms = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        terms = terms + (p * x - 1) * np.log(z) + p * x * np.log(x) - (p * x + q) * spread
        slope = np.array(
            [
                (x * (psi(p * x + q) - psi(p * x) + np.log(z) + np.log(x) - spread)).mean(),
                (psi(p * x + q) - psi(q) + np.log(gamma) - spread).mean(),
                (q / gamma - (p * x + q) / (gamma + x * z)).mean(),
            ]
        )
        return -terms.mean(), -slope * np.array([p, q, gamma])

    (p, q, gamma), likelihood = _best(objective, _GAMMA_GAMMA_STARTS, ("p", "q", "gamma"))
    if q <= 1:
        raise FitError(Reason.MEAN_UNDEFINED, "q is at most 1, so the mean value of a purchase has no expectation")
    return GammaGamma(p, q, gamma * unit), likelihood * len(x) - len(x) * float(np.log(unit))


def _best(
    objective: Objective, starts: Sequence[tuple[float, ...]], names: Sequence[str]
) -> tuple[tuple[float, ...], float]:
    """Parameters and minus the objective at the best of several minima. Raises FitError."""
    bounds = [(-_BOUND, _BOUND)] * len(names)
    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8}
    results = [minimised(objective, np.log(start), bounds=bounds, options=options) for start in starts]
    converged = [result for result in results if result.success and np.isfinite(result.fun)]
    if not converged:
        raise FitError(Reason.NO_CONVERGENCE, "no start led to a maximum of the likelihood")
    best = min(converged, key=lambda result: float(result.fun))
    outer = [name for name, log in zip(names, best.x, strict=True) if abs(log) > _BOUND - _AT_BOUND]
    if outer:
        raise FitError(Reason.AT_BOUND, f"the likelihood is greatest at the end of the range of {', '.join(outer)}")
    return tuple(float(value) for value in np.exp(best.x)), -float(best.fun)


def minimised(objective: Objective, start: Column, **how: Any) -> Any:
    """scipy's result of L-BFGS-B from `start`, in one thread.

    Vectors of this size gain nothing from threads, which wait for each other: ten times as long on a busy machine.
    """
    with threadpool_limits(limits=1):
        return minimize(objective, start, jac=True, method="L-BFGS-B", **how)
