"""Compiling sequences: each way through the steps that counts makes the rule hold for one stretch of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
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


def apart(rule: Sequence) -> list[tuple[int, bool] | None]:
    """For each step the next one of the same event, which another event must do, and whether both ask alike: then
    it is another one of the same list. Else the lists do not tell which events they share, and it must be earlier."""
    asked = [_asked(step, rule.same) for step in rule.sequence]
    found: list[tuple[int, bool] | None] = []
    for number, (event, key) in enumerate(asked):
        other = next((after for after in range(number + 1, len(asked)) if asked[after][0] == event), None)
        found.append(None if other is None else (other, asked[other][1] == key))
    return found


def _asked(step: Step, same: str | None) -> tuple[str, str | None]:
    return step.event, mark_of(step.where) if step.event == ORDERS else feature_of_step(step, same).key


def _through(rule: Sequence, steps: Many[Times], spoiling: Times) -> Iterator[Reign]:
    others = apart(rule)
    for place, last in enumerate(steps[-1]):
        first = _latest_start(steps, others, place)
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


def _latest_start(steps: Many[Times], others: Many[tuple[int, bool] | None], place: int) -> datetime | None:
    """The first step of the shortest way to the last step's event at `place`: each step as late as it can be."""
    places = [place] * len(steps)
    for number in reversed(range(len(steps) - 1)):
        times, other = steps[number], others[number]
        reach = bisect_right(times, steps[number + 1][places[number + 1]])
        if other is not None:
            step, alike = other
            reach = min(reach, places[step] if alike else bisect_left(times, steps[step][places[step]]))
        if not reach:
            return None
        places[number] = reach - 1
    return steps[0][places[0]]
