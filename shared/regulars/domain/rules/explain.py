"""Why a rule holds or does not: a JSON-able trace with every operand and every verdict.

Traces are stored with decisions, so they hold no trait's value and nothing of an address, only what those were compared
with.
"""

from __future__ import annotations

from collections.abc import Sequence as Ordered
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Any

from regulars.domain.instants import iso
from regulars.domain.money import decimal_text
from regulars.domain.rules.aggregates import Aggregate, Count
from regulars.domain.rules.compile import Facts, Setting, compiled, measured, multiple
from regulars.domain.rules.compile_leaves import part_of
from regulars.domain.rules.compile_sequences import reigns_of
from regulars.domain.rules.durations import duration_text
from regulars.domain.rules.evaluate import CHURN_BAND
from regulars.domain.rules.fields import SCORED, WHY_ABSENT, Kind, field_kind
from regulars.domain.rules.leaves import SHARES, Compare, InSegment, Multiple, RandomShare, Since
from regulars.domain.rules.numbers import THOUSAND
from regulars.domain.rules.operands import FieldRef, ParameterRef
from regulars.domain.rules.sequences import Sequence, Step
from regulars.domain.rules.tree import All, AnyOf, Not
from regulars.domain.rules.where import Conditions
from regulars.domain.rules.windows import EVER, FOREVER, Dates

Trace = dict[str, Any]
_MAX_NESTED = 10
"""Rules of segments that name segments are told so deep; beyond, their verdicts only."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rule is explained against: the customer's facts, the instant, the setting, the currency.

    `ends`: say also until when each verdict surely stands, and why a segment or a churn band that a rule names is as it
    is (`bands`: in order, with their rules), each once; that is not kept with decisions.
    """

    facts: Facts
    now: datetime
    setting: Setting
    currency: str
    ends: bool = False
    bands: Ordered[tuple[str, Any]] = ()
    _told: set[str] = field(default_factory=set)
    _nested: int = 0

    def within(self, name: str) -> Scene | None:
        """The scene for the rules behind a name; None where they are not to be told, or were told already."""
        if not self.ends or name in self._told or self._nested == _MAX_NESTED:
            return None
        self._told.add(name)
        return replace(self, _nested=self._nested + 1)

    def verdict(self, rule: object) -> Trace:
        """The verdict and when it may change by itself, by the very function that decides memberships."""
        holds, until = compiled(rule, self.setting)(self.facts, self.now)
        return {"ok": holds} if until is FOREVER or not self.ends else {"ok": holds, "until": iso(until)}


@singledispatch
def explained(rule: object, scene: Scene) -> Trace:  # noqa: ARG001 - dispatches on the rule
    """A rule's trace: its own keys, `value` for what was found, `ok` for the verdict. TypeError on an unknown node."""
    raise TypeError(f"cannot explain {type(rule).__name__}")


@explained.register
def _(rule: All, scene: Scene) -> Trace:
    return {"all": [explained(child, scene) for child in rule.rules], **scene.verdict(rule)}


@explained.register
def _(rule: AnyOf, scene: Scene) -> Trace:
    return {"any": [explained(child, scene) for child in rule.rules], **scene.verdict(rule)}


@explained.register
def _(rule: Not, scene: Scene) -> Trace:
    return {"not": explained(rule.rule, scene), **scene.verdict(rule)}


@explained.register
def _(rule: Compare, scene: Scene) -> Trace:
    kind = field_kind(rule.field)
    trace: Trace = {"field": rule.field}
    if not is_personal(rule.field):
        found = scene.facts[rule.field]
        trace["value"] = _shown(found, kind, scene)
        if found is None and rule.field.startswith(SCORED):
            trace["reason"] = scene.facts.view.value(f"{WHY_ABSENT}.{rule.field}")
    for operator, operand in rule.operations():
        trace[operator] = operand if operator == "exists" else _shown(operand, kind, scene)
    if rule.field == CHURN_BAND and (behind := scene.within("the bands")):
        trace["bands"] = _bands(behind)
    return trace | scene.verdict(rule)


def is_personal(field: str) -> bool:
    """Whether what stands there may say who or where somebody is."""
    return field_kind(field) is Kind.TRAIT or field.startswith("geo.")


def _bands(scene: Scene) -> list[Trace]:
    """The bands up to the first that holds; those after it do not matter."""
    told: list[Trace] = []
    for name, rule in scene.bands:
        told.append({"band": name, "why": explained(rule, scene)})
        if told[-1]["why"]["ok"]:
            break
    return told


@explained.register
def _(rule: Count, scene: Scene) -> Trace:
    return {"count": rule.event} | _quantity(rule, Kind.NUMBER, scene)


