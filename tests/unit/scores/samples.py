"""Buying histories and models for the tests of scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from regulars.adapters.fitting_data import Orders, OrdersBuilder
from regulars.domain.instants import to_millis
from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.gamma_gamma import GammaGamma
from regulars.domain.scores.history import DAY_MS, Buying, buying_of
from regulars.domain.scores.logistic import FEATURES, Logistic
from regulars.domain.scores.model import AverageBuyer, Kind, ScoreModel

START = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
AT = to_millis(NOW)
CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)
VALUES = GammaGamma(6.25, 3.74, 1544.0)


def bought(*days: float, net: int = 2500) -> Buying:
    """Orders of `net` minor units, each so many days after START."""
    buying = buying_of([(START + timedelta(days=day), net) for day in days])
    assert buying is not None
    return buying


def logistic(**coefficients: float) -> Logistic:
    """A model of those coefficients, with intercept 0 and means 0."""
    intercept = coefficients.pop("intercept", 0.0)
    assert set(coefficients) <= set(FEATURES)
    return Logistic(intercept, tuple(coefficients.get(name, 0.0) for name in FEATURES), (0.0,) * len(FEATURES))


def model_of(kind: Kind = Kind.BG_NBD, **changes: Any) -> ScoreModel:
    """A fitted model whose churn probability comes from `kind`."""
    fitted = ScoreModel(
        fitted_at=AT,
        gate=None,
        churn=kind,
        bg_nbd=CDNOW,
        gamma_gamma=VALUES,
        logistic=logistic(intercept=-5, recency=2.0, frequency=-1.0, age=-0.3, unseen_for=0.2),
        average=AverageBuyer(1, 6.8, 25.0, 3000.0),
    )
    return replace(fitted, **changes)


def simulated(model: BgNbd, people: int, *, days: int, seed: int) -> list[list[int]]:
    """Purchases of `people` whose behaviour is that of the model, milliseconds since START, within `days`; the first at
    0."""
    chance = np.random.default_rng(seed)
    rates = chance.gamma(model.r, 1 / model.alpha, people)
    leaving = chance.beta(model.a, model.b, people)
    histories = []
    for rate, p in zip(rates, leaving, strict=True):
        at, history = 0.0, [0]
        while rate > 0:
            at += chance.exponential(1 / rate) * 7 * DAY_MS
            if at > days * DAY_MS:
                break
            history.append(int(at))
            if chance.random() < p:
                break
        histories.append(history)
    return histories


def shop(model: BgNbd, people: int, *, days: int, seed: int) -> Orders:
    """A shop whose customers behave as the model says and come evenly over the first half of `days`, with values that
    differ between them, and are seen on the days on which they buy."""
    chance = np.random.default_rng(seed)
    builder = OrdersBuilder()
    for number, history in enumerate(simulated(model, people, days=days, seed=seed)):
        begun = days // 2 * number // people * DAY_MS
        level = chance.gamma(4, 800)
        orders = [
            (START + timedelta(milliseconds=begun + at), int(level * chance.gamma(5, 0.2)))
            for at in history
            if begun + at < days * DAY_MS
        ]
        builder.add(orders, [placed.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal() for placed, _ in orders])
    return builder.build()
