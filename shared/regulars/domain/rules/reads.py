"""What rules read of a customer, in terms of what facts can change: a fact that no rule reads costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import singledispatch

from regulars.domain.facts import Fact
from regulars.domain.rules.aggregates import ORDERS, Aggregate, Count
from regulars.domain.rules.fields import COUNTED, event_of
from regulars.domain.rules.leaves import Compare, InSegment, Multiple, RandomShare, Since
from regulars.domain.rules.operands import FieldRef
from regulars.domain.rules.sequences import Sequence
from regulars.domain.rules.tree import All, AnyOf, Not

ORDER_FACTS, CART, ACTIVITY, CONTACT, TRAITS = "orders", "cart", "activity", "contact", "traits"
SCORES = "scores"
_HEADS = {
    "orders": ORDER_FACTS,
    "cart": CART,
    "first_seen": ACTIVITY,
    "last_seen": ACTIVITY,
    "last_active": ACTIVITY,
    "consent": CONTACT,
    "reachable": CONTACT,
    "traits": TRAITS,
    "geo": TRAITS,
    "scores": SCORES,
    "rfm": SCORES,
    "lifecycle": SCORES,
    "survey": TRAITS,
}
BAND = "churn_band"
"""The engine's own verdict, which no fact changes by itself: the rules of the bands are read, too."""


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


@reads.register(Count)
@reads.register(Aggregate)
def _(rule: Count | Aggregate) -> Iterator[str]:
    yield _of_event(rule.event)


@reads.register
def _(rule: Sequence) -> Iterator[str]:
    for step in rule.every_step():
        yield _of_event(step.event)


@reads.register(InSegment)
@reads.register(RandomShare)
def _(rule: InSegment | RandomShare) -> Iterator[str]:  # noqa: ARG001 - the other segment's rule is read itself
    yield from ()


def _of_event(event: str) -> str:
    return ORDER_FACTS if event == ORDERS else f"event {event}"


@reads.register
def _(rule: Compare) -> Iterator[str]:
    yield from _field(rule.field)
    for _, operand in rule.operations():
        if isinstance(operand, FieldRef):
            yield from _field(operand.field)


@reads.register
def _(rule: Since) -> Iterator[str]:
    yield from _field(rule.since)
    for bound in (rule.at_least, rule.below):
        if isinstance(bound, Multiple):
            yield from _field(bound.of)


def _field(field: str) -> Iterator[str]:
    if field == BAND:
        yield BAND
        return
    event = event_of(field)
    if field in COUNTED:
        yield f"event {COUNTED[field]}"
    yield f"event {event}" if event is not None else _HEADS[field.partition(".")[0]]


def segments_in(rule: object) -> Iterator[str]:
    """The segments that a rule names."""
    if isinstance(rule, InSegment):
        yield rule.segment
    elif isinstance(rule, All | AnyOf):
        for child in rule.rules:
            yield from segments_in(child)
    elif isinstance(rule, Not):
        yield from segments_in(rule.rule)


class Concern:
    """Whether a fact can change a verdict, given what the rules read. May say yes too often, never no."""

    def __init__(self, rules: Iterable[object]) -> None:
        self._reads = frozenset(part for rule in rules for part in reads(rule))
        self._activity = not self._reads.isdisjoint((ACTIVITY, SCORES))
        self._cart = CART in self._reads
        self._traits = TRAITS in self._reads
        self._orders = not self._reads.isdisjoint((ORDER_FACTS, CART, ACTIVITY, SCORES))
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
