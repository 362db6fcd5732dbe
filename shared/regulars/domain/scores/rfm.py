"""Recency, frequency and monetary value: scores by where a customer stands among all, and the groups made of them.

Cut points are percentiles by nearest rank over everybody who bought; recency may have fixed ones. Equal customers get
equal scores, and ties at a cut point get the lower score, so that where most people bought once, once is the lowest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from regulars.domain.percentile import nearest_rank
from regulars.domain.scores.history import DAY_MS, Buying

TERTILES, QUINTILES = 3, 5


class Rfm(NamedTuple):
    """The three scores, from 1 to the number of levels, the highest best."""

    recency: int
    frequency: int
    monetary: int


class RfmCuts(NamedTuple):
    """Cut points, ascending, one fewer than `levels`. `recency`: milliseconds since the latest order, each the first
    instant of the next lower score; `frequency` in orders and `monetary` in minor units: the highest of their level."""

    levels: int
    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[int, ...]

    def scores(self, buying: Buying, now: int) -> Rfm:
        """A customer's at `now`. Recency is of the latest order, frequency all orders, monetary all net revenue."""
        return Rfm(
            self.levels - bisect_right(self.recency, now - buying.latest),
            1 + bisect_left(self.frequency, buying.orders),
            1 + bisect_left(self.monetary, buying.revenue),
        )

    def next_change(self, buying: Buying, now: int) -> int | None:
        """The first instant after `now` at which a score changes, with nothing happening: recency only falls."""
        place = bisect_right(self.recency, now - buying.latest)
        return buying.latest + self.recency[place] if place < len(self.recency) else None

    def to_doc(self) -> dict[str, Any]:
        """Their JSON document."""
        return {
            "levels": self.levels,
            "recency": list(self.recency),
            "frequency": list(self.frequency),
            "monetary": list(self.monetary),
        }

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> RfmCuts:
        """The inverse of `to_doc`."""
        return cls(doc["levels"], tuple(doc["recency"]), tuple(doc["frequency"]), tuple(doc["monetary"]))


def cuts_of(
    levels: int,
    elapsed: Sequence[int],
    orders: Sequence[int],
    revenue: Sequence[int],
    *,
    recency_days: Sequence[int] | None = None,
) -> RfmCuts:
    """Cut points over a population: milliseconds since the latest order, orders, and net minor units, of every buyer.

    `recency_days`: fixed cut points instead of percentiles, such as Klaviyo's 180 and 365. Raises ValueError without
    buyers, and where the fixed cut points are not as many as there must be, ascending.
    """
    elapsed, orders, revenue = sorted(elapsed), sorted(orders), sorted(revenue)
    shares = [Decimal(100) * step / levels for step in range(1, levels)]
    if recency_days is None:
        recency = tuple(nearest_rank(elapsed, share) + 1 for share in shares)
    elif len(recency_days) != levels - 1 or sorted(set(recency_days)) != list(recency_days):
        raise ValueError(f"{levels} levels take {levels - 1} days, ascending")
    else:
        recency = tuple(days * DAY_MS for days in recency_days)
    frequency = tuple(nearest_rank(orders, share) for share in shares)
    return RfmCuts(levels, recency, frequency, tuple(nearest_rank(revenue, share) for share in shares))


_KLAVIYO_SCORES = {
    "Champions": "333 332 323",
    "Loyal": "321 322 331 232 233",
    "Recent": "312 313 311 222 223",
    "Needs Attention": "213 221 123 132 133",
    "At Risk": "231 212 122 131 211",
    "Inactive": "111 112 113 121",
}
"""Klaviyo's help, article 17797937793179, "Understanding scoring and customer groups in the RFM report": the groups'
possible score breakouts, in the order recency, frequency, monetary. Each of the 27 stands once."""
KLAVIYO: Mapping[Rfm, str] = {
    Rfm(*(int(digit) for digit in score)): group
    for group, scores in _KLAVIYO_SCORES.items()
    for score in scores.split()
}
KLAVIYO_GROUPS = tuple(_KLAVIYO_SCORES)

SHOPIFY_GROUPS = (
    "PROSPECTS", "NEW", "PROMISING", "ACTIVE", "LOYAL", "CHAMPIONS", "NEEDS_ATTENTION", "AT_RISK", "PREVIOUSLY_LOYAL",
    "ALMOST_LOST", "DORMANT",
)  # fmt: skip


def klaviyo_group(scores: Rfm) -> str:
    """Klaviyo's group of scores by tertiles. Raises KeyError on others."""
    return KLAVIYO[scores]


_SHOPIFY: Mapping[int, tuple[tuple[int, str], ...]] = {
    1: ((4, "DORMANT"), (8, "AT_RISK"), (10, "PREVIOUSLY_LOYAL")),
    2: ((4, "DORMANT"), (8, "AT_RISK"), (10, "PREVIOUSLY_LOYAL")),
    3: ((4, "ALMOST_LOST"), (6, "NEEDS_ATTENTION"), (10, "LOYAL")),
    4: ((2, "PROMISING"), (6, "ACTIVE"), (10, "LOYAL")),
    5: ((2, "NEW"), (6, "ACTIVE"), (10, "CHAMPIONS")),
}
"""By recency: the highest F + M of each group."""


def shopify_group(scores: Rfm | None) -> str:
    """Shopify's group (GraphQL `CustomerRfmGroup`) of scores by quintiles; PROSPECTS without orders. Raises KeyError on
    other scores.

    Shopify's help ("RFM customer analysis") makes groups of the recency score R and of FM = (F + M) / 2. Its table as
    stores' tools repeat it has bounds in whole FM; a half belongs to the band above the bound that it exceeds.
    """
    if scores is None:
        return "PROSPECTS"
    both = scores.frequency + scores.monetary
    return next(group for most, group in _SHOPIFY[scores.recency] if both <= most)


def next_group_change(cuts: RfmCuts, buying: Buying, now: int) -> int | None:
    """The first instant after `now` at which the customer's group changes (Klaviyo's by tertiles, Shopify's by
    quintiles), with nothing happening."""
    group = klaviyo_group if cuts.levels == TERTILES else shopify_group
    before, at = group(cuts.scores(buying, now)), cuts.next_change(buying, now)
    while at is not None and group(cuts.scores(buying, at)) == before:
        at = cuts.next_change(buying, at)
    return at
