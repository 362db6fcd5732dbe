"""From a rule to a fast function that says whether it holds and until when it surely goes on to.

Every leaf that depends on time is a step: it changes at one instant (its *edge*), which the customer's data fix. So
one function answers both questions, and `all` and `any` need only as much as decides: an `all` with a rule that fails
for good fails for good; one whose failing rules may recover fails at least until the last of them might; one that holds
does so until its first rule might fail. `any` is the mirror image. The instant is exact for single leaves and never too
late for trees, which the property tests hold against a brute-force search.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import singledispatch
from typing import Any

from regulars.domain.instants import day_number, day_start
from regulars.domain.rules.operands import ParameterRef
from regulars.domain.rules.tree import ORDERS, All, AnyOf, Compare, Count, Measure, Multiple, Not, Since, Sum
from regulars.domain.rules.view import OrderTotals, Value, View

FOREVER = datetime.max.replace(tzinfo=UTC)
"""No instant at all: the verdict changes only when something happens to the customer."""
NEVER = datetime.min.replace(tzinfo=UTC)

Verdict = tuple[bool, datetime]
"""Whether the rule holds, and the first later instant at which that may change by itself."""
HOLDS: Verdict = (True, FOREVER)
FAILS: Verdict = (False, FOREVER)


class Facts(dict[str, Value]):
    """What one evaluation has read of a view: every field at most once, and only the fields that decide."""

    __slots__ = ("_totals", "view")

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
        self._totals: OrderTotals | None = None

    def __missing__(self, field: str) -> Value:
        value = self[field] = self.view.value(field)
        return value

    def order_totals(self) -> OrderTotals:
        """The view's, read once."""
        if self._totals is None:
            self._totals = self.view.order_totals()
        return self._totals


Compiled = Callable[[Facts, datetime], Verdict]
Edge = Callable[[Facts], datetime]


@singledispatch
def compiled(rule: object, values: Mapping[str, int]) -> Compiled:  # noqa: ARG001 - dispatches on the rule
    """The function of a rule, with the population parameters `values` put in. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot compile {type(rule).__name__}")


@compiled.register
def _(rule: All, values: Mapping[str, int]) -> Compiled:
    return _combined([compiled(child, values) for child in rule.rules], decisive=False)


@compiled.register
def _(rule: AnyOf, values: Mapping[str, int]) -> Compiled:
    return _combined([compiled(child, values) for child in rule.rules], decisive=True)


def _combined(children: Sequence[Compiled], *, decisive: bool) -> Compiled:
    """`all` (one False decides) or `any` (one True decides)."""
    if len(children) == 1:
        return children[0]
    decided: Verdict = (decisive, FOREVER)

    def run(facts: Facts, now: datetime) -> Verdict:
        steady_until = FOREVER
        decided_until = None
        for child in children:
            verdict, until = child(facts, now)
            if verdict is decisive:
                if until is FOREVER:
                    return decided
                if decided_until is None or until > decided_until:
                    decided_until = until
            elif until < steady_until:
                steady_until = until
        if decided_until is not None:
            return decisive, decided_until
        return not decisive, steady_until

    return run


@compiled.register
def _(rule: Not, values: Mapping[str, int]) -> Compiled:
    child = compiled(rule.rule, values)

    def run(facts: Facts, now: datetime) -> Verdict:
        verdict, until = child(facts, now)
        return not verdict, until

    return run


@compiled.register
def _(rule: Compare, values: Mapping[str, int]) -> Compiled:
    return _combined(
        [
            _comparison(rule.field, TESTS[operator], _resolved(operand, values))
            for operator, operand in rule.operations()
        ],
        decisive=False,
    )


def _comparison(field: str, test: Callable[[Value, Any], bool], operand: Any) -> Compiled:
    def run(facts: Facts, now: datetime) -> Verdict:  # noqa: ARG001 - a comparison does not depend on time
        return HOLDS if test(facts[field], operand) else FAILS

    return run


def _resolved(operand: Any, values: Mapping[str, int]) -> Any:
    """The operand with parameters replaced by their values."""
    if isinstance(operand, ParameterRef):
        return values[operand.parameter]
    if isinstance(operand, tuple):
        return tuple(_resolved(item, values) for item in operand)
    return operand


def _same(value: Value, operand: Any) -> bool:
    """Equality without Python's `True == 1`."""
    return value == operand and isinstance(value, bool) is isinstance(operand, bool)


