"""The logistic model of staying away: P(no purchase in the next 90 days) from recency, frequency, age, value and
engagement.

Everything that time alone changes enters as the logarithm of an elapsed time, so a customer's log-odds are
constant + sum of coefficient x ln(1 + days since an instant), with at most three such instants. That curve turns at
most twice, at the roots of a quadratic, and its crossings can be solved for as exactly as those of BG/NBD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log1p, sqrt
from typing import NamedTuple

from regulars.domain.scores.crossing import next_change
from regulars.domain.scores.history import DAY_MS, Activity, Buying

FEATURES = (
    "recency", "age", "frequency", "recency_by_frequency", "value", "rhythm", "seen", "unseen_for", "seen_on",
)  # fmt: skip
"""ln(1 + days since the latest purchase); ln(1 + days since the first); ln(1 + repeat purchases); the first times
the third; ln(1 + mean order value in minor units); ln(1 + mean days between purchases), 0 with one; 1 where the
customer has ever been seen (else 0, as are the next two); ln(1 + days since last seen); ln(1 + days seen on, of the 28
up to then)."""

FACTORS: Mapping[str, tuple[str, ...]] = {
    "recency": ("recency", "recency_by_frequency"),
    "frequency": ("frequency", "rhythm"),
    "age": ("age",),
    "value": ("value",),
    "engagement": ("seen", "unseen_for", "seen_on"),
}
"""The factors that an explanation names, and the features of each. What recency means depends on frequency, so their
product counts as recency."""


def _since(now: int, instant: int) -> float:
    return log1p(max(now - instant, 0) / DAY_MS)


def features(buying: Buying, activity: Activity | None, now: int) -> tuple[float, ...]:
    """The features of a customer at `now`, in the order of FEATURES."""
    recency, frequency = _since(now, buying.last), log1p(buying.repeats)
    gap = (buying.last - buying.first) / DAY_MS / buying.repeats if buying.repeats else 0.0
    return (
        recency,
        _since(now, buying.first),
        frequency,
        recency * frequency,
        log1p(buying.revenue / buying.orders),
        log1p(gap),
        0.0 if activity is None else 1.0,
        0.0 if activity is None else _since(now, activity.last),
        0.0 if activity is None else log1p(activity.days),
    )


class Curve(NamedTuple):
    """Log-odds over time: `constant` + sum of coefficient x ln(1 + days since instant)."""

    constant: float
    terms: tuple[tuple[float, int], ...]

    def log_odds(self, now: int) -> float:
        """At `now`; before an instant, as at it."""
        total = self.constant
        for coefficient, instant in self.terms:
            total += coefficient * log1p(max(now - instant, 0) / DAY_MS)
        return total

    def turns(self) -> list[int]:
        """The instants at which it turns, or may turn, in order.

        The slope is the sum of k_i / (c_i + t), with c_i = 1 - instant_i in days; times all denominators that is a
        polynomial of one degree less than there are terms, here at most two. One millisecond either side is given
        too, for the roots are rounded; so are the instants themselves, where a term begins.
        """
        terms = [(k, 1 - instant / DAY_MS) for k, instant in self.terms if k]
        origin = -min((c for _, c in terms), default=0.0)  # else the squares would lose the digits that matter
        shifted = [(k, c + origin) for k, c in terms]
        roots = [root + origin for root in _roots(shifted)]
        instants = [round(root * DAY_MS) for root in roots]
        near = [instant + step for instant in instants for step in (-1, 0, 1)]
        return sorted({*near, *(instant for _, instant in self.terms)})


def _roots(terms: list[tuple[float, float]]) -> list[float]:
    """The t at which the sum of k / (c + t) over `terms` (k, c) is 0; three terms at most."""
    if len(terms) == 2:  # noqa: PLR2004 - two terms, a linear equation
        (k1, c1), (k2, c2) = terms
        return [-(k1 * c2 + k2 * c1) / (k1 + k2)] if k1 + k2 else []
    if len(terms) < 2:  # noqa: PLR2004
        return []
    (k1, c1), (k2, c2), (k3, c3) = terms
    square = k1 + k2 + k3
    linear = k1 * (c2 + c3) + k2 * (c1 + c3) + k3 * (c1 + c2)
    constant = k1 * c2 * c3 + k2 * c1 * c3 + k3 * c1 * c2
    if square == 0:
        return [-constant / linear] if linear else []
    inside = linear * linear - 4 * square * constant
    if inside < 0:
        return []
    # The numerically stable pair: no difference of nearly equal numbers.
    q = -(linear + (sqrt(inside) if linear >= 0 else -sqrt(inside))) / 2
    return [q / square, constant / q] if q else [0.0]


def probability(log_odds: float) -> float:
    """1 / (1 + exp(-log_odds)), without overflow."""
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    odds = exp(log_odds)
    return odds / (1 + odds)


@dataclass(frozen=True, slots=True)
class Logistic:
    """`coefficients` and `means` of the features over the buyers that it was fitted on, in the order of FEATURES."""

    intercept: float
    coefficients: tuple[float, ...]
    means: tuple[float, ...]

    def curve(self, buying: Buying, activity: Activity | None) -> Curve:
        """The customer's log-odds of no purchase in the next 90 days, as a function of now."""
        recency, age, frequency, product, value, rhythm, seen, unseen_for, seen_on = self.coefficients
        x = log1p(buying.repeats)
        constant = self.intercept + frequency * x + value * log1p(buying.revenue / buying.orders)
        if buying.repeats:
            constant += rhythm * log1p((buying.last - buying.first) / DAY_MS / buying.repeats)
        terms = ((recency + product * x, buying.last), (age, buying.first))
        if activity is None:
            return Curve(constant, terms)
        constant += seen + seen_on * log1p(activity.days)
        return Curve(constant, (*terms, (unseen_for, activity.last)))

    def no_purchase(self, buying: Buying, activity: Activity | None, now: int) -> float:
        """P(no purchase in the 90 days after `now`)."""
        return probability(self.curve(buying, activity).log_odds(now))

    def crossing(self, buying: Buying, activity: Activity | None, bound: float, now: int) -> int | None:
        """The first instant after `now` at which `no_purchase >= bound` changes, with nothing happening."""
        curve = self.curve(buying, activity)
        return next_change(lambda at: probability(curve.log_odds(at)) - bound, now, curve.turns())

    def contributions(self, buying: Buying, activity: Activity | None, now: int) -> dict[str, float]:
        """How many log-odds each factor adds to those of the average buyer (whose features are the means). Exact: they
        sum to the customer's log-odds less the average buyer's."""
        mine = features(buying, activity, now)
        moved = {
            name: coefficient * (feature - mean)
            for name, coefficient, feature, mean in zip(FEATURES, self.coefficients, mine, self.means, strict=True)
        }
        return {factor: sum(moved[name] for name in names) for factor, names in FACTORS.items()}

    def average_log_odds(self) -> float:
        """The log-odds of the average buyer."""
        return self.intercept + sum(c * m for c, m in zip(self.coefficients, self.means, strict=True))
