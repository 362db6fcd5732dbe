"""A customer as rules see it, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from regulars.domain.rules.compile import Setting
from regulars.domain.rules.evaluate import CompiledRule
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.tree import parse_rule
from regulars.domain.rules.view import OrderRow, OrderTotals, Value, order_totals
from regulars.domain.tallies import Tally

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(milliseconds=1)


class FakeView:
    """A view of given values, orders (instant and minor units) and events by day; it notes which fields are read."""

    def __init__(
        self,
        values: Mapping[str, Value] | None = None,
        *,
        orders: Sequence[tuple[datetime, int]] = (),
        days: Mapping[str, Mapping[int, int]] | None = None,
        tallies: Mapping[str, Tally] | None = None,
        rows: Mapping[str | None, Sequence[OrderRow]] | None = None,
        root: str = "u_somebody",
    ) -> None:
        """`rows`: of the orders that have a mark; of all, where they must be more than instants and amounts."""
        self.root = root
        self.orders = sorted(orders) or [(row.at, row.net or 0) for row in (rows or {}).get(None, ())]
        self._tallies, self._rows = tallies or {}, rows or {}
        self._values = dict(values or {})
        self._days = days or {}
        self.asked: list[str] = []
        self._derived: dict[str, Callable[[list[tuple[datetime, int]]], Value]] = {
            "orders.count": len,
            "orders.revenue": lambda orders: sum(net for _, net in orders),
            "orders.last_at": lambda orders: orders[-1][0] if orders else None,
            "orders.average_gap": _average_gap,
        }

    def value(self, field: str) -> Value:
        """The given value, or what follows from the orders."""
        self.asked.append(field)
        if field in self._values:
            return self._values[field]
        if field.startswith("events.") and field.endswith(".count"):
            return sum(self.days(field.removeprefix("events.").removesuffix(".count")).values())
        derived = self._derived.get(field)
        return derived(self.orders) if derived else None

    def order_totals(self) -> OrderTotals:
        """Of the given orders."""
        return order_totals(self.orders)

    def at(self, field: str, then: datetime) -> Value:  # noqa: ARG002 - nothing here moves
        """As given."""
        return self.value(field)

    def changes(self, field: str, bound: float | None, now: datetime) -> datetime | None:
        """Never."""

    def order_rows(self, mark: str | None = None) -> Sequence[OrderRow]:
        """As given, or made of the orders, bought online."""
        made = [OrderRow(at, net, "online", ()) for at, net in self.orders] if mark is None else []
        return self._rows.get(mark, made)

    def days(self, event: str) -> Mapping[int, int]:
        """As given."""
        return self._days.get(event, {})

    def count(self, event: str) -> int:
        """Of all days."""
        return sum(self.days(event).values())

    def tally(self, key: str) -> Tally | None:
        """As given."""
        return self._tallies.get(key)


def _average_gap(orders: list[tuple[datetime, int]]) -> timedelta | None:
    return (orders[-1][0] - orders[0][0]) / (len(orders) - 1) if len(orders) > 1 else None


def ordered(*ages_in_days: float, net: int = 1000) -> FakeView:
    """A customer who ordered so many days before NOON, each time for the same net amount."""
    return FakeView(orders=[(NOON - age * DAY, net) for age in ages_in_days])


def rule_of(
    data: object,
    *,
    context: RuleContext | None = None,
    values: Mapping[str, int] | None = None,
    setting: Setting | None = None,
) -> CompiledRule:
    """A rule from data, ready to run."""
    return CompiledRule(parse_rule(data, context=context), setting or Setting(values or {}))


def holds(data: object, view: FakeView, *, at: datetime = NOON, **how: Any) -> bool:
    """Whether the rule in `data` holds for the view."""
    return rule_of(data, **how).verdict(view, at)


def flips(data: object, view: FakeView, *, at: datetime = NOON, **how: Any) -> datetime | None:
    """When the rule in `data` may next change by itself."""
    return rule_of(data, **how).next_flip(view, at)
