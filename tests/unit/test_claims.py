"""What a stranger with a public write key, which is readable in every page, cannot do to somebody the shop knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from regulars.domain.events import Event, EventType, Trust
from regulars.domain.identity import NodeKind, node_id
from tests.world import World, user

MINUTE = timedelta(minutes=1)
ANNS = node_id(NodeKind.EMAIL, "ann@example.com")
CARD = node_id(NodeKind.LOYALTY, "C1")
SIGNED: dict[str, Any] = {"trust": Trust.SIGNED, "source": "shop"}


def ids(**named: str) -> dict[str, Any]:
    """The context of an event that names these external ids."""
    return {"externalIds": [{"id": value, "type": kind, "collection": "users"} for kind, value in named.items()]}


def says(world: World, **who: Any) -> Event:
    """An identify call: with a public write key, unless it is SIGNED."""
    return world.event("", type=EventType.IDENTIFY, **{"user_id": None, **who})


def consent(world: World, status: str, channel: str = "email", **who: Any) -> Event:
    said = {"channel": channel, "status": status}
    return world.event("Consent Updated", properties=said, **{"user_id": None, **who})


def one(world: World, *nodes: str) -> bool:
    """Whether these are one customer's."""
    return len({world.customer_of_node(node).root for node in nodes}) == 1


def status_of(world: World, node: str, channel: str = "email") -> str | None:
    record = world.customer_of_node(node).consent(channel)
    return record.status if record else None


def in_turn(world: World, *events: Event) -> None:
    """Each happens a minute after the one before."""
    for event in events:
        world.send(replace(event, timestamp=world.clock.instant, received_at=world.clock.instant))
        world.clock.instant += MINUTE


def test_two_claims_on_an_address_do_not_part_it_from_its_card() -> None:
    """The refusal that the shop told at the card goes on to hold for the address."""
    world = World()
    world.send(says(world, traits={"email": "ann@example.com"}, context=ids(loyalty_card="C1"), **SIGNED))
    world.clock.instant += MINUTE
    world.send(consent(world, "granted", traits={"email": "ann@example.com"}, **SIGNED))
    world.clock.instant += MINUTE
    world.send(consent(world, "denied", context=ids(loyalty_card="C1"), **SIGNED))
    for stranger in ("x1", "x2"):
        world.clock.instant += MINUTE
        world.send(says(world, user_id=stranger, traits={"email": "ann@example.com"}))
    assert one(world, ANNS, CARD)
    assert not one(world, ANNS, user("x1"))
    assert status_of(world, ANNS) == "denied"
    world.advance(world.clock.instant + timedelta(hours=2))
    assert world.sent() == []


def test_twenty_claimed_addresses_do_not_push_out_the_one_that_the_shop_told() -> None:
    """Nor the refusal that was told there."""
    world = World()
    in_turn(
        world,
        says(world, user_id="ann", traits={"email": "ann@example.com"}, **SIGNED),
        consent(world, "granted", user_id="ann", **SIGNED),
        consent(world, "denied", traits={"email": "ann@example.com"}, **SIGNED),
    )
    world.clock.instant += timedelta(days=8)
    world.send(*(says(world, user_id="ann", traits={"email": f"x{number}@example.com"}) for number in range(20)))
    assert one(world, ANNS, user("ann"))
    assert status_of(world, user("ann")) == "denied"
    world.advance(world.clock.instant + timedelta(hours=2))
    assert world.sent() == []


def test_what_the_shop_told_long_ago_and_is_claimed_again_is_still_told() -> None:
    """Whatever came in between, and in whichever order."""
    for order in ("told many again", "told again many", "many again told"):
        world = World()
        ago = [world.clock.instant - timedelta(weeks=weeks) for weeks in range(61)]
        parts = {
            "told": [world.order("o1", at=ago[60], traits={"email": "ann@example.com"})],
            "many": [
                says(world, user_id=f"x{n}", at=ago[40 - n], traits={"email": "ann@example.com"}) for n in range(21)
            ],
            "again": [says(world, user_id="ann", at=ago[1], traits={"email": "ann@example.com"})],
        }
        for part in order.split():
            world.send(*parts[part])
        assert one(world, ANNS, user("ann"))


@pytest.mark.parametrize(
    ("trait", "external"),
    [({"phone": "+4915112345678"}, {}), ({}, {"loyalty_card": "X9"}), ({}, {"shop_customer_id": "web:9"})],
)
def test_a_stranger_does_not_join_an_account_by_something_of_his_own(
    trait: dict[str, str], external: dict[str, str]
) -> None:
    """Claimed with his user id, and claimed with her address."""
    world = World()
    world.send(world.order("o1", traits={"email": "ann@example.com"}))
    world.send(says(world, user_id="evil", traits=trait, context=ids(**external)))
    world.send(says(world, traits={**trait, "email": "ann@example.com"}, context=ids(**external)))
    assert not one(world, user("evil"), user("ann"))
    assert one(world, ANNS, user("ann"))


