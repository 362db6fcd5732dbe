"""Percentiles that are always one of the values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal


def nearest_rank(values: Sequence[int], percentile: Decimal) -> int:
    """The smallest of `values` such that at least `percentile` % of them are not greater: rank ceil(P/100 x n).

    This is the inverse of the empirical distribution function (Hyndman & Fan, "Sample Quantiles in Statistical
    Packages", The American Statistician 50(4), 1996, definition 1): always one of the values, no interpolation.
    Raises ValueError without values or for a percentile outside (0, 100].
    """
    if not values or not 0 < percentile <= 100:  # noqa: PLR2004 - per cent
        raise ValueError("needs values, and a percentile above 0 and at most 100")
    return sorted(values)[math.ceil(percentile * len(values) / 100) - 1]
