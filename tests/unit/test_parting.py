"""What becomes of two customers who were taken for one: each is as if it had been alone, and nobody hears twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regulars.domain.event_nodes import JOINED, SPLIT
from regulars.domain.events import Event, EventType, Trust
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.state import CustomerState
from tests.world import World, user

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BROWSER = node_id(NodeKind.ANONYMOUS, "b1")
SIGNED: dict[str, Any] = {"trust": Trust.SIGNED, "source": "shop"}


def email(address: str) -> str:
    """The node of an address."""
    return node_id(NodeKind.EMAIL, address)


def word(world: World, name: str, one: str, other: str) -> Event:
    """An operator's word about two identifiers."""
    own: dict[str, Any] = {"type": EventType.SYSTEM, "trust": Trust.SYSTEM, "user_id": None}
    return world.event(name, properties={"nodes": sorted([one, other])}, **own)


def says(world: World, **who: Any) -> Event:
    """An identify call."""
    return world.event("", type=EventType.IDENTIFY, **{"user_id": None, **who})


def consent(world: World, status: str, **who: Any) -> Event:
    said = {"channel": "email", "status": status}
    return world.event("Consent Updated", properties=said, **{"user_id": None, **who})


@pytest.mark.parametrize("apart", [False, True])
def test_who_had_only_the_other_parts_orders_is_decided_anew(apart: bool) -> None:  # noqa: FBT001 - both
    """A guest's order made the account active; without the address it is not. Whether the stream tells both ends at
    once or one after the other."""
    world = World()
    world.send(world.order("o1", user_id=None, traits={"email": "bob@example.com"}))
    world.clock.instant += MINUTE
    world.send(says(world, user_id="ann", traits={"email": "bob@example.com"}, **SIGNED))
    assert "active" in world.segments("ann")
    world.clock.instant += MINUTE
    keys = world.log.append([word(world, SPLIT, user("ann"), email("bob@example.com"))])
    world.update([("record", keys)])
    if apart:
        for change in world.store.changes():
            world.evaluate.changed([change])
    world.settle()
    assert world.segments("ann") == set()
    world.clock.instant += MINUTE
    world.send(word(world, JOINED, user("ann"), email("bob@example.com")))
    assert "active" in world.segments("ann")


def test_the_others_cart_is_not_reminded_of_after_a_split() -> None:
    """It waited to be reminded of when the browser turned out not to be hers."""
    world = World()
    world.send(*world.sign_up("ann@example.com", trust=Trust.SIGNED))
    world.send(world.event("Page Viewed", type=EventType.PAGE, anonymous_id="b1"))
    world.advance(world.clock.instant + HOUR)
    world.send(world.event("Product Added", user_id=None, anonymous_id="b1", properties={"product_id": "secret"}))
    world.advance(world.clock.instant + timedelta(minutes=62))
    assert "cart_abandoner" in world.segments("ann")
    world.send(word(world, SPLIT, user("ann"), BROWSER))
    assert world.segments("ann") == {"new_subscriber"}
    world.advance(world.clock.instant + DAY)
    assert world.sent() == ["welcome"]


@pytest.mark.parametrize("views", [5, 60])
def test_who_loses_a_browser_is_looked_at_again_however_much_came_with_it(views: int) -> None:
    """A write of more facts than it can carry says nothing of what was before."""
    world = World()
    world.send(*world.sign_up(user_id=None, anonymous_id="b1"))
    world.send(world.event("Page Viewed", type=EventType.PAGE, anonymous_id="b1"))
    assert "new_subscriber" in world.segments("ann")
    pages = [world.event("Page Viewed", type=EventType.PAGE, user_id=None, anonymous_id="b1") for _ in range(views)]
    world.send(world.event("Page Viewed", type=EventType.PAGE, user_id="bob", anonymous_id="b1"), *pages)
    assert world.segments("ann") == set()


def test_after_a_split_nobody_writes_to_the_others_address() -> None:
    """A clerk gave ann bob's address. What her account knew besides, in the browser, is used instead."""
    world = World()
    world.send(world.event("Page Viewed", type=EventType.PAGE, user_id="ann", anonymous_id="b1"))
    world.send(says(world, user_id="bob", traits={"email": "bob@example.com"}, **SIGNED))
    world.send(consent(world, "granted", user_id="ann", **SIGNED))
    world.clock.instant += MINUTE
    world.send(says(world, user_id="ann", traits={"email": "bob@example.com"}, **SIGNED))
    world.send(word(world, SPLIT, user("ann"), email("bob@example.com")))
    assert world.customer("ann").address("email") is None
    world.advance(world.clock.instant + 2 * HOUR)
    assert world.sent() == []
    world.send(says(world, user_id="ann", traits={"email": "ann@example.com"}, **SIGNED))
    address = world.customer("ann").address("email")
    assert address is not None
    assert address.text == "ann@example.com"


