"""The churn and value scores: how good they are on a real year that they have not seen, and what they cost."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from infra.bench.figures import Figure, rounded
from infra.bench.handlers import python_version
from infra.demo.dataset import LAST_ORDER_AT, data_folder, read_lines
from regulars.adapters.fitting_data import Orders, OrdersBuilder, buyers_at
from regulars.adapters.fitting_scores import CHURN_MS, fit_scores
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.bias import Member, report_by_group
from regulars.domain.scores.history import WEEK_MS
from regulars.domain.scores.metrics import SMALLEST_GROUP, GroupMetrics, Metrics, auc
from regulars.domain.scores.model import NightlyFit, ScoreModel
from regulars.domain.scores.scoring import CHURN, Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    Histories = Mapping[str, Sequence[tuple[datetime, int]]]

_LARGE = 1_000_000
_LARGE_MODEL = BgNbd(0.243, 4.414, 0.793, 2.426)
_LARGE_WEEKS = 52
_SCORED = 2_000
NOW = LAST_ORDER_AT


def figures() -> list[Figure]:
    """Quality on the demo year, the time of a night's fit, and of scoring one customer."""
    histories = demo_histories()
    builder = OrdersBuilder()
    for history in histories.values():
        builder.add(history)
    orders = builder.build()
    night, seconds = _timed(orders)
    return [*quality(orders, night, histories), *_fit_figures(orders, seconds), *scoring_figures(orders, night)]


def demo_histories() -> dict[str, list[tuple[datetime, int]]]:
    """The demo year's baskets by household, (placed_at, cents), oldest first."""
    lines = read_lines(data_folder())
    grouped = lines.group_by(["household", "basket"]).aggregate([("placed_at", "min"), ("sales", "sum")])
    by_household: dict[int, list[tuple[int, int]]] = defaultdict(list)
    columns = ("household", "placed_at_min", "sales_sum")
    for household, at, net in zip(*(grouped.column(name).to_pylist() for name in columns), strict=True):
        by_household[household].append((at, net))
    return {
        str(household): [(from_millis(at), net) for at, net in sorted(baskets)]
        for household, baskets in sorted(by_household.items())
    }


def _timed(orders: Orders) -> tuple[NightlyFit, float]:
    started = time.perf_counter()
    night = fit_scores(orders, NOW)
    return night, time.perf_counter() - started


def quality(orders: Orders, night: NightlyFit, histories: Histories) -> list[Figure]:
    """AUC, Brier score and calibration on the last three months, known: the nine before."""
    model = night.model
    if model.churn is None:
        raise RuntimeError(f"the demo year gave no churn model: {model.gate} {model.reasons}")
    metrics = model.metrics[model.churn]
    cut = to_millis(NOW) - CHURN_MS
    then = buyers_at(orders, cut)
    recency = auc((cut - then.latest).tolist(), list(night.holdout.stayed_away))
    how = (
        f"{metrics.n:,} households of the demo year as they were nine months in, against who bought nothing in the "
        f"three that followed ({metrics.base_rate:.1%}); the published model is {model.churn.value}"
    )
    base = metrics.base_rate * (1 - metrics.base_rate)
    return [
        Figure(
            "churn_auc",
            metrics.auc or 0.0,
            "",
            f"{how}; the target is the AUC of recency alone",
            target=recency,
            parts={name: rounded(each.auc or 0.0) for name, each in model.metrics.items()},
        ),
        Figure(
            "churn_brier",
            metrics.brier,
            "",
            f"{how}; the target is the Brier score of the base rate",
            target=base,
            at_least=False,
            parts={name: rounded(each.brier) for name, each in model.metrics.items()},
        ),
        *_calibration(model, metrics, histories, how),
    ]


def _calibration(model: ScoreModel, metrics: Metrics, histories: Histories, how: str) -> list[Figure]:
    bias = _bias(model, histories)
    return [
        Figure(
            "churn_calibration_error",
            metrics.calibration_error,
            "",
            f"{how}; the mean distance between score and rate over tenths of the households by score",
            parts=_tenths(metrics),
        ),
        Figure(
            "churn_bias",
            max(abs(each.gap) for each in bias if not each.small),
            "",
            f"{how}; the largest distance between mean score and rate in an age group of {SMALLEST_GROUP} or more",
            parts=dict(_group_line(each) for each in bias),
        ),
    ]


def _group_line(group: GroupMetrics) -> tuple[str, str]:
    """A group's name and figures as text."""
    found = "none" if group.auc is None else f"{group.auc:.3f}"
    people = f"n {group.n}, rate {group.base_rate:.3f}, mean score {group.mean_score:.3f}, gap {group.gap:+.3f}"
    name = f"{group.group} (small)" if group.small else group.group
    return name, f"{people}, AUC {found}, Brier {group.brier:.3f}"