@explained.register
def _(rule: Aggregate, scene: Scene) -> Trace:
    return {rule.figure: rule.measure} | _quantity(rule, rule.kind, scene)


def _quantity(rule: Count | Aggregate, kind: Kind, scene: Scene) -> Trace:
    trace = _narrowed(rule)
    if kind is not Kind.PROPERTY:  # what somebody searched for may be as personal as a trait
        trace["value"] = _shown(measured(rule, scene.facts.view, scene.now, scene.setting), kind, scene)
    for operator, operand in rule.operations():
        trace[operator] = _shown(operand, kind, scene)
    return trace | scene.verdict(rule)


def _narrowed(rule: Count | Aggregate) -> Trace:
    """`where` and the window, as they are written."""
    trace: Trace = {}
    if rule.where:
        trace["where"] = _conditions(rule.where)
    for name in ("within", "older_than"):
        if (span := getattr(rule, name)) is not None:
            trace[name] = duration_text(span)
    if isinstance(rule.during, Dates):
        ends = {"from": rule.during.from_, "to": rule.during.to}
        trace["during"] = {name: iso(instant) for name, instant in ends.items() if instant not in (EVER, FOREVER)}
    elif rule.during is not None:
        trace["during"] = str(rule.during)
    return trace


def _conditions(where: Conditions) -> Trace:
    return {path: dict(condition.operations()) for path, condition in where.items()}


@explained.register
def _(rule: Sequence, scene: Scene) -> Trace:
    steps: list[Trace] = [_step(step) for step in rule.sequence]
    trace: Trace = {"sequence": steps}
    for name in ("span", "within"):
        if (span := getattr(rule, name)) is not None:
            trace[name] = duration_text(span)
    if rule.same:
        trace["same"] = rule.same
    if rule.without:
        trace["without"] = {**_step(rule.without), "within": duration_text(rule.without.within)}
    ended = [begins for begins, ends in reigns_of(rule, scene.facts.view) if begins <= scene.now < ends]
    trace["value"] = iso(max(ended)) if ended else None
    return trace | scene.verdict(rule)


def _step(step: Step) -> Trace:
    return {"event": step.event, "where": _conditions(step.where)} if step.where else {"event": step.event}


@explained.register
def _(rule: InSegment, scene: Scene) -> Trace:
    trace: Trace = {"segment": rule.segment}
    if behind := scene.within(rule.segment):
        trace["why"] = explained(scene.setting.segments[rule.segment], behind)
    return trace | scene.verdict(rule)


@explained.register
def _(rule: RandomShare, scene: Scene) -> Trace:
    value = part_of(rule.random, scene.facts.view.root) * 100 / SHARES
    bounds = {"at_least": float(rule.at_least), "below": float(rule.below)}
    return {"random": rule.random, "value": value, **bounds, **scene.verdict(rule)}


@explained.register
def _(rule: Since, scene: Scene) -> Trace:
    instant = scene.facts[rule.since]
    trace: Trace = {"since": rule.since, "value": _shown(instant, Kind.INSTANT, scene)}
    trace["elapsed"] = duration_text(scene.now - instant) if isinstance(instant, datetime) else None
    for operator, bound in rule.operations():
        trace[operator] = _bound_shown(bound, scene) if isinstance(bound, Multiple) else duration_text(bound)
    return trace | scene.verdict(rule)


def _bound_shown(bound: Multiple, scene: Scene) -> Trace:
    own: Any = scene.facts[bound.of]
    return {
        "times": str(bound.times),
        "of": bound.of,
        "own": _shown(own, Kind.DURATION, scene),
        "gives": duration_text(multiple(bound)(own)),
    }


def _referred(value: ParameterRef | FieldRef, kind: Kind, scene: Scene) -> Trace:
    if isinstance(value, ParameterRef):
        return {"parameter": value.parameter, "value": _shown(scene.setting.values[value.parameter], kind, scene)}
    shown: Trace = {"field": value.field}
    return shown if is_personal(value.field) else {**shown, "value": _shown(scene.facts[value.field], kind, scene)}


def _shown(value: Any, kind: Kind, scene: Scene) -> Any:
    """A value as JSON: instants in RFC 3339, money as a decimal amount, a parameter with the value it has now."""
    if isinstance(value, ParameterRef | FieldRef):
        return _referred(value, kind, scene)
    if isinstance(value, tuple):
        return [_shown(item, kind, scene) for item in value]
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, timedelta):
        return duration_text(value)
    if kind is Kind.MONEY and value is not None:
        return decimal_text(round(value), scene.currency)
    return value / THOUSAND if kind is Kind.DECIMAL and value is not None else value
