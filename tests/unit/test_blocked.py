"""Values that the program says stand for nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from regulars.domain.links import IdentityRules
from regulars.domain.program import Program
from tests.world import World, starter_program, user


def blocking() -> Program:
    """The starter program with the user id `till` blocked."""
    return replace(starter_program(), identity=IdentityRules(blocked=frozenset({user("till")})))


def shop_at(world: World) -> None:
    """Two guests order with the account of the till; one fills a cart."""
    for number, address in enumerate(("ann@example.com", "bob@example.com")):
        email = {"email": address}
        said = {"channel": "email", "status": "granted"}
        world.send(
            world.order(f"o{number}", user_id="till", traits=email),
            world.event("Consent Updated", user_id="till", traits=email, properties=said),
        )
    world.send(world.event("Product Added", user_id="till", properties={"product_id": "p", "price": 3}))


def test_nothing_is_decided_for_a_value_that_stands_for_nobody() -> None:
    world = World(blocking())
    shop_at(world)
    world.advance(world.clock.instant + timedelta(days=1))
    assert world.decisions == []
    assert world.segments("till") == set()


def test_what_waits_for_a_value_that_is_then_blocked_is_not_sent() -> None:
    world = World()
    shop_at(world)
    assert "active" in world.segments("till")
    world.programs._program = blocking()
    world.advance(world.clock.instant + timedelta(days=1))
    assert world.sent() == []
    world.send(world.event("Page Viewed", user_id="till"))
    assert world.segments("till") == set()
