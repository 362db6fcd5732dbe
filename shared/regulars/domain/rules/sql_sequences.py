"""Sequences as SQL: for each last step the shortest way to it, one step back after the other, as the evaluator goes."""

from __future__ import annotations

from datetime import timedelta

from regulars.domain.rules.features import mark_of
from regulars.domain.rules.requirements import feature_of_step
from regulars.domain.rules.sequences import ORDERS, Sequence, Step
from regulars.domain.rules.sql_columns import of_events, series
from regulars.domain.rules.sql_text import Query, condition

_MILLISECOND = timedelta(milliseconds=1)
_WAY = "STRUCT(ended BIGINT, began BIGINT, same VARCHAR)"


@condition.register
def _(rule: Sequence, query: Query) -> str:
    *others, last = rule.sequence
    ends = _way("step.instant", "step.instant", "step.same")
    ways = f"list_transform({_steps(last, rule.same, query)}, lambda step: {ends})"
    for step in reversed(others):
        before = "step.same = way.same AND step.instant <= way.began"
        earlier = f"list_filter({_steps(step, rule.same, query)}, lambda step: {before})"
        newest = f"list_max(list_transform({earlier}, lambda step: step.instant))"
        ways = f"list_transform({ways}, lambda way: {_way('way.ended', newest, 'way.same')})"
    return f"(len(list_filter({ways}, lambda way: {_counts(rule, query)})) > 0)"


def _way(ended: str, began: str, same: str) -> str:
    return f"CAST(ROW({ended}, {began}, {same}) AS {_WAY})"


def _steps(step: Step, same: str | None, query: Query) -> str:
    """A step's instants, each with what must be the same."""
    if step.event == ORDERS:
        at = query.column(f"{series(mark_of(step.where))}:at")
        return f"list_transform({at}, lambda moment: CAST(ROW(moment, '') AS STRUCT(instant BIGINT, same VARCHAR)))"
    return query.column(f"{of_events(feature_of_step(step, same).key)}:steps")


def _counts(rule: Sequence, query: Query) -> str:
    """Whether a way through the steps makes the rule hold now."""
    waited = 0 if rule.without is None else rule.without.within // _MILLISECOND
    conditions = ["way.began IS NOT NULL", f"way.ended <= {query.millis - waited}"]
    if rule.span is not None:
        conditions.append(f"way.ended - way.began <= {rule.span // _MILLISECOND}")
    if rule.within is not None:
        conditions.append(f"way.ended > {query.millis - rule.within // _MILLISECOND}")
    if rule.without is not None:
        spoiling = (
            f"list_filter({_steps(rule.without, rule.same, query)}, lambda step: step.same = way.same "
            f"AND step.instant > way.ended AND step.instant <= way.ended + {waited})"
        )
        conditions.append(f"len({spoiling}) = 0")
    return " AND ".join(conditions)
