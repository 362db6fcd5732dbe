"""Compiling what looks at one thing: comparisons, time gone by, other segments, shares by chance; and what combines."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from regulars.domain.instants import earlier, later
from regulars.domain.rules.comparisons import TESTS, TRAIT_TESTS, timed
from regulars.domain.rules.compiling import (
    FAILS,
    HOLDS,
    Facts,
    Setting,
    Verdict,
    by_edges,
)
from regulars.domain.rules.fields import MOVING, MOVING_NUMBERS, TIMED, Kind, field_kind
from regulars.domain.rules.leaves import SHARES, Compare, InSegment, Multiple, RandomShare, Since
from regulars.domain.rules.operands import FieldRef
from regulars.domain.rules.times import instant_in
from regulars.domain.rules.tree import All, AnyOf, Not
from regulars.domain.rules.windows import FOREVER
from regulars.domain.rules.writing import (
    Lines,
    Module,
    Sink,
    Writer,
    calling,
    combined,
    compiled,
    edge_at,
    either,
    functioning,
    negated,
    steady,
    written,
)

_SECOND = timedelta(seconds=1)
_DATES = TIMED | {"before", "after"}


@written.register
def _(rule: All, setting: Setting) -> Writer:
    return combined(_cheapest_first(rule.rules, setting), decisive=False)


@written.register
def _(rule: AnyOf, setting: Setting) -> Writer:
    return combined(_cheapest_first(rule.rules, setting), decisive=True)


def _cheapest_first(rules: Sequence[object], setting: Setting) -> list[Writer]:
    """Comparisons first: what they decide, they decide for good, and the order of rules does not change a verdict."""
    return [written(rule, setting) for rule in sorted(rules, key=lambda rule: not isinstance(rule, Compare))]


@written.register
def _(rule: Not, setting: Setting) -> Writer:
    return negated(written(rule.rule, setting))


@written.register
def _(rule: Compare, setting: Setting) -> Writer:
    kind = field_kind(rule.field)
    tests = TRAIT_TESTS if kind is Kind.TRAIT else TESTS
    parts: list[Writer] = []
    for operator, operand in rule.operations():
        if rule.field in MOVING and operator != "exists" and not isinstance(operand, FieldRef):
            parts.append(_moving(rule.field, operator, setting.resolved(operand)))
        elif operator in TIMED:
            parts.append(_timed(rule.field, operator, operand))
        elif isinstance(operand, FieldRef):
            as_date = _is_date(kind, operator)
            parts.append(_beside(rule.field, (TESTS if as_date else tests)[operator], operand.field, as_date=as_date))
        elif _is_date(kind, operator):
            parts.append(_dated(rule.field, TESTS[operator], operand))
        else:
            parts.append(comparison(rule.field, tests[operator], setting.resolved(operand)))
    whole = combined(parts, decisive=False)
    named = [rule.field, *(operand.field for _, operand in rule.operations() if isinstance(operand, FieldRef))]
    ends = [setting.ends[field] for field in named if field in setting.ends]
    return _ending(whole, min(ends)) if ends else whole


def _ending(writer: Writer, end: datetime) -> Writer:
    """The same verdict, which stands until an instant at most."""
    function = functioning(writer)

    def run(facts: Facts, now: datetime) -> Verdict:
        holds, until = function(facts, now)
        return holds, min(until, end)

    return calling(run)


def _is_date(kind: Kind, operator: str) -> bool:
    """Whether a trait is to be read as a date."""
    return kind is Kind.TRAIT and operator in _DATES


def comparison(field: str, test: Callable[[Any, Any], bool], operand: Any) -> Writer:
    """A field beside a constant; time does not matter."""

    def condition(module: Module) -> str:
        value, constant = f"facts[{module.constant(field)}]", module.constant(operand)
        if test is TESTS["equals"]:  # the most frequent of all, without a call
            return f"{value} == {constant}"
        return f"{module.constant(test)}({value}, {constant})"

    return steady(condition)


def _moving(field: str, operator: str, operand: Any) -> Writer:
    """A field that time moves, which says itself when it passes a bound."""
    test = TESTS[operator]
    bounds = _bounds(field, operator, operand) if field in MOVING_NUMBERS else [None]

    def run(facts: Facts, now: datetime) -> Verdict:
        view = facts.view
        edges = [edge for bound in bounds if (edge := view.changes(field, bound, now)) is not None]
        return test(view.at(field, now), operand), min(edges, default=FOREVER)

    return calling(run)


def _bounds(field: str, operator: str, operand: Any) -> list[float | None]:
    """The values whose being reached decides: `above` is to reach the next one."""
    low, high = operand if operator == "between" else (operand, operand)
    following = math.nextafter(high, math.inf) if field_kind(field) is Kind.RATIO else high + 1
    if operator in {"at_least", "below"}:
        return [low]
    return [following] if operator in {"above", "at_most"} else [low, following]


def _dated(field: str, test: Callable[[Any, Any], bool], operand: Any) -> Writer:
    def run(facts: Facts, now: datetime) -> Verdict:  # noqa: ARG001 - as above
        return HOLDS if test(instant_in(facts[field]), operand) else FAILS

    return calling(run)


def _beside(field: str, test: Callable[[Any, Any], bool], other: str, *, as_date: bool) -> Writer:
    """Two fields of one customer; with one of them absent nothing is known, so only `not_equals` holds."""
    unknown = HOLDS if test in (TESTS["not_equals"], TRAIT_TESTS["not_equals"]) else FAILS

    def run(facts: Facts, now: datetime) -> Verdict:  # noqa: ARG001 - as above
        one, two = facts[field], facts[other]
        if as_date:
            one, two = instant_in(one), instant_in(two)
        if one is None or two is None:
            return unknown
        return HOLDS if test(one, two) else FAILS

    return calling(run)


def _timed(field: str, operator: str, span: timedelta) -> Writer:
    """An instant within so long before or after now, which has its edges where the time is up."""

    def run(facts: Facts, now: datetime) -> Verdict:
        instant = instant_in(facts[field])
        if instant is None:
            return FAILS
        edges = (instant, later(instant, span), earlier(instant, span))
        return by_edges(edges, lambda then: timed(operator, instant, span, then), now)

    return calling(run)


@written.register
def _(rule: Since, setting: Setting) -> Writer:  # noqa: ARG001 - one signature for all nodes
    parts = [_elapsed(rule.since, bound, reached=operator == "at_least") for operator, bound in rule.operations()]
    return combined(parts, decisive=False)


def _elapsed(field: str, bound: timedelta | Multiple, *, reached: bool) -> Writer:
    """Holds from `bound` after the instant in `field` on (`reached`) or until then; never while there is no instant."""

    def write(module: Module, sink: Sink) -> Lines:
        if isinstance(bound, timedelta):
            length = module.constant(bound)
        else:
            length = f"{module.constant(multiple(bound))}(facts[{module.constant(bound.of)}])"
        coming = sink.until("edge", verdict=not reached)
        over = sink.fixed(verdict=reached)
        known = [*edge_at(f"instant + {length}"), *either("now < edge", coming, over)]
        return [
            f"instant = facts[{module.constant(field)}]",
            *either("instant is None", sink.fixed(verdict=False), known),
        ]

    return write


def multiple(bound: Multiple) -> Callable[[Any], timedelta]:
    """From a customer's duration to `times` of it, kept between `min` and `max`; to `min` where there is none (None).

    In whole seconds, so that edges stay whole milliseconds.
    """
    numerator, denominator = bound.times.as_integer_ratio()
    shortest, longest = bound.min, bound.max
    least, most = shortest // _SECOND, longest // _SECOND

    def length(duration: timedelta | None) -> timedelta:
        if duration is None:
            return shortest
        # Integers: arithmetic on timedelta costs several times as much.
        seconds = duration.days * 86_400 + duration.seconds
        seconds = (seconds * 1_000_000 + duration.microseconds) * numerator // (denominator * 1_000_000)
        if seconds <= least:
            return shortest
        return longest if seconds >= most else timedelta(seconds=seconds)

    return length


@written.register
def _(rule: InSegment, setting: Setting) -> Writer:
    return membership(rule.segment, setting)


def membership(name: str, setting: Setting) -> Writer:
    """The verdict of a segment that others name, found once in an evaluation whoever asks first. Cycles were refused
    when the program was loaded."""

    def run(facts: Facts, now: datetime) -> Verdict:
        known = facts.segments.get(name)
        if known is None:
            ready = setting.ready.get(name)
            if ready is None:
                ready = setting.ready[name] = compiled(setting.segments[name], setting)
            known = facts.segments[name] = ready(facts, now)
        return known

    return calling(run)


@written.register
def _(rule: RandomShare, setting: Setting) -> Writer:  # noqa: ARG001 - one signature for all nodes
    first, end = rule.parts()

    def run(facts: Facts, now: datetime) -> Verdict:  # noqa: ARG001 - chance does not change
        return HOLDS if first <= part_of(rule.random, facts.view.root) < end else FAILS

    return calling(run)


def part_of(name: str, root: str) -> int:
    """Which of the SHARES parts a customer is in, for this name: evenly spread, the same for ever."""
    digest = hashlib.sha256(f"{name}\n{root}".encode()).digest()
    return int.from_bytes(digest[:8]) % SHARES
