"""Facts: what the fold takes from an event. Everything else about an event stays in the lake.

A fact is small enough to travel with the item that it changed, so that the evaluation can take a write's facts one by
one.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from regulars.domain.errors import BadInputError
from regulars.domain.event_nodes import CUTS, is_pair, nodes_of
from regulars.domain.events import (
    BY_SYSTEM,
    CONSENT_UPDATED,
    IMPORTED,
    ORDER,
    PRODUCT,
    PUBLIC,
    SYSTEM,
    TRACK,
    Event,
    EventType,
)
from regulars.domain.identity import WEAK, normalised_email, normalised_phone
from regulars.domain.instants import from_millis
from regulars.domain.money import currency_exponent
from regulars.domain.orders import OrderEntry, entry_of, order_key
from regulars.domain.plan import NO_PLAN, FeaturePlan
from regulars.domain.statements import ConsentRecord, consents_of
from regulars.domain.surveys import SURVEY_ANSWERED, traits_of_answer
from regulars.domain.texts import cleaned, text_of
from regulars.domain.values import value

LINKED = "Linked"
QUALITY, PARTY, THIRD_PARTY = "quality", "party", "third_party"
"""Where ingest notes in an event's context what it found (docs/quality.md), and there whose the source is."""
_MAX_TRAIT_NAME = 64
MAX_TRAITS = 50
_CORE_TRAITS = frozenset({"email", "phone", "first_name", "last_name", "firstName", "lastName", "name"})
_MAX_QUANTITY = 9_999
_TOUCHES = frozenset({"Product Added", "Product Removed", "Cart Viewed", "Checkout Started"})
_SUPPRESSIONS = {"Email Bounced": "bounced", "Email Marked as Spam": "complained"}
_OWN_FACTS = frozenset((*_SUPPRESSIONS, *CUTS))
_STATEMENTS = frozenset({CONSENT_UPDATED, "Identify", "Order Updated"})
_CALL_NAMES = {
    EventType.PAGE: "Page Viewed",
    EventType.SCREEN: "Screen Viewed",
    EventType.IDENTIFY: "Identify",
    EventType.GROUP: "Group",
    EventType.ALIAS: "Alias",
    EventType.ORDER: "Order Updated",
}


@value(frozen=True, slots=True)
class CartLine:
    """A product in the cart as last heard of; `quantity` 0 means taken out. `price_minor` is in the program's
    currency; `category` is the product's first."""

    quantity: int
    at: datetime
    name: str | None = None
    price_minor: int | None = None
    url: str | None = None
    image_url: str | None = None
    category: str | None = None


@value(frozen=True, slots=True)
class Fact:
    """One event, as far as the fold cares.

    `id` is 48 bits of the event id (unique within a customer's week), `name` what is counted, `at` when it happened,
    `received_at` when we were told. `cart_touched_at`, `checkout_at`, `cart_cleared_at`: what it says about the cart.
    `imported`: it is history, and starts no campaign. `suppressed`: address node to reason. `activity`: the shopper
    did something (an import's order row did not). `source` says who told the traits, `third_party` that it is not the
    shop's own (domain/sources.py); both are only set where there are traits. `cuts`: node to whether an operator says
    that it is another person's. `verified`: told by more than a public write key. `noted`: what the features of the
    plan are told (key, what). `node`: where it was folded; only the evaluation knows.
    """

    id: str
    name: str
    at: datetime
    received_at: datetime
    activity: bool = True
    imported: bool = False
    traits: Mapping[str, Any] = field(default_factory=dict)
    consents: tuple[ConsentRecord, ...] = ()
    links: tuple[str, ...] = ()
    cart: Mapping[str, CartLine] = field(default_factory=dict)
    cart_touched_at: datetime | None = None
    checkout_at: datetime | None = None
    cart_cleared_at: datetime | None = None
    order: tuple[str, OrderEntry] | None = None
    suppressed: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    third_party: bool = False
    cuts: Mapping[str, bool] = field(default_factory=dict)
    verified: bool = False
    noted: tuple[tuple[str, Any], ...] = ()
    node: str = ""

    @property
    def is_idempotent(self) -> bool:
        """Whether folding it in twice is folding it in once, so that its id need not be remembered."""
        return self.order is not None or (self.name == LINKED and not self.activity)


def link_fact(fact: Fact, home: str, other: str) -> Fact:
    """What the `other` end of a link learns from an event that folds into `home`: the link, or that it is cut, and what
    was said about consent, which is said for all identifiers that say it. Browsers and devices do not ask who says
    so."""
    return Fact(
        fact.id,
        LINKED,
        fact.at,
        fact.received_at,
        activity=False,
        imported=fact.imported,
        consents=told_to_all(fact),
        links=() if fact.cuts else (home,),
        verified=fact.verified and other[0] not in WEAK,
        cuts=dict.fromkeys([home], next(iter(fact.cuts.values()))) if fact.cuts else {},
    )


def told_to_all(fact: Fact) -> tuple[ConsentRecord, ...]:
    """What a fact says about consent for all identifiers that it names. The refusals that libraries stamp on every call
    are its own identifier's alone: they would write to all of them on every page view."""
    return fact.consents if fact.name in _STATEMENTS else ()


def others_of(fact: Fact) -> tuple[str, ...]:
    """The nodes besides its own that a fact is about."""
    return fact.links or tuple(fact.cuts)