def test_a_stranger_does_not_make_two_guests_one() -> None:
    """Who claims two addresses has the last of them; both are known to the shop by orders."""
    world = World()
    addresses = ["ann@example.com", "bob@example.com"]
    for number, address in enumerate(addresses):
        world.send(world.order(f"o{number}", user_id=None, traits={"email": address}))
    for address in addresses:
        world.send(says(world, user_id="evil", traits={"email": address}))
    assert not one(world, ANNS, node_id(NodeKind.EMAIL, "bob@example.com"))
    world.clock.instant += timedelta(weeks=1)
    world.send(says(world, user_id="evil", traits={"email": "bob@example.com"}))
    assert one(world, user("evil"), node_id(NodeKind.EMAIL, "bob@example.com"))


def test_claims_do_not_make_a_customer_too_large_to_be_one() -> None:
    world = World()
    in_turn(
        world,
        says(world, user_id="ann", context=ids(loyalty_card="C1"), traits={"email": "ann@example.com"}, **SIGNED),
        consent(world, "granted", user_id="ann", **SIGNED),
        consent(world, "denied", context=ids(loyalty_card="C1"), **SIGNED),
    )
    for number in range(20):
        flood = ids(device_id=f"d{number}", shop_customer_id=f"q:{number}")
        world.send(world.event("Page Viewed", type=EventType.PAGE, anonymous_id=f"z{number}", context=flood))
    assert one(world, user("ann"), ANNS, CARD)
    assert not one(world, user("ann"), node_id(NodeKind.ANONYMOUS, "z1"))
    assert status_of(world, user("ann")) == "denied"
    world.advance(world.clock.instant + timedelta(hours=2))
    assert world.sent() == []


def test_an_account_and_its_address_are_one_by_claims_alone() -> None:
    """A shop that has nothing but a tracker: account, address, telephone, two cards and a browser."""
    world = World()
    who: dict[str, Any] = {"user_id": "ann", "traits": {"email": "ann@example.com", "phone": "+4915112345678"}}
    world.send(says(world, **who, anonymous_id="b1", context=ids(loyalty_card="C1")))
    world.send(says(world, **who, context=ids(loyalty_card="C2")))
    phone, browser = node_id(NodeKind.PHONE, "+4915112345678"), node_id(NodeKind.ANONYMOUS, "b1")
    assert one(world, user("ann"), ANNS, phone, CARD, node_id(NodeKind.LOYALTY, "C2"), browser)


def test_a_claim_of_an_earlier_day_lifts_no_refusal() -> None:
    """Refused at the address and then granted in the account, which the shop knows to be one person's only since."""
    world = World()
    address = {"email": "ann@example.com"}
    in_turn(
        world,
        consent(world, "denied", traits=address, **SIGNED),
        consent(world, "granted", user_id="ann", **SIGNED),
        says(world, user_id="ann", traits=address, **SIGNED),
    )
    world.send(says(world, user_id="ann", traits=address, at=world.clock.instant - timedelta(days=300)))
    assert status_of(world, user("ann")) == "denied"
    world.send(consent(world, "granted", user_id="ann", **SIGNED))
    assert status_of(world, user("ann")) == "granted"


def test_a_claim_is_enough_to_take_back_what_was_claimed() -> None:
    """Also when the shop says later what was claimed to be one person's."""
    world = World()
    address = {"email": "ann@example.com"}
    in_turn(
        world,
        says(world, user_id="ann", traits=address),
        consent(world, "denied", traits=address),
        consent(world, "granted", user_id="ann"),
        says(world, user_id="ann", traits=address, **SIGNED),
    )
    assert status_of(world, user("ann")) == "granted"


def test_a_claimed_refusal_at_a_shared_address_is_taken_back_by_the_shop() -> None:
    """A stranger refused for it; the shop said otherwise; then six accounts have it, and it is nobody's."""
    world = World()
    address = {"email": "ann@example.com"}
    in_turn(
        world,
        says(world, user_id="ann", traits=address),
        consent(world, "denied", user_id="evil", traits=address),
        consent(world, "granted", user_id="ann", traits=address, **SIGNED),
    )
    for number in range(6):
        world.send(world.order(f"o{number}", user_id=f"f{number}", traits=address))
    assert not one(world, user("ann"), ANNS)
    world.send(world.order("o9", traits=address, status="cancelled"))
    assert "new_subscriber" in world.segments("ann")
