"""A customer's scores as fields of the rules: what they are at an instant, and when time alone will change them.

The models and their formulas are in `domain/scores` (docs/scores.md); here they meet a customer's orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from regulars.domain.instants import day_number, from_millis, to_millis
from regulars.domain.rules.numbers import THOUSAND
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.history import Activity, Buying, activity_of, buying_of
from regulars.domain.scores.lifecycle import Stage
from regulars.domain.scores.rfm import QUINTILES, TERTILES, klaviyo_group, next_group_change, shopify_group
from regulars.domain.scores.scoring import CHURN, MOVING, Explanation, Scores

if TYPE_CHECKING:
    from regulars.domain.customer import Customer
    from regulars.domain.rules.view import Value
    from regulars.domain.scores.scoring import Scorer

_ORDERS = "scores.predicted_number_of_orders"
_Group = Callable[["Scorer", Buying | None, int], "Value"]


class Scored:
    """One customer's scores under one model."""

    __slots__ = ("_activity", "_buying", "_scorer")

    def __init__(self, scorer: Scorer, orders: Sequence[tuple[datetime, int]], days: Sequence[int]) -> None:
        """`orders` that count, oldest first; `days`: UTC days on which the customer was seen."""
        self._scorer = scorer
        self._buying: Buying | None = buying_of(orders)
        self._activity: Activity | None = activity_of(days)

    def at(self, field: str, then: datetime) -> Value:
        """A field of SCORE_FIELDS at an instant; None where there is no such score. Raises KeyError on another."""
        now, scorer = to_millis(then), self._scorer
        if field == "scores.churn_probability":
            return scorer.churn(self._buying, self._activity, now)
        return SCORE_FIELDS[field](scorer, self._buying, now)

    def reason(self, field: str) -> str | None:
        """Why a field of SCORE_FIELDS is absent, in a stable word (docs/scores.md); None where nothing says."""
        kind, _, score = field.partition(".")
        if self._buying is None:
            return Reason.NO_ORDERS.value
        if kind != "scores":
            return (Reason.TOO_FEW_REPEAT_BUYERS if kind == "lifecycle" else Reason.MODEL_NOT_FITTED).value
        found = self._scorer.reasons(self._buying).get(CHURN if score == "churn_from" else score)
        return found.value if found else None

    def scores(self, now: datetime) -> Scores:
        """Klaviyo's nine, with the reasons for those that are absent."""
        return self._scorer.scores(self._buying, self._activity, to_millis(now))

    def explained(self, now: datetime) -> dict[str, Explanation]:
        """By score that a model makes and that is there, which factor moved it how much."""
        at = to_millis(now)
        found = {score: self._scorer.explain(self._buying, self._activity, at, score=score) for score in MOVING}
        return {score: explanation for score, explanation in found.items() if explanation is not None}

    def changes(self, field: str, bound: float | None, now: datetime) -> datetime | None:
        """The first instant after `now` at which `field >= bound` changes with nothing happening; of a group (`bound`
        None) when it may become another. None: never."""
        start = to_millis(now)
        kind, _, score = field.partition(".")
        if kind == "scores" and bound is not None:
            limit = bound / THOUSAND if field == _ORDERS else bound
            at = self._scorer.next_change(score, limit, self._buying, self._activity, start)
        else:
            at = self._group_changes(field, start)
        return None if at is None else from_millis(at)

    def _group_changes(self, field: str, now: int) -> int | None:
        model, buying = self._scorer.model, self._buying
        if field == "lifecycle.stage":
            return model.rhythm.next_change(buying, now) if model.rhythm else None
        cuts = model.rfm.get(TERTILES if field == "rfm.klaviyo_group" else QUINTILES)
        if buying is None or cuts is None:
            return None
        return cuts.next_change(buying, now) if field == "rfm.recency" else next_group_change(cuts, buying, now)


def _predicted_orders(scorer: Scorer, buying: Buying | None, now: int) -> Value:
    """In thousandths: the greatest whose quotient is not above the score, so that a bound is reached exactly when the
    score reaches it, to the last digit."""
    orders = scorer.predicted_orders(buying, now)
    if orders is None:
        return None
    reached = math.floor(orders * THOUSAND)
    return reached + ((reached + 1) / THOUSAND <= orders) - (reached / THOUSAND > orders)


def _expected_next(scorer: Scorer, buying: Buying | None, _now: int) -> Value:
    at = scorer.expected_next(buying)
    return None if at is None else from_millis(at)


def _churn_from(scorer: Scorer, buying: Buying | None, _now: int) -> Value:
    source = scorer.churn_from(buying)
    return source.value if source else None


def _rfm(name: str) -> _Group:
    def score(scorer: Scorer, buying: Buying | None, now: int) -> Value:
        cuts = scorer.model.rfm.get(QUINTILES)
        found: Value = getattr(cuts.scores(buying, now), name) if cuts and buying else None
        return found

    return score


def _klaviyo(scorer: Scorer, buying: Buying | None, now: int) -> Value:
    cuts = scorer.model.rfm.get(TERTILES)
    return klaviyo_group(cuts.scores(buying, now)) if cuts and buying else None


def _shopify(scorer: Scorer, buying: Buying | None, now: int) -> Value:
    cuts = scorer.model.rfm.get(QUINTILES)
    if buying is None:
        return shopify_group(None)
    return shopify_group(cuts.scores(buying, now)) if cuts else None


def _stage(scorer: Scorer, buying: Buying | None, now: int) -> Value:
    if buying is None:
        return Stage.PROSPECT.value
    return scorer.model.rhythm.stage(buying, now).value if scorer.model.rhythm else None


def _frequency(scorer: Scorer, buying: Buying | None, _now: int) -> Value:
    found = scorer.model.rhythm.frequency(buying) if scorer.model.rhythm else None
    return found.value if found else None


SCORE_FIELDS: Mapping[str, _Group] = {
    "scores.churn_probability": lambda scorer, buying, now: scorer.churn(buying, None, now),
    "scores.churn_from": _churn_from,
    _ORDERS: _predicted_orders,
    "scores.predicted_clv": lambda scorer, buying, now: scorer.predicted_value(buying, now),
    "scores.total_clv": lambda scorer, buying, now: scorer.total_value(buying, now),
    "scores.expected_date_of_next_order": _expected_next,
    "rfm.recency": _rfm("recency"),
    "rfm.frequency": _rfm("frequency"),
    "rfm.monetary": _rfm("monetary"),
    "rfm.klaviyo_group": _klaviyo,
    "rfm.shopify_group": _shopify,
    "lifecycle.stage": _stage,
    "lifecycle.frequency": _frequency,
}
"""The value by field. (Of the churn probability also the activity matters, which `Scored` knows.)"""


def seen_days(customer: Customer, events: Iterable[str]) -> list[int]:
    """UTC days on which a customer is known to have been seen: those of orders, and of `events` (domain/scores/seen).

    A counter keeps the days before its own latest one, so what the scores look at, the latest and the 28 up to it, is
    the same for how long ever it is kept.
    """
    days = {day_number(placed) for placed, _ in customer.orders()}
    for name in events:
        days.update(customer.days(name))
    return sorted(days)
