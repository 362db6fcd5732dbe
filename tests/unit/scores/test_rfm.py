"""RFM scores and groups, and the instants at which they change."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from regulars.domain.scores.history import DAY_MS
from regulars.domain.scores.rfm import (
    KLAVIYO,
    KLAVIYO_GROUPS,
    SHOPIFY_GROUPS,
    Rfm,
    RfmCuts,
    cuts_of,
    klaviyo_group,
    next_group_change,
    shopify_group,
)
from tests.unit.scores.samples import bought

DAYS_SINCE = [day * DAY_MS for day in range(1, 101)]


def cuts(levels: int) -> RfmCuts:
    """Of a hundred buyers: the i-th bought i days ago, i times in all, for i euros."""
    return cuts_of(levels, DAYS_SINCE, range(1, 101), [euro * 100 for euro in range(1, 101)])


@pytest.mark.parametrize(("levels", "sizes"), [(3, [34, 33, 33]), (5, [20] * 5)])
def test_each_score_has_its_share_of_the_people(levels: int, sizes: list[int]) -> None:
    buying = bought(0)
    found = [
        cuts(levels).scores(buying._replace(orders=number, revenue=number * 100), buying.latest + since)
        for number, since in enumerate(DAYS_SINCE, start=1)
    ]
    assert sorted(Counter(each.recency for each in found).values(), reverse=True) == sizes
    assert sorted(Counter(each.frequency for each in found).values(), reverse=True) == sizes
    assert sorted(Counter(each.monetary for each in found).values(), reverse=True) == sizes
    assert found[0] == (levels, 1, 1)
    assert found[-1] == (1, levels, levels)


def test_where_most_bought_once_once_is_the_lowest_score() -> None:
    most_once = cuts_of(5, [1] * 100, [1] * 70 + [2] * 20 + [3] * 10, [100] * 100)
    scores = [most_once.scores(bought(*range(orders)), 0).frequency for orders in (1, 2, 3)]
    assert scores == [1, 4, 5]


def test_fixed_days_may_stand_for_the_percentiles_of_recency() -> None:
    """Klaviyo's own bounds, 180 and 365 days."""
    fixed = cuts_of(3, [DAY_MS], [1], [100], recency_days=(180, 365))
    buying = bought(0)
    days = [fixed.scores(buying, buying.latest + day * DAY_MS).recency for day in (0, 179, 180, 364, 365)]
    assert days == [3, 3, 2, 2, 1]
    for wrong in ((180,), (365, 180), (180, 180)):
        with pytest.raises(ValueError, match="3 levels"):
            cuts_of(3, [DAY_MS], [1], [100], recency_days=wrong)


def test_klaviyos_groups_cover_each_of_the_27_scores_once() -> None:
    assert set(KLAVIYO) == {Rfm(*scores) for scores in product((1, 2, 3), repeat=3)}
    assert set(KLAVIYO.values()) == set(KLAVIYO_GROUPS)
    known = {
        "333": "Champions",
        "232": "Loyal",
        "311": "Recent",
        "213": "Needs Attention",
        "122": "At Risk",
        "111": "Inactive",
    }
    assert {score: klaviyo_group(Rfm(*map(int, score))) for score in known} == known


def test_shopifys_groups_cover_all_125_scores() -> None:
    """With the cells of its table, by recency and (frequency + monetary) / 2."""
    found = {Rfm(*scores): shopify_group(Rfm(*scores)) for scores in product(range(1, 6), repeat=3)}
    assert {*found.values(), shopify_group(None)} == set(SHOPIFY_GROUPS)
    known = {
        "555": "CHAMPIONS", "511": "NEW", "533": "ACTIVE", "411": "PROMISING", "412": "ACTIVE", "443": "LOYAL",
        "334": "LOYAL", "333": "NEEDS_ATTENTION", "323": "NEEDS_ATTENTION", "322": "ALMOST_LOST",
        "255": "PREVIOUSLY_LOYAL", "145": "PREVIOUSLY_LOYAL", "144": "AT_RISK", "223": "AT_RISK", "122": "DORMANT",
    }  # fmt: skip
    assert {score: found[Rfm(*map(int, score))] for score in known} == known


@pytest.mark.parametrize("levels", [3, 5])
def test_a_group_changes_at_the_very_instant_that_is_said(levels: int) -> None:
    group = klaviyo_group if levels == 3 else shopify_group
    found = cuts(levels)
    buying = bought(*range(10), net=500)
    now, changes = buying.latest, 0
    while (at := next_group_change(found, buying, now)) is not None:
        before = {group(found.scores(buying, instant)) for instant in range(now, at, max((at - now) // 50, 1))}
        assert before == {group(found.scores(buying, at - 1))}
        assert group(found.scores(buying, at)) not in before
        now, changes = at, changes + 1
    assert changes >= 2
    assert found.scores(buying, now + 10_000 * DAY_MS).recency == 1


def test_cut_points_are_a_document() -> None:
    assert RfmCuts.from_doc(cuts(5).to_doc()) == cuts(5)
