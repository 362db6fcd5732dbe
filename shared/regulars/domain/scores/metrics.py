"""How good a probability is: AUC, Brier score, calibration, over everybody and by group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

BINS = 10
SMALLEST_GROUP = 100
"""A rate over fewer people says little: at 100, one standard error is up to five percentage points."""


class Bin(NamedTuple):
    """A tenth of the people by score: how many, their mean score, and the share to whom it happened."""

    n: int
    mean_score: float
    rate: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of `n` people, `base_rate` is the share to whom it happened. `auc` is None where it happened to all or to none.
    `calibration`: tenths by score, lowest first."""

    n: int
    base_rate: float
    auc: float | None
    brier: float
    calibration: tuple[Bin, ...]

    @property
    def calibration_error(self) -> float:
        """The mean distance between score and rate over the tenths, weighted by people (expected calibration error)."""
        return sum(each.n * abs(each.mean_score - each.rate) for each in self.calibration) / self.n

    def to_doc(self) -> dict[str, Any]:
        """Their JSON document."""
        return {
            "n": self.n,
            "base_rate": self.base_rate,
            "auc": self.auc,
            "brier": self.brier,
            "calibration": [list(each) for each in self.calibration],
        }

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Metrics:
        """The inverse of `to_doc`."""
        bins = tuple(Bin(*each) for each in doc["calibration"])
        return cls(doc["n"], doc["base_rate"], doc["auc"], doc["brier"], bins)


def auc(scores: Sequence[float], happened: Sequence[bool]) -> float | None:
    """The share of pairs of one to whom it happened and one to whom not in which the former's score is higher, half for
    equal ones (Mann & Whitney's U over all pairs). None without both kinds."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    positives = sum(1 for each in happened if each)
    negatives = len(scores) - positives
    if not positives or not negatives:
        return None
    ranks = 0.0
    start = 0
    while start < len(order):
        end = start
        tied = scores[order[start]]
        while end < len(order) and scores[order[end]] == tied:
            end += 1
        ranks += (start + 1 + end) / 2 * sum(1 for place in order[start:end] if happened[place])
        start = end
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def metrics_of(scores: Sequence[float], happened: Sequence[bool]) -> Metrics:
    """Metrics of probabilities against what happened. Raises ValueError without anybody."""
    n = len(scores)
    if not n or n != len(happened):
        raise ValueError("needs as many outcomes as scores, and some")
    brier = sum((score - each) ** 2 for score, each in zip(scores, happened, strict=True)) / n
    return Metrics(n, sum(1 for each in happened if each) / n, auc(scores, happened), brier, _tenths(scores, happened))


def _tenths(scores: Sequence[float], happened: Sequence[bool]) -> tuple[Bin, ...]:
    order = sorted(range(len(scores)), key=scores.__getitem__)
    bins = []
    for index in range(BINS):
        part = order[len(order) * index // BINS : len(order) * (index + 1) // BINS]
        if part:
            mean = sum(scores[place] for place in part) / len(part)
            bins.append(Bin(len(part), mean, sum(1 for place in part if happened[place]) / len(part)))
    return tuple(bins)


@dataclass(frozen=True, slots=True)
class GroupMetrics:
    """One demographic group's: `gap` is its mean score less its rate (above 0: thought likelier to leave than they
    are). `small`: too few people to conclude anything from."""

    group: str
    n: int
    base_rate: float
    mean_score: float
    auc: float | None
    brier: float
    gap: float
    small: bool


def bias_report(
    people: Iterable[tuple[str | None, float, bool]], *, smallest: int = SMALLEST_GROUP
) -> tuple[GroupMetrics, ...]:
    """By group, the largest first, from (group, score, what happened); nobody's group is `unknown`."""
    groups: dict[str, tuple[list[float], list[bool]]] = defaultdict(lambda: ([], []))
    for group, score, happened in people:
        scores, outcomes = groups["unknown" if group is None else group]
        scores.append(score)
        outcomes.append(happened)
    report = []
    for group, (scores, outcomes) in groups.items():
        found = metrics_of(scores, outcomes)
        mean = sum(scores) / found.n
        report.append(
            GroupMetrics(
                group, found.n, found.base_rate, mean, found.auc, found.brier, mean - found.base_rate,
                small=found.n < smallest,
            )
        )  # fmt: skip
    return tuple(sorted(report, key=lambda each: (-each.n, each.group)))
