"""New thresholds reach whom they move, whatever happens around them."""

from __future__ import annotations

from datetime import timedelta

from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.system import CountedIds
from regulars.application.evaluate_customers import EvaluateCustomers
from regulars.application.outbox import Relay
from regulars.application.refresh import SETTLED, RefreshReport, announce, refresh
from tests.world import World, starter_program


def thirty_buyers() -> World:
    """Thirty customers who spent 10 to 300: the top tenth spends 270 and more."""
    world = World()
    world.send(*(world.order(f"o{n}", total=1000 * n, user_id=f"u{n}") for n in range(1, 31)))
    return world


def announced(world: World) -> RefreshReport:
    report = announce(store=world.store, programs=world.programs, due=world.due, clock=world.clock)
    world.evaluate.due([(str(number), message.body) for number, message in enumerate(world.due.receive())])
    world.settle()
    return report


def published(world: World) -> RefreshReport:
    return refresh(store=world.store, programs=world.programs, clock=world.clock)


def test_new_values_move_those_between_old_and_new() -> None:
    world = thirty_buyers()
    assert "big_spender" not in world.segments("u28")
    assert published(world).version == 1
    world.clock.instant += SETTLED
    assert announced(world).changed == 4
    assert "big_spender" in world.segments("u28")
    assert announced(world).changed == 0


def test_before_they_are_in_force_everywhere_nobody_is_told() -> None:
    world = thirty_buyers()
    published(world)
    world.clock.instant += SETTLED - timedelta(seconds=1)
    assert announced(world) == RefreshReport(0, 1, 0)


def test_who_is_evaluated_under_the_old_values_once_more_is_not_forgotten() -> None:
    """An order after the new values were computed, taken in by a function that does not know them yet."""
    world = thirty_buyers()
    published(world)
    stale = MemoryProgramStore(starter_program())
    relay = Relay(store=world.store, messages=world.messages, events=world.events, ids=CountedIds())
    late = EvaluateCustomers(store=world.store, programs=stale, relay=relay, clock=world.clock, ids=CountedIds())
    world.update([("late", world.log.append([world.order("more", total=17_500, user_id="u10")]))])
    late.changed(world.store.changes())
    assert "big_spender" not in world.segments("u10")
    world.clock.instant += SETTLED
    announced(world)
    assert "big_spender" in world.segments("u10")
