"""What a few shoppers and their shop do, made from a seed: the requests, and what they say, for the model.

Each request is fixed when it is made (ids, instants, bodies), so it can be sent again and again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.cloud import DEFAULT_START

START = DEFAULT_START
PLACED_AT = START - timedelta(minutes=30)
SHOPPERS = ("ann", "bob", "cho")
_LATER = tuple(timedelta(minutes=minutes) for minutes in (0, 0, 0, 0, 15, 16, 66))
_PRODUCTS = ("p1", "p2", "p3")


@dataclass(frozen=True, slots=True)
class Said:
    """One event as its sender means it. `instant` is when it happened; `properties` hold what the model needs."""

    source: str
    message_id: str
    kind: str
    instant: datetime
    user: str | None
    browser: str | None
    properties: dict[str, Any] = field(default_factory=dict)
    card: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One request, or one report of SES. `said`: the events in it; `bad`: message ids in it that break a rule."""

    number: int
    kind: str
    payload: Any
    said: tuple[Said, ...] = ()
    bad: tuple[str, ...] = ()
    shopper: str = ""
    after: timedelta = timedelta()
    """How long after the start it is made: some come while messages are decided and sent."""


def email_of(shopper: str) -> str:
    """A shopper's address, on a reserved domain."""
    return f"{shopper}@example.com"


