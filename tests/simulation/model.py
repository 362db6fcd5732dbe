"""The reference model: what Regulars promises to hold and to do, in plain Python, without any of its code.

It is told what senders said (not what the system stored), which of it reached the log, and whether readers opted out;
it answers what each customer's profile, orders, segments and messages must be.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tests.simulation.traffic import Said

DEFAULT_THRESHOLD = 30_000
"""Minor units of revenue that make a big spender until the first refresh (program/program.yaml)."""
LOYAL_ORDERS = 5
LEFT_AFTER = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(days=3)
MANY_VIEWS = 2
"""Products viewed within a week that make a window shopper (the simulation's own segment)."""


class Answer(StrEnum):
    """What a client knows of a request."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OrderState:
    """The highest version of an order."""

    version: int
    status: str
    total: int

    @property
    def revenue(self) -> int:
        """Minor units; nothing for a cancelled order."""
        return 0 if self.status == "cancelled" else self.total


DEFINED, WATCHED = "watched_products", ("p1", "p2")


@dataclass(slots=True)
class Shopper:
    """One customer as the log tells. `agreed_at`: the last consent; `opted_out`: whether the last word was no."""

    users: set[str] = field(default_factory=set)
    browsers: set[str] = field(default_factory=set)
    emails: set[str] = field(default_factory=set)
    cards: set[str] = field(default_factory=set)
    events: int = 0
    viewed: int = 0
    viewed_watched: int = 0
    orders: dict[str, OrderState] = field(default_factory=dict)
    agreed_at: datetime | None = None
    opted_out: bool = False
    email: tuple[datetime, str] | None = None
    cart: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    touched_at: datetime | None = None
    cleared_at: datetime | None = None

    @property
    def revenue(self) -> int:
        return sum(order.revenue for order in self.orders.values())

    @property
    def bought(self) -> int:
        return sum(order.status != "cancelled" for order in self.orders.values())

    def open_cart(self) -> dict[str, int]:
        """Quantities of what is in the cart since it was last emptied."""
        return {
            product: quantity
            for product, (at, quantity) in self.cart.items()
            if quantity and (self.cleared_at is None or at > self.cleared_at)
        }


def shoppers(said: Iterable[Said], cut: Iterable[frozenset[str]] = ()) -> list[Shopper]:
    """Customers of everything that reached the log. `cut`: pairs of names that an operator's last word splits.

    An event is its strongest name's, and says that the others are that one's too. A browser or a card of two users is
    nobody's.
    """
    told: dict[str, list[Said]] = defaultdict(list)
    ties: dict[str, set[str]] = defaultdict(set)
    agreed: dict[str, list[datetime]] = defaultdict(list)
    for event in set_of(said):
        home, *others = _names(event)
        told[home].append(event)
        ties[home].update(others)
        for other in others:
            ties[other].add(home)
        if event.kind == "Consent Updated":
            for name in (home, *others):
                agreed[name].append(event.instant)
    apart = set(cut)
    kept = {name: {other for other in others if frozenset((name, other)) not in apart} for name, others in ties.items()}
    for name in [name for name, others in kept.items() if _is_shared(name, others)]:
        kept[name] = set()
    found = []
    left = dict.fromkeys(kept)
    while left:
        names = _component(next(iter(left)), kept)
        for name in names:
            del left[name]
        shopper = _shopper(names, [event for name in names for event in told[name]])
        shopper.agreed_at = max((at for name in names for at in agreed[name]), default=None)
        found.append(shopper)
    return [shopper for shopper in found if shopper.events or shopper.orders]


def _is_shared(name: str, others: set[str]) -> bool:
    return name.startswith(("browser", "card")) and sum(other.startswith("user") for other in others) > 1


def _component(start: str, kept: dict[str, set[str]]) -> set[str]:
    names: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += [other for other in kept[name] if name in kept[other]]
    return names


def set_of(said: Iterable[Said]) -> list[Said]:
    """Each event once, however often it was sent."""
    return list({(event.source, event.message_id): event for event in said}.values())


def _names(event: Said) -> list[str]:
    """What an event says about who it is, the strongest first."""
    said = (("user", event.user), ("email", _email(event)), ("card", event.card), ("browser", event.browser))
    return [f"{kind} {name}" for kind, name in said if name]


def _email(event: Said) -> str | None:
    """Orders carry their shopper's address, as the shop knows it."""
    if event.kind == "order":
        return f"{event.user}@example.com" if event.user else None
    return event.properties.get("email") if event.kind == "identify" else None


def _shopper(names: set[str], events: list[Said]) -> Shopper:
    users, browsers, emails, cards = (
        {name.partition(" ")[2] for name in names if name.startswith(kind)}
        for kind in ("user", "browser", "email", "card")
    )
    shopper = Shopper(users, browsers, emails, cards)
    for event in sorted(events, key=lambda one: (one.instant, one.message_id)):
        _take(shopper, event)
    return shopper


def _take(shopper: Shopper, event: Said) -> None:
    said, at = event.properties, event.instant
    if (email := _email(event)) is not None and (shopper.email is None or at >= shopper.email[0]):
        shopper.email = (at, email)
    if event.kind == "order":
        _take_order(shopper, said, at)
        return
    shopper.events += 1
    if event.kind == "Product Viewed":
        shopper.viewed += 1
        shopper.viewed_watched += said["product_id"] in WATCHED
    elif event.kind in ("Product Added", "Product Removed"):
        shopper.touched_at = at
        shopper.cart[said["product_id"]] = (at, said["quantity"] if event.kind == "Product Added" else 0)
    elif event.kind == "Order Completed":
        _clear(shopper, at)


def _take_order(shopper: Shopper, said: dict[str, Any], placed_at: datetime) -> None:
    known = shopper.orders.get(said["order_id"])
    if known is None or said["version"] > known.version:
        shopper.orders[said["order_id"]] = OrderState(said["version"], said["status"], said["total"])
    _clear(shopper, placed_at)


def _clear(shopper: Shopper, at: datetime) -> None:
    shopper.cleared_at = at if shopper.cleared_at is None else max(shopper.cleared_at, at)


def segments(shopper: Shopper, now: datetime, threshold: int, defined: int | None = None) -> set[str]:
    """The segments that a customer is in, some hours after the traffic, by the starter program's descriptions.
    `threshold`: what a big spender spends, as the last refresh published it; `defined`: how often somebody must have
    viewed the watched products, if a segment says so."""
    found = set()
    if defined is not None and shopper.viewed_watched >= defined:
        found.add(DEFINED)
    # Two weeks, thirty days and a year are all longer than a simulation.
    if shopper.agreed_at is not None and shopper.email is not None and not shopper.opted_out and not shopper.bought:
        found.add("new_subscriber")
    if shopper.bought:
        found.add("active")
    if shopper.bought >= LOYAL_ORDERS:
        found.add("loyal")
    if shopper.revenue >= threshold:
        found.add("big_spender")
    if shopper.viewed >= MANY_VIEWS:
        found.add("window_shopper")
    touched = shopper.touched_at
    if shopper.open_cart() and touched is not None and LEFT_AFTER <= now - touched < FORGOTTEN_AFTER:
        found.add("cart_abandoner")
    return found


def messages_due(shopper: Shopper) -> Counter[str]:
    """Campaigns of which the log's last word says that a message was due, whatever came first.

    A customer who agreed and never bought was welcomed; one with a cart left open was reminded. Sent, withheld with a
    reason, or unknown: but never nothing. Without consent or an address at the end, nothing can be said of before.
    """
    due: Counter[str] = Counter()
    if shopper.agreed_at is not None and shopper.email is not None and not shopper.opted_out:
        if not shopper.orders:
            due["welcome"] += 1
        if shopper.open_cart():
            due["abandoned_cart"] += 1
    return due
