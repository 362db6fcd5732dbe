"""The score model: everything that one night's fit found out, as one immutable JSON-able document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.cohorts import Cohorts
from regulars.domain.scores.gamma_gamma import GammaGamma
from regulars.domain.scores.gates import Population, Reason
from regulars.domain.scores.lifecycle import Rhythm
from regulars.domain.scores.logistic import FEATURES, Logistic
from regulars.domain.scores.metrics import Metrics
from regulars.domain.scores.rfm import RfmCuts

SCHEMA = 1
NOBODY = Population(0, 0.0, 0.0, 0)


class Kind(StrEnum):
    """What a churn probability comes from."""

    BG_NBD = "bg_nbd"
    LOGISTIC = "logistic"
    COHORT = "cohort"


class AverageBuyer(NamedTuple):
    """Means over all buyers: repeat purchases (to the nearest whole), weeks between the first and the latest, weeks
    since the latest; and minor units of a repeat purchase, over those who made one."""

    repeats: int
    between: float
    since: float
    value: float


class Compared(NamedTuple):
    """The churn models as they were compared: fitted to what lay before `cut` (epoch milliseconds), 90 days before the
    fit. What they say of who had bought by then, against what those did since, is beyond suspicion of hindsight."""

    cut: int
    bg_nbd: BgNbd | None = None
    logistic: Logistic | None = None

    def to_doc(self) -> dict[str, Any]:
        """Their JSON document."""
        return {
            "cut": self.cut,
            "bg_nbd": self.bg_nbd and self.bg_nbd._asdict(),
            "logistic": _of_logistic(self.logistic),
        }

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Compared:
        """The inverse of `to_doc`."""
        return cls(doc["cut"], doc["bg_nbd"] and BgNbd(**doc["bg_nbd"]), _logistic(doc["logistic"]))


@dataclass(frozen=True, slots=True)
class ScoreModel:
    """`fitted_at` in epoch milliseconds; 0: never.

    `churn` says which model the churn probability comes from; None: `gate` or `reasons` say why there is none.
    `reasons` holds, by model (`bg_nbd`, `gamma_gamma`, `logistic`), why it is absent; `metrics`, by model, how good it
    was on the same 90 days, which none of them had seen; `compared` are those that were measured. `rfm` holds cut
    points by number of levels. `seen_by` names the events by which it was known when somebody was seen
    (regulars.domain.scores.seen); None in documents from before they were named.
    """

    fitted_at: int = 0
    population: Population = NOBODY
    gate: Reason | None = Reason.MODEL_NOT_FITTED
    churn: Kind | None = None
    bg_nbd: BgNbd | None = None
    gamma_gamma: GammaGamma | None = None
    logistic: Logistic | None = None
    cohorts: Cohorts | None = None
    average: AverageBuyer | None = None
    orders_per_purchase: float = 1.0
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    rfm: Mapping[int, RfmCuts] = field(default_factory=dict)
    rhythm: Rhythm | None = None
    compared: Compared | None = None
    seen_by: tuple[str, ...] | None = None

    def to_doc(self) -> dict[str, Any]:
        """Its JSON document; numbers are kept exactly."""
        return {
            "v": SCHEMA,
            "fitted_at": self.fitted_at,
            "population": self.population._asdict(),
            "gate": self.gate and self.gate.value,
            "churn": self.churn and self.churn.value,
            "bg_nbd": self.bg_nbd and self.bg_nbd._asdict(),
            "gamma_gamma": self.gamma_gamma and self.gamma_gamma._asdict(),
            "logistic": _of_logistic(self.logistic),
            "cohorts": self.cohorts and self.cohorts.to_doc(),
            "average": self.average and self.average._asdict(),
            "orders_per_purchase": self.orders_per_purchase,
            "reasons": {name: reason.value for name, reason in sorted(self.reasons.items())},
            "metrics": {name: metrics.to_doc() for name, metrics in sorted(self.metrics.items())},
            "rfm": {str(levels): cuts.to_doc() for levels, cuts in sorted(self.rfm.items())},
            "rhythm": self.rhythm and self.rhythm.to_doc(),
            "compared": self.compared and self.compared.to_doc(),
            "seen_by": None if self.seen_by is None else list(self.seen_by),
        }

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> ScoreModel:
        """The inverse of `to_doc`. Raises ValueError on a document of another schema."""
        if doc["v"] != SCHEMA:
            raise ValueError(f"a score model of schema {doc['v']}, not {SCHEMA}")
        return cls(
            fitted_at=doc["fitted_at"],
            population=Population(**doc["population"]),
            gate=doc["gate"] and Reason(doc["gate"]),
            churn=doc["churn"] and Kind(doc["churn"]),
            bg_nbd=doc["bg_nbd"] and BgNbd(**doc["bg_nbd"]),
            gamma_gamma=doc["gamma_gamma"] and GammaGamma(**doc["gamma_gamma"]),
            logistic=_logistic(doc["logistic"]),
            cohorts=doc["cohorts"] and Cohorts.from_doc(doc["cohorts"]),
            average=doc["average"] and AverageBuyer(**doc["average"]),
            orders_per_purchase=doc["orders_per_purchase"],
            reasons={name: Reason(reason) for name, reason in doc["reasons"].items()},
            metrics={name: Metrics.from_doc(metrics) for name, metrics in doc["metrics"].items()},
            rfm={int(levels): RfmCuts.from_doc(cuts) for levels, cuts in doc["rfm"].items()},
            rhythm=doc["rhythm"] and Rhythm.from_doc(doc["rhythm"]),
            compared=Compared.from_doc(doc["compared"]) if doc.get("compared") else None,
            seen_by=None if doc.get("seen_by") is None else tuple(doc["seen_by"]),
        )


def _of_logistic(model: Logistic | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {
        "intercept": model.intercept,
        "coefficients": dict(zip(FEATURES, model.coefficients, strict=True)),
        "means": dict(zip(FEATURES, model.means, strict=True)),
    }


def _logistic(doc: Mapping[str, Any] | None) -> Logistic | None:
    if doc is None:
        return None
    coefficients = tuple(doc["coefficients"][name] for name in FEATURES)
    return Logistic(doc["intercept"], coefficients, tuple(doc["means"][name] for name in FEATURES))


@dataclass(frozen=True, slots=True)
class Holdout:
    """The 90 days that the models were compared on: for each buyer of before (by their number) what the published kind
    of model, fitted to what lay before, said, and whether they stayed away."""

    people: Sequence[int] = ()
    scores: Sequence[float] = ()
    stayed_away: Sequence[bool] = ()


@dataclass(frozen=True, slots=True)
class NightlyFit:
    """The model to publish, and the holdout for the bias report (`metrics.bias_report`)."""

    model: ScoreModel
    holdout: Holdout