def iso(instant: datetime) -> str:
    """An instant as clients write it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Shop:
    """Makes operations. Instants lie in the hour before `START`, all different."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 no secret
        self._instants = iter(self._chance.sample(range(1, 3_500_000), 400))
        self._number = 0
        self._ids = 0
        self._orders: dict[tuple[str, int], dict[str, Any]] = {}

    def operations(self, count: int, *, identity: bool = False, rules: bool = False) -> list[Operation]:
        """A mixed morning of `count` requests; every shopper signs up in it. `identity`: they also share a browser and
        loyalty cards, buy in the store, and an operator splits and joins them. `rules`: somebody defines a segment
        that looks at what no profile keeps, and changes it."""
        made = [self.sign_up(shopper) for shopper in SHOPPERS]
        kinds = [self.browse, self.cart, self.hint, self.order, self.order, self.mixed, self.opt_out, self.pixel]
        weights = [2, 3, 1, 3, 1, 1, 1, 1]
        if identity:
            made += [self.at_home(shopper) for shopper in self._chance.sample(SHOPPERS, 2)]
            made.append(self.at_home("cho", anonymous=True))
            kinds += [self.at_home, self.show_card, self.in_store, self.split, self.join]
            weights += [2, 3, 3, 3, 1]
        if rules:
            made += [self.define() for _ in range(2)]
        while len(made) < count:
            kind = self._chance.choices(kinds, weights)[0]
            made.append(kind(self._chance.choice(SHOPPERS)))
        self._chance.shuffle(made)
        return [replace(operation, after=self._chance.choice(_LATER)) for operation in made]

    def one_of_each(self) -> list[Operation]:
        """Every kind of request once, in order; who opts out does so between the decision of a welcome and its sending,
        should the sending be held up."""
        opt_out = replace(self.opt_out("bob"), after=timedelta(minutes=16))
        return [
            *(self.sign_up(shopper) for shopper in SHOPPERS),
            self.browse("ann"),
            self.order("ann", "o1", 2),
            self.order("ann", "o1", 1),
            self.hint("ann"),
            self.mixed("cho"),
            self.cart("cho"),
            self.pixel("cho"),
            opt_out,
        ]

    def sign_up(self, shopper: str) -> Operation:
        """Who they are, and their consent."""
        properties = {"channel": "email", "status": "granted"}
        return self._batch(
            shopper,
            ("identify", {"email": email_of(shopper), "first_name": shopper.title()}),
            ("Consent Updated", properties),
        )

    def browse(self, shopper: str) -> Operation:
        """Pages and products, sometimes before the browser knows who it is."""
        return self._batch(
            shopper, ("page", {}), ("Product Viewed", self._product()), anonymous=self._chance.random() < 0.5
        )

    def cart(self, shopper: str) -> Operation:
        """A product into the cart, or out of it."""
        name = self._chance.choice(("Product Added", "Product Added", "Product Removed"))
        return self._batch(shopper, (name, self._product()))

    def hint(self, shopper: str) -> Operation:
        """A browser's word about an order: it ends the cart and is no revenue."""
        return self._batch(shopper, ("Order Completed", {"order_id": f"hint-{shopper}", "total": 999}))

    def mixed(self, shopper: str) -> Operation:
        """Three events, of which one breaks a rule."""
        good = self._batch(shopper, ("page", {}), ("Product Viewed", self._product()))
        bad = {"type": "track", "userId": shopper, "messageId": f"bad-{self._number}", "timestamp": iso(START)}
        calls = [good.payload[0], bad, good.payload[1]]
        return Operation(good.number, "batch", calls, good.said, (bad["messageId"],), shopper)

    def pixel(self, shopper: str) -> Operation:
        """A page view through the pixel."""
        said = self._said("page", shopper, {}, anonymous=True)
        query = {
            "type": "page", "anonymousId": said.browser, "messageId": said.message_id, "timestamp": iso(said.instant),
        }  # fmt: skip
        return Operation(self._next(), "pixel", query, (said,), (), shopper)

    def order(self, shopper: str, name: str | None = None, version: int | None = None) -> Operation:
        """A signed version of an order: new, or of one that there is, newer or older than what came before."""
        order_id = f"{name or self._chance.choice(('o1', 'o2'))}-{shopper}"
        version = version or self._chance.randint(1, 4)
        total = 100 * self._chance.randint(10, 400)
        body: dict[str, Any] = {
            "order_id": order_id,
            "version": version,
            "placed_at": iso(PLACED_AT),
            "status": self._chance.choice(("placed", "paid", "paid", "cancelled")),
            "currency": "USD",
            "total": f"{total / 100:.2f}",
            "customer": {"user_id": shopper, "email": email_of(shopper)},
        }
        # One version of an order has one content, however often it is delivered.
        body = self._orders.setdefault((order_id, version), body)
        total = round(float(body["total"]) * 100)
        properties = {"order_id": order_id, "version": version, "status": body["status"], "total": total}
        said = Said("shop", f"{order_id}:{version}", "order", PLACED_AT, shopper, None, properties)
        return Operation(self._next(), "order", body, (said,), (), shopper)

    def at_home(self, shopper: str, *, anonymous: bool | None = None) -> Operation:
        """On the computer that everybody at home uses, logged in or not."""
        anonymous = self._chance.random() < 0.3 if anonymous is None else anonymous
        names = ("Product Viewed", "Product Viewed") if anonymous else ("page",)
        said = [
            replace(self._said(name, shopper, self._product(), anonymous=anonymous), browser="browser-home")
            for name in names
        ]
        return Operation(self._next(), "batch", [_call_of(event) for event in said], tuple(said), (), shopper)

    def show_card(self, shopper: str) -> Operation:
        """The account's loyalty card; now and then it is ann's."""
        card = f"card-{shopper if self._chance.random() < 0.8 else SHOPPERS[0]}"
        said = replace(self._said("page", shopper, {}, anonymous=False), card=card)
        return Operation(self._next(), "batch", [_call_of(said)], (said,), (), shopper)

    def in_store(self, shopper: str) -> Operation:
        """A purchase with nothing but the loyalty card."""
        order_id, total = f"store-{shopper}", 5_000
        body = {
            "order_id": order_id, "version": 1, "placed_at": iso(PLACED_AT), "status": "paid", "currency": "USD",
            "total": "50.00", "channel": "store", "customer": {"loyalty_card": f"card-{shopper}"},
        }  # fmt: skip
        properties = {"order_id": order_id, "version": 1, "status": "paid", "total": total}
        said = Said("shop", f"{order_id}:1", "order", PLACED_AT, None, None, properties, f"card-{shopper}")
        return Operation(self._next(), "order", body, (said,), (), shopper)

    def split(self, shopper: str) -> Operation:
        """An operator says that a shopper's own browser is somebody else's."""
        return Operation(self._next(), "split", (shopper, f"browser-{shopper}"), (), (), shopper)

    def join(self, shopper: str) -> Operation:
        """An operator takes that back."""
        return Operation(self._next(), "join", (shopper, f"browser-{shopper}"), (), (), shopper)

    def define(self) -> Operation:
        """The segment of those who viewed some products so often, anew."""
        return Operation(self._next(), "define", self._chance.randint(1, 2), (), (), "")

    def opt_out(self, shopper: str) -> Operation:
        """One click on a link that was in some message."""
        return Operation(self._next(), "opt_out", email_of(shopper), (), (), shopper)

    def _batch(self, shopper: str, *calls: tuple[str, dict[str, Any]], anonymous: bool = False) -> Operation:
        said = tuple(self._said(name, shopper, properties, anonymous=anonymous) for name, properties in calls)
        return Operation(self._next(), "batch", [_call_of(event) for event in said], said, (), shopper)

    def _said(self, name: str, shopper: str, properties: dict[str, Any], *, anonymous: bool) -> Said:
        self._ids += 1
        instant = START - timedelta(milliseconds=next(self._instants))
        user = None if anonymous else shopper
        return Said("web", f"m{self._ids}", name, instant, user, f"browser-{shopper}", properties)

    def _product(self) -> dict[str, Any]:
        return {"product_id": self._chance.choice(_PRODUCTS), "price": 5, "quantity": self._chance.randint(1, 3)}

    def _next(self) -> int:
        self._number += 1
        return self._number


def _call_of(said: Said) -> dict[str, Any]:
    """The event in Segment's form."""
    call: dict[str, Any] = {"messageId": said.message_id, "timestamp": iso(said.instant), "anonymousId": said.browser}
    if said.user:
        call["userId"] = said.user
    if said.card:
        call["context"] = {"externalIds": [{"id": said.card, "type": "loyalty_card", "collection": "users"}]}
    if said.kind == "identify":
        return call | {"type": "identify", "traits": said.properties}
    if said.kind == "page":
        return call | {"type": "page"}
    return call | {"type": "track", "event": said.kind, "properties": said.properties}
