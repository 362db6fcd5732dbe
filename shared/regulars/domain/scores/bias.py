"""Whether the churn probability treats groups of people alike: what it says of each, and how right it was of each.

How right it was is measured on the 90 days that the models were compared on, with the models of then, which knew
nothing of them: what the published ones say of days that they were fitted to proves little.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from regulars.domain.instants import to_millis
from regulars.domain.scores.history import DAY_MS, activity_of, buying_of
from regulars.domain.scores.metrics import SMALLEST_GROUP, GroupMetrics, bias_report
from regulars.domain.scores.model import ScoreModel
from regulars.domain.scores.scoring import Scorer

UNKNOWN = "unknown"
EVERYBODY = "everybody"
HALF = 0.5


class Member(NamedTuple):
    """Somebody with their group (None: not known), their orders that count, (placed_at, net minor units), oldest first,
    and the UTC days on which they were seen."""

    group: str | None
    orders: Sequence[tuple[datetime, int]]
    days: Sequence[int]


@dataclass(frozen=True, slots=True)
class GroupScores:
    """What is said of one group's `people` who have a score: its mean, its `difference` from everybody's mean, the
    share of them above one half. `held_out`: how right the models were of those of them who had bought 90 days before
    the fit; None where nobody had, or nothing was compared. `small`: too few people to conclude anything from."""

    group: str
    people: int
    mean_score: float
    difference: float
    above_half: float
    held_out: GroupMetrics | None
    small: bool


class BiasReport(NamedTuple):
    """Everybody, and each group, the largest first."""

    everybody: GroupScores
    groups: tuple[GroupScores, ...]


def report_by_group(members: Iterable[Member], model: ScoreModel, now: datetime) -> BiasReport | None:
    """The report as of `now`; who has no score is left out. None where nobody has one."""
    scorer, compared, at = Scorer(model), HeldOut(model), to_millis(now)
    scores: dict[str, list[float]] = defaultdict(list)
    outcomes: list[tuple[str, float, bool]] = []
    for member in members:
        group = UNKNOWN if member.group is None else member.group
        score = scorer.churn(buying_of(member.orders), activity_of(member.days), at)
        if score is None:
            continue
        scores[group].append(score)
        if (outcome := compared(member.orders, member.days)) is not None:
            outcomes.append((group, *outcome))
    if not scores:
        return None
    everyone = bias_report((EVERYBODY, score, left) for _, score, left in outcomes)
    whole = _group(EVERYBODY, [score for each in scores.values() for score in each], everyone[0] if everyone else None)
    metrics = {each.group: each for each in bias_report(outcomes)}
    groups = (_group(name, each, metrics.get(name), whole.mean_score) for name, each in scores.items())
    return BiasReport(whole, tuple(sorted(groups, key=lambda each: (-each.people, each.group))))


class HeldOut:
    """The published kind of model as it was compared: fitted to what lay before the 90 days up to the fit. Call it with
    somebody's orders and days."""

    def __init__(self, model: ScoreModel) -> None:
        compared = model.compared if model.churn else None
        self._cut = compared.cut if compared else 0
        self._end = model.fitted_at
        self._scorer = Scorer(replace(model, bg_nbd=compared.bg_nbd, logistic=compared.logistic)) if compared else None

    def __call__(self, orders: Sequence[tuple[datetime, int]], days: Iterable[int]) -> tuple[float, bool] | None:
        """What it says of them as they were at the beginning of those days, and whether they then stayed away. None
        where they had not bought yet, or nothing was compared."""
        instants = [to_millis(placed) for placed, _ in orders]
        known = bisect_right(instants, self._cut)
        if self._scorer is None or not known:
            return None
        # Of the day in progress nothing of being seen was known.
        activity = activity_of(day for day in days if (day + 1) * DAY_MS <= self._cut)
        score = self._scorer.churn(buying_of(orders[:known]), activity, self._cut)
        return None if score is None else (score, not any(instant <= self._end for instant in instants[known:]))


def _group(name: str, scores: Sequence[float], metrics: GroupMetrics | None, base: float | None = None) -> GroupScores:
    mean = sum(scores) / len(scores)
    return GroupScores(
        group=name,
        people=len(scores),
        mean_score=mean,
        difference=0.0 if base is None else mean - base,
        above_half=sum(1 for score in scores if score > HALF) / len(scores),
        held_out=metrics,
        small=len(scores) < SMALLEST_GROUP,
    )
