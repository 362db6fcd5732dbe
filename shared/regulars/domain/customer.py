"""A customer: the merge of its nodes' fragments, seen at an instant. It is what rules are evaluated against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from regulars.domain.consents import Said, in_force
from regulars.domain.facts import CartLine, Fact
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.instants import day_number, day_start, to_millis
from regulars.domain.links import NO_LINKS, Links
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile, Trait, fold, latest, links_after, merge_consent
from regulars.domain.profile import merged as profiles_merged
from regulars.domain.statements import GRANTED, ConsentRecord
from regulars.domain.surveys import SurveyKind, nps_group
from regulars.domain.values import value

Value = bool | int | float | str | datetime | timedelta | tuple[str, ...] | None


@value(frozen=True, slots=True)
class Fragment:
    """What one node contributes to its customer. `own`: it is one of the customer's, not an address that others have
    too."""

    profile: Profile = field(default_factory=Profile)
    orders: OrderBook = field(default_factory=OrderBook)
    node: str = ""
    own: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel reaches the customer, and the node of that address."""

    text: str
    node: str


class Customer:
    """One customer at `now`; implements the rules' View.

    `currency` is the program's: revenue in other currencies is not counted (orders are). `churn_band` is set by the
    engine before the segments are evaluated. Values that are expensive to derive are derived once, when first asked
    for.
    """

    __slots__ = (
        "_fields", "_lines", "_orders", "_said", "_ties", "_totals", "book", "churn_band", "currency", "now", "profile",
        "root",
    )  # fmt: skip

    def __init__(
        self,
        root: str,
        profile: Profile,
        book: OrderBook,
        *,
        currency: str,
        now: datetime,
        said: Said | None = None,
        ties: Mapping[str, Links] | None = None,
    ) -> None:
        """`said` and `ties`: what each node says about consent, and the links of those that are the customer's own."""
        self.root = root
        self.profile = profile
        self.book = book
        self.currency = currency
        self.now = now
        self.churn_band: str | None = None
        self._orders: list[tuple[datetime, int]] | None = None
        self._totals: tuple[list[datetime], list[int]] | None = None
        self._lines: dict[str, CartLine] | None = None
        self._said = said or {}
        self._ties = ties or {}
        self._fields: dict[str, Callable[[Customer], Value]] = _FIELDS

    def after(self, facts: Sequence[Fact], plan: Mapping[str, int]) -> Customer:
        """The customer once `facts` are folded in."""
        # A refused order (there are too many) is kept as a bad row by update_customers.
        book, _ = self.book.with_entries([fact.order for fact in facts if fact.order])
        said, ties = _told(self._said, self._ties, facts)
        changed = Customer(
            self.root, fold(self.profile, facts, plan), book, currency=self.currency, now=self.now, said=said, ties=ties
        )
        changed.churn_band = self.churn_band
        if book is self.book:
            changed._orders, changed._totals = self._orders, self._totals
        return changed

    # -- the rules' View

    def value(self, field: str) -> Value:
        """The value of a catalogue field at `now`, None when the customer has none. Raises KeyError on an unknown
        field."""
        getter = self._fields.get(field)
        if getter is not None:
            return getter(self)
        kind, _, rest = field.partition(".")
        if kind == "traits":
            trait = self.profile.traits.get(rest)
            return trait.value if trait else None
        if kind == "events":
            return self._counter(rest)
        raise KeyError(field)

    def orders(self) -> Sequence[tuple[datetime, int]]:
        """(placed_at, net minor units) of the orders that count, oldest first."""
        if self._orders is None:
            self._orders = sorted(self.book.counted(self.currency))
        return self._orders

    def order_totals(self) -> tuple[list[datetime], list[int]]:
        """Instants of the orders that count, and the sums of net minor units before each of them and after the last."""
        if self._totals is None:
            orders = self.orders()
            sums = list(accumulate((net for _, net in orders), initial=0))
            self._totals = ([placed for placed, _ in orders], sums)
        return self._totals

    def days(self, event_name: str) -> Mapping[int, int]:
        """How often an event happened by UTC day number, as far back as the feature plan keeps it."""
        counter = self.profile.counters.get(event_name)
        return counter.days if counter else {}

    # -- what the engine and the messages need besides

    def open_lines(self) -> dict[str, CartLine]:
        """The products in the cart: `quantity` above 0 and younger than the last order."""
        if self._lines is None:
            self._lines = {key: line for key, line in self.profile.cart.lines.items() if line.quantity}
        return self._lines

    def cart_key(self) -> str:
        """What makes this cart a new occasion: the order before it, and the first day of this run of cart activity."""
        cart = self.profile.cart
        if cart.cleared_at is None:
            return f"0:{cart.runs[-1][0] if cart.runs else 0}"
        since = day_number(cart.cleared_at)
        first = max(cart.runs[-1][0], since) if cart.runs else since
        return f"{to_millis(cart.cleared_at)}:{first}"

    def cart_since(self) -> datetime | None:
        """When this run of cart activity began, at the day's start, or at the order that ended the one before it."""
        cart = self.profile.cart
        return latest(day_start(cart.runs[-1][0]), cart.cleared_at) if cart.runs else None

    def consent(self, channel: str) -> ConsentRecord | None:
        """The consent in force at `now` (regulars.domain.consents)."""
        return in_force(self._said, self._ties, channel, self.now)

    def next_consent_expiry(self) -> datetime | None:
        """When the next grant lapses by itself."""
        expiries = [
            record.expires_at
            for record in self._said.values()
            if record.status == GRANTED and record.expires_at and record.expires_at > self.now
        ]
        return min(expiries, default=None)

    def address(self, channel: str) -> Address | None:
        """The customer's latest address for a channel."""
        trait = self.profile.traits.get("email" if channel == "email" else "phone")
        if trait is None:
            return None
        kind = NodeKind.EMAIL if channel == "email" else NodeKind.PHONE
        return Address(str(trait.value), node_id(kind, str(trait.value)))

    def suppression(self, address: Address) -> str | None:
        """Why a provider told us not to write to this address again, or None."""
        verdict = self.profile.suppressed.get(address.node)
        return verdict[1] if verdict else None

    def reachable(self, channel: str) -> bool:
        """Whether a marketing message could go out: an address, a consent, no suppression."""
        address, consent = self.address(channel), self.consent(channel)
        return (
            address is not None
            and consent is not None
            and consent.status == GRANTED
            and self.suppression(address) is None
        )

    def _counter(self, rest: str) -> Value:
        name, _, what = rest.rpartition(".")
        counter = self.profile.counters.get(name)
        if what == "count":
            return counter.total if counter else 0
        if what not in ("first_at", "last_at"):
            raise KeyError(f"events.{rest}")
        return getattr(counter, what) if counter else None


