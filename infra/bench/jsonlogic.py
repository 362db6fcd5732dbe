"""The evaluator against JSONLogic compiled in Rust (datalogic-py): same rules, same customers, same answers.

JSONLogic has no windows, so each becomes a filter over the customer's orders or days with a bound that is worked out
beforehand, for this very instant: what it would cost to say "thirty days before now" is left out in its favour. It
knows no other rule's verdict either, so the churn band stands in each segment that names it. Nothing is computed
beforehand for either side, but in the second figure: there both have read the customer.
"""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from functools import singledispatch
from random import Random
from typing import TYPE_CHECKING, Any

import datalogic_py
import orjson

from infra.bench.figures import Figure
from infra.bench.handlers import python_version
from infra.bench.pure import SEGMENTS, large_program
from infra.bench.traffic import START
from regulars.domain.customer import Fragment, customer_of
from regulars.domain.facts import CartLine
from regulars.domain.instants import day_number, to_millis
from regulars.domain.orders import OrderBook, OrderEntry
from regulars.domain.profile import Cart, Counter, Profile, Trait
from regulars.domain.program import Program
from regulars.domain.rules.aggregates import ORDERS, Count, Sum
from regulars.domain.rules.compile import Facts
from regulars.domain.rules.leaves import Compare, Multiple, Since
from regulars.domain.rules.tree import All, AnyOf
from regulars.domain.statements import GRANTED, ConsentRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regulars.domain.customer import Customer
    from regulars.domain.program import CompiledProgram

NOW = START
_NOW = to_millis(NOW)
_CUSTOMERS = 1_000
_REPEATS = 7
_DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
_VIEWED = "Product Viewed"
_SIGNS = {"at_least": ">=", "above": ">", "below": "<", "at_most": "<=", "equals": "==="}
_FIELDS = ("cart.open", "cart.last_at", "reachable.email", "consent.email.at", "orders.last_at", "orders.average_gap")


class Rival:
    """A program's segments in JSONLogic, compiled."""

    def __init__(self, program: Program) -> None:
        engine = datalogic_py.Engine()
        cases = [part for band in program.churn.bands for part in (_logic(band.rule, program), band.name)]
        self._names = [segment.name for segment in program.segments]
        rules = [_with_band(_logic(segment.rule, program), cases) for segment in program.segments]
        self._rules = [engine.compile(json.dumps(rule)) for rule in rules]
        self._session = engine.session()

    def memberships(self, handle: Any) -> frozenset[str]:
        """The segments of a parsed document."""
        found = self._session.evaluate_many(self._rules, handle)
        return frozenset(name for name, verdict in zip(self._names, found, strict=True) if verdict == "true")

    def memberships_of(self, customer: Customer) -> frozenset[str]:
        """The segments of a customer, whose document is made and parsed for it."""
        return self.memberships(parsed(customer))


def parsed(customer: Customer) -> Any:
    """All that the rules may read of a customer, in the form that JSONLogic reads fastest."""
    times, sums = customer.order_totals()
    at = [to_millis(instant) for instant in times]
    document = {
        "at": at,
        "orders": [
            {"at": instant, "net": after - before} for instant, before, after in zip(at, sums, sums[1:], strict=False)
        ],
        "viewed": [{"day": day, "count": count} for day, count in customer.days(_VIEWED).items()],
        **{_key(field): _plain(customer.value(field)) for field in _FIELDS},
    }
    return datalogic_py.DataHandle(orjson.dumps(document).decode())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_millis(value)
    return value / _MILLISECOND if isinstance(value, timedelta) else value


def _key(field: str) -> str:
    return field.replace(".", "_")


def _with_band(logic: Any, cases: list[Any]) -> Any:
    """The band, which JSONLogic cannot keep, in place of its name."""
    text = json.dumps(logic)
    return json.loads(text.replace('{"var": "churn_band"}', json.dumps({"if": [*cases, None]})))


@singledispatch
def _logic(rule: object, program: Program) -> Any:  # noqa: ARG001 - dispatches on the rule
    raise TypeError(f"cannot say {type(rule).__name__} in JSONLogic")


@_logic.register
def _(rule: All, program: Program) -> Any:
    return {"and": [_logic(child, program) for child in rule.rules]}


@_logic.register
def _(rule: AnyOf, program: Program) -> Any:
    return {"or": [_logic(child, program) for child in rule.rules]}


@_logic.register
def _(rule: Compare, program: Program) -> Any:  # noqa: ARG001 - one signature for all
    ((operator, operand),) = rule.operations()
    value = {"var": _key(rule.field)}
    return {"in": [value, list(operand)]} if operator == "in" else {_SIGNS[operator]: [value, operand]}


@_logic.register
def _(rule: Since, program: Program) -> Any:  # noqa: ARG001 - as above
    instant = {"var": _key(rule.since)}
    signs = {"at_least": ">=", "below": "<"}
    bounds = [{signs[name]: [{"-": [_NOW, instant]}, _length(bound)]} for name, bound in rule.operations()]
    return {"and": [instant, *bounds]}


def _length(bound: timedelta | Multiple) -> Any:
    if isinstance(bound, timedelta):
        return bound // _MILLISECOND
    gap, least, most = {"var": _key(bound.of)}, bound.min // _MILLISECOND, bound.max // _MILLISECOND
    own = {"*": [{"floor": [{"/": [{"*": [gap, float(bound.times)]}, 1000]}]}, 1000]}
    return {"if": [gap, {"max": [{"min": [own, most]}, least]}, least]}


