"""A customer: the merge of its nodes' fragments, seen at an instant. It is what rules are evaluated against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from itertools import accumulate
from typing import Any, NamedTuple

from regulars.domain.consents import Said, in_force
from regulars.domain.customer_fields import FIELDS, cart_value
from regulars.domain.customer_scores import Scored, seen_days
from regulars.domain.facts import CartLine, Fact
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.instants import day_number, day_start, to_millis
from regulars.domain.links import NO_LINKS, Links, is_cut
from regulars.domain.orders import OrderBook, OrderEntry
from regulars.domain.plan import FeaturePlan
from regulars.domain.profile import Profile, fold, latest, links_after, merge_consent
from regulars.domain.profile import merged as profiles_merged
from regulars.domain.rules.fields import LAPSING, WHY_ABSENT
from regulars.domain.rules.view import OrderRow, Value
from regulars.domain.scores.model import ScoreModel
from regulars.domain.scores.scoring import Scorer
from regulars.domain.statements import GRANTED, ConsentRecord
from regulars.domain.tallies import Tally
from regulars.domain.values import value


@value(frozen=True, slots=True)
class Fragment:
    """What one node contributes to its customer. `own`: it is one of the customer's, not an address that others have
    too."""

    profile: Profile = field(default_factory=Profile)
    orders: OrderBook = field(default_factory=OrderBook)
    node: str = ""
    own: bool = True


class Terms(NamedTuple):
    """What of a program a customer is seen by: what profiles keep, the currency, the calendar's time zone, the models
    of the scores, and the events by which those know when somebody was seen."""

    plan: FeaturePlan
    currency: str
    zone: tzinfo = UTC
    scorer: Scorer | None = None
    seen_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel reaches the customer, and the node of that address."""

    text: str
    node: str


_ADDRESSES = {"email": NodeKind.EMAIL, "phone": NodeKind.PHONE}


