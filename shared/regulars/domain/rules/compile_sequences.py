"""Compiling sequences: each way through the steps that counts makes the rule hold for one stretch of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from datetime import datetime

from regulars.domain.instants import from_millis, later
from regulars.domain.rules.compiling import Facts, Setting, Verdict, by_reigns
from regulars.domain.rules.features import mark_of
from regulars.domain.rules.requirements import feature_of_step
from regulars.domain.rules.sequences import ORDERS, Sequence, Step
from regulars.domain.rules.view import View
from regulars.domain.rules.windows import FOREVER, Reign
from regulars.domain.rules.writing import Writer, calling, written
from regulars.domain.tallies import Instants

Times = Many[datetime]


@written.register
def _(rule: Sequence, setting: Setting) -> Writer:  # noqa: ARG001 - one signature for all nodes
    def run(facts: Facts, now: datetime) -> Verdict:
        return by_reigns([(reign, True) for reign in reigns_of(rule, facts.view)], bool, now)

    return calling(run)


def reigns_of(rule: Sequence, view: View) -> list[Reign]:
    """When the sequence holds, for each last step that ends one."""
    steps = [_times_of(step, rule.same, view) for step in rule.sequence]
    spoiling = _times_of(rule.without, rule.same, view) if rule.without else {}
    return [
        reign
        for value in steps[0]
        for reign in _through(rule, [of.get(value, ()) for of in steps], spoiling.get(value, ()))
    ]


def _times_of(step: Step, same: str | None, view: View) -> Mapping[str, Times]:
    """The instants of a step, ascending, by what is the same in them."""
    if step.event == ORDERS:
        return {"": [row.at for row in view.order_rows(mark_of(step.where))]}
    tally = view.tally(feature_of_step(step, same).key)
    found: dict[str, list[datetime]] = {}
    for millis, value in tally.at if isinstance(tally, Instants) else ():
        found.setdefault(value, []).append(from_millis(millis))
    return found


def _through(rule: Sequence, steps: Many[Times], spoiling: Times) -> Iterator[Reign]:
    for last in steps[-1]:
        first = _latest_start(steps[:-1], last)
        if first is None or (rule.span is not None and last - first > rule.span):
            continue
        ends = FOREVER if rule.within is None else later(last, rule.within)
        if rule.without is None:
            yield last, ends
            continue
        after = bisect_right(spoiling, last)
        over = later(last, rule.without.within)
        if after == len(spoiling) or spoiling[after] > over:
            yield over, ends


def _latest_start(steps: Many[Times], end: datetime) -> datetime | None:
    """The first step of the shortest way to `end`: each step as late as it can be."""
    for times in reversed(steps):
        place = bisect_right(times, end)
        if not place:
            return None
        end = times[place - 1]
    return end