def customer_of(
    root: str, fragments: Iterable[Fragment], *, plan: Mapping[str, int], currency: str, now: datetime
) -> Customer:
    """The customer made of its nodes' fragments, whatever their order."""
    profile, book = None, OrderBook()
    said: Said = {}
    ties: dict[str, Links] = {}
    for fragment in fragments:
        profile = fragment.profile if profile is None else profiles_merged(profile, fragment.profile, plan)
        book = book.merged(fragment.orders)
        said.update(((fragment.node, channel), record) for channel, record in fragment.profile.consents.items())
        if fragment.own:
            ties[fragment.node] = fragment.profile.links
    return Customer(root, profile or Profile(), book, currency=currency, now=now, said=said, ties=ties)


def _told(said: Said, ties: Mapping[str, Links], facts: Sequence[Fact]) -> tuple[Said, Mapping[str, Links]]:
    """What facts say about consent, and what they link, node by node."""
    for fact in facts:
        if fact.consents:
            known = {channel: record for (node, channel), record in said.items() if node == fact.node}
            for record in fact.consents:
                merge_consent(known, record)
            said = {**said, **{(fact.node, channel): record for channel, record in known.items()}}
        if fact.links or fact.cuts:
            known_links = ties.get(fact.node, NO_LINKS)
            if (told := links_after(known_links, fact)) is not known_links:
                ties = {**ties, fact.node: told}
    return said, ties


def _revenue(customer: Customer) -> int:
    return customer.order_totals()[1][-1]


def _order_at(index: int) -> Callable[[Customer], Value]:
    def placed(customer: Customer) -> Value:
        orders = customer.orders()
        return orders[index][0] if orders else None

    return placed


def _average_value(customer: Customer) -> Value:
    count = len(customer.orders())
    return round(_revenue(customer) / count) if count else None


def _average_gap(customer: Customer) -> Value:
    orders = customer.orders()
    return (orders[-1][0] - orders[0][0]) / (len(orders) - 1) if len(orders) > 1 else None


def _cart_open(customer: Customer) -> bool:
    cart = customer.profile.cart
    at_checkout = cart.checkout_at is not None and (cart.cleared_at is None or cart.checkout_at > cart.cleared_at)
    return bool(customer.open_lines()) or at_checkout


def _cart_value(customer: Customer) -> Value:
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


_FIELDS: dict[str, Callable[[Customer], Value]] = {
    "orders.count": lambda customer: len(customer.orders()),
    "orders.revenue": _revenue,
    "orders.first_at": _order_at(0),
    "orders.last_at": _order_at(-1),
    "orders.average_value": _average_value,
    "orders.average_gap": _average_gap,
    "cart.open": _cart_open,
    "cart.last_at": lambda customer: customer.profile.cart.touched_at if _cart_open(customer) else None,
    "cart.checkout_at": lambda customer: customer.profile.cart.checkout_at if _cart_open(customer) else None,
    "cart.value": _cart_value,
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


def template_variables(customer: Customer) -> dict[str, Any]:
    """What a message template may say about the customer; each key is always there, None where nothing is known."""
    traits: dict[str, Any] = {name: trait.value for name, trait in customer.profile.traits.items()}
    lines = customer.open_lines()
    last = customer.value("orders.last_at")
    cart = None
    if lines:
        newest = sorted(lines.items(), key=lambda item: item[1].at, reverse=True)
        cart = {
            "items": [
                {
                    "product_id": key,
                    "name": line.name,
                    "quantity": line.quantity,
                    "price_minor": line.price_minor,
                    "url": line.url,
                    "image_url": line.image_url,
                    "category": line.category,
                }
                for key, line in newest
            ],
            "value_minor": _cart_value(customer),
        }
    return {
        "first_name": traits.get("first_name") or traits.get("firstName"),
        "currency": customer.currency,
        "cart": cart,
        "orders_count": len(customer.orders()),
        "days_since_last_order": (customer.now - last).days if isinstance(last, datetime) else None,
    }