def _tenths(metrics: Metrics) -> dict[str, str]:
    """The calibration curve as text."""
    return {
        f"tenth {number}": f"{each.n} households, mean score {each.mean_score:.4f}, stayed away {each.rate:.4f}"
        for number, each in enumerate(metrics.calibration, start=1)
    }


def _bias(model: ScoreModel, histories: Histories) -> list[GroupMetrics]:
    """The bias report, as `regulars scores report` has it, by the age of the household's head, which a third of the
    households have told."""
    table = pq.ParquetFile(data_folder() / "demographics.parquet").read(columns=["household_id", "age"])
    columns = (table.column(name).to_pylist() for name in ("household_id", "age"))
    ages = {str(household): age for household, age in zip(*columns, strict=True)}
    members = (Member(ages.get(household), orders, ()) for household, orders in histories.items())
    report = report_by_group(members, model, NOW)
    if report is None:
        raise RuntimeError("no household of the demo year has a score")
    return [each.held_out for each in report.groups if each.held_out is not None]


def _fit_figures(orders: Orders, seconds: float) -> list[Figure]:
    large = made_orders()
    begun = time.perf_counter()
    night = fit_scores(large, NOW)
    took = time.perf_counter() - begun
    what = (
        "both churn models fitted, compared on 90 days held out, fitted anew; Gamma-Gamma, RFM, cohorts; by the clock"
    )
    return [
        Figure(
            "score_fit", seconds, "s", f"The demo year, {len(orders.at):,} orders of {orders.buyers:,} buyers: {what}"
        ),
        Figure(
            "score_fit_large",
            took,
            "s",
            f"{len(large.at):,} made orders of {large.buyers:,} buyers: {what}; the target is a third of what Lambda "
            f"allows",
            target=300,
            at_least=False,
            parts={
                name: f"AUC {each.auc or 0:.4f}, Brier {each.brier:.4f}" for name, each in night.model.metrics.items()
            },
        ),
    ]


def made_orders(buyers: int = _LARGE) -> Orders:
    """Orders of buyers who behave as BG/NBD says, who came evenly over a year that ends now."""
    chance = np.random.default_rng(20)
    begun = np.sort(chance.integers(0, _LARGE_WEEKS * WEEK_MS, buyers))
    rates = chance.gamma(_LARGE_MODEL.r, 1 / _LARGE_MODEL.alpha, buyers)
    leaving = chance.beta(_LARGE_MODEL.a, _LARGE_MODEL.b, buyers)
    who, at = np.arange(buyers), begun
    rounds = [(who, at)]
    while len(who):
        weeks = np.minimum(chance.exponential(1, len(who)) / np.maximum(rates[who], 1e-9), 2 * _LARGE_WEEKS)
        at = at + (weeks * WEEK_MS).astype(np.int64)
        seen = at < _LARGE_WEEKS * WEEK_MS
        who, at = who[seen], at[seen]
        rounds.append((who, at))
        stays = chance.random(len(who)) >= leaving[who]
        who, at = who[stays], at[stays]
    buyer = np.concatenate([each for each, _ in rounds])
    placed = np.concatenate([each for _, each in rounds]) + (to_millis(NOW) - _LARGE_WEEKS * WEEK_MS)
    order = np.lexsort((placed, buyer))
    level = chance.gamma(4, 800, buyers)
    net = (level[buyer] * chance.gamma(5, 0.2, len(buyer))).astype(np.int64)
    nobody = np.zeros(0, dtype=np.int64)
    return Orders(buyers, buyer[order], placed[order], net, nobody, nobody)


def scoring_figures(orders: Orders, night: NightlyFit) -> list[Figure]:
    """Microseconds of CPU for one customer, from the numbers of their history."""
    now = to_millis(NOW)
    buyers = buyers_at(orders, now)
    people = [buyers.one(row) for row in range(min(_SCORED, len(buyers)))]
    scorer = Scorer(night.model)
    works: dict[str, Callable[[], object]] = {
        "churn probability": lambda: [scorer.churn(*each, now) for each in people],
        "all nine": lambda: [scorer.scores(*each, now) for each in people],
        "next crossing of one half": lambda: [scorer.next_change(CHURN, 0.5, *each, now) for each in people],
        "explanation": lambda: [scorer.explain(*each, now) for each in people],
    }
    parts = {name: rounded(_best(work) / len(people) * 1e6) for name, work in works.items()}
    return [
        Figure(
            "score_customer",
            parts["all nine"],
            "microseconds",
            f"All nine scores of a household of the demo year, pure Python {python_version()}, from the numbers of its "
            f"history; best of 5 over {len(people):,}",
            target=20,
            at_least=False,
            parts=dict(parts),
        )
    ]


def _best(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return min(seconds)
