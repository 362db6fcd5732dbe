"""What happens to a customer over time: step tables on a clock that is moved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from regulars.domain.events import EventType, Trust, event_id_of
from regulars.domain.instants import to_millis
from tests.strategies import START
from tests.world import World, user

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_no_order_in_thirty_days_flips_on_time() -> None:
    """`active` ends to the second, thirty days after the order, and the log says so."""
    world = World()
    world.send(world.order("o1"))
    assert "active" in world.segments()
    world.advance(START + 30 * DAY - timedelta(seconds=1))
    assert "active" in world.segments()
    world.advance(START + 30 * DAY + timedelta(seconds=1))
    assert "active" not in world.segments()
    exit_ = next(
        told for told in world.told if told["name"] == "Segment Exited" and told["properties"]["segment"] == "active"
    )
    assert exit_["timestamp"] == to_millis(START + 30 * DAY)


def test_a_subscriber_is_welcomed_once() -> None:
    """One welcome, a quarter of an hour after consent, with its reasons; consenting again does not repeat it."""
    world = World()
    world.send(*world.sign_up())
    assert world.segments() == {"new_subscriber"}
    world.advance(START + HOUR)
    assert world.sent() == ["welcome"]
    welcome = world.decisions[0]
    assert welcome.address == "ann@example.com"
    assert welcome.decided_at == START + timedelta(minutes=15)
    assert [check["check"] for check in welcome.trace] == [
        "segment",
        "address",
        "consent",
        "suppression",
        "frequency_cap",
    ]
    assert all(check["ok"] for check in welcome.trace)
    world.send(*world.sign_up())
    world.advance(START + 40 * DAY)
    assert world.sent() == ["welcome"]


def test_an_abandoned_cart_is_reminded_of_and_a_bought_one_is_not() -> None:
    """Ann leaves her cart; Bob orders half an hour later."""
    world = World()
    product = {"product_id": "p1", "name": "Dress", "price": 50, "quantity": 2}
    bob: dict[str, Any] = {"user_id": "bob"}
    world.send(*world.sign_up(), world.event("Product Added", properties=product))
    world.send(*world.sign_up("bob@example.com", **bob), world.event("Product Added", properties=product, **bob))
    world.advance(START + HOUR / 2)
    world.send(world.order("o1", **bob))
    world.advance(START + 2 * HOUR)
    reminders = [record for record in world.decisions if record.campaign == "abandoned_cart"]
    assert [record.address for record in reminders] == ["ann@example.com"]
    assert reminders[0].variables["cart"]["items"][0]["name"] == "Dress"
    assert reminders[0].variables["cart"]["value_minor"] == 10_000


def test_a_browsers_order_completed_ends_the_cart_but_is_no_revenue() -> None:
    """Revenue comes from signed orders only."""
    world = World()
    world.send(world.event("Product Added", properties={"product_id": "p1"}))
    assert world.customer().value("cart.open") is True
    world.clock.instant += HOUR
    world.send(world.event("Order Completed", properties={"order_id": "o1", "revenue": 99}))
    assert world.customer().value("cart.open") is False
    assert world.customer().value("orders.count") == 0


def test_nobody_hears_from_us_without_consent() -> None:
    """The cart is abandoned, the message is withheld, and the reason is kept."""
    world = World()
    identify = world.event("", type=EventType.IDENTIFY, traits={"email": "ann@example.com"})
    world.send(identify, world.event("Product Added", properties={"product_id": "p1"}))
    world.advance(START + DAY)
    assert world.sent() == []
    assert world.withheld() == [("abandoned_cart", "no_consent")]
    assert world.decisions[0].trace[-1] == {"check": "consent", "channel": "email", "status": None, "ok": False}


def test_the_frequency_cap_holds() -> None:
    """The fourth message within seven days is withheld."""
    world = World()
    world.send(*world.sign_up())
    for number in range(4):
        start = START + number * DAY
        world.advance(start)
        world.send(world.event("Product Added", properties={"product_id": f"p{number}"}))
        world.advance(start + 3 * HOUR)
        world.send(world.event("Order Completed"))
    assert world.sent() == ["welcome", "abandoned_cart", "abandoned_cart"]
    assert world.withheld() == [("abandoned_cart", "frequency_cap"), ("abandoned_cart", "frequency_cap")]


def test_an_opt_out_reaches_the_profile_through_the_address() -> None:
    """The unsubscribe page knows the address only; its event is of the address's node, which the customer is made
    of."""
    world = World()
    world.send(*world.sign_up())
    address = world.customer().address("email")
    assert address is not None
    world.clock.instant += HOUR
    said = {"channel": "email", "address_node": address.node}
    world.send(world.event("Unsubscribed", user_id=None, trust=Trust.SYSTEM, source="regulars", properties=said))
    assert world.customer().value("consent.email") == "denied"
    assert world.segments() == set()


def test_a_browser_becomes_the_customer_who_logs_in_on_it() -> None:
    """What was put in the cart before the login counts, whichever of the two events comes first."""
    world = World()
    anonymous: dict[str, Any] = {"user_id": None, "anonymous_id": "b1"}
    world.send(world.event("Product Added", properties={"product_id": "p1"}, **anonymous))
    assert world.customer().value("cart.open") is False
    world.send(*world.sign_up(anonymous_id="b1"))
    assert world.customer().value("cart.open") is True
    assert world.customer().root == user("ann")
    world.advance(START + 2 * HOUR)
    assert "abandoned_cart" in world.sent()


def test_a_browser_of_two_users_belongs_to_neither() -> None:
    """From the second login on, and backwards: the shared browser's own history is nobody's."""
    world = World()
    world.send(world.event("Product Added", user_id=None, anonymous_id="b1", properties={"product_id": "p1"}))
    world.send(*world.sign_up(anonymous_id="b1"))
    world.send(world.event("Cart Viewed", user_id="bob", anonymous_id="b1"))
    assert world.customer("ann").value("cart.open") is False
    assert world.customer("bob").value("cart.open") is False


def test_a_late_order_counts_as_if_it_had_come_in_time() -> None:
    """It decides at its arrival: the lapsed customer turns out to have ordered last week."""
    world = World()
    world.send(world.order("o1"))
    world.advance(START + 200 * DAY)
    assert "lapsed" in world.segments()
    world.send(world.order("o2", at=START + 195 * DAY))
    assert world.segments() == {"active"}


def test_an_older_version_after_a_newer_one_changes_nothing() -> None:
    """A cancelled order stays cancelled when the delivery that placed it comes late."""
    world = World()
    world.send(world.order("o1", version=2, status="cancelled"))
    world.send(world.order("o1", version=1))
    assert world.customer().value("orders.count") == 0
    assert world.segments() == set()


def test_what_comes_within_minutes_may_come_in_any_order() -> None:
    """A sign-up at the checkout: no welcome, whether the consent or the order is delivered first."""
    for order_first in (True, False):
        world = World()
        batches = [world.sign_up(), [world.order("o1")]]
        for batch in reversed(batches) if order_first else batches:
            world.send(*batch)
        world.advance(START + DAY)
        assert world.sent() == []


def test_history_that_is_imported_starts_no_campaign() -> None:
    """Old orders, a few or many, make a lapsed customer, and no win-back; the next order and silence do."""
    imported: dict[str, Any] = {"trust": Trust.IMPORTED}
    for many in (3, 80):
        world = World(now=START + 1000 * DAY)
        history = [world.order(f"o{n}", at=START + n * DAY, **imported) for n in range(many)]
        world.send(*world.sign_up(**imported), *history)
        assert "lapsed" in world.segments()
        world.advance(START + 1001 * DAY)
        assert world.decisions == []
    world.send(world.order("new"))
    world.advance(START + 1400 * DAY)
    assert "win_back_email" in world.sent()


def test_a_large_live_batch_is_no_history() -> None:
    """Sixty events at once are evaluated as one, and the subscriber among them is welcomed."""
    world = World()
    world.send(*world.sign_up(), *(world.event("", type=EventType.PAGE) for _ in range(60)))
    world.advance(START + HOUR)
    assert world.sent() == ["welcome"]


def test_the_same_events_again_change_nothing() -> None:
    """Not a version, not a decision."""
    world = World()
    batch = [
        *world.sign_up(anonymous_id="b1"),
        world.order("o1"),
        world.event("Product Added", properties={"sku": "x"}),
    ]
    world.send(*batch)
    before = dict(world.store.scan())
    assert world.send(*batch).written == 0
    assert dict(world.store.scan()) == before


def test_an_evaluation_that_decides_nothing_writes_nothing() -> None:
    """A page view of a customer in no time-dependent place costs one read."""
    world = World()
    world.send(world.event("", type=EventType.PAGE))
    assert world.reports[-1].evaluated == 1
    assert world.reports[-1].written == 0


def test_a_machine_that_floods_one_customer_is_cut_off() -> None:
    """Beyond 3,000 events in a week the rest are bad rows, and the item stays small."""
    world = World()
    flood = [world.event("", type=EventType.PAGE, event_id=event_id_of("web", f"f{n}")) for n in range(3100)]
    report = world.send(*flood)
    assert report.refused == 100
    assert world.customer().profile.events == 3000
    rows = [row for key in world.log.bad_keys() for row in world.log.read_bad(key)]
    assert {row.code for row in rows} == {"too_many_events"}
