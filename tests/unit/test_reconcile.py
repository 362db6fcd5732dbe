"""Reconcile: what differs from the lake is found and mended, what may yet come is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from regulars.adapters.memory.dead_letters import MemoryDeadLetters
from regulars.adapters.memory.system import CountedIds
from regulars.adapters.spill import MemorySpill
from regulars.application.rebuild import EVERYBODY, Rebuild, Slice
from regulars.application.reconcile import Reconcile, ReconcileReport, tonight
from regulars.domain.events import Event
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from tests.recovering import break_orders, break_profile, projection
from tests.world import World, user

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def settled_shop() -> World:
    """Two customers, and two quiet hours; their profiles keep what the rules look at."""
    world = World()
    plan = world.programs.current().plan
    world.programs.publish(ProgramParameters(version=1, parts=plan.parts()))
    world.send(*world.sign_up(), world.event("Product Viewed", user_id="bob"))
    world.send(world.order("o1"))
    world.advance(world.clock.instant + 2 * HOUR)
    return world


def reconciled(world: World, share: Slice = EVERYBODY, *, repair: bool = True, waiting: int = 0) -> ReconcileReport:
    backlog = MemoryDeadLetters()
    for _ in range(waiting):
        backlog.put("{}", world.clock.instant)
    rebuild = Rebuild(
        log=world.log, store=world.store, catalogue=world.catalogue, programs=world.programs, spill=MemorySpill(),
        clock=world.clock, ids=CountedIds("reconcile-"),
    )  # fmt: skip
    use_case = Reconcile(
        rebuild=rebuild, store=world.store, due=world.due, waiting=(backlog, MemoryDeadLetters()), clock=world.clock
    )
    report = use_case(share, repair=repair)
    world.settle()
    return report


def test_it_finds_what_differs_and_mends_it_once() -> None:
    world, twin = settled_shop(), settled_shop()
    break_orders(world, user("ann"))
    del world.store._rows[user("bob"), "PROFILE"]
    compared = reconciled(world).compared
    assert (compared.nodes, compared.different, compared.missing, compared.rebuilt) == (3, 1, 1, 2)
    assert projection(world.store) == projection(twin.store)
    again = reconciled(world).compared
    assert (again.same, again.different, again.missing, again.rebuilt) == (3, 0, 0, 0)
    assert world.sent() == twin.sent()


def test_without_repair_it_only_tells() -> None:
    world = settled_shop()
    break_orders(world, user("ann"))
    before = projection(world.store)
    report = reconciled(world, repair=False)
    assert (report.compared.different, report.compared.rebuilt) == (1, 0)
    assert projection(world.store) == before


def test_what_waits_to_be_folded_is_not_taken_for_lost() -> None:
    """It landed hours ago and its notification is still in the queue, or among its dead letters: the fold will take it
    in, and what it starts will be sent; a rebuild would make it history."""
    world = settled_shop()
    keys = world.log.append(world.sign_up("cat@example.com", user_id="cat"))
    world.clock.instant += 3 * HOUR
    report = reconciled(world, waiting=1)
    assert (report.backlog, report.compared.missing, report.compared.rebuilt) == (1, 2, 0)
    world.update([("late", keys)])
    world.settle()
    world.advance(world.clock.instant + DAY)
    assert world.sent() == ["welcome"]


def test_what_has_just_landed_is_not_compared() -> None:
    world = settled_shop()
    world.log.append([world.event("Product Viewed")])
    compared = reconciled(world).compared
    assert (compared.unsettled, compared.different, compared.rebuilt) == (1, 0, 0)


def test_who_is_overdue_and_whose_outbox_waits_is_brought_up() -> None:
    """Nobody ticked for a day, and the relay of a decision was lost with the stream."""
    world = World()
    world.update([("r", world.log.append(world.sign_up()))])
    world.evaluate.changed(world.store.changes())
    world.store.changes()
    world.clock.instant += DAY
    assert reconciled(world, repair=False).overdue == 1
    assert world.due.messages == []
    report = reconciled(world)
    assert (report.overdue, report.dangling) == (1, 1)
    assert not world.evaluate.due([("d", message.body) for message in world.due.receive()]).failed
    world.settle()
    assert world.sent() == ["welcome"]
    assert reconciled(world).overdue == 0


@pytest.mark.parametrize("slices", [1, 7])
def test_every_node_has_its_night(slices: int) -> None:
    nights = [tonight(datetime(2026, 11, 1, 4, 15, tzinfo=UTC) + day * DAY, slices) for day in range(slices)]
    for number in range(100):
        assert sum(f"u_{number:032x}" in night for night in nights) == 1


def test_a_slice_is_about_its_share() -> None:
    nodes = [f"u_{number:032x}" for number in range(7000)]
    assert all(800 < sum(node in Slice(index, 7) for node in nodes) < 1200 for index in range(7))


def test_a_broken_profile_outside_tonights_share_waits_for_its_night() -> None:
    world = settled_shop()
    break_profile(world, user("bob"))
    rebuilt = [reconciled(world, Slice(index, 5)).compared.rebuilt for index in range(5)]
    assert sorted(rebuilt) == [0, 0, 0, 0, 1]


SHOES = {"count": "Product Viewed", "where": {"category": "Shoes"}, "at_least": 1}


def with_shoes(world: World) -> None:
    """A program whose rules look at what no profile keeps yet."""
    segment = {"name": "shoes", "rule": SHOES}
    hello = {"name": "hello", "channel": "email", "template": "welcome", "segment": "shoes", "once_per": "customer"}
    files = {"p.yaml": {"currency": "USD", "segments": [segment], "campaigns": [hello]}}
    world.use(load_program(files, world.programs.current().parameters))


def shoes(world: World, name: str) -> Event:
    return world.event("Product Viewed", user_id=name, properties={"category": "Shoes"})


def test_a_night_fills_profiles_with_what_new_rules_look_at_and_nobody_hears_of_it() -> None:
    world = settled_shop()
    world.send(*world.sign_up("cat@example.com", user_id="cat"), shoes(world, "cat"))
    world.advance(world.clock.instant + 2 * HOUR)
    sent = world.sent()
    with_shoes(world)
    assert world.programs.current().waiting == {"shoes"}
    report = reconciled(world, Slice(0, 7))
    assert report.compared.rebuilt > 0
    assert world.programs.current().waiting == set()
    assert world.segments("cat") == {"shoes"}
    world.advance(world.clock.instant + 2 * HOUR)
    assert world.sent() == sent


def test_a_night_that_fills_leaves_what_is_on_its_way_to_the_fold() -> None:
    """It landed a minute ago, and is folded after the rebuild: whom it brings into a segment is written to."""
    world = settled_shop()
    world.send(*world.sign_up("cat@example.com", user_id="cat"))
    world.advance(world.clock.instant + 2 * HOUR)
    with_shoes(world)
    key = world.log.append([shoes(world, "cat")])
    reconciled(world)
    assert "shoes" not in world.segments("cat")
    world.update([("late", key)])
    world.settle()
    assert world.segments("cat") == {"shoes"}
    assert [key for key in world.state("cat").decided if "hello" in key]


def test_a_night_with_a_backlog_fills_nothing() -> None:
    world = settled_shop()
    with_shoes(world)
    reconciled(world, waiting=1)
    assert world.programs.current().waiting == {"shoes"}
