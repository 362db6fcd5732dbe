"""What an operator is told about who is one customer, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regulars.application.identity import Identity, Tie
from regulars.domain.event_nodes import SPLIT
from regulars.domain.events import EventType, Trust
from regulars.domain.identity import NodeKind, node_id
from tests.world import World, user

BROWSER = node_id(NodeKind.ANONYMOUS, "b1")
ANNS = node_id(NodeKind.EMAIL, "ann@example.com")
ADDRESS = {"email": "ann@example.com"}


def commands(world: World) -> Identity:
    return Identity(store=world.store, programs=world.programs, log=world.log, events=world.events, clock=world.clock)


def tie(world: World, one: str, other: str) -> Tie:
    """What is said of two identifiers."""
    (found,) = [tie for tie in commands(world).explain(one).ties if {tie.one, tie.other} == {one, other}]
    return found


def claim(world: World, name: str) -> None:
    world.send(world.event("", type=EventType.IDENTIFY, user_id=name, traits=ADDRESS))


@pytest.mark.parametrize(("shop_knows", "why"), [(True, "beside one of kind u"), (False, "for more than 1 of kind u")])
def test_a_claim_that_does_not_count_is_called_one(shop_knows: bool, why: str) -> None:  # noqa: FBT001 - both
    world = World()
    if shop_knows:
        world.send(world.order("o1", traits=ADDRESS))
    claim(world, "ann")
    claim(world, "evil")
    said = tie(world, ANNS, user("evil")).objection
    assert said is not None
    assert said.startswith("claimed with a public write key only")
    assert why in said


def test_an_event_that_came_long_after_it_happened_is_found_when_one_says_how_long() -> None:
    world = World()
    ago = world.clock.instant - timedelta(days=200)
    world.send(world.order("o1", at=ago, traits=ADDRESS, trust=Trust.IMPORTED))
    assert tie(world, ANNS, user("ann")).event is None
    (found,) = commands(world).explain(ANNS, latest_receipt=timedelta(days=201)).ties
    assert found.event is not None
    assert found.event.type is EventType.ORDER


def test_an_operator_is_told_by_what_two_are_one_in_spite_of_a_split() -> None:
    """Account, browser and address, each named with each; the account and the browser are split."""
    world = World()
    assert commands(world).besides(user("ann"), BROWSER) == ()
    who: dict[str, Any] = {"type": EventType.IDENTIFY, "anonymous_id": "b1", "traits": ADDRESS}
    world.send(world.event("", **who))
    assert commands(world).besides(user("ann"), BROWSER) == ()
    world.send(world.event("", user_id=None, **who))
    assert commands(world).besides(user("ann"), BROWSER) == (user("ann"), ANNS, BROWSER)
    own: dict[str, Any] = {"type": EventType.SYSTEM, "trust": Trust.SYSTEM, "user_id": None}
    world.send(world.event(SPLIT, properties={"nodes": [user("ann"), BROWSER]}, **own))
    cut = tie(world, user("ann"), BROWSER)
    assert cut.is_one
    assert cut.objection is not None
    assert cut.objection.startswith("cut by an operator")


def test_an_operator_is_told_that_two_accounts_are_one_by_their_address() -> None:
    """Nothing ever named both, so there is nothing to cut between them."""
    world = World()
    for name in ("ann", "bob"):
        world.send(world.order(f"o-{name}", user_id=name, traits=ADDRESS))
    assert commands(world).besides(user("ann"), user("bob")) == (user("ann"), ANNS, user("bob"))
