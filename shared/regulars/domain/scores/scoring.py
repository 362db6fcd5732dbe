"""A customer's scores under a model, with the reasons for absent ones, their next crossings and their explanations.

The fields are those of Klaviyo's predictive analytics API, by name and meaning. Instants are epoch milliseconds, money
minor units of the program's currency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from regulars.domain.scores.crossing import HORIZON, next_change
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.history import DAY_MS, WEEK_MS, Activity, Buying
from regulars.domain.scores.logistic import probability
from regulars.domain.scores.model import AverageBuyer, Kind, ScoreModel

CHURN_DAYS = 90
"""Churn is no purchase in so many days."""
VALUE_DAYS = 365
"""Predicted orders and value are of the next so many days."""
_CHURN_WEEKS, _VALUE_WEEKS = CHURN_DAYS / 7, VALUE_DAYS / 7

CHURN, ORDERS, VALUE, TOTAL = "churn_probability", "predicted_number_of_orders", "predicted_clv", "total_clv"
MOVING = (CHURN, ORDERS, VALUE, TOTAL)
"""The scores that time alone moves; the others wait for an order."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Klaviyo's nine, and besides them: `churn_from` (what the churn probability comes from) and `reasons`, by field,
    why it is absent, or why the churn probability is only the cohort's."""

    historic_clv: int = 0
    predicted_clv: int | None = None
    total_clv: int | None = None
    historic_number_of_orders: int = 0
    predicted_number_of_orders: float | None = None
    average_days_between_orders: float | None = None
    average_order_value: int | None = None
    churn_probability: float | None = None
    expected_date_of_next_order: int | None = None
    churn_from: Kind | None = None
    reasons: Mapping[str, Reason] = field(default_factory=dict)

    def to_doc(self) -> dict[str, Any]:
        """Their JSON document: the nine, and `churn_from` and `reasons` beside them."""
        return {**asdict(self), "reasons": {name: reason.value for name, reason in sorted(self.reasons.items())}}


