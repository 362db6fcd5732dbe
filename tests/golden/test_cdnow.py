"""Golden numbers: what the papers on BG/NBD and Gamma-Gamma report on the CDNOW data, and how the published churn score
does on all 23,570 of its customers."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from infra.datasets import CDNOW_MASTER, CDNOW_SAMPLE, CDNOW_SUMMARY, CDNOW_VALUES, LOCK, prepare
from regulars.adapters.fitting import fit_bg_nbd, fit_gamma_gamma
from regulars.adapters.fitting_data import Orders, OrdersBuilder, buyers_at
from regulars.adapters.fitting_scores import fit_scores
from regulars.domain.instants import to_millis
from regulars.domain.scores.bgnbd import BgNbd
from regulars.domain.scores.history import buying_of
from regulars.domain.scores.metrics import auc
from regulars.domain.scores.model import Kind, NightlyFit
from regulars.domain.scores.scoring import CHURN_DAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

CALIBRATED = datetime(1997, 9, 30, tzinfo=UTC)
"""The end of the papers' 39 weeks."""
PAPER = BgNbd(0.243, 4.414, 0.793, 2.426)

Purchases = dict[int, list[tuple[datetime, int]]]


def purchases(path: Path, *, place: int, after: int) -> Purchases:
    """Customer (the number in column `place`) to (day, cents), oldest first; `after` lines of heading."""
    found: Purchases = defaultdict(list)
    for line in path.read_text(encoding="ascii").splitlines()[after:]:
        columns = line.split()
        *_, day, _, dollars = columns
        at = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
        found[int(columns[place])].append((at, round(float(dollars) * 100)))
    return {customer: sorted(orders) for customer, orders in found.items()}


def numbers(path: Path) -> list[list[float]]:
    with path.open(encoding="ascii") as file:
        return [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]


def test_the_data_come_by_a_locked_hash_from_no_named_place() -> None:
    lock = LOCK.read_text(encoding="utf-8")
    assert "--hash=sha256:" in lock
    assert "://" not in lock


def test_what_was_fetched_once_is_not_fetched_again(capsys: pytest.CaptureFixture[str]) -> None:
    prepare()
    assert capsys.readouterr().out == ""


def test_the_summary_built_from_the_raw_log_equals_the_shipped_one() -> None:
    """x, t_x, T after 39 weeks, weeks to two decimals, and the mean value of repeat transactions to a cent."""
    raw = purchases(CDNOW_SAMPLE, place=1, after=0)
    values = {int(row[0]): row[4] for row in numbers(CDNOW_VALUES)}
    shipped = numbers(CDNOW_SUMMARY)
    assert len(shipped) == 2357
    for customer, x, t_x, T in shipped:  # noqa: N806 - the paper's name
        buying = buying_of([each for each in raw[int(customer)] if each[0] <= CALIBRATED])
        assert buying is not None
        built = buying.weeks(to_millis(CALIBRATED))
        assert built == pytest.approx((x, t_x, T), abs=0.0051)
        assert buying.mean_repeat_value / 100 == pytest.approx(values[int(customer)], abs=0.0051)


def test_bg_nbd_fits_as_in_the_paper() -> None:
    """Fader, Hardie & Lee 2005, table 2: r, alpha, a, b and the log-likelihood."""
    _, x, t_x, T = np.array(numbers(CDNOW_SUMMARY)).T  # noqa: N806
    model, likelihood = fit_bg_nbd(x, t_x, T)
    assert model == pytest.approx(PAPER, abs=0.001)
    assert likelihood == pytest.approx(-9582.4, abs=0.05)


def test_gamma_gamma_fits_as_in_the_paper() -> None:
    """Fader & Hardie 2013, section 4: p, q and gamma, in dollars."""
    _, x, _, _, mean = np.array(numbers(CDNOW_VALUES)).T
    model, _ = fit_gamma_gamma(x, mean)
    assert model == pytest.approx((6.25, 3.74, 15.44), abs=0.01)


def test_expected_purchases_are_the_papers() -> None:
    assert PAPER.expected_purchases(2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=0.0005)


@cache
def master() -> Orders:
    builder = OrdersBuilder()
    for orders in purchases(CDNOW_MASTER, place=0, after=1).values():
        builder.add(orders)
    return builder.build()


@cache
def night(now: datetime) -> NightlyFit:
    """The nightly fit on the master as of an instant: 90 days held out before it."""
    return fit_scores(master(), now)


NIGHTS = (CALIBRATED + timedelta(days=CHURN_DAYS), datetime(1998, 6, 30, tzinfo=UTC))
"""The papers' calibration period and 90 days; and the end of the data."""


@pytest.mark.parametrize("now", NIGHTS, ids=("39 weeks", "all"))
def test_the_published_churn_score_tells_who_stays_away(now: datetime) -> None:
    """On 90 days that it has not seen: AUC, and nearer to what happened than the base rate, in all and by tenths."""
    model = night(now).model
    assert model.gate is None
    assert model.churn is not None
    metrics = model.metrics[model.churn]
    assert metrics.n == 23570
    assert metrics.auc is not None
    assert metrics.auc >= 0.76
    assert metrics.brier < 0.85 * metrics.base_rate * (1 - metrics.base_rate)
    assert metrics.calibration_error < 0.03
    assert metrics.brier == min(each.brier for each in model.metrics.values())


def test_bg_nbds_churn_score_alone_would_do() -> None:
    found = night(NIGHTS[0]).model.metrics[Kind.BG_NBD].auc
    assert found is not None
    assert found >= 0.76


def p_alive_and_truth(*, one_time_only: bool) -> tuple[Sequence[float], Sequence[bool], Sequence[float]]:
    """(1 - P(alive), whether they stayed away, churn score) at the end of the papers' calibration."""
    then = buyers_at(master(), to_millis(CALIBRATED))
    stayed_away = ~master().bought_between(then.now, to_millis(NIGHTS[0]))[then.buyer]
    rows = [row for row, x in enumerate(then.repeats) if x == 0 or not one_time_only]
    weeks = list(zip(*then.weeks(), strict=True))
    gone = [1 - PAPER.p_alive(*weeks[row]) for row in rows]
    churn = [PAPER.no_purchase(*weeks[row], CHURN_DAYS / 7) for row in rows]
    return gone, [bool(stayed_away[row]) for row in rows], churn


def test_p_alive_calls_every_one_time_buyer_alive_though_nine_in_ten_stay_away() -> None:
    """Why raw P(alive) is never the churn score: about one-time buyers it says nothing at all."""
    gone, stayed_away, churn = p_alive_and_truth(one_time_only=True)
    assert len(gone) > 10_000
    assert set(gone) == {0.0}
    assert sum(stayed_away) / len(stayed_away) > 0.9
    assert auc(gone, stayed_away) == 0.5
    assert sum(churn) / len(churn) == pytest.approx(sum(stayed_away) / len(stayed_away), abs=0.03)


def test_p_alive_ranks_all_buyers_worse_than_a_coin() -> None:
    """Those who are sure to be "alive" are the one-time buyers, who stay away most."""
    gone, stayed_away, churn = p_alive_and_truth(one_time_only=False)
    by_p_alive, by_churn = auc(gone, stayed_away), auc(churn, stayed_away)
    assert by_p_alive is not None
    assert by_churn is not None
    assert by_p_alive < 0.4
    assert by_churn >= 0.76