@_logic.register
def _(rule: Count, program: Program) -> Any:  # noqa: ARG001 - as above
    if rule.event != ORDERS:
        first = day_number(NOW) - (rule.within or _DAY) // _DAY
        return _bounded(_sum_of({"filter": [{"var": "viewed"}, {">=": [{"var": "day"}, first]}]}, "count"), rule)
    recent: Any = {"var": "at"}
    if rule.within is not None:
        recent = {"filter": [recent, {">": [{"var": ""}, _NOW - rule.within // _MILLISECOND]}]}
    return _bounded({"length": recent}, rule)


@_logic.register
def _(rule: Sum, program: Program) -> Any:
    since = _NOW - (rule.within or _DAY) // _MILLISECOND
    return _bounded(_sum_of({"filter": [{"var": "orders"}, {">": [{"var": "at"}, since]}]}, "net"), rule, program)


def _sum_of(items: Any, part: str) -> Any:
    return {"reduce": [items, {"+": [{"var": "accumulator"}, {"var": f"current.{part}"}]}, 0]}


def _bounded(figure: Any, rule: Count | Sum, program: Program | None = None) -> Any:
    setting = program.compiled.setting if program else None
    resolved = [(name, setting.resolved(bound) if setting else bound) for name, bound in rule.operations()]
    return {"and": [{_SIGNS[name]: [figure, bound]} for name, bound in resolved]}


def customers(program: CompiledProgram, number: int = _CUSTOMERS) -> list[Customer]:
    """Made customers: orders, visits, carts and consents by chance."""
    chance = Random(5)  # noqa: S311 - made-up customers, no secret
    return [_customer(f"u_{index}", chance, program) for index in range(number)]


def _customer(root: str, chance: Random, program: CompiledProgram) -> Customer:
    silent = 400 * chance.random() ** 2
    entries = {
        f"4:shop:o-{index}": OrderEntry(
            1, _ago(silent + 30 * index * chance.random()), chance.randrange(1_000, 9_000), 0, program.currency, "paid",
            False, "online",  # noqa: FBT003 - in order of declaration
        )
        for index in range(min(int(chance.expovariate(1 / 3)), 20))
    }  # fmt: skip
    days = {day_number(NOW) - chance.randrange(300): chance.randrange(1, 5) for _ in range(chance.randrange(8))}
    profile = Profile()
    if days:
        profile.counters[_VIEWED] = Counter(sum(days.values()), NOW, NOW, days)
    if chance.random() < 0.1:  # noqa: PLR2004 - one in ten
        touched = _ago(5 * chance.random())
        profile.cart = Cart({"p": CartLine(1, touched, "Dress", 4_900)}, ((day_number(touched),) * 2,), touched)
    if chance.random() < 0.5:  # noqa: PLR2004 - half of them
        profile.traits["email"] = Trait("ann@example.com", NOW - 90 * _DAY)
        record = ConsentRecord(channel="email", status=GRANTED, at=_ago(60 * chance.random()), source="web")
        profile.consents[record.key] = record
    fragment = Fragment(profile, OrderBook(entries), root)
    return customer_of(root, [fragment], program.terms, now=NOW)


def _ago(days: float) -> datetime:
    return NOW - timedelta(seconds=int(days * 86_400))


def _best(work: Callable[[], object]) -> float:
    """Seconds of processor time, the best of several."""
    taken = []
    for _ in range(_REPEATS):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def figures() -> list[Figure]:
    """Segment evaluation of both: of customers, and of what was read or parsed of them beforehand."""
    source = large_program()
    program, rival = source.compiled, Rival(source)
    people = customers(program)
    _check(people, program, rival)
    facts = [Facts(customer) for customer in people]
    handles = [parsed(customer) for customer in people]
    of_customers = _of_both(
        lambda: [program.evaluate(customer, NOW) for customer in people],
        lambda: [rival.memberships_of(customer) for customer in people],
    )
    of_documents = _of_both(
        lambda: [program.evaluator.evaluate_facts(read, NOW) for read in facts],
        lambda: [rival.memberships(handle) for handle in handles],
    )
    how = (
        f"{SEGMENTS} segments, four churn bands and the instant until which all that holds, of {len(people):,} {{}}, "
        f"Python {python_version()}; the target is compiled JSONLogic (datalogic-py {datalogic_py.__version__}) on the "
        f"same rules and customers, {{}}, for the segments alone; the same answers; best of {_REPEATS}."
    )
    unit = "customers per core-second"
    return [
        Figure(
            "evaluation",
            of_customers[0],
            unit,
            how.format("customers as the engine has them", "with making and parsing the document that it reads"),
            target=of_customers[1],
        ),
        Figure(
            "evaluation_read",
            of_documents[0],
            unit,
            how.format("customers of whom what the rules read is read already", "its documents parsed already"),
            target=of_documents[1],
        ),
    ]


def _of_both(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Customers a second of either."""
    return _CUSTOMERS / _best(ours), _CUSTOMERS / _best(theirs)


def _check(people: Sequence[Customer], program: CompiledProgram, rival: Rival) -> None:
    for customer in people:
        ours, theirs = program.memberships(customer, NOW), rival.memberships_of(customer)
        if ours != theirs:
            raise RuntimeError(f"{customer.root} is in {sorted(ours ^ theirs)} by one of them only")
