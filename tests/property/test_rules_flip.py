"""Aggregates, sequences and dates against a second evaluator that looks at everything that happened, by the words of
docs/segments.md; and no verdict changes before it is said to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise, product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from regulars.domain.errors import BadInputError
from regulars.domain.plan import plan_of_rules
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.evaluate import CompiledRule
from regulars.domain.rules.tree import parse_rule
from tests.rule_edges import EDGE_RULES, RICH
from tests.rule_histories import Bought, Data, History, edges, order_document, span_of, spans_in
from tests.rule_samples import DAY, NOON, TICK
from tests.rule_strategies import (
    CONTEXT,
    PARAMETERS,
    combined,
    event_leaves,
    histories,
    later,
    order_leaves,
    sequences,
)

zones = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")])
_dates = st.fixed_dictionaries({"field": st.sampled_from(["traits.renews_on", "survey.nps.at"])}).flatmap(
    lambda rule: st.sampled_from(["within_last", "before_last", "within_next", "after_next"]).map(
        lambda operator: {**rule, operator: "3d"}
    )
)
leaves = st.one_of(order_leaves, event_leaves, sequences(), _dates)
OFTEN = settings(
    max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)


class Plainly:
    """A customer's history, looked at as a whole for every question."""

    def __init__(self, history: History, now: datetime, zone: tzinfo) -> None:
        self.history, self.now, self.zone = history, now, zone

    def holds(self, rule: Data) -> bool:
        """The verdict."""
        if "all" in rule:
            return all(map(self.holds, rule["all"]))
        if "any" in rule:
            return any(map(self.holds, rule["any"]))
        if "not" in rule:
            return not self.holds(rule["not"])
        if "field" in rule:
            return self._dated(rule)
        if "sequence" in rule:
            return any(self._ways(rule))
        found, scale = self._figure(rule)
        return all(_passes(name, found, said, scale) for name, said in rule.items() if name in _OPERATORS)

    def _dated(self, rule: Data) -> bool:
        value: Any = self.history.values[rule["field"]]
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return False
            value = value if value.tzinfo else value.replace(tzinfo=UTC)
        if not isinstance(value, datetime):
            return False
        (operator,) = rule.keys() - {"field"}
        span = span_of(rule[operator])
        return {
            "within_last": timedelta(0) <= self.now - value < span,
            "before_last": self.now - value >= span,
            "within_next": timedelta(0) < value - self.now <= span,
            "after_next": value - self.now > span,
        }[operator]

    # -- figures

    def _figure(self, rule: Data) -> tuple[Any, int | None]:
        """What an aggregate is, and what its operands are multiplied with (None: they are compared as they are)."""
        name = next(key for key in _FIGURES if key in rule)
        if name == "count":
            return len(self._seen(rule["count"], rule)), 1
        head, _, path = rule[name].rpartition(".")
        if head == "orders":
            return self._of_orders(name, path, rule)
        return self._of_events(name, head.removeprefix("events."), path, rule)

    def _of_orders(self, name: str, path: str, rule: Data) -> tuple[Any, int | None]:
        orders = self._seen("orders", rule)
        values: list[Any] = []
        for bought in sorted(orders, key=_in_order):
            values += {
                "revenue": [bought.net] if bought.is_own else [], "channel": [bought.channel],
                "category": _categories(bought), "day": [bought.at.astimezone(UTC).date()],
            }[path]  # fmt: skip
        scale = 1 if name == "distinct" else 100 if path == "revenue" else None
        return _FIGURES[name](values), scale

    def _of_events(self, name: str, event: str, path: str, rule: Data) -> tuple[Any, int | None]:
        if name in {"first", "last"}:
            ever = [did for did in self._matching(event, rule) if path in did.properties]
            ever.sort(key=lambda did: (did.at, repr(did.properties[path])))
            inside = [did.properties[path] for did in ever if self._in_window(did.at, rule, by_day=True)]
            return _FIGURES[name](inside), None
        values = [did.properties[path] for did in self._seen(event, rule) if path in did.properties]
        if name == "distinct":
            return len({(isinstance(value, bool), value) for value in values}), 1
        return _FIGURES[name]([number for value in values if (number := _thousandths(value)) is not None]), 1000

    def _matching(self, event: str, rule: Data) -> list[Any]:
        where = rule.get("where", {})
        if event == "orders":
            documents = [(bought, order_document(0, bought)) for bought in self.history.bought if not bought.cancelled]
            return [bought for bought, document in documents if _meets(where, document)]
        return [did for did in self.history.did if did.name == event and _meets(where, did.properties)]

    def _seen(self, event: str, rule: Data) -> list[Any]:
        by_day = event != "orders"
        return [what for what in self._matching(event, rule) if self._in_window(what.at, rule, by_day=by_day)]

    # -- windows

    def _in_window(self, at: datetime, rule: Data, *, by_day: bool) -> bool:
        if "during" in rule:
            return self._during(at, rule["during"], by_day=by_day)
        first = datetime.combine(at.date(), time(), UTC) if by_day else at
        last = first + DAY if by_day else at
        if "within" in rule and not self.now < last + span_of(rule["within"]):
            return False
        return "older_than" not in rule or self.now >= first + span_of(rule["older_than"])

    def _during(self, at: datetime, during: Any, *, by_day: bool) -> bool:
        if isinstance(during, dict):
            start = datetime.combine(at.date(), time(), UTC) if by_day else at
            end = start + DAY - TICK if by_day else at
            if by_day and self.now >= start + 401 * DAY:
                return False
            return _instant(during.get("from", "0001-01-01")) <= end and start < _instant(
                during.get("to", "9999-12-31")
            )
        zone = UTC if by_day else self.zone
        unit = _UNIT_NUMBERS.get(during.partition("_")[2], date.toordinal)
        ago = unit(self.now.astimezone(zone).date()) - unit(at.astimezone(zone).date())
        return ago == (1 if during == "yesterday" or during.startswith("last_") else 0)

    # -- sequences

    def _ways(self, rule: Data) -> list[bool]:
        """For each way through all steps whether it counts now; of ways to one last step only the shortest may."""
        same = rule.get("same")
        steps = [[(what, step) for what in self._stepping(step, same)] for step in rule["sequence"]]
        return [
            self._counts(rule, way[0][0].at, way[-1][0].at, self._value(way[0][0], same))
            for way in product(*steps)
            if all(
                one[0].at <= other[0].at and self._value(one[0], same) == self._value(other[0], same)
                for one, other in pairwise(way)
            )
            and all(_is_another(*one, *other) for one, other in combinations(way, 2))
        ]

    def _stepping(self, step: Data, same: str | None) -> list[Any]:
        return [what for what in self._matching(step["event"], step) if same is None or same in what.properties]

    @staticmethod
    def _value(what: Any, same: str | None) -> Any:
        return None if same is None else what.properties[same]

    def _instants(self, step: Data, same: str | None) -> list[tuple[datetime, Any]]:
        return [(what.at, self._value(what, same)) for what in self._stepping(step, same)]

    def _counts(self, rule: Data, began: datetime, ended: datetime, value: Any) -> bool:
        if ended > self.now or ("span" in rule and ended - began > span_of(rule["span"])):
            return False
        if "within" in rule and self.now >= ended + span_of(rule["within"]):
            return False
        if "without" not in rule:
            return True
        over = ended + span_of(rule["without"]["within"])
        spoiling = self._instants(rule["without"], rule.get("same"))
        return self.now >= over and not any(ended < at <= over and other == value for at, other in spoiling)


