"""Sequences as SQL: for each last step the shortest way to it, one step back after the other, as the evaluator goes."""

from __future__ import annotations

from datetime import timedelta

from regulars.domain.rules.compile_sequences import apart
from regulars.domain.rules.features import mark_of
from regulars.domain.rules.requirements import feature_of_step
from regulars.domain.rules.sequences import ORDERS, Sequence, Step
from regulars.domain.rules.sql_columns import of_events, series
from regulars.domain.rules.sql_text import Query, condition

_MILLISECOND = timedelta(milliseconds=1)
_STEP = "STRUCT(instant BIGINT, same VARCHAR, place BIGINT)"


@condition.register
def _(rule: Sequence, query: Query) -> str:
    last = len(rule.sequence) - 1
    ways = f"list_transform({_steps(rule.sequence[last], rule.same, query)}, lambda step: {_way(last, last, 'step')})"
    for number in reversed(range(last)):
        before = [f"step.same = way.s{last}.same", f"step.instant <= way.s{number + 1}.instant"]
        if (other := apart(rule)[number]) is not None:
            what = "place" if other[1] else "instant"
            before.append(f"step.{what} < way.s{other[0]}.{what}")
        earlier = f"list_filter({_steps(rule.sequence[number], rule.same, query)}, lambda step: {' AND '.join(before)})"
        way = _way(number, last, f"list_extract({earlier}, -1)")
        ways = f"list_transform({ways}, lambda way: {way})"
    return f"(len(list_filter({ways}, lambda way: {_counts(rule, query)})) > 0)"


def _way(first: int, last: int, newest: str) -> str:
    """A way through the steps from `first` on: what does that, and what the others."""
    done = [newest, *(f"way.s{number}" for number in range(first + 1, last + 1))]
    types = ", ".join(f"s{number} {_STEP}" for number in range(first, last + 1))
    return f"CAST(ROW({', '.join(done)}) AS STRUCT({types}))"


def _steps(step: Step, same: str | None, query: Query) -> str:
    """A step's instants in order, each with what must be the same, and its place."""
    name = series(mark_of(step.where)) if step.event == ORDERS else of_events(feature_of_step(step, same).key)
    return query.column(f"{name}:steps")


def _counts(rule: Sequence, query: Query) -> str:
    """Whether a way through the steps makes the rule hold now."""
    waited = 0 if rule.without is None else rule.without.within // _MILLISECOND
    last = len(rule.sequence) - 1
    began, ended = "way.s0.instant", f"way.s{last}.instant"
    conditions = [f"{began} IS NOT NULL", f"{ended} <= {query.millis - waited}"]
    if rule.span is not None:
        conditions.append(f"{ended} - {began} <= {rule.span // _MILLISECOND}")
    if rule.within is not None:
        conditions.append(f"{ended} > {query.millis - rule.within // _MILLISECOND}")
    if rule.without is not None:
        spoiling = (
            f"list_filter({_steps(rule.without, rule.same, query)}, lambda step: step.same = way.s{last}.same "
            f"AND step.instant > {ended} AND step.instant <= {ended} + {waited})"
        )
        conditions.append(f"len({spoiling}) = 0")
    return " AND ".join(conditions)
