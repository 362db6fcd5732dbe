"""Whether a shop's history can carry a model, and the reasons for which a score is absent.

The bounds are those that Klaviyo documents for its predictive analytics: 500 customers who bought, 180 days of history,
an order within 30 days, and some customers with three orders.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

LEAST_BUYERS = 500
LEAST_HISTORY_DAYS = 180
LONGEST_SILENCE_DAYS = 30
LEAST_REPEAT_BUYERS = 30
"""Klaviyo says "some" customers with three orders; below some thirty a rate of repeat purchase cannot be told."""


class Reason(StrEnum):
    """Why a score is absent, or why one of the models is. Stable: programs and reports name them."""

    NO_ORDERS = "no_orders"
    """The customer has not bought."""
    MODEL_NOT_FITTED = "model_not_fitted"
    """No refresh has fitted a model yet, or the one that the score needs could not be fitted."""
    TOO_FEW_BUYERS = "too_few_buyers"
    HISTORY_TOO_SHORT = "history_too_short"
    NO_RECENT_ORDER = "no_recent_order"
    TOO_FEW_REPEAT_BUYERS = "too_few_repeat_buyers"
    ONE_ORDER = "one_order"
    """The customer has bought once: there is no time between orders."""
    TOO_FAR_AHEAD = "too_far_ahead"
    """The next order is expected in more than ten years."""
    NO_CONVERGENCE = "no_convergence"
    AT_BOUND = "at_bound"
    """The likelihood is greatest at the end of a parameter's range: the data do not tell that parameter."""
    NOT_FINITE = "not_finite"
    """The model was fitted, and says of some ordinary customer what is no number."""
    MEAN_UNDEFINED = "mean_undefined"
    ONE_OUTCOME = "one_outcome"
    """Everybody bought again, or nobody did, in all or in a part: there is too little to tell apart."""
    NO_SIGNAL = "no_signal"
    """On people whom it was not fitted on, the model's score rises where it should fall."""


class Population(NamedTuple):
    """A shop's history: buyers, days since the first order and since the latest, buyers with three orders or more."""

    buyers: int
    history_days: float
    silent_days: float
    repeat_buyers: int


def gate(population: Population) -> Reason | None:
    """Why no model may be fitted; None where one may."""
    if population.buyers < LEAST_BUYERS:
        return Reason.TOO_FEW_BUYERS
    if population.history_days < LEAST_HISTORY_DAYS:
        return Reason.HISTORY_TOO_SHORT
    if population.silent_days > LONGEST_SILENCE_DAYS:
        return Reason.NO_RECENT_ORDER
    if population.repeat_buyers < LEAST_REPEAT_BUYERS:
        return Reason.TOO_FEW_REPEAT_BUYERS
    return None