def _is_another(what: Any, step: Data, further: Any, later_step: Data) -> bool:
    """What does two steps of a sequence is not one event; where they ask for one event differently, the one for the
    later step is later."""
    if step["event"] != later_step["event"]:
        return True
    alike = step.get("where") == later_step.get("where")
    return what is not further if alike else bool(what.at < further.at)


def _in_order(bought: Bought) -> tuple[Any, ...]:
    return bought.at, bought.is_own, bought.net, bought.channel, _categories(bought)


def _categories(bought: Bought) -> list[str]:
    return sorted(bought.categories)


def _thousandths(value: Any) -> int | None:
    if isinstance(value, bool) or value == "dear":
        return None
    return round(Decimal(str(value)) * 1000)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


_UNIT_NUMBERS: dict[str, Callable[[date], int]] = {
    "week": lambda day: (day.toordinal() - 1) // 7,
    "month": lambda day: day.year * 12 + day.month,
    "year": lambda day: day.year,
}
_FIGURES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "count": len,
    "sum": sum,
    "average": lambda values: Fraction(sum(values), len(values)) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "distinct": lambda values: len(set(values)),
}


def _meets(where: Data, document: Data) -> bool:
    for path, asked in where.items():
        if path == "products.category":
            values = [line["category"] for line in document["products"]]
        elif path == "coupons":
            values = document["coupons"]
        else:
            values = [document[path]] if path in document else []
        operators = asked if isinstance(asked, dict) else {"equals": asked}
        if not all(any(_passes(name, value, said, None) for value in values) for name, said in operators.items()):
            return False
    return True


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    return "text" if isinstance(value, str) else "number"


def _alike(one: Any, other: Any) -> bool:
    return one is not None and _kind(one) == _kind(other) and one == other


def _ordered(one: Any, other: Any) -> bool:
    return one is not None and _kind(one) == _kind(other) != "flag"


