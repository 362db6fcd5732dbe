"""Where a customer is in their life with the shop, and how often they buy, measured by the shop's own rhythm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from regulars.domain.percentile import nearest_rank
from regulars.domain.scores.history import Buying

_USUAL, _LONG, _FREQUENT = Decimal(75), Decimal(95), Decimal("33.3")


class Stage(StrEnum):
    """A customer's stage. `elapsed` is the time since the latest order."""

    PROSPECT = "prospect"
    """No order yet."""
    NEW = "new"
    """One purchase, and elapsed below the shop's long gap."""
    ACTIVE = "active"
    """Elapsed below the usual gap."""
    COOLING = "cooling"
    """From the usual gap on, below the long one."""
    LAPSED = "lapsed"
    """From the long gap on."""
    REACTIVATED = "reactivated"
    """Active again after a long gap before the latest purchase."""


class Frequency(StrEnum):
    """How often somebody buys."""

    ONE_OFF = "one_off"
    """One purchase."""
    OCCASIONAL = "occasional"
    FREQUENT = "frequent"
    """Mean time between purchases at most that of the quickest third of repeat buyers."""


class Rhythm(NamedTuple):
    """A shop's time between two purchases, in milliseconds: three quarters of all gaps are at most `usual`, nineteen in
    twenty at most `long`; a third of repeat buyers have a mean gap of at most `frequent`."""

    usual: int
    long: int
    frequent: int

    def stage(self, buying: Buying | None, now: int) -> Stage:
        """The stage at `now`; bounds begin at their instant."""
        if buying is None:
            return Stage.PROSPECT
        elapsed = now - buying.latest
        if elapsed >= self.long:
            return Stage.LAPSED
        if not buying.repeats:
            return Stage.NEW
        if elapsed >= self.usual:
            return Stage.COOLING
        return Stage.REACTIVATED if buying.last_gap >= self.long else Stage.ACTIVE

    def next_change(self, buying: Buying | None, now: int) -> int | None:
        """The first instant after `now` at which the stage changes, with nothing happening."""
        if buying is None:
            return None
        bounds = (buying.latest + self.usual, buying.latest + self.long) if buying.repeats else (
            buying.latest + self.long,
        )  # fmt: skip
        return next((bound for bound in bounds if bound > now), None)

    def frequency(self, buying: Buying | None) -> Frequency | None:
        """How often the customer buys; None without orders. Time alone does not change it."""
        if buying is None:
            return None
        if not buying.repeats:
            return Frequency.ONE_OFF
        mean = (buying.last - buying.first) / buying.repeats
        return Frequency.FREQUENT if mean <= self.frequent else Frequency.OCCASIONAL

    def to_doc(self) -> dict[str, Any]:
        """Its JSON document."""
        return self._asdict()

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Rhythm:
        """The inverse of `to_doc`."""
        return cls(doc["usual"], doc["long"], doc["frequent"])


def rhythm_of(gaps: Sequence[int], mean_gaps: Sequence[int]) -> Rhythm:
    """The rhythm in all gaps between two purchases, and in the mean gap of each repeat buyer, milliseconds, by nearest
    rank. Raises ValueError without any."""
    gaps = sorted(gaps)
    return Rhythm(nearest_rank(gaps, _USUAL), nearest_rank(gaps, _LONG), nearest_rank(mean_gaps, _FREQUENT))