def _ordered(value: Value, operand: Any) -> bool:
    """Whether the two can be put in order: never with an absent value, text with text, numbers with numbers."""
    if value is None or isinstance(value, bool) or isinstance(operand, bool):
        return False
    return isinstance(value, str) is isinstance(operand, str)


TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "exists": lambda value, operand: (value is not None) is operand,
    "equals": _same,
    "not_equals": lambda value, operand: not _same(value, operand),
    "above": lambda value, operand: _ordered(value, operand) and value > operand,
    "at_least": lambda value, operand: _ordered(value, operand) and value >= operand,
    "below": lambda value, operand: _ordered(value, operand) and value < operand,
    "at_most": lambda value, operand: _ordered(value, operand) and value <= operand,
    "in": lambda value, operand: any(_same(value, item) for item in operand),
    "not_in": lambda value, operand: not any(_same(value, item) for item in operand),
    "contains": lambda value, operand: isinstance(value, str) and str(operand) in value,
    "before": lambda value, operand: value is not None and value < operand,
    "after": lambda value, operand: value is not None and value > operand,
}


def _until(edge_of: Edge) -> Compiled:
    """Holds before its edge."""

    def run(facts: Facts, now: datetime) -> Verdict:
        edge = edge_of(facts)
        return (True, edge) if now < edge else FAILS

    return run


def _from(edge_of: Edge) -> Compiled:
    """Holds from its edge on."""

    def run(facts: Facts, now: datetime) -> Verdict:
        edge = edge_of(facts)
        return (False, edge) if now < edge else HOLDS

    return run


def _thresholds(
    operations: Sequence[tuple[str, Any]], values: Mapping[str, int], reaching: Callable[[int], Compiled]
) -> Compiled:
    """Bounds on a whole quantity, each as "reaches k" or "does not reach k"; `reaching(k)` is the former."""
    parts: list[Compiled] = []
    for operator, operand in operations:
        threshold = _resolved(operand, values)
        if operator in {"at_least", "equals"}:
            parts.append(reaching(threshold))
        elif operator == "above":
            parts.append(reaching(threshold + 1))
        if operator in {"at_most", "equals"}:
            parts.append(_negated(reaching(threshold + 1)))
        elif operator == "below":
            parts.append(_negated(reaching(threshold)))
    return _combined(parts, decisive=False)


def _negated(child: Compiled) -> Compiled:
    def run(facts: Facts, now: datetime) -> Verdict:
        verdict, until = child(facts, now)
        return not verdict, until

    return run


@compiled.register
def _(rule: Count, values: Mapping[str, int]) -> Compiled:
    if rule.count != ORDERS:
        return _thresholds(rule.operations(), values, _events_reaching(rule.count, rule.within))
    within = rule.within

    def reaching(threshold: int) -> Compiled:
        if threshold <= 0:
            return lambda facts, now: HOLDS  # noqa: ARG005 - no window holds fewer than none

        def edge(facts: Facts) -> datetime:
            times, _ = facts.order_totals()
            if len(times) < threshold:
                return NEVER
            # The k-th newest order is the one whose leaving breaks "at least k".
            return FOREVER if within is None else times[-threshold] + within

        return _until(edge)

    return _thresholds(rule.operations(), values, reaching)


