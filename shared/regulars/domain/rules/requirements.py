"""What a rule needs kept, so that profiles keep that and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import singledispatch

from regulars.domain.rules.aggregates import ORDERS, Aggregate, Count, Measure
from regulars.domain.rules.features import Feature, conditions
from regulars.domain.rules.fields import COUNTED, event_of
from regulars.domain.rules.leaves import Compare, InSegment, RandomShare, Since
from regulars.domain.rules.operands import FieldRef
from regulars.domain.rules.sequences import Sequence, Step
from regulars.domain.rules.tree import All, AnyOf, Not
from regulars.domain.rules.where import Conditions
from regulars.domain.tallies import Keeps

_KEEPS = {
    "sum": Keeps.TOTALS, "average": Keeps.TOTALS, "min": Keeps.TOTALS, "max": Keeps.TOTALS, "first": Keeps.FIRST,
    "last": Keeps.LAST, "distinct": Keeps.VALUES,
}  # fmt: skip

_DAILY = {"first": Keeps.DAILY_FIRST, "last": Keeps.DAILY_LAST, "distinct": Keeps.DAILY_VALUES}
"""The same where the window does not end now, or the first is not the first ever."""

Requirement = Feature | Conditions
"""A feature of an event, or the conditions of orders that are to be marked."""


@singledispatch
def required(rule: object) -> Iterator[Requirement]:
    """What a rule or measure looks at; the same may come more than once. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot tell what {type(rule).__name__} requires")


@required.register(All)
@required.register(AnyOf)
def _(rule: All | AnyOf) -> Iterator[Requirement]:
    for child in rule.rules:
        yield from required(child)


@required.register
def _(rule: Not) -> Iterator[Requirement]:
    return required(rule.rule)


@required.register
def _(rule: Measure) -> Iterator[Requirement]:
    if rule.count is not None and rule.count != ORDERS:
        yield Feature(rule.count, Keeps.COUNT, {}, days=0 if rule.within is None else rule.within // timedelta(days=1))


@required.register(Count)
@required.register(Aggregate)
def _(rule: Count | Aggregate) -> Iterator[Requirement]:
    if rule.event != ORDERS:
        yield feature_of(rule)
    elif rule.where:
        yield rule.where


@required.register
def _(rule: Sequence) -> Iterator[Requirement]:
    for step in rule.every_step():
        if step.event != ORDERS:
            yield feature_of_step(step, rule.same)
        elif step.where:
            yield step.where


@required.register
def _(rule: Compare) -> Iterator[Requirement]:
    yield from _field(rule.field)
    for _, operand in rule.operations():
        if isinstance(operand, FieldRef):
            yield from _field(operand.field)


@required.register
def _(rule: Since) -> Iterator[Requirement]:
    return _field(rule.since)


@required.register(InSegment)
@required.register(RandomShare)
def _(rule: InSegment | RandomShare) -> Iterator[Requirement]:  # noqa: ARG001 - what the segment needs, it says itself
    yield from ()


def feature_of(rule: Count | Aggregate) -> Feature:
    """The feature that a count or an aggregate of events reads."""
    if isinstance(rule, Count):
        return Feature(rule.event, Keeps.COUNT, conditions(rule.where), days=rule.window.days())
    keeps = _DAILY[rule.figure] if rule.needs_every_day else _KEEPS[rule.figure]
    return Feature(rule.event, keeps, conditions(rule.where), rule.path, rule.window.days())


def feature_of_step(step: Step, same: str | None) -> Feature:
    """The feature that a step of a sequence reads."""
    return Feature(step.event, Keeps.INSTANTS, conditions(step.where), same)


def _field(field: str) -> Iterator[Requirement]:
    event = event_of(field) or COUNTED.get(field)
    if event is not None:
        yield Feature(event, Keeps.COUNT, {})
