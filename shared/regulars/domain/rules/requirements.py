"""Which event counters a rule needs, so that profiles keep those and no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import singledispatch

from regulars.domain.rules.fields import event_of
from regulars.domain.rules.tree import ORDERS, All, AnyOf, Compare, Count, Measure, Not, Since, Sum

Requirement = tuple[str, int]
"""An event name, and how many days back its day buckets are looked at: 0 for none (total, first and last only)."""


@singledispatch
def required(rule: object) -> Iterator[Requirement]:
    """What a rule or measure looks at; the same event may come more than once. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot tell what {type(rule).__name__} requires")


@required.register(All)
@required.register(AnyOf)
def _(rule: All | AnyOf) -> Iterator[Requirement]:
    for child in rule.rules:
        yield from required(child)


@required.register
def _(rule: Not) -> Iterator[Requirement]:
    return required(rule.rule)


@required.register(Count)
@required.register(Measure)
def _(rule: Count | Measure) -> Iterator[Requirement]:
    if rule.count is not None and rule.count != ORDERS:
        yield rule.count, 0 if rule.within is None else rule.within // timedelta(days=1)


@required.register
def _(rule: Sum) -> Iterator[Requirement]:  # noqa: ARG001 - orders are kept whole
    yield from ()


@required.register
def _(rule: Compare) -> Iterator[Requirement]:
    return _field(rule.field)


@required.register
def _(rule: Since) -> Iterator[Requirement]:
    return _field(rule.since)


def _field(field: str) -> Iterator[Requirement]:
    event = event_of(field)
    if event is not None:
        yield event, 0
