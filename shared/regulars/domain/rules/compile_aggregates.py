"""Compiling counts and other aggregates within windows.

Counts and sums within a rolling window, by far the most frequent, know their one edge at once: "at least k orders
within w" ends when the k-th newest order is w old. Everything else goes by reigns (windows.py).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from regulars.domain.instants import day_number, day_start, from_millis
from regulars.domain.rules.aggregates import ORDERS, REVENUE, Aggregate, Count, Measure
from regulars.domain.rules.comparisons import TESTS, TRAIT_TESTS
from regulars.domain.rules.compiling import Facts, Setting, Verdict, by_reigns
from regulars.domain.rules.features import mark_of
from regulars.domain.rules.fields import Kind
from regulars.domain.rules.requirements import feature_of
from regulars.domain.rules.view import OrderRow, View
from regulars.domain.rules.windows import ALWAYS, FOREVER, Reign, Window
from regulars.domain.rules.writing import (
    Lines,
    Module,
    Sink,
    Writer,
    calling,
    combined,
    edge_at,
    either,
    steady,
    written,
)
from regulars.domain.tallies import DailyTold, DailyValues, Instants, Tally, Told, Total, Totals, Values

_start_of = lru_cache(maxsize=4096)(day_start)
_THRESHOLDS = frozenset({"equals", "above", "at_least", "below", "at_most", "between"})
Items = Callable[[View], Sequence[tuple[Reign, Any]]]
"""What an aggregate looks at, each thing with the time in which it is in the window."""


@written.register
def _(rule: Count, setting: Setting) -> Writer:
    mark, key = (
        (mark_of(rule.where), "")
        if rule.event == ORDERS
        else (None, feature_of(rule).key if rule.where else rule.event)
    )
    if rule.window.is_rolling and all(operator in _THRESHOLDS for operator, _ in rule.operations()):
        reaching = partial(_orders_reaching, mark) if rule.event == ORDERS else partial(_events_reaching, key)
        return _by_threshold(rule.operations(), setting, partial(reaching, rule.within))
    return _generally(rule.operations(), setting, items_of(rule, setting), len_or_sum(rule), TESTS)


def len_or_sum(rule: Count) -> Callable[[list[Any]], Any]:
    """Orders come one by one, events by the day."""
    return len if rule.event == ORDERS else sum


@written.register
def _(rule: Aggregate, setting: Setting) -> Writer:
    operations = rule.operations()
    rolling = rule.window.is_rolling and all(operator in _THRESHOLDS for operator, _ in operations)
    if rule.figure == "sum" and rule.measure == REVENUE and rolling:
        return _by_threshold(operations, setting, partial(_revenue_reaching, mark_of(rule.where), rule.within))
    tests = TRAIT_TESTS if rule.kind is Kind.PROPERTY else TESTS
    return _generally(operations, setting, items_of(rule, setting), FIGURES[rule.figure], tests)


def _generally(
    operations: Sequence[tuple[str, Any]],
    setting: Setting,
    items: Items,
    figure: Callable[[list[Any]], Any],
    tests: Mapping[str, Callable[[Any, Any], bool]],
) -> Writer:
    asked = [(tests[operator], setting.resolved(operand)) for operator, operand in operations]

    def test(things: list[Any]) -> bool:
        found = figure(things)
        return all(passes(found, operand) for passes, operand in asked)

    def run(facts: Facts, now: datetime) -> Verdict:
        return by_reigns(items(facts.view), test, now)

    return calling(run)


def _average(things: list[Any]) -> float | None:
    count = sum(total.number for total in things)
    return sum(total.sum for total in things) / count if count else None


FIGURES: Mapping[str, Callable[[list[Any]], Any]] = {
    "sum": lambda things: sum(total.sum for total in things),
    "average": _average,
    "min": lambda things: min((total.least for total in things), default=None),
    "max": lambda things: max((total.greatest for total in things), default=None),
    "first": lambda things: things[0] if things else None,
    "last": lambda things: things[-1] if things else None,
    "distinct": lambda things: len(set(things)),
}
"""From what is in the window, in order of time, to the figure."""


def items_of(rule: Count | Aggregate, setting: Setting) -> Items:
    """What an aggregate looks at, in order of time."""
    window = rule.window
    if rule.event == ORDERS:
        mark, thing = mark_of(rule.where), _thing_of(rule)

        def orders(view: View) -> list[tuple[Reign, Any]]:
            return [
                (window.of_instant(row.at, setting.zone), item) for row in view.order_rows(mark) for item in thing(row)
            ]

        return orders
    feature = feature_of(rule)
    key = feature.key if rule.where or not isinstance(rule, Count) else rule.event
    if isinstance(rule, Count):
        if window == _EVER:  # days are not kept for it
            return lambda view: [(ALWAYS, view.count(key))]
        return lambda view: [(window.of_day(day), count) for day, count in sorted(view.days(key).items())]
    return lambda view: _tallied(view, key, window)


def _thing_of(rule: Count | Aggregate) -> Callable[[OrderRow], Sequence[Any]]:
    """What of an order goes into the figure."""
    if isinstance(rule, Count):
        return lambda row: (row,)
    path = rule.path
    if path == "channel":
        return lambda row: (row.channel,)
    if path == "category":
        return lambda row: row.categories
    if path == "day":
        return lambda row: (day_number(row.at),)
    if rule.figure in {"first", "last", "distinct"}:
        return lambda row: () if row.net is None else (row.net,)
    return lambda row: () if row.net is None else (Total(1, row.net, row.net, row.net),)


def _tallied(view: View, key: str, window: Window) -> list[tuple[Reign, Any]]:
    tally = view.tally(key)
    if isinstance(tally, Totals) and window == _EVER:
        return [(_EVER.of_day(0), tally.ever)]
    return [(window.of_day(day), thing) for day, thing in _dated(tally)]


def _dated(tally: Tally | None) -> Iterable[tuple[int, Any]]:
    """What a tally holds, each with its UTC day; in order of time where that matters."""
    found: Iterable[tuple[int, Any]] = ()
    if isinstance(tally, Totals):
        found = sorted(tally.days.items())
    elif isinstance(tally, Values):
        found = ((day, name) for name, day in tally.days.items())
    elif isinstance(tally, Told):
        found = ((day_number(from_millis(tally.at)), tally.value),)
    elif isinstance(tally, DailyTold):
        found = ((day, told.value) for day, told in sorted(tally.days.items()))
    elif isinstance(tally, DailyValues):
        found = ((day, name) for day, names in tally.days.items() for name in names)
    elif isinstance(tally, Instants):
        raise TypeError("a sequence's tally under an aggregate's key")
    return found


_EVER = Window()


def _by_threshold(operations: Sequence[tuple[str, Any]], setting: Setting, reaching: Callable[..., Writer]) -> Writer:
    """Bounds on a whole quantity, each as "reaches k" or not: `reaching(k, reached)` writes either."""
    parts: list[Writer] = []
    for operator, operand in operations:
        threshold = setting.resolved(operand)
        low, high = threshold if operator == "between" else (threshold, threshold)
        if operator in {"at_least", "equals", "between"}:
            parts.append(reaching(low, reached=True))
        elif operator == "above":
            parts.append(reaching(low + 1, reached=True))
        if operator in {"at_most", "equals", "between"}:
            parts.append(reaching(high + 1, reached=False))
        elif operator == "below":
            parts.append(reaching(high, reached=False))
    return combined(parts, decisive=False)


def _leaving(edge: str, within: timedelta | None, sink: Sink, *, reached: bool) -> Lines:
    """What reaches its bound does so until `edge`, for good where there is no window."""
    if within is None:
        return sink.fixed(verdict=reached)
    coming = sink.until("edge", verdict=reached)
    return [*edge_at(edge), *either("now < edge", coming, sink.fixed(verdict=not reached))]


def _orders_reaching(mark: str | None, within: timedelta | None, threshold: int, *, reached: bool) -> Writer:
    if threshold <= 0:
        return steady(lambda module: str(reached))  # noqa: ARG005 - no window holds fewer than none

    def write(module: Module, sink: Sink) -> Lines:
        times = "facts.times" if mark is None else f"facts.totals({module.constant(mark)})[0]"
        # The order leaves whose leaving breaks "at least k".
        enough = _leaving(f"times[-{threshold:d}] + {module.constant(within)}", within, sink, reached=reached)
        short = sink.fixed(verdict=not reached)
        return [f"times = {times}", *either(f"len(times) < {threshold:d}", short, enough)]

    return write


def _events_reaching(event: str, within: timedelta | None, threshold: int, *, reached: bool) -> Writer:
    if threshold <= 0:
        return steady(lambda module: str(reached))  # noqa: ARG005 - as above
    if within is None:
        sign = ">=" if reached else "<"
        return steady(lambda module: f"facts.view.count({module.constant(event)}) {sign} {threshold:d}")
    span = within // timedelta(days=1)

    def write(module: Module, sink: Sink) -> Lines:
        # A day counts until the end of the one that lies `span` after it.
        edge = f"{module.constant(_start_of)}(days[breaking] + {span + 1})"
        return [
            f"days, running = facts.running_days({module.constant(event)})",
            f"breaking = {module.constant(bisect_left)}(running, {threshold:d})",
            *either(
                "breaking == len(days)",
                sink.fixed(verdict=not reached),
                _leaving(edge, within, sink, reached=reached),
            ),
        ]

    return write


def _revenue_reaching(mark: str | None, within: timedelta | None, threshold: int, *, reached: bool) -> Writer:
    def write(module: Module, sink: Sink) -> Lines:
        totals = "facts.times, facts.sums" if mark is None else f"facts.totals({module.constant(mark)})"
        edge = f"times[leaving - 1] + {module.constant(within)}"
        enough = either(
            "leaving == len(sums)", sink.fixed(verdict=reached), _leaving(edge, within, sink, reached=reached)
        )
        return [
            f"times, sums = {totals}",
            # The first `leaving` orders must have left for the rest to fall short; nets are not negative, so sums grow.
            f"leaving = {module.constant(bisect_right)}(sums, sums[-1] - {threshold:d})",
            *either("leaving == 0", sink.fixed(verdict=not reached), enough),
        ]

    return write


def measured(rule: Measure | Count | Aggregate, view: View, now: datetime, setting: Setting | None = None) -> Any:
    """The quantity that an aggregate or a measure is about, now: minor units, thousandths, a number, what was told;
    None where there is none."""
    if isinstance(rule, Measure):
        return _measure(rule, view, now)
    if isinstance(rule, Count) and rule.event != ORDERS and rule.window == _EVER:
        return view.count(feature_of(rule).key if rule.where else rule.event)
    things = [thing for (begins, ends), thing in items_of(rule, setting or Setting())(view) if begins <= now < ends]
    return len_or_sum(rule)(things) if isinstance(rule, Count) else FIGURES[rule.figure](things)


def _measure(measure: Measure, view: View, now: datetime) -> int:
    within = measure.within
    if measure.count is None or measure.count == ORDERS:
        times, sums = view.order_totals()
        gone = 0 if within is None else bisect_right(times, now - within)
        return sums[-1] - sums[gone] if measure.count is None else len(times) - gone
    if within is None:
        return view.count(measure.count)
    oldest = day_number(now) - within // timedelta(days=1)
    return sum(count for day, count in view.days(measure.count).items() if day >= oldest)


__all__ = ["FOREVER", "measured"]
