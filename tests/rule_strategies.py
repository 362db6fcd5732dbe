"""Hypothesis strategies for rules of every kind, and for customers with a history that the rules look into."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from regulars.domain.errors import BadInputError
from regulars.domain.instants import iso
from regulars.domain.rules.fields import CHOICES, OPERATORS, TIMED, Kind, field_kind
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.tree import parse_rule
from tests.rule_histories import CURRENCY, Bought, Data, Did, History
from tests.rule_samples import DAY, HOUR, NOON, TICK

HORIZON = 40
EVENTS = ("Product Viewed", "Product Viewed", "Product Added", "product viewed")
CONTEXT = RuleContext(
    currency=CURRENCY,
    parameters={"much": Kind.MONEY, "many": Kind.NUMBER},
    churn_bands=frozenset({"low", "high"}),
    segments=frozenset({"base", "further"}),
)
PARAMETERS = {"much": 2_000, "many": 2}

_categories = st.sampled_from(["Dresses", "Shoes", "100%_Wool!"])
_products = st.sampled_from(["p", "q"])
_quarters = st.integers(0, HORIZON * 4).map(lambda quarters: NOON - quarters * DAY / 4)
_recent = st.integers(0, 25).map(lambda steps: NOON - steps * 6 * HOUR)
moments = _quarters | _recent | st.builds(lambda at, ticks: at - ticks * TICK, _recent, st.integers(0, 2))


_prices = st.sampled_from([0, 5, 19.99, 20, "20", 33.333, "dear"])
_properties = st.fixed_dictionaries(
    {}, optional={"price": _prices, "category": _categories, "product_id": _products, "gift": st.booleans()}
)
_did = st.builds(Did, moments, st.sampled_from(EVENTS), _properties)
_bought = st.builds(
    Bought, moments, st.integers(0, 3_000), st.sampled_from([0, 0, 500]), st.sampled_from(["online", "store"]),
    st.sampled_from([(), ("TEN",)]), st.lists(_categories, max_size=2, unique=True).map(tuple),
    st.sampled_from([False, False, False, True]), st.sampled_from([CURRENCY, CURRENCY, CURRENCY, "USD"]),
)  # fmt: skip

_ENDS = ("9999-12-31", "0001-01-01")
_texts = st.sampled_from(
    ["gold", "Gold", "50% off", "a_b", "it's", "", "2026-11-20", "2026-11-25T10:00:00+02:00", "é😀!", "[x]", *_ENDS]
)
_numbers = st.sampled_from([0, 1, 2, -3, 0.5, 1.0, 2.5])
_scalars = _texts | _numbers | st.booleans()
_dates = st.integers(-40, 40).map(lambda days: NOON + days * DAY / 2)
_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.NUMBER: st.integers(0, 10),
    Kind.MONEY: st.integers(0, 4_000),
    Kind.DECIMAL: st.integers(0, 3_000),
    Kind.RATIO: st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.3, 1.0]),
    Kind.INSTANT: moments,
    Kind.DURATION: st.integers(0, 90 * 24 * 3_600_000_003).map(lambda micros: timedelta(microseconds=micros)),
    Kind.FLAG: st.booleans(),
    Kind.TEXT: _texts.filter(bool),
    Kind.TEXTS: st.lists(_texts.filter(bool), min_size=1, max_size=3, unique=True).map(tuple),
    Kind.TRAIT: _scalars,
}
_TRAITS = ("traits.plan", "traits.Plan", "traits.renews_on")
_FIELDS = (
    "orders.count", "orders.revenue", "orders.average_value", "orders.average_gap", "orders.last_at", "orders.first_at",
    "orders.weekday", "orders.hour", "orders.months", "orders.coupon_share", "orders.category", "orders.categories",
    "geo.city", "cart.open", "cart.value", "cart.last_at", "first_seen", "last_seen", "consent.email",
    "consent.sms", "reachable.email", "survey.nps.score", "survey.nps.at", *_TRAITS, "events.Product Viewed.count",
    "events.product viewed.last_at", "scores.churn_probability", "scores.predicted_number_of_orders",
    "rfm.shopify_group",
)  # fmt: skip
_GIVEN = tuple(
    field for field in _FIELDS if not field.startswith(("orders.", "events.", "cart.", "first_", "last_"))
)  # fmt: skip


def _value_of(field: str) -> st.SearchStrategy[Any]:
    kind = field_kind(field)
    values = st.sampled_from(sorted(CHOICES[field])) if kind is Kind.CHOICE else _VALUES[kind]
    return st.none() | values


histories = st.builds(
    History,
    st.integers(0, 10_000).map(lambda number: f"u_{number}"),
    st.lists(_did, max_size=9).map(tuple),
    st.lists(_bought, max_size=5).map(tuple),
    st.fixed_dictionaries(
        {field: _value_of(field) for field in (*_GIVEN, "cart.last_at", "cart.open")},
        optional={"orders.average_gap": _value_of("orders.average_gap")},
    ),
)

# -- rules

_spans = st.sampled_from(["12h", "1d", "3d", "10d", "30d", "9w"])
_days = st.sampled_from(["1d", "3d", "30d"])
_this = st.sampled_from(["today", "this_week", "this_month", "this_year"])
_units = _this | st.sampled_from(["yesterday", "last_week", "last_month"])
_between_dates = st.tuples(_dates, _dates).filter(lambda pair: pair[0] < pair[1]).map(
    lambda pair: {"from": iso(pair[0]), "to": iso(pair[1])}
) | st.sampled_from([{"from": "2026-11-01"}, {"to": "2026-11-20"}])  # fmt: skip
_BACK = {"within": "30d", "older_than": "12h"}
order_windows: st.SearchStrategy[Data] = st.one_of(
    st.just({}), _spans.map(lambda span: {"within": span}), _spans.map(lambda span: {"older_than": span}),
    st.just(_BACK), (_units | st.just("last_year") | _between_dates).map(lambda during: {"during": during}),
)  # fmt: skip
event_windows: st.SearchStrategy[Data] = st.one_of(
    st.just({}), _days.map(lambda span: {"within": span}),
    _days.map(lambda span: {"within": "400d", "older_than": span}), st.just({"within": "30d", "older_than": "3d"}),
    (_units | _between_dates.filter(lambda dates: "from" in dates)).map(lambda during: {"during": during}),
)  # fmt: skip
# Of texts every day is kept, and that is bounded: dates, and 400 days, would be too much.
event_text_windows: st.SearchStrategy[Data] = st.one_of(
    st.just({}), _days.map(lambda span: {"within": span}),
    _days.filter(lambda span: span != "30d").map(lambda span: {"within": "30d", "older_than": span}),
    _units.map(lambda during: {"during": during}),
)  # fmt: skip
_order_where = st.sampled_from(
    [{}, {}, {}, {"channel": "store"}, {"coupons": {"exists": True}}, {"products.category": "Dresses"}]
).map(lambda where: {"where": where} if where else {})  # fmt: skip
_event_where = st.sampled_from(
    [{}, {}, {}, {"category": "Dresses"}, {"price": {"at_least": 20}}, {"gift": True, "price": {"below": 30}}]
).map(lambda where: {"where": where} if where else {})  # fmt: skip


def _pairs(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=2, max_size=2).map(lambda pair: sorted(pair, key=_rank))


def _rank(value: Any) -> tuple[bool, Any]:
    """Amounts may be written as texts."""
    try:
        return False, float(value)
    except ValueError:
        return True, value


def operations(kind: Kind, values: st.SearchStrategy[Any], *, names: frozenset[str] | None = None) -> Any:
    """One or two operators of a kind with operands that fit."""
    lists = st.lists(values, min_size=1, max_size=3)
    words = _texts.filter(bool)
    operands: dict[str, st.SearchStrategy[Any]] = {
        "exists": st.booleans(), "in": lists, "not_in": lists, "between": _pairs(values), "contains": words,
        "not_contains": words, "contains_any": st.lists(words, min_size=1, max_size=2), "starts_with": words,
        "ends_with": words, "like": st.sampled_from(["*old", "?old", "50%*", "a_?", "*", "[x]", "é?!*"]),
        "before": _dates.map(iso), "after": _dates.map(iso), **dict.fromkeys(TIMED, _spans),
    }  # fmt: skip
    if kind in {Kind.TRAIT, Kind.PROPERTY}:
        operands["between"] = _pairs(_numbers) | _pairs(_texts.filter(bool))
    known = sorted(OPERATORS[kind] if names is None else names)
    one = st.sampled_from(known).flatmap(lambda name: st.tuples(st.just(name), operands.get(name, values)))
    return st.lists(one, min_size=1, max_size=2, unique_by=lambda pair: pair[0]).map(dict)


_amounts = st.sampled_from([0, 5, "10.00", "20.01", 40])
_money = operations(Kind.MONEY, _amounts) | st.just({"at_least": {"parameter": "much"}})
_counts = operations(Kind.NUMBER, st.integers(0, 4), names=OPERATORS[Kind.MONEY] - {"exists"}) | st.just(
    {"below": {"parameter": "many"}}
)
_whole = operations(Kind.NUMBER, st.integers(0, 4))
_decimals = operations(Kind.DECIMAL, st.sampled_from([0, 5, 19.99, 20, 25, 33.333]))
_text_of_orders = operations(Kind.TEXT, st.sampled_from(["online", "store", "Dresses", "Shoes"]))
_property = operations(Kind.PROPERTY, _scalars | _categories)


def _said(subject: str, measures: st.SearchStrategy[str], *parts: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    return st.builds(
        lambda measure, *found: {subject: measure} | {key: said for part in found for key, said in part.items()},
        measures, *parts,
    )  # fmt: skip


def _property_of(paths: Sequence[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda event, path: f"events.{event}.{path}", st.sampled_from(EVENTS), st.sampled_from(paths))


def accepted(data: Data) -> bool:
    """Not what the language refuses because nothing can be both; any other refusal is for whoever parses the draw."""
    try:
        parse_rule(data, context=CONTEXT)
    except BadInputError as error:
        return "nothing can be both" not in error.detail
    return True


_orders, _revenue = st.just("orders"), st.just("orders.revenue")
_prices_of = _property_of(["price"])
_any_of = _property_of(["price", "category", "gift"])
_texts_of = st.sampled_from(["orders.channel", "orders.category"])
order_leaves: st.SearchStrategy[Data] = st.one_of(
    _said("count", _orders, order_windows, _order_where, _counts),
    *(_said(name, _revenue, order_windows, _order_where, _money) for name in ("sum", "average", "min", "max", "last")),
    _said(
        "distinct", _texts_of | st.sampled_from(["orders.day", "orders.revenue"]), order_windows, _order_where, _whole
    ),
    *(_said(name, _texts_of, order_windows, _order_where, _text_of_orders) for name in ("first", "last")),
).filter(accepted)
event_leaves: st.SearchStrategy[Data] = st.one_of(
    _said("count", st.sampled_from(EVENTS), event_windows, _event_where, _counts),
    *(_said(name, _prices_of, event_windows, _event_where, _decimals) for name in ("sum", "average", "min", "max")),
    _said("distinct", _any_of, event_text_windows, _event_where, _whole),
    _said("first", _any_of, event_text_windows, _event_where, _property),
    _said("last", _any_of, event_text_windows, _event_where, _property),
).filter(accepted)
_event_step = st.builds(lambda event, where: {"event": event, **where}, st.sampled_from(EVENTS), _event_where)
_order_step = st.builds(lambda where: {"event": "orders", **where}, _order_where)


@st.composite
def sequences(draw: st.DrawFn) -> Data:
    """A sequence of one to three steps."""
    same = draw(st.sampled_from([None, None, "product_id"]))
    step = _event_step if same else _event_step | _order_step
    without = draw(st.none() | step)
    rule: Data = {"sequence": draw(st.lists(step, min_size=1 if without else 2, max_size=3))}
    if same:
        rule["same"] = same
    if without:
        rule["without"] = {**without, "within": draw(st.sampled_from(["3h", "1d"]))}
    if span := draw(st.sampled_from([None, "6h", "10d"])):
        rule["span"] = span
    if within := draw(st.sampled_from([None, "3d", "30d"])):
        rule["within"] = within
    return rule


_OPERANDS: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.NUMBER: st.integers(0, 10), Kind.MONEY: _amounts, Kind.RATIO: _VALUES[Kind.RATIO],
    Kind.DECIMAL: st.sampled_from([0, 0.5, 1.25, 2]),
    Kind.INSTANT: _dates.map(iso), Kind.DURATION: _spans, Kind.FLAG: st.booleans(), Kind.TEXT: _texts.filter(bool),
    Kind.TEXTS: _texts.filter(bool), Kind.TRAIT: _scalars,
}  # fmt: skip
_SCALAR = frozenset({"equals", "not_equals", "above", "at_least", "below", "at_most", "before", "after"})


@st.composite
def comparisons(draw: st.DrawFn) -> Data:
    """A field beside constants, or beside another field of its kind."""
    field = draw(st.sampled_from(_FIELDS))
    kind = field_kind(field)
    others = [other for other in _FIELDS if other != field and field_kind(other) is kind]
    if others and kind is not Kind.TEXTS and draw(st.integers(0, 3)) == 0:
        operator = draw(st.sampled_from(sorted(OPERATORS[kind] & _SCALAR)) if OPERATORS[kind] & _SCALAR else st.none())
        if operator:
            return {"field": field, operator: {"field": draw(st.sampled_from(others))}}
    values = st.sampled_from(sorted(CHOICES[field])) if kind is Kind.CHOICE else _OPERANDS[kind]
    if kind is Kind.DURATION:  # texts that do not sort as they last
        return {"field": field, **draw(operations(kind, values, names=OPERATORS[kind] - {"between"}))}
    return {"field": field, **draw(operations(kind, values))}


multiples = st.fixed_dictionaries(
    {
        "times": st.sampled_from(["0.5", 1, "2.5", "1.234567"]), "of": st.just("orders.average_gap"),
        "min": st.sampled_from(["1d", "5d"]), "max": st.sampled_from(["5d", "40d"]),
    }
)  # fmt: skip
elapsed: st.SearchStrategy[Data] = st.builds(
    lambda field, bounds: {"since": field, **bounds},
    st.sampled_from(["orders.last_at", "cart.last_at", "first_seen", "survey.nps.at"]),
    st.dictionaries(st.sampled_from(["at_least", "below"]), _spans | multiples, min_size=1),
).filter(accepted)
shares: st.SearchStrategy[Data] = st.builds(
    lambda name, below: {"random": name, "below": below}, st.sampled_from(["spring", "fall"]), st.sampled_from([10, 50])
)
plain_leaves = st.one_of(order_leaves, event_leaves, sequences(), comparisons().filter(accepted), elapsed, shares)


def combined(leaves: st.SearchStrategy[Data], *, most: int = 4) -> st.SearchStrategy[Data]:
    """Leaves, and what `all`, `any` and `not` make of them."""
    return st.recursive(
        leaves,
        lambda children: st.one_of(
            st.lists(children, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(children, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            children.map(lambda part: {"not": part}),
        ),
        max_leaves=most,
    )


named_leaves = st.one_of(
    st.sampled_from(["base", "further"]).map(lambda name: {"segment": name}),
    operations(Kind.CHOICE, st.sampled_from(["low", "high"])).map(lambda asked: {"field": "churn_band", **asked}),
)
rules = combined(st.one_of(plain_leaves, plain_leaves, plain_leaves, named_leaves))
later = st.integers(0, 10 * 24).map(lambda hours: NOON + hours * HOUR) | st.integers(0, 90).map(
    lambda days: NOON + days * DAY
)
