"""Compiled rules against a second evaluator, written for plainness, and against a brute-force search for flips."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.domain.instants import day_number, day_start
from regulars.domain.rules.compile import Setting
from regulars.domain.rules.evaluate import CompiledRule
from regulars.domain.rules.tree import parse_rule
from tests.rule_samples import DAY, NOON, TICK, FakeView
from tests.rule_strategies import accepted

HORIZON = 120
_OPERATORS: dict[str, Any] = {
    "equals": lambda value, bound: value == bound,
    "above": lambda value, bound: value > bound,
    "at_least": lambda value, bound: value >= bound,
    "below": lambda value, bound: value < bound,
    "at_most": lambda value, bound: value <= bound,
}

quarter_days = st.integers(0, HORIZON * 4).map(lambda quarters: NOON - quarters * DAY / 4)
windows = st.sampled_from(["12h", "1d", "3d", "10d", "30d", "9w"])
bounds = st.sampled_from(["6h", "2d", "10d", "30d", "60d"])
small = st.integers(0, 5)


@st.composite
def views(draw: st.DrawFn) -> FakeView:
    """A customer with a handful of orders, browsing on a handful of days, and perhaps a cart."""
    orders = draw(st.lists(st.tuples(quarter_days, st.integers(0, 3000)), max_size=6))
    viewed = draw(
        st.dictionaries(st.integers(0, 70).map(lambda age: day_number(NOON) - age), st.integers(1, 3), max_size=5)
    )
    touched = draw(st.none() | quarter_days)
    values = {"cart.open": touched is not None, "cart.last_at": touched}
    return FakeView(values, orders=orders, days={"Product Viewed": viewed})


def _operators(operands: st.SearchStrategy[Any], names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names), operands, min_size=1, max_size=2)


_dynamic = st.fixed_dictionaries(
    {
        "times": st.sampled_from([Decimal("0.5"), 1, Decimal("2.5")]),
        "of": st.just("orders.average_gap"),
        "min": st.sampled_from(["1d", "5d"]),
        "max": st.sampled_from(["5d", "40d"]),
    }
)
_numeric = ("equals", "above", "at_least", "below", "at_most")
leaves: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda ops: {"field": "orders.count", **ops}, _operators(small, _numeric)),
    st.builds(lambda flag: {"field": "cart.open", "equals": flag}, st.booleans()),
    st.builds(lambda within, ops: {"count": "orders", "within": within, **ops}, windows, _operators(small, _numeric)),
    st.builds(
        lambda within, ops: {"count": "Product Viewed", "within": within, **ops},
        st.sampled_from(["1d", "3d", "30d"]),
        _operators(small, _numeric),
    ),
    st.builds(
        lambda within, ops: {"sum": "orders.revenue", "within": within, **ops},
        windows,
        _operators(st.integers(0, 60), _numeric[1:]),
    ),
    st.builds(
        lambda field, ops: {"since": field, **ops},
        st.sampled_from(["orders.last_at", "cart.last_at"]),
        _operators(bounds | _dynamic, ("at_least", "below")),
    ),
).filter(accepted)
rules = st.recursive(
    leaves,
    lambda children: st.one_of(
        st.lists(children, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(children, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        children.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
instants = st.integers(0, 2 * HORIZON * 24).map(lambda hours: NOON + hours * DAY / 24)


def _duration(text: str) -> timedelta:
    return int(text[:-1]) * {"h": DAY / 24, "d": DAY, "w": 7 * DAY}[text[-1]]


def plainly(rule: dict[str, Any], view: FakeView, now: datetime) -> bool:
    """The verdict by the words of docs/segments.md, looking at every order and every day."""
    if "all" in rule:
        return all(plainly(child, view, now) for child in rule["all"])
    if "any" in rule:
        return any(plainly(child, view, now) for child in rule["any"])
    if "not" in rule:
        return not plainly(rule["not"], view, now)
    if "since" in rule:
        return _elapsed_plainly(rule, view, now)
    found = _found_plainly(rule, view, now)
    return all(_OPERATORS[name](found, rule[name]) for name in rule if name in _OPERATORS)


def _found_plainly(rule: dict[str, Any], view: FakeView, now: datetime) -> Any:
    if "field" in rule:
        return view.value(rule["field"])
    within = _duration(rule["within"])
    if "sum" in rule:
        return Decimal(sum(net for placed_at, net in view.orders if now < placed_at + within)) / 100
    if rule["count"] == "orders":
        return len([1 for placed_at, _ in view.orders if now < placed_at + within])
    return sum(count for day, count in view.days(rule["count"]).items() if now < day_start(day) + DAY + within)


def _elapsed_plainly(rule: dict[str, Any], view: FakeView, now: datetime) -> bool:
    instant = view.value(rule["since"])
    if not isinstance(instant, datetime):
        return False
    verdicts = []
    for name in ("at_least", "below"):
        bound = rule.get(name)
        if bound is None:
            continue
        if isinstance(bound, dict):
            gap: Any = view.value(bound["of"])
            least, most = _duration(bound["min"]), _duration(bound["max"])
            seconds = least if gap is None else timedelta(seconds=int(float(bound["times"]) * gap.total_seconds()))
            bound_length = min(max(seconds, least), most)
        else:
            bound_length = _duration(bound)
        verdicts.append(now - instant >= bound_length if name == "at_least" else now - instant < bound_length)
    return all(verdicts)


def compiled_rule(data: dict[str, Any]) -> CompiledRule | None:
    """The rule ready to run; None where chance made its own bounds contradict each other."""
    for part in _bounds_in(data):
        if _duration(part["max"]) < _duration(part["min"]):
            return None
    return CompiledRule(parse_rule(data), Setting())


def _bounds_in(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, list):
        return [found for item in data for found in _bounds_in(item)]
    if not isinstance(data, dict):
        return []
    return [data] if "times" in data else [found for item in data.values() for found in _bounds_in(item)]


@settings(max_examples=300, deadline=None)
@given(rules, views(), instants)
def test_a_compiled_rule_says_what_the_words_say(data: dict[str, Any], view: FakeView, now: datetime) -> None:
    rule = compiled_rule(data)
    assert rule is None or rule.verdict(view, now) is plainly(data, view, now)


def _moments(view: FakeView) -> list[datetime]:
    """Every quarter of a day from NOON until everything has aged out: all edges lie on these, save a rhythm's own."""
    quarters = [NOON + n * DAY / 4 for n in range(2 * HORIZON * 4)]
    gap: Any = view.value("orders.average_gap")
    last: Any = view.value("orders.last_at")
    own = []
    if gap is not None:
        for base in (last, view.value("cart.last_at")):
            if isinstance(base, datetime):
                own += [base + timedelta(seconds=int(times * gap.total_seconds())) for times in (0.5, 1, 2.5)]
    return sorted(moment + shift for moment in (*quarters, *own) for shift in (-TICK, 0 * TICK) if moment >= NOON)


@settings(max_examples=120, deadline=None)
@given(rules, views(), instants)
def test_no_verdict_changes_before_its_flip(data: dict[str, Any], view: FakeView, now: datetime) -> None:
    rule = compiled_rule(data)
    if rule is None:
        return
    verdict, flip = rule.verdict(view, now), rule.next_flip(view, now)
    assert flip is None or flip > now
    for moment in _moments(view):
        if now < moment and (flip is None or moment < flip):
            assert rule.verdict(view, moment) is verdict


@settings(max_examples=200, deadline=None)
@given(leaves, views(), instants)
def test_a_single_rule_flips_at_the_very_instant(data: dict[str, Any], view: FakeView, now: datetime) -> None:
    rule = compiled_rule(data)
    if rule is None or sum(name in _OPERATORS for name in data) > 1:
        return  # two bounds are two leaves
    flip = rule.next_flip(view, now)
    if flip is not None and data.get("equals") is None:
        assert rule.verdict(view, flip) is not rule.verdict(view, flip - TICK)
