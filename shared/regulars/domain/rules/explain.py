"""Why a rule holds or does not: a JSON-able trace with every operand and every verdict.

Traces are stored with decisions, so they hold no trait's value, only what it was compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from regulars.domain.instants import iso
from regulars.domain.money import decimal_text
from regulars.domain.rules.compile import Facts, compiled, measured, multiple
from regulars.domain.rules.durations import duration_text
from regulars.domain.rules.fields import Kind, field_kind
from regulars.domain.rules.operands import ParameterRef
from regulars.domain.rules.tree import All, AnyOf, Compare, Count, Multiple, Not, Since, Sum

Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rule is explained against: the customer's facts, the instant, the parameters' values, the currency."""

    facts: Facts
    now: datetime
    values: Mapping[str, int]
    currency: str

    def holds(self, rule: object) -> bool:
        """The verdict, by the very function that decides memberships."""
        return compiled(rule, self.values)(self.facts, self.now)[0]


@singledispatch
def explained(rule: object, scene: Scene) -> Trace:  # noqa: ARG001 - dispatches on the rule
    """A rule's trace: its own keys, `value` for what was found, `ok` for the verdict. TypeError on an unknown node."""
    raise TypeError(f"cannot explain {type(rule).__name__}")


@explained.register
def _(rule: All, scene: Scene) -> Trace:
    return {"all": [explained(child, scene) for child in rule.rules], "ok": scene.holds(rule)}


@explained.register
def _(rule: AnyOf, scene: Scene) -> Trace:
    return {"any": [explained(child, scene) for child in rule.rules], "ok": scene.holds(rule)}


@explained.register
def _(rule: Not, scene: Scene) -> Trace:
    return {"not": explained(rule.rule, scene), "ok": scene.holds(rule)}


@explained.register
def _(rule: Compare, scene: Scene) -> Trace:
    kind = field_kind(rule.field)
    trace: Trace = {"field": rule.field}
    if kind is not Kind.TRAIT:
        trace["value"] = _shown(scene.facts[rule.field], kind, scene)
    for operator, operand in rule.operations():
        trace[operator] = operand if operator == "exists" else _shown(operand, kind, scene)
    return trace | {"ok": scene.holds(rule)}


@explained.register
def _(rule: Count, scene: Scene) -> Trace:
    return {"count": rule.count} | _quantity(rule, Kind.NUMBER, scene)


@explained.register
def _(rule: Sum, scene: Scene) -> Trace:
    return {"sum": rule.sum} | _quantity(rule, Kind.MONEY, scene)


def _quantity(rule: Count | Sum, kind: Kind, scene: Scene) -> Trace:
    trace: Trace = {} if rule.within is None else {"within": duration_text(rule.within)}
    trace["value"] = _shown(measured(rule, scene.facts.view, scene.now), kind, scene)
    for operator, operand in rule.operations():
        trace[operator] = _shown(operand, kind, scene)
    return trace | {"ok": scene.holds(rule)}


@explained.register
def _(rule: Since, scene: Scene) -> Trace:
    instant = scene.facts[rule.since]
    trace: Trace = {"since": rule.since, "value": _shown(instant, Kind.INSTANT, scene)}
    trace["elapsed"] = duration_text(scene.now - instant) if isinstance(instant, datetime) else None
    for operator, bound in rule.operations():
        trace[operator] = _bound_shown(bound, scene) if isinstance(bound, Multiple) else duration_text(bound)
    return trace | {"ok": scene.holds(rule)}


def _bound_shown(bound: Multiple, scene: Scene) -> Trace:
    own: Any = scene.facts[bound.of]
    return {
        "times": str(bound.times),
        "of": bound.of,
        "own": _shown(own, Kind.DURATION, scene),
        "gives": duration_text(multiple(bound)(own)),
    }


def _shown(value: Any, kind: Kind, scene: Scene) -> Any:
    """A value as JSON: instants in RFC 3339, money as a decimal amount, a parameter with the value it has now."""
    if isinstance(value, ParameterRef):
        return {"parameter": value.parameter, "value": _shown(scene.values[value.parameter], kind, scene)}
    if isinstance(value, tuple):
        return [_shown(item, kind, scene) for item in value]
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, timedelta):
        return duration_text(value)
    if kind is Kind.MONEY and value is not None:
        return decimal_text(value, scene.currency)
    return value
