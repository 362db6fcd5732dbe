"""The catalogue and the customer agree."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from regulars.domain.customer import Customer, Terms
from regulars.domain.facts import CartLine
from regulars.domain.orders import OrderBook, OrderEntry
from regulars.domain.plan import NO_PLAN
from regulars.domain.profile import Cart, Counter, Profile, Trait
from regulars.domain.rules.fields import FIELDS, Kind, event_of, field_kind
from regulars.domain.scores.history import DAY_MS
from regulars.domain.scores.lifecycle import Rhythm
from regulars.domain.scores.rfm import QUINTILES, TERTILES, cuts_of
from regulars.domain.scores.scoring import Scorer
from regulars.domain.statements import ConsentRecord
from regulars.domain.surveys import SurveyKind
from tests.rule_samples import DAY, NOON
from tests.unit.scores.samples import model_of

TYPES: dict[Kind, type] = {
    Kind.NUMBER: int,
    Kind.MONEY: int,
    Kind.INSTANT: datetime,
    Kind.DURATION: timedelta,
    Kind.FLAG: bool,
    Kind.CHOICE: str,
    Kind.TEXT: str,
    Kind.TEXTS: tuple,
    Kind.RATIO: float,
    Kind.DECIMAL: int,
}
RHYTHM = Rhythm(30 * DAY_MS, 90 * DAY_MS, 14 * DAY_MS)
MODEL = model_of(rfm={levels: cuts_of(levels, [1], [1], [1]) for levels in (TERTILES, QUINTILES)}, rhythm=RHYTHM)
TERMS = Terms(NO_PLAN, "EUR", scorer=Scorer(MODEL))
EVENT_FIELDS = ("events.Product Viewed.count", "events.Product Viewed.first_at", "events.Product Viewed.last_at")


def somebody() -> Customer:
    """A customer of whom every field is known."""
    profile = Profile(
        first_seen=NOON - DAY,
        last_seen=NOON,
        counters={"Product Viewed": Counter(1, NOON, NOON)},
        traits={f"{kind}_score": Trait(5, NOON) for kind in SurveyKind}
        | {f"address_{part}": Trait("Ulm", NOON) for part in ("country", "region", "city", "postal_code")},
        cart=Cart({"p": CartLine(2, NOON, price_minor=500, category="Dresses")}, (), NOON, NOON, None),
    )
    entries = {
        str(n): OrderEntry(
            1, NOON - n * 52 * 7 * DAY, 1000, 0, "EUR", "paid", coupon=False, channel="online", categories=("Dresses",)
        )
        for n in (1, 2)
    }
    said = {("u_1", channel): ConsentRecord(channel, "granted", NOON, "web") for channel in ("email", "sms")}
    customer = Customer("u_1", profile, OrderBook(entries), terms=TERMS, now=NOON, said=said)
    customer.churn_band = "low"
    return customer


@pytest.mark.parametrize("field", [*FIELDS, *EVENT_FIELDS])
def test_a_customer_knows_every_field_as_the_kind_that_it_is(field: str) -> None:
    assert type(somebody().value(field)) is TYPES[field_kind(field)]


def test_nobody_lacks_no_field() -> None:
    nobody = Customer("u_1", Profile(), OrderBook(), terms=TERMS, now=NOON)
    present = {field for field in (*FIELDS, *EVENT_FIELDS) if nobody.value(field) is not None}
    counts = {"orders.count", "orders.revenue", "cart.value", "events.Product Viewed.count"}
    always = {"cart.open", "reachable.email", "reachable.sms", "lifecycle.stage", "rfm.shopify_group"}
    assert present == counts | always


@pytest.mark.parametrize(
    ("field", "event"),
    [("events.Product Viewed.count", "Product Viewed"), ("events.v1.2.last_at", "v1.2"), ("orders.count", None)],
)
def test_an_event_field_names_its_event(field: str, event: str | None) -> None:
    assert event_of(field) == event