def fact_of(
    event: Event, *, currency: str, nodes: Sequence[str] | None = None, plan: FeaturePlan = NO_PLAN
) -> Fact | None:
    """The fact of an event under a feature plan; None when it says nothing about a customer (machines; products;
    Regulars' own log of decisions)."""
    kind, trust = event.type, event.trust
    if event.bot is not None or kind is PRODUCT or (kind is SYSTEM and event.name not in _OWN_FACTS):
        return None
    if event.name in CUTS and trust is BY_SYSTEM:
        return _cut_fact(event)
    if nodes is None:
        nodes = nodes_of(event)
    name = _CALL_NAMES.get(kind) or event.name or ""
    cart, touched, checkout, cleared = _cart_of(event, name, currency)
    third_party = QUALITY in event.context and is_third_party(event)
    traits = _traits_of(event) if event.traits else {}
    if name == SURVEY_ANSWERED:
        traits |= traits_of_answer(event.properties, event.timestamp)
    order = None
    if kind is ORDER and trust is not PUBLIC:
        order = (
            order_key(event.source, event.properties["order_id"]),
            entry_of(event.properties, plan.marks_of(event)),
        )
    return Fact(  # in order of declaration: by name costs twice as much, on the way of every event
        fact_id(event),
        name,
        event.timestamp,
        event.received_at,
        kind is not SYSTEM and trust is not BY_SYSTEM,
        trust is IMPORTED,
        traits,
        consents_of(event, name, third_party=third_party),
        tuple(nodes[1:]),
        cart,
        touched,
        checkout,
        cleared,
        order,
        _suppressed_of(event, name),
        event.source if traits else "",
        third_party and bool(traits),
        verified=trust is not PUBLIC,
        noted=plan.noted(event, name),
    )


def is_third_party(event: Event) -> bool:
    """Whether ingest found the event's source to be declared as one that is not the shop's own."""
    noted = event.context.get(QUALITY)
    return isinstance(noted, dict) and noted.get(PARTY) == THIRD_PARTY


def _cut_fact(event: Event) -> Fact | None:
    """An operator's word about two nodes; folds into the first, and the other is told."""
    pair: Any = event.properties.get("nodes")
    if not is_pair(pair):
        return None
    return Fact(
        fact_id(event),
        LINKED,
        event.timestamp,
        event.received_at,
        activity=False,
        cuts={pair[1]: CUTS[event.name or ""]},
    )


def fact_id(event: Event) -> str:
    """48 bits of the event id, in base64."""
    return b2a_base64(bytes.fromhex(event.event_id[:12]), newline=False).decode()


def trait_rank(name: str) -> tuple[bool, str]:
    """The order in which traits are kept when there are too many: those that messages need, then by name."""
    return name not in _CORE_TRAITS, name


def _traits_of(event: Event) -> dict[str, Any]:
    """Scalar traits only, texts cut to 500 characters; contact addresses normalised, and left out when they are
    none."""
    traits: dict[str, Any] = {}
    known = [name for name in event.traits if isinstance(name, str) and 0 < len(name) <= _MAX_TRAIT_NAME]
    for name in sorted(known, key=trait_rank)[:MAX_TRAITS]:
        value = event.traits[name]
        if isinstance(value, str):
            traits[name] = cleaned(value)
        elif isinstance(value, bool | int | float):
            traits[name] = value
    for name, normalise in (("email", normalised_email), ("phone", normalised_phone)):
        if name in traits:
            address = normalise(str(traits[name]))
            if address is None:
                del traits[name]
            else:
                traits[name] = address
    return traits


def _suppressed_of(event: Event, name: str) -> dict[str, str]:
    """Providers' verdicts on an address; only a permanent bounce says that it is dead."""
    reason = _SUPPRESSIONS.get(name)
    if reason is None or event.trust is not BY_SYSTEM:
        return {}
    address = event.properties.get("address_node")
    if not isinstance(address, str):
        return {}
    if reason == "bounced" and event.properties.get("permanent") is not True:
        return {}
    return {address: reason}


def _cart_of(
    event: Event, name: str, currency: str
) -> tuple[dict[str, CartLine], datetime | None, datetime | None, datetime | None]:
    """What an event says about the cart: lines, and when it was touched, taken to the checkout, emptied by an order."""
    kind = event.type
    if kind is ORDER:
        return {}, None, None, from_millis(event.properties["placed_at"])
    if kind is not TRACK:
        return {}, None, None, None
    if name == "Order Completed":  # a browser's hint: it ends the cart, it is no revenue
        return {}, None, None, event.timestamp
    if name not in _TOUCHES:
        return {}, None, None, None
    products = event.properties.get("products")
    lines = {}
    for product in products[:20] if isinstance(products, list) else [event.properties]:
        if isinstance(product, dict) and (key := _product_key(product)):
            lines[key] = _cart_line(product, event.timestamp, currency, removed=name == "Product Removed")
    return lines, event.timestamp, event.timestamp if name == "Checkout Started" else None, None


def _product_key(product: dict[str, Any]) -> str | None:
    for name in ("product_id", "sku", "name"):
        value = product.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
            return str(value)[:100]
    return None


def _cart_line(product: dict[str, Any], at: datetime, currency: str, *, removed: bool) -> CartLine:
    quantity = product.get("quantity", 1)
    whole = isinstance(quantity, int | float) and not isinstance(quantity, bool) and 0 < quantity <= _MAX_QUANTITY
    return CartLine(
        quantity=0 if removed else int(quantity) if whole else 1,
        at=at,
        name=text_of(product.get("name")),
        # A line that names another currency has no price in the program's.
        price_minor=_price(product.get("price"), currency) if product.get("currency") in (None, currency) else None,
        url=text_of(product.get("url")),
        image_url=text_of(product.get("image_url")),
        category=text_of(product.get("category")),
    )


def _price(value: Any, currency: str) -> int | None:
    """A browser's price, to show in a message; never revenue, so a price that is none is left out."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value)
        exponent = currency_exponent(currency)
    except (ValueError, BadInputError):
        return None
    minor = amount * 10**exponent
    return round(minor) if 0 <= minor < 10**12 else None
