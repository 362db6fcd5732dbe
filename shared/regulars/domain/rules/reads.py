"""What rules read of a customer, in terms of what facts can change: a fact that no rule reads costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import singledispatch

from regulars.domain.facts import Fact
from regulars.domain.rules.fields import event_of
from regulars.domain.rules.tree import ORDERS, All, AnyOf, Compare, Count, Multiple, Not, Since, Sum

ORDER_FACTS, CART, ACTIVITY, CONTACT, TRAITS = "orders", "cart", "activity", "contact", "traits"
_HEADS = {
    "orders": ORDER_FACTS,
    "cart": CART,
    "first_seen": ACTIVITY,
    "last_seen": ACTIVITY,
    "last_active": ACTIVITY,
    "consent": CONTACT,
    "reachable": CONTACT,
    "traits": TRAITS,
    "survey": TRAITS,
}
_DECIDED = "churn_band"  # the engine's own verdict; the rules of the bands are read in its stead


@singledispatch
def reads(rule: object) -> Iterator[str]:
    """The parts of a customer that a rule's verdict depends on: the constants above, or `event <name>`.

    Raises TypeError on an unknown node.
    """
    raise TypeError(f"cannot tell what {type(rule).__name__} reads")


@reads.register(All)
@reads.register(AnyOf)
def _(rule: All | AnyOf) -> Iterator[str]:
    for child in rule.rules:
        yield from reads(child)


@reads.register
def _(rule: Not) -> Iterator[str]:
    return reads(rule.rule)


@reads.register
def _(rule: Count) -> Iterator[str]:
    yield ORDER_FACTS if rule.count == ORDERS else f"event {rule.count}"


@reads.register
def _(rule: Sum) -> Iterator[str]:  # noqa: ARG001 - whatever its window and bounds
    yield ORDER_FACTS


@reads.register
def _(rule: Compare) -> Iterator[str]:
    return _field(rule.field)


@reads.register
def _(rule: Since) -> Iterator[str]:
    yield from _field(rule.since)
    for bound in (rule.at_least, rule.below):
        if isinstance(bound, Multiple):
            yield from _field(bound.of)


def _field(field: str) -> Iterator[str]:
    if field == _DECIDED:
        return
    event = event_of(field)
    yield f"event {event}" if event is not None else _HEADS[field.partition(".")[0]]


class Concern:
    """Whether a fact can change a verdict, given what the rules read. May say yes too often, never no."""

    def __init__(self, rules: Iterable[object]) -> None:
        self._reads = frozenset(part for rule in rules for part in reads(rule))
        self._activity = ACTIVITY in self._reads
        self._cart = CART in self._reads
        self._traits = TRAITS in self._reads
        self._orders = not self._reads.isdisjoint((ORDER_FACTS, CART, ACTIVITY))
        self._events = frozenset(part.removeprefix("event ") for part in self._reads if part.startswith("event "))

    def __call__(self, fact: Fact) -> bool:
        """A consent, a contact address or a suppression always counts: a grant may lapse, and messages depend on it. So
        does a link: it makes another customer."""
        if fact.links:
            return True
        if fact.order:
            return self._orders or bool(fact.traits or fact.consents)
        if fact.consents or fact.suppressed or (fact.activity and self._activity) or fact.name in self._events:
            return True
        if fact.traits and (self._traits or "email" in fact.traits or "phone" in fact.traits):
            return True
        return self._cart and (fact.cart_touched_at is not None or fact.cart_cleared_at is not None)