class Contribution(NamedTuple):
    """How much a factor moved the score away from the average buyer's; above 0: up."""

    factor: str
    effect: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a score is what it is.

    `scale` `log_odds`: the effects are exact, and sum to the log-odds less those of the average buyer. `score`: each
    effect, in the score's own unit, is what the score would lose if that factor alone were the average buyer's; they
    need not sum up. `average` is the average buyer's own score; `contributions` the largest first.
    """

    score: float
    average: float | None
    explained_by: Kind
    scale: str
    contributions: tuple[Contribution, ...]

    def to_doc(self) -> dict[str, Any]:
        """Its JSON document."""
        return {
            "score": self.score,
            "average": self.average,
            "from": self.explained_by.value,
            "scale": self.scale,
            "contributions": [each._asdict() for each in self.contributions],
        }


class Scorer:
    """One model's scoring. Holds nothing of a customer; safe to share."""

    __slots__ = ("_churn", "model")

    def __init__(self, model: ScoreModel) -> None:
        self.model = model
        self._churn = self._source()

    def _source(self) -> Kind | None:
        model = self.model
        if model.churn is not None:
            return model.churn
        return Kind.COHORT if model.cohorts is not None else None

    def churn(self, buying: Buying | None, activity: Activity | None, now: int) -> float | None:
        """P(no purchase in the 90 days after `now`); the cohort's where no model could be fitted, None without even
        that, or without orders."""
        if buying is None or self._churn is None:
            return None
        return self._churn_at(buying, activity)(now)

    def churn_from(self, buying: Buying | None) -> Kind | None:
        """What `churn` comes from; None where there is none."""
        return None if buying is None else self._churn

    def _churn_at(self, buying: Buying, activity: Activity | None) -> Callable[[int], float]:
        """The customer's churn probability as a function of now. There must be a source of one."""
        model = self.model
        if self._churn is Kind.BG_NBD and model.bg_nbd is not None:
            bg_nbd, x, first = model.bg_nbd, buying.repeats, buying.first
            t_x = (buying.last - first) / WEEK_MS
            return lambda now: bg_nbd.no_purchase(x, t_x, max((now - first) / WEEK_MS, t_x), _CHURN_WEEKS)
        if self._churn is Kind.LOGISTIC and model.logistic is not None:
            curve = model.logistic.curve(buying, activity)
            return lambda now: probability(curve.log_odds(now))
        if model.cohorts is None:
            raise ValueError("the model has no churn probability")
        cohorts = model.cohorts
        return lambda now: cohorts.no_purchase(buying, now)

    def _purchases(self, buying: Buying, now: int) -> float | None:
        """Expected purchases in the next 365 days; None without BG/NBD."""
        if self.model.bg_nbd is None:
            return None
        return self.model.bg_nbd.expected_purchases(*buying.weeks(now), _VALUE_WEEKS)

    def _value(self, buying: Buying, purchases: float | None) -> int | None:
        """Minor units that `purchases` are expected to bring; None without Gamma-Gamma."""
        if purchases is None or self.model.gamma_gamma is None:
            return None
        return round(purchases * self.model.gamma_gamma.expected_value(buying.repeats, buying.mean_repeat_value))

    def predicted_orders(self, buying: Buying | None, now: int) -> float | None:
        """`predicted_number_of_orders` alone."""
        purchases = None if buying is None else self._purchases(buying, now)
        return None if purchases is None else purchases * self.model.orders_per_purchase

    def predicted_value(self, buying: Buying | None, now: int) -> int | None:
        """`predicted_clv` alone."""
        return None if buying is None else self._value(buying, self._purchases(buying, now))

    def total_value(self, buying: Buying | None, now: int) -> int | None:
        """`total_clv` alone."""
        value = self.predicted_value(buying, now)
        return None if buying is None or value is None else buying.revenue + value

    def scores(self, buying: Buying | None, activity: Activity | None, now: int) -> Scores:
        """All scores of a customer at `now`. Refunds are taken off; cancelled orders are not in `buying`."""
        if buying is None:
            return Scores(reasons=self.reasons(None))
        reasons = self.reasons(buying)
        purchases = self._purchases(buying, now)
        value = self._value(buying, purchases)
        expected = self.expected_next(buying)
        several = buying.orders > 1
        return Scores(
            historic_clv=buying.revenue,
            predicted_clv=value,
            total_clv=None if value is None else buying.revenue + value,
            historic_number_of_orders=buying.orders,
            predicted_number_of_orders=None if purchases is None else purchases * self.model.orders_per_purchase,
            average_days_between_orders=(buying.latest - buying.first) / DAY_MS / (buying.orders - 1)
            if several
            else None,
            average_order_value=round(buying.revenue / buying.orders),
            churn_probability=self.churn(buying, activity, now),
            expected_date_of_next_order=expected,
            churn_from=self._churn,
            reasons=reasons,
        )

    def reasons(self, buying: Buying | None) -> dict[str, Reason]:
        """Why each score that is absent is, by its field; and why the churn probability is only the cohort's."""
        if buying is None:
            absent = ("average_days_between_orders", "average_order_value", "expected_date_of_next_order", *MOVING)
            return dict.fromkeys(absent, Reason.NO_ORDERS)
        model, reasons = self.model, dict[str, Reason]()
        if buying.orders == 1:
            reasons["average_days_between_orders"] = Reason.ONE_ORDER
        if model.churn is None:
            reasons[CHURN] = model.gate or Reason.MODEL_NOT_FITTED
        if model.bg_nbd is None:
            why = model.gate or model.reasons.get("bg_nbd", Reason.MODEL_NOT_FITTED)
            reasons |= dict.fromkeys((ORDERS, VALUE, TOTAL, "expected_date_of_next_order"), why)
        elif model.gamma_gamma is None:
            reasons |= dict.fromkeys((VALUE, TOTAL), model.reasons.get("gamma_gamma", Reason.MODEL_NOT_FITTED))
        if model.bg_nbd is not None and self.expected_next(buying) is None:
            reasons["expected_date_of_next_order"] = Reason.TOO_FAR_AHEAD
        return reasons

    def expected_next(self, buying: Buying | None) -> int | None:
        """`expected_date_of_next_order` alone: when, as of the latest order, the next one was as likely to have come as
        not, given that one comes."""
        if self.model.bg_nbd is None or buying is None:
            return None
        x, t_x, _ = buying.weeks(buying.last)
        wait = self.model.bg_nbd.median_wait(x, t_x) * WEEK_MS
        return buying.latest + round(wait) if wait < HORIZON else None

    def next_change(
        self, score: str, bound: float, buying: Buying | None, activity: Activity | None, now: int
    ) -> int | None:
        """The first instant after `now` at which `score >= bound` changes, with nothing happening; None: never within
        ten years. Exact to the millisecond: at that instant `scores` says so, and one before it does not.

        The churn probability under BG/NBD only rises, predicted orders and values only fall; under the logistic model
        it may turn, and the turns are known. Scores that time does not move never change. Raises KeyError on an unknown
        score.
        """
        if score not in Scores.__slots__:
            raise KeyError(score)
        if buying is None or score not in MOVING:
            return None
        if score == CHURN:
            return self._churn_change(bound, buying, activity, now)
        if self.model.bg_nbd is None or (score != ORDERS and self.model.gamma_gamma is None):
            return None
        return next_change(self._falling(score, bound, buying), now)

    def _churn_change(self, bound: float, buying: Buying, activity: Activity | None, now: int) -> int | None:
        if self._churn is None:
            return None
        if self._churn is Kind.COHORT and self.model.cohorts is not None:
            return self.model.cohorts.crossing(buying, bound, now)
        if self._churn is Kind.LOGISTIC and self.model.logistic is not None:
            return self.model.logistic.crossing(buying, activity, bound, now)
        churn_at = self._churn_at(buying, activity)
        return next_change(lambda at: churn_at(at) - bound, now)

    def _falling(self, score: str, bound: float, buying: Buying) -> Callable[[int], float]:
        at_instant = {ORDERS: self.predicted_orders, VALUE: self.predicted_value, TOTAL: self.total_value}[score]
        return lambda at: (at_instant(buying, at) or 0) - bound

    def explain(
        self, buying: Buying | None, activity: Activity | None, now: int, *, score: str = CHURN
    ) -> Explanation | None:
        """Which factor moved a score how much, against the average buyer; None where there is no score.

        Predicted orders and value, and BG/NBD's churn probability, by changing one factor at a time; the logistic
        model's by its log-odds. Raises KeyError on a score that is a plain count or sum of what was bought.
        """
        if score not in MOVING:
            raise KeyError(score)
        if buying is None:
            return None
        if score == CHURN and self._churn is not Kind.BG_NBD:
            return self._explain_churn(buying, activity, now)
        value, bg_nbd, average = self._of(score, buying), self.model.bg_nbd, self.model.average
        if value is None or bg_nbd is None or average is None:
            return None
        x, t_x, T = buying.weeks(now)  # noqa: N806 - the paper's name
        mine = AverageBuyer(x, t_x, T - t_x, buying.mean_repeat_value)
        own = value(mine)
        effects = {
            factor: own - value(mine._replace(**{name: getattr(average, name)}))
            for factor, name in _FACTORS.items()
            if factor != "value" or score in {VALUE, TOTAL}
        }
        return Explanation(own, value(average), Kind.BG_NBD, "score", _largest_first(effects))

    def _explain_churn(self, buying: Buying, activity: Activity | None, now: int) -> Explanation | None:
        score, logistic = self.churn(buying, activity, now), self.model.logistic
        if score is None or self._churn is None:
            return None
        if self._churn is not Kind.LOGISTIC or logistic is None:
            return Explanation(score, None, self._churn, "score", ())
        effects = logistic.contributions(buying, activity, now)
        average = probability(logistic.average_log_odds())
        return Explanation(score, average, self._churn, "log_odds", _largest_first(effects))

    def _of(self, score: str, buying: Buying) -> Callable[[AverageBuyer], float] | None:
        """A score as a function of the numbers that BG/NBD and Gamma-Gamma take, however made up; None without them."""
        bg_nbd, gamma_gamma, scale = self.model.bg_nbd, self.model.gamma_gamma, self.model.orders_per_purchase
        if bg_nbd is None or (score in {VALUE, TOTAL} and gamma_gamma is None):
            return None

        def value(of: AverageBuyer) -> float:
            """The score of somebody with those numbers."""
            point = (of.repeats, of.between, of.between + of.since)
            if score == CHURN:
                return bg_nbd.no_purchase(*point, _CHURN_WEEKS)
            purchases = bg_nbd.expected_purchases(*point, _VALUE_WEEKS)
            if score == ORDERS or gamma_gamma is None:
                return purchases * scale
            worth = purchases * gamma_gamma.expected_value(of.repeats, of.value)
            return worth + buying.revenue if score == TOTAL else worth

        return value


_FACTORS = {"frequency": "repeats", "age": "between", "recency": "since", "value": "value"}
"""The factors of BG/NBD and Gamma-Gamma, and their names in AverageBuyer."""


def _largest_first(effects: Mapping[str, float]) -> tuple[Contribution, ...]:
    found = (Contribution(factor, effect) for factor, effect in effects.items())
    return tuple(sorted(found, key=lambda each: (-abs(each.effect), each.factor)))
