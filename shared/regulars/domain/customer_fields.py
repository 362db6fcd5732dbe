"""The named fields that rules may ask of a customer, each a function of it (docs/segments.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from regulars.domain.customer_scores import SCORE_FIELDS
from regulars.domain.instants import in_zone
from regulars.domain.rules.fields import MONTHS, VIEWED, WEEKDAYS
from regulars.domain.rules.view import Value
from regulars.domain.surveys import SurveyKind, nps_group

if TYPE_CHECKING:
    from regulars.domain.customer import Customer
    from regulars.domain.profile import Trait

Getter = Callable[["Customer"], Value]
_HABIT = 2
"""So often something must have happened at one weekday or hour, or in one month of different years, to be a habit."""


def _revenue(customer: Customer) -> int:
    return customer.order_totals()[1][-1]


def _order_at(index: int) -> Callable[[Customer], Value]:
    def placed(customer: Customer) -> Value:
        orders = customer.orders()
        return orders[index][0] if orders else None

    return placed


def _average_value(customer: Customer) -> Value:
    """Of the orders in the program's currency: what others brought is no revenue."""
    currency = customer.terms.currency
    count = sum(entry.counts and entry.currency == currency for entry in customer.book.entries.values())
    return round(_revenue(customer) / count) if count else None


def _average_gap(customer: Customer) -> Value:
    orders = customer.orders()
    return (orders[-1][0] - orders[0][0]) / (len(orders) - 1) if len(orders) > 1 else None


def _cart_open(customer: Customer) -> bool:
    cart = customer.profile.cart
    at_checkout = cart.checkout_at is not None and (cart.cleared_at is None or cart.checkout_at > cart.cleared_at)
    return bool(customer.open_lines()) or at_checkout


def cart_value(customer: Customer) -> int:
    """What lies in the cart, in minor units, by the prices that the pages said."""
    return sum(line.quantity * (line.price_minor or 0) for line in customer.open_lines().values())


def _cart_categories(customer: Customer) -> Value:
    found = {line.category for line in customer.open_lines().values() if line.category}
    return tuple(sorted(found)) or None


def _survey_trait(customer: Customer, kind: SurveyKind) -> Trait | None:
    """The last score on the kind's scale; traits are whatever the store sent, so a score may be none."""
    said = customer.profile.traits.get(f"{kind}_score")
    known = said is not None and type(said.value) is int and said.value in kind.scale
    return said if known else None


def _survey_score(kind: SurveyKind) -> Callable[[Customer], Value]:
    def score(customer: Customer) -> Value:
        said = _survey_trait(customer, kind)
        return said.value if said else None

    return score


def _survey_at(kind: SurveyKind) -> Callable[[Customer], Value]:
    def at(customer: Customer) -> Value:
        said = _survey_trait(customer, kind)
        return said.at if said else None

    return at


def _nps_group(customer: Customer) -> Value:
    said = _survey_trait(customer, SurveyKind.NPS)
    return nps_group(said.value) if said else None


def _consent_status(channel: str) -> Callable[[Customer], Value]:
    def status(customer: Customer) -> Value:
        record = customer.consent(channel)
        return record.status if record else None

    return status


def _consent_at(channel: str) -> Callable[[Customer], Value]:
    def at(customer: Customer) -> Value:
        record = customer.consent(channel)
        return record.at if record else None

    return at


def _trait(name: str) -> Getter:
    """A trait as a text, for what is always one."""

    def value(customer: Customer) -> Value:
        said = customer.profile.traits.get(name)
        return said.value if said is not None and isinstance(said.value, str) and said.value else None

    return value


def _usual(said: Iterable[Any], *, at_least: int = 1) -> Any:
    """What is said most often, of equals the least; None where nothing is said often enough."""
    counts = Counter(said)
    most = min(counts, key=lambda name: (-counts[name], name), default=None)
    return most if most is not None and counts[most] >= at_least else None


def _placed(customer: Customer) -> list[datetime]:
    """The instants of the orders that count, on the shop's own clock."""
    return [in_zone(placed, customer.terms.zone) for placed, _ in customer.orders()]


def _weekday(customer: Customer) -> Value:
    usual = _usual((placed.weekday() for placed in _placed(customer)), at_least=_HABIT)
    return None if usual is None else WEEKDAYS[usual]


def _hour(customer: Customer) -> Value:
    hour: Value = _usual((placed.hour for placed in _placed(customer)), at_least=_HABIT)
    return hour


def _months(customer: Customer) -> Value:
    """Months with orders in at least two years."""
    counts = Counter(month for _, month in {(placed.year, placed.month) for placed in _placed(customer)})
    return tuple(sorted(MONTHS[month - 1] for month, years in counts.items() if years >= _HABIT)) or None


def _share(which: Callable[[Any], bool]) -> Getter:
    """The share of the orders that count of which something is true."""

    def share(customer: Customer) -> Value:
        orders = [entry for entry in customer.book.entries.values() if entry.counts]
        return sum(map(which, orders)) / len(orders) if orders else None

    return share


def _per_view(customer: Customer) -> Value:
    views = customer.count(VIEWED)
    return min(len(customer.orders()) / views, 1.0) if views else None


def _categories(customer: Customer) -> list[str]:
    return [name for row in customer.order_rows() for name in row.categories]


def _category(customer: Customer) -> Value:
    usual: Value = _usual(_categories(customer))
    return usual


def _score(field: str) -> Getter:
    return lambda customer: customer.at(field, customer.now)


FIELDS: Mapping[str, Getter] = {
    "orders.count": lambda customer: len(customer.orders()),
    "orders.revenue": _revenue,
    "orders.first_at": _order_at(0),
    "orders.last_at": _order_at(-1),
    "orders.average_value": _average_value,
    "orders.average_gap": _average_gap,
    "orders.weekday": _weekday,
    "orders.hour": _hour,
    "orders.months": _months,
    "orders.coupon_share": _share(lambda entry: entry.coupon),
    "orders.store_share": _share(lambda entry: entry.channel == "store"),
    "orders.per_product_viewed": _per_view,
    "orders.category": _category,
    "orders.categories": lambda customer: tuple(sorted(set(_categories(customer)))) or None,
    **{field: _score(field) for field in SCORE_FIELDS},
    "geo.country": _trait("address_country"),
    "geo.region": _trait("address_region"),
    "geo.city": _trait("address_city"),
    "geo.postal_code": _trait("address_postal_code"),
    "cart.open": _cart_open,
    "cart.last_at": lambda customer: customer.profile.cart.touched_at if _cart_open(customer) else None,
    "cart.checkout_at": lambda customer: customer.profile.cart.checkout_at if _cart_open(customer) else None,
    "cart.value": cart_value,
    "cart.categories": _cart_categories,
    "first_seen": lambda customer: customer.profile.first_seen,
    "last_seen": lambda customer: customer.profile.last_seen,
    "last_active": lambda customer: customer.profile.last_seen,
    "churn_band": lambda customer: customer.churn_band,
    **{f"survey.{kind}.score": _survey_score(kind) for kind in SurveyKind},
    **{f"survey.{kind}.at": _survey_at(kind) for kind in SurveyKind},
    "survey.nps.group": _nps_group,
    **{f"consent.{channel}": _consent_status(channel) for channel in ("email", "sms")},
    **{f"consent.{channel}.at": _consent_at(channel) for channel in ("email", "sms")},
    "reachable.email": lambda customer: customer.reachable("email"),
    "reachable.sms": lambda customer: customer.reachable("sms"),
}
