"""From a rule to a fast function that says whether it holds and until when it surely goes on to.

Every leaf that depends on time is a step: it changes at one instant (its *edge*), which the customer's data fix. So
one function answers both questions, and `all` and `any` need only as much as decides: an `all` with a rule that fails
for good fails for good; one whose failing rules may recover fails at least until the last of them might; one that holds
does so until its first rule might fail. `any` is the mirror image. The instant is exact for single leaves and never too
late for trees, which the property tests hold against a brute-force search.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial, singledispatch
from itertools import accumulate
from typing import Any

from regulars.domain.instants import day_number, day_start
from regulars.domain.rules.comparisons import TESTS, TRAIT_TESTS
from regulars.domain.rules.fields import Kind, field_kind
from regulars.domain.rules.operands import ParameterRef
from regulars.domain.rules.tree import ORDERS, All, AnyOf, Compare, Count, Measure, Multiple, Not, Since, Sum
from regulars.domain.rules.view import Value, View

FOREVER = datetime.max.replace(tzinfo=UTC)
"""No instant at all: the verdict changes only when something happens to the customer."""
_SECOND = timedelta(seconds=1)

Verdict = tuple[bool, datetime]
"""Whether the rule holds, and the first later instant at which that may change by itself."""
HOLDS: Verdict = (True, FOREVER)
FAILS: Verdict = (False, FOREVER)
_start_of = lru_cache(maxsize=4096)(day_start)
RunningDays = tuple[Sequence[int], Sequence[int]]


class Facts(dict[str, Value]):
    """What one evaluation has read of a view: the order totals, and every field at most once, only when it decides."""

    __slots__ = ("_running", "sums", "times", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.times, self.sums = view.order_totals()
        self._running: dict[str, RunningDays] = {}

    def __missing__(self, field: str) -> Value:
        value = self[field] = self.view.value(field)
        return value

    def running_days(self, event: str) -> RunningDays:
        """Days on which an event happened, newest first, and how many there were from each of them on."""
        running = self._running.get(event)
        if running is None:
            days = self.view.days(event)
            newest_first = sorted(days, reverse=True)
            running = self._running[event] = newest_first, list(accumulate(days[day] for day in newest_first))
        return running


Compiled = Callable[[Facts, datetime], Verdict]


@singledispatch
def compiled(rule: object, values: Mapping[str, int]) -> Compiled:  # noqa: ARG001 - dispatches on the rule
    """The function of a rule, with the population parameters `values` put in. Raises TypeError on an unknown node."""
    raise TypeError(f"cannot compile {type(rule).__name__}")


@compiled.register
def _(rule: All, values: Mapping[str, int]) -> Compiled:
    return _combined(_cheapest_first(rule.rules, values), decisive=False)


@compiled.register
def _(rule: AnyOf, values: Mapping[str, int]) -> Compiled:
    return _combined(_cheapest_first(rule.rules, values), decisive=True)


def _cheapest_first(rules: Sequence[object], values: Mapping[str, int]) -> list[Compiled]:
    """Comparisons first: what they decide, they decide for good, and the order of rules does not change a verdict."""
    return [compiled(rule, values) for rule in sorted(rules, key=lambda rule: not isinstance(rule, Compare))]


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
            elif until is not FOREVER and until < steady_until:
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
    tests = TRAIT_TESTS if field_kind(rule.field) is Kind.TRAIT else TESTS
    parts = [
        _comparison(rule.field, tests[operator], resolved(operand, values)) for operator, operand in rule.operations()
    ]
    return _combined(parts, decisive=False)


def _comparison(field: str, test: Callable[[Any, Any], bool], operand: Any) -> Compiled:
    if test is TESTS["equals"]:  # the most frequent of all, without a call

        def run_equals(facts: Facts, now: datetime) -> Verdict:  # noqa: ARG001 - as below
            return HOLDS if facts[field] == operand else FAILS

        return run_equals

    def run(facts: Facts, now: datetime) -> Verdict:  # noqa: ARG001 - a comparison does not depend on time
        return HOLDS if test(facts[field], operand) else FAILS

    return run


def resolved(operand: Any, values: Mapping[str, int]) -> Any:
    """The operand with parameters replaced by their values."""
    if isinstance(operand, ParameterRef):
        return values[operand.parameter]
    if isinstance(operand, tuple):
        return tuple(resolved(item, values) for item in operand)
    return operand


def _by_threshold(
    operations: Sequence[tuple[str, Any]], values: Mapping[str, int], reaching: Callable[..., Compiled]
) -> Compiled:
    """Bounds on a whole quantity, each as "reaches k" or not: `reaching(k, reached)` makes either."""
    parts: list[Compiled] = []
    for operator, operand in operations:
        threshold = resolved(operand, values)
        if operator in {"at_least", "equals"}:
            parts.append(reaching(threshold, reached=True))
        elif operator == "above":
            parts.append(reaching(threshold + 1, reached=True))
        if operator in {"at_most", "equals"}:
            parts.append(reaching(threshold + 1, reached=False))
        elif operator == "below":
            parts.append(reaching(threshold, reached=False))
    return _combined(parts, decisive=False)


@compiled.register
def _(rule: Count, values: Mapping[str, int]) -> Compiled:
    if rule.count != ORDERS:
        return _by_threshold(rule.operations(), values, partial(_events_reaching, rule.count, rule.within))
    return _by_threshold(rule.operations(), values, partial(_orders_reaching, rule.within))


def _orders_reaching(within: timedelta | None, threshold: int, *, reached: bool) -> Compiled:
    enough, short = (HOLDS, FAILS) if reached else (FAILS, HOLDS)

    def run(facts: Facts, now: datetime) -> Verdict:
        if len(facts.times) < threshold:
            return short
        if within is None or threshold <= 0:
            return enough
        edge = facts.times[-threshold] + within  # when the order leaves whose leaving breaks "at least k"
        return (reached, edge) if now < edge else short

    return run


def _events_reaching(event: str, within: timedelta | None, threshold: int, *, reached: bool) -> Compiled:
    if threshold <= 0:
        return lambda facts, now: HOLDS if reached else FAILS  # noqa: ARG005 - no window holds fewer than none
    if within is None:
        return _comparison(f"events.{event}.count", TESTS["at_least" if reached else "below"], threshold)
    span = within // timedelta(days=1)
    short = FAILS if reached else HOLDS

    def run(facts: Facts, now: datetime) -> Verdict:
        days, running = facts.running_days(event)
        breaking = bisect_left(running, threshold)
        if breaking == len(days):
            return short
        edge = _start_of(days[breaking] + span + 1)  # a day counts until the end of the one that lies `span` after it
        return (reached, edge) if now < edge else short

    return run


@compiled.register
def _(rule: Sum, values: Mapping[str, int]) -> Compiled:
    return _by_threshold(rule.operations(), values, partial(_revenue_reaching, rule.within))


def _revenue_reaching(within: timedelta | None, threshold: int, *, reached: bool) -> Compiled:
    enough, short = (HOLDS, FAILS) if reached else (FAILS, HOLDS)

    def run(facts: Facts, now: datetime) -> Verdict:
        sums = facts.sums
        # The first `leaving` orders must have left for the rest to fall short; nets are not negative, so sums grow.
        leaving = bisect_right(sums, sums[-1] - threshold)
        if leaving == 0:
            return short
        if within is None or leaving == len(sums):
            return enough
        edge = facts.times[leaving - 1] + within
        return (reached, edge) if now < edge else short

    return run


@compiled.register
def _(rule: Since, values: Mapping[str, int]) -> Compiled:  # noqa: ARG001 - one signature for all nodes
    parts = [_elapsed(rule.since, bound, reached=operator == "at_least") for operator, bound in rule.operations()]
    return _combined(parts, decisive=False)


def _elapsed(field: str, bound: timedelta | Multiple, *, reached: bool) -> Compiled:
    """Holds from `bound` after the instant in `field` on (`reached`) or until then; never while there is no instant."""
    after = HOLDS if reached else FAILS
    if isinstance(bound, timedelta):

        def fixed(facts: Facts, now: datetime) -> Verdict:
            instant: Any = facts[field]
            if instant is None:
                return FAILS
            edge = instant + bound
            return (not reached, edge) if now < edge else after

        return fixed
    of, length = bound.of, multiple(bound)

    def own(facts: Facts, now: datetime) -> Verdict:
        instant: Any = facts[field]
        if instant is None:
            return FAILS
        edge = instant + length(facts[of])
        return (not reached, edge) if now < edge else after

    return own


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