def _holding(value: Any, text: str) -> bool:
    return isinstance(value, str) and text in value


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "exists": lambda value, said: (value is not None) == said,
    "equals": _alike,
    "not_equals": lambda value, said: not _alike(value, said),
    "above": lambda value, said: _ordered(value, said) and value > said,
    "at_least": lambda value, said: _ordered(value, said) and value >= said,
    "below": lambda value, said: _ordered(value, said) and value < said,
    "at_most": lambda value, said: _ordered(value, said) and value <= said,
    "between": lambda value, said: all(_ordered(value, end) for end in said) and said[0] <= value <= said[1],
    "in": lambda value, said: any(_alike(value, item) for item in said),
    "not_in": lambda value, said: not any(_alike(value, item) for item in said),
    "contains": _holding,
    "not_contains": lambda value, said: not _holding(value, said),
    "contains_any": lambda value, said: any(_holding(value, item) for item in said),
    "starts_with": lambda value, said: isinstance(value, str) and value[: len(said)] == said,
    "ends_with": lambda value, said: isinstance(value, str) and value[-len(said) :] == said,
    "like": lambda value, said: isinstance(value, str) and _like(value, said),
}


def _like(text: str, glob: str) -> bool:
    """By trying every way in which a `*` may match."""
    if not glob:
        return not text
    if glob[0] == "*":
        return any(_like(text[start:], glob[1:]) for start in range(len(text) + 1))
    return bool(text) and glob[0] in {"?", text[0]} and _like(text[1:], glob[1:])


def _passes(operator: str, value: Any, said: Any, scale: int | None) -> bool:
    if scale is not None and operator != "exists":
        said = [_scaled(item, scale) for item in said] if isinstance(said, list) else _scaled(said, scale)
    return _OPERATORS[operator](value, said)


def _scaled(said: Any, scale: int) -> Any:
    return PARAMETERS[said["parameter"]] if isinstance(said, dict) else Decimal(str(said)) * scale


class Asked:
    """A rule about a customer, both ways."""

    def __init__(self, data: Data, history: History, zone: tzinfo) -> None:
        try:
            rule = parse_rule(data, context=CONTEXT)
        except BadInputError:
            assume(False)  # noqa: FBT003 - chance made its own bounds contradict each other
            raise
        self.rule = CompiledRule(rule, Setting(PARAMETERS, zone))
        self.data, self.history, self.zone = data, history, zone
        self.plan = plan_of_rules([rule])

    def plainly(self, now: datetime) -> bool:
        return Plainly(self.history, now, self.zone).holds(self.data)

    def moments(self, now: datetime) -> list[datetime]:
        """Whenever anything may change, and just before."""
        found = edges([self.history], spans_in(self.data))
        if "during" in str(self.data):
            days = [now.date() + timedelta(days=number) for number in range(-1, 35)]
            days += [date(now.year + (now.month + ahead) // 12, (now.month + ahead) % 12 + 1, 1) for ahead in range(14)]
            found |= {datetime.combine(day, time(), zone) for day in days for zone in (UTC, self.zone)}
        return sorted({moment - shift for moment in found for shift in (0 * TICK, TICK) if moment - shift > now})


@OFTEN
@given(combined(leaves, most=2), histories, later, zones)
def test_a_rule_says_what_the_words_say(data: Data, history: History, now: datetime, zone: tzinfo) -> None:
    asked = Asked(data, history, zone)
    view = history.view(asked.plan, now, zone)
    for then in (now, *asked.moments(now)):
        assert asked.rule.verdict(view, then) is asked.plainly(then), (data, then)


@OFTEN
@given(combined(leaves, most=2), histories, later, zones)
def test_no_verdict_changes_before_its_flip(data: Data, history: History, now: datetime, zone: tzinfo) -> None:
    asked = Asked(data, history, zone)
    view = history.view(asked.plan, now, zone)
    verdict, flip = asked.rule.verdict(view, now), asked.rule.next_flip(view, now)
    assert flip is None or flip > now
    for moment in asked.moments(now):
        if flip is not None and moment >= flip:
            break
        assert asked.plainly(moment) is verdict, (data, moment, flip)


@OFTEN
@given(leaves, histories, later, zones)
def test_a_single_question_flips_at_the_very_instant(data: Data, history: History, now: datetime, zone: tzinfo) -> None:
    asked = Asked(data, history, zone)
    if sum(name in _OPERATORS for name in data) > 1 or {"equals", "between"} & data.keys():
        return  # two bounds are two leaves
    flip = asked.rule.next_flip(history.view(asked.plan, now, zone), now)
    if flip is not None:
        assert asked.plainly(flip) is not asked.plainly(flip - TICK), data


@pytest.mark.parametrize("data", EDGE_RULES, ids=str)
def test_at_every_edge_of_a_rich_history(data: Data) -> None:
    asked = Asked(data, RICH, ZoneInfo("Europe/Berlin"))
    view = RICH.view(asked.plan, NOON, asked.zone)
    verdicts = [(then, asked.rule.verdict(view, then)) for then in (NOON, *asked.moments(NOON))]
    assert verdicts == [(then, asked.plainly(then)) for then, _ in verdicts]
    turns = [then for (_, before), (then, after) in pairwise(verdicts) if before is not after]
    flips, now = [], NOON
    while (flip := asked.rule.next_flip(view, now)) is not None:
        flips.append(flip)
        now = flip
    assert set(turns) <= set(flips)