class Customer:
    """One customer at `now`; implements the rules' View.

    What orders in other currencies than the program's brought is in no figure (the orders themselves count).
    `churn_band` is set by the engine before the segments are evaluated. Values that are expensive to derive are derived
    once, when first asked for.
    """

    __slots__ = (
        "_fields", "_lines", "_orders", "_said", "_scored", "_ties", "_totals", "book", "churn_band", "now", "profile",
        "root", "terms",
    )  # fmt: skip

    root: str
    profile: Profile
    book: OrderBook
    terms: Terms
    churn_band: str | None

    def __init__(
        self,
        root: str,
        profile: Profile,
        book: OrderBook,
        *,
        terms: Terms,
        now: datetime,
        said: Said | None = None,
        ties: Mapping[str, Links] | None = None,
    ) -> None:
        """`said` and `ties`: what each node says about consent, and the links of those that are the customer's own."""
        self.root = root
        self.profile = profile
        self.book = book
        self.terms = terms
        self.now = now
        self.churn_band = None
        self._orders: list[tuple[datetime, int]] | None = None
        self._totals: tuple[list[datetime], list[int]] | None = None
        self._lines: dict[str, CartLine] | None = None
        self._scored: Scored | None = None
        self._said = said or {}
        self._ties = ties or {}
        self._fields = FIELDS

    def after(self, facts: Sequence[Fact]) -> Customer:
        """The customer once `facts` are folded in."""
        # A refused order (there are too many) is kept as a bad row by update_customers.
        book, _ = self.book.with_entries([fact.order for fact in facts if fact.order])
        said, ties = _told(self._said, self._ties, facts)
        changed = Customer(
            self.root,
            fold(self.profile, facts, self.terms.plan),
            book,
            terms=self.terms,
            now=self.now,
            said=said,
            ties=ties,
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
        if kind == WHY_ABSENT:
            return self.scored().reason(rest)
        raise KeyError(field)

    def at(self, field: str, then: datetime) -> Value:
        """A score at another instant; None without a model."""
        scored = self._scores()
        return None if scored is None else scored.at(field, then)

    def changes(self, field: str, bound: float | None, now: datetime) -> datetime | None:
        """When a score next passes a bound, or a group or a consent may change, with nothing happening."""
        if field in LAPSING:
            return self.next_consent_expiry(field.split(".")[1])
        scored = self._scores()
        return None if scored is None else scored.changes(field, bound, now)

    def scored(self) -> Scored:
        """The scores, whose every one that needs a model is absent, with its reason, where none is fitted."""
        return self._scores() or Scored(Scorer(ScoreModel()), self.orders(), ())

    def _scores(self) -> Scored | None:
        if self._scored is None and self.terms.scorer is not None:
            self._scored = Scored(self.terms.scorer, self.orders(), seen_days(self, self.terms.seen_by))
        return self._scored

    def orders(self) -> Sequence[tuple[datetime, int]]:
        """(placed_at, net minor units) of the orders that count, oldest first."""
        if self._orders is None:
            self._orders = sorted(self.book.counted(self.terms.currency))
        return self._orders

    def order_totals(self) -> tuple[list[datetime], list[int]]:
        """Instants of the orders that count, and the sums of net minor units before each of them and after the last."""
        if self._totals is None:
            orders = self.orders()
            sums = list(accumulate((net for _, net in orders), initial=0))
            self._totals = ([placed for placed, _ in orders], sums)
        return self._totals

    def order_rows(self, mark: str | None = None) -> Sequence[OrderRow]:
        """The orders that count, those with a mark if one is given, oldest first."""
        rows = [
            OrderRow(entry.placed_at, self._net(entry), entry.channel, entry.categories)
            for entry in self.book.entries.values()
            if entry.counts and (mark is None or entry.has(mark))
        ]
        return sorted(rows, key=_in_order)

    def days(self, event_name: str) -> Mapping[int, int]:
        """How often an event happened by UTC day number, as far back as the feature plan keeps it."""
        counter = self.profile.counters.get(event_name)
        return counter.days if counter else {}

    def count(self, event_name: str) -> int:
        """How often an event, or one of a feature, ever happened."""
        counter = self.profile.counters.get(event_name)
        return counter.total if counter else 0

    def tally(self, key: str) -> Tally | None:
        """What is kept for a feature."""
        return self.profile.tallies.get(key)

    def _net(self, entry: OrderEntry) -> int | None:
        return entry.net_minor if entry.currency == self.terms.currency else None

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

    def next_consent_expiry(self, channel: str | None = None) -> datetime | None:
        """When the next grant lapses by itself; of one channel, if one is given."""
        expiries = [
            record.expires_at
            for record in self._said.values()
            if record.status == GRANTED
            and record.expires_at
            and record.expires_at > self.now
            and channel in (None, record.channel)
        ]
        return min(expiries, default=None)

    def address(self, channel: str) -> Address | None:
        """The customer's latest address for a channel; none that an operator said is another person's."""
        name = "email" if channel == "email" else "phone"
        trait = self.profile.traits.get(name)
        if trait is None:
            return None
        address = Address(str(trait.value), node_id(_ADDRESSES[name], str(trait.value)))
        return None if any(is_cut(links, address.node) for links in self._ties.values()) else address

    def suppression(self, address: Address) -> str | None:
        """Why a provider told us not to write to this address again, or None."""
        verdict = self.profile.suppressed.get(address.node)
        return verdict[1] if verdict else None

    def reachable(self, channel: str) -> bool:
        """Whether a marketing message could go out: an address, a consent, no suppression."""
        consent = self.consent(channel)
        if consent is None or consent.status != GRANTED:
            return False
        address = self.address(channel)
        return address is not None and self.suppression(address) is None

    def _counter(self, rest: str) -> Value:
        name, _, what = rest.rpartition(".")
        counter = self.profile.counters.get(name)
        if what == "count":
            return counter.total if counter else 0
        if what not in ("first_at", "last_at"):
            raise KeyError(f"events.{rest}")
        return getattr(counter, what) if counter else None


def _in_order(row: OrderRow) -> tuple[datetime, bool, int, str, tuple[str, ...]]:
    return row.at, row.net is not None, row.net or 0, row.channel, row.categories


def customer_of(root: str, fragments: Iterable[Fragment], terms: Terms, *, now: datetime) -> Customer:
    """The customer made of its nodes' fragments, whatever their order."""
    profile, book = None, OrderBook()
    said: Said = {}
    ties: dict[str, Links] = {}
    fragments = list(fragments)
    own = [fragment.profile.links for fragment in fragments if fragment.own]
    cut = {other for links in own for other in links.cuts if is_cut(links, other)}
    for fragment in fragments:
        known = _without(fragment.profile, cut) if cut else fragment.profile
        profile = known if profile is None else profiles_merged(profile, known, terms.plan)
        book = book.merged(fragment.orders)
        said.update(((fragment.node, channel), record) for channel, record in fragment.profile.consents.items())
        if fragment.own:
            ties[fragment.node] = fragment.profile.links
    return Customer(root, profile or Profile(), book, terms=terms, now=now, said=said, ties=ties)


def _without(profile: Profile, nodes: set[str]) -> Profile:
    """A profile without its address and telephone where they are these nodes: another one of the customer's may be
    right."""
    traits = profile.traits
    wrong = [
        name for name, kind in _ADDRESSES.items() if name in traits and node_id(kind, str(traits[name].value)) in nodes
    ]
    return replace(profile, traits={name: traits[name] for name in traits if name not in wrong}) if wrong else profile


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
            "value_minor": cart_value(customer),
        }
    return {
        "first_name": traits.get("first_name") or traits.get("firstName"),
        "currency": customer.terms.currency,
        "cart": cart,
        "orders_count": len(customer.orders()),
        "days_since_last_order": (customer.now - last).days if isinstance(last, datetime) else None,
    }