def test_an_address_of_another_of_the_customers_identifiers_stands_in_for_one_that_is_not_hers() -> None:
    world = World()
    card = {"externalIds": [{"id": "C1", "type": "loyalty_card", "collection": "users"}]}
    world.send(says(world, traits={"email": "ann@example.com"}, context=card, **SIGNED))
    world.send(says(world, user_id="ann", context=card, **SIGNED))
    world.clock.instant += MINUTE
    world.send(says(world, user_id="ann", traits={"email": "bob@example.com"}, **SIGNED))
    world.send(word(world, SPLIT, user("ann"), email("bob@example.com")))
    address = world.customer("ann").address("email")
    assert address is not None
    assert address.text == "ann@example.com"


@pytest.mark.parametrize("why", ["refusal", "bounce"])
def test_what_is_refused_at_an_address_holds_for_whoever_writes_there(why: str) -> None:
    """Of two addresses that only a tracker told the account keeps one, and has the other as its last."""
    world = World()
    kept, last = sorted(("ann@example.com", "x@example.com"), key=email)
    if why == "refusal":
        world.send(consent(world, "denied", traits={"email": last}, **SIGNED))
    else:
        verdict = {"address_node": email(last), "permanent": True, "channel": "email"}
        own: dict[str, Any] = {"type": EventType.SYSTEM, "trust": Trust.SYSTEM, "user_id": None}
        world.send(world.event("Email Bounced", properties=verdict, **own))
    for address in (kept, last):
        world.clock.instant += MINUTE
        world.send(says(world, user_id="ann", traits={"email": address}))
    world.send(consent(world, "granted", user_id="ann", **SIGNED))
    assert world.customer_of_node(email(last)).root == email(last)
    world.advance(world.clock.instant + 2 * HOUR)
    assert world.sent() == []


def test_who_was_imported_enters_nothing_again_when_parted() -> None:
    """A customer at risk, by history that started no campaign; taken for an account's owner, and told apart."""
    world = World()
    history: dict[str, Any] = {"trust": Trust.IMPORTED, "source": "old"}
    address = {"email": "bob@example.com"}
    past: dict[str, Any] = {"user_id": None, "traits": address, "trust": Trust.IMPORTED}
    orders = [world.order(f"o{n}", at=world.clock.instant - (90 + 30 * n) * DAY, **past) for n in range(3)]
    agreed = consent(world, "granted", traits=address, at=world.clock.instant - 100 * DAY, **history)
    world.send(says(world, traits=address, **history), agreed, *orders)
    world.advance(world.clock.instant + 2 * HOUR)
    before = state_of(world, email("bob@example.com")).memberships
    assert {known.trigger for known in before.values()} == {"import"}
    world.send(says(world, user_id="zed", traits=address, **SIGNED))
    world.clock.instant += MINUTE
    world.send(word(world, SPLIT, user("zed"), email("bob@example.com")))
    world.advance(world.clock.instant + 5 * HOUR)
    assert state_of(world, email("bob@example.com")).memberships == before
    assert world.sent() == []


def test_a_cart_reminded_of_while_two_were_one_is_not_reminded_of_again() -> None:
    """A guest's browser and address, taken for an account's, reminded, and told apart within the cart's three days."""
    world = World()
    who: dict[str, Any] = {"traits": {"email": "ann@example.com"}, "anonymous_id": "b1"}
    world.send(world.order("o1", user_id="ann", at=world.clock.instant - 3 * DAY))
    world.send(says(world, **who), consent(world, "granted", **who))
    world.clock.instant += MINUTE
    world.send(says(world, user_id="ann", traits={"email": "ann@example.com"}))
    world.clock.instant += MINUTE
    world.send(world.event("Product Added", user_id=None, anonymous_id="b1", properties={"product_id": "p1"}))
    world.advance(world.clock.instant + 2 * HOUR)
    assert world.sent() == ["abandoned_cart"]
    world.send(word(world, SPLIT, user("ann"), email("ann@example.com")))
    world.advance(world.clock.instant + DAY)
    assert world.sent().count("abandoned_cart") == 1
    assert len(state_of(world, email("ann@example.com")).sends) == len(world.sent())


def test_what_waited_when_two_were_taken_for_one_is_decided_once_they_are_parted() -> None:
    """A guest who had just subscribed."""
    world = World()
    address = {"email": "ann@example.com"}
    world.send(consent(world, "granted", traits=address, **SIGNED))
    world.clock.instant += MINUTE
    world.send(says(world, user_id="zed", traits=address, **SIGNED))
    world.clock.instant += MINUTE
    world.send(word(world, SPLIT, user("zed"), email("ann@example.com")))
    world.advance(world.clock.instant + HOUR)
    assert [(record.campaign, record.customer) for record in world.decisions] == [("welcome", email("ann@example.com"))]


def state_of(world: World, node: str) -> CustomerState:
    """The state of a node that stands alone."""
    stored = world.store.heads([node])[node].state
    assert stored is not None
    return stored.value
