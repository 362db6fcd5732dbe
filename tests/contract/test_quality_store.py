"""Every QualityStore keeps the same promises: the one in memory and the one on S3."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from regulars.adapters.aws.quality import S3Quality
from regulars.adapters.memory.quality import MemoryQuality
from regulars.domain.errors import PermanentError
from regulars.domain.quality import Anomaly, DayQuality, Series

Store = MemoryQuality | S3Quality
DAY = date(2026, 11, 22)


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest, lake: Any) -> Store:
    """An empty store."""
    if request.param == "memory":
        return MemoryQuality()
    lake.put_object(Bucket="lake", Key="events/date=2026-11-22/x.parquet", Body=b"")
    return S3Quality(lake, "lake")


def a_day(day: date = DAY, events: int = 3) -> DayQuality:
    series = Series(events, 1, 1, "product-viewed@1", Counter({1: 3}), Counter({"properties.price": 2}), Counter())
    found = DayQuality(day, 1, events, {("web", "Product Viewed"): series}, Counter({("web", "too_large"): 2}))
    found.anomalies = [Anomaly("web", "Product Viewed", "volume", 3.0, 950.0, -31.2)]
    return found


def test_a_day_that_nobody_measured_is_not_there(store: Store) -> None:
    assert store.qualities(DAY - timedelta(days=99), DAY) == {}


def test_what_is_kept_is_read_back_by_day_both_ends_included(store: Store) -> None:
    days = [DAY - timedelta(days=back) for back in (3, 2, 1, 0)]
    for day in days:
        store.keep_quality(a_day(day))
    assert store.qualities(days[1], days[2]) == {days[1]: a_day(days[1]), days[2]: a_day(days[2])}
    assert list(store.qualities(days[0], DAY)) == days


def test_a_day_that_is_measured_again_is_replaced(store: Store) -> None:
    store.keep_quality(a_day())
    store.keep_quality(a_day(events=4))
    assert store.qualities(DAY, DAY)[DAY].events == 4


def test_an_object_that_is_no_days_figures_is_an_error(lake: Any) -> None:
    lake.put_object(Bucket="lake", Key="quality/date=2026-11-22.json", Body=b"{}")
    with pytest.raises(PermanentError):
        S3Quality(lake, "lake").qualities(DAY, DAY)