def _events_reaching(event: str, within: timedelta | None) -> Callable[[int], Compiled]:
    def reaching(threshold: int) -> Compiled:
        if threshold <= 0:
            return lambda facts, now: HOLDS  # noqa: ARG005 - no window holds fewer than none
        if within is None:
            return _comparison(f"events.{event}.count", TESTS["at_least"], threshold)
        span = within // timedelta(days=1)

        def run(facts: Facts, now: datetime) -> Verdict:
            counts = facts.view.days(event)
            if not counts:
                return FAILS
            oldest = day_number(now) - span
            total = 0
            for day in sorted(counts, reverse=True):
                if day < oldest:
                    break
                total += counts[day]
                if total >= threshold:
                    # This is the day whose leaving breaks "at least k"; it counts until the end of day `day + span`.
                    return True, day_start(day + span + 1)
            return FAILS

        return run

    return reaching


@compiled.register
def _(rule: Sum, values: Mapping[str, int]) -> Compiled:
    within = rule.within

    def reaching(threshold: int) -> Compiled:
        def edge(facts: Facts) -> datetime:
            times, sums = facts.order_totals()
            # The first `leaving` orders must have left for the rest to fall short; nets are not negative, so sums grow.
            leaving = bisect_right(sums, sums[-1] - threshold)
            if leaving == 0:
                return NEVER
            return FOREVER if within is None or leaving > len(times) else times[leaving - 1] + within

        return _until(edge)

    return _thresholds(rule.operations(), values, reaching)


@compiled.register
def _(rule: Since, values: Mapping[str, int]) -> Compiled:  # noqa: ARG001 - one signature for all nodes
    parts = []
    for operator, bound in rule.operations():
        edge = _elapsed(rule.since, bound)
        parts.append(_known(rule.since, _from(edge) if operator == "at_least" else _until(edge)))
    return _combined(parts, decisive=False)


def _known(field: str, child: Compiled) -> Compiled:
    """Nothing is a time ago that never was."""

    def run(facts: Facts, now: datetime) -> Verdict:
        return FAILS if facts[field] is None else child(facts, now)

    return run


def _elapsed(field: str, bound: timedelta | Multiple) -> Edge:
    """The instant at which `bound` has gone by since the instant in `field`, which must not be absent."""
    if isinstance(bound, timedelta):

        def fixed(facts: Facts) -> datetime:
            instant: Any = facts[field]
            edge: datetime = instant + bound
            return edge

        return fixed

    of, own_length = bound.of, _multiple(bound)

    def own(facts: Facts) -> datetime:
        instant: Any = facts[field]
        edge: datetime = instant + own_length(facts[of])
        return edge

    return own


def _multiple(bound: Multiple) -> Callable[[Any], timedelta]:
    """From a customer's duration to `times` of it, kept between `min` and `max`; to `min` where there is none.

    In whole seconds, so that edges stay whole milliseconds.
    """
    numerator, denominator = bound.times.as_integer_ratio()
    shortest, longest, second = bound.min, bound.max, timedelta(seconds=1)

    def length(duration: timedelta | None) -> timedelta:
        if duration is None:
            return shortest
        return min(max(duration * numerator // (denominator * second) * second, shortest), longest)

    return length


def multiple_of(bound: Multiple, duration: timedelta | None) -> timedelta:
    """The customer's own bound: `times` the duration, between `min` and `max`; `min` where there is no duration."""
    return _multiple(bound)(duration)


def measured(measure: Measure | Sum | Count, view: View, now: datetime) -> int:
    """The quantity that a sum or count is about, now: minor units or a number."""
    within = measure.within
    if isinstance(measure, Sum) or measure.count is None:
        times, sums = view.order_totals()
        return sums[-1] - (0 if within is None else sums[bisect_right(times, now - within)])
    if measure.count == ORDERS:
        times, _ = view.order_totals()
        return len(times) - (0 if within is None else bisect_right(times, now - within))
    if within is None:
        total = view.value(f"events.{measure.count}.count")
        return total if isinstance(total, int) else 0
    oldest = day_number(now) - within // timedelta(days=1)
    return sum(count for day, count in view.days(measure.count).items() if day >= oldest)
