"""AUC, Brier, calibration and the report by group."""

from __future__ import annotations

import random

import pytest

from regulars.domain.scores.metrics import Metrics, auc, bias_report, metrics_of


def test_auc_is_the_share_of_pairs_in_order() -> None:
    """By its definition, pair for pair, ties counting half."""
    chance = random.Random(4)  # noqa: S311 - a made-up sample
    scores = [chance.randint(0, 8) / 8 for _ in range(120)]
    happened = [chance.random() < score for score in scores]
    pairs = [
        0.5 if one == other else float(one > other)
        for one, was in zip(scores, happened, strict=True) if was
        for other, is_not in zip(scores, happened, strict=True) if not is_not
    ]  # fmt: skip
    assert auc(scores, happened) == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize(("scores", "expected"), [([0.1, 0.9], 1.0), ([0.9, 0.1], 0.0), ([0.5, 0.5], 0.5)])
def test_auc_of_two(scores: list[float], expected: float) -> None:
    assert auc(scores, [False, True]) == expected


def test_there_is_no_auc_where_all_did_the_same() -> None:
    assert auc([0.2, 0.3], [True, True]) is None
    assert metrics_of([0.2], [False]).auc is None


def test_brier_and_calibration_of_a_hand_worked_case() -> None:
    scores, happened = [0.1] * 10 + [0.9] * 10, [False] * 9 + [True] + [True] * 10
    metrics = metrics_of(scores, happened)
    assert metrics.base_rate == 0.55
    assert metrics.brier == pytest.approx((9 * 0.01 + 0.81 + 10 * 0.01) / 20)
    assert sum(each.n for each in metrics.calibration) == 20
    assert metrics.calibration[-1] == pytest.approx((2, 0.9, 1.0))
    assert metrics.calibration_error == pytest.approx((8 * 0.1 + 2 * 0.4 + 10 * 0.1) / 20)
    assert Metrics.from_doc(metrics.to_doc()) == metrics


def test_a_few_people_fill_fewer_tenths() -> None:
    assert [each.n for each in metrics_of([0.5, 0.6, 0.7], [True, False, True]).calibration] == [1, 1, 1]


def test_metrics_need_somebody_and_an_outcome_each() -> None:
    for scores in ([], [0.5]):
        with pytest.raises(ValueError, match="outcomes"):
            metrics_of(scores, [])


def test_the_bias_report_shows_whom_a_score_wrongs() -> None:
    """The same score for two groups, of which one stays away less; and a group too small to judge."""
    people: list[tuple[str | None, float, bool]] = [("a", 0.5, index % 2 == 0) for index in range(200)]
    people += [("b", 0.5, index % 5 == 0) for index in range(100)]
    people += [(None, 0.5, True)] * 3
    first, second, third = bias_report(people)
    assert (first.group, first.n, first.gap, first.small) == ("a", 200, 0.0, False)
    assert (second.group, second.base_rate, second.small) == ("b", 0.2, False)
    assert second.gap == pytest.approx(0.3)
    assert (third.group, third.n, third.small, third.auc) == ("unknown", 3, True, None)
