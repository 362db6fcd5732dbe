"""Rebuild: the projection is what the log says, nothing that happens meanwhile is lost, and nothing is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.adapters.program_files import program_files
from regulars.application.rebuild import Doing, Slice
from regulars.domain.engine import DUE, REBUILD
from regulars.domain.events import Event, EventType
from regulars.domain.facts import fact_of
from regulars.domain.history import history_of
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.loading import load_program
from regulars.domain.orders import OrderBook
from regulars.domain.profile import MAX_SEEN, Profile
from regulars.domain.program import Program
from regulars.domain.stored import REBUILT
from tests.recovering import Meanwhile, break_orders, break_profile, projection, rebuilt
from tests.strategies import START, distinct_events
from tests.world import PROGRAM_FOLDER, World, user

if TYPE_CHECKING:
    import random

ANN = user("ann")
EMAIL = node_id(NodeKind.EMAIL, "ann@example.com")
DAY = timedelta(days=1)
LOOKED = {"count": "Product Viewed", "within": "30d", "at_least": 1}


def a_shop() -> World:
    """Ann signed up and looks round; an order; bob looks round, too."""
    world = World()
    world.send(*world.sign_up(anonymous_id="b1"))
    world.send(world.event("Product Viewed", anonymous_id="b1"), world.event("Product Viewed", user_id="bob"))
    world.send(world.order("o1"))
    world.advance(world.clock.instant + DAY)
    world.send(world.event("Product Added", properties={"product_id": "p1", "price": 5}))
    return world


def put_in_force(world: World) -> None:
    """A new program: the starter one with one more segment, and a campaign that writes to whoever enters it."""
    world.use(program_with_lookers())


def program_with_lookers() -> Program:
    files: dict[str, Any] = program_files(PROGRAM_FOLDER)
    files["segments.yaml"]["segments"].append({"name": "looker", "rule": LOOKED})
    files["campaigns.yaml"]["campaigns"].append(
        {"name": "hello", "channel": "email", "template": "welcome", "segment": "looker", "once_per": "customer"}
    )
    return load_program(files)


def test_what_is_right_is_left_alone() -> None:
    world = a_shop()
    before = {node: (head.profile, head.orders, head.state) for node, head in world.store.scan()}
    report = rebuilt(world)
    assert (report.nodes, report.same, report.rebuilt) == (4, 4, 0)
    assert {node: (head.profile, head.orders, head.state) for node, head in world.store.scan()} == before


@pytest.mark.parametrize(
    "vandal",
    [
        partial(break_profile, node=ANN),
        partial(break_profile, node=ANN, change=lambda profile: replace(profile, events=99)),
        partial(break_profile, node=ANN, change=lambda profile: replace(profile, traits={})),
        partial(break_profile, node=ANN, change=lambda profile: replace(profile, seen={})),
        partial(break_profile, node=EMAIL),
        partial(break_orders, node=ANN),
    ],
)
def test_what_is_broken_is_made_anew_and_nobody_is_written_to(vandal: partial[None]) -> None:
    """A lost profile, a wrong counter, lost traits, links, orders, forgotten ids."""
    world, twin = a_shop(), a_shop()
    sent = list(world.decisions)
    vandal(world)
    report = rebuilt(world)
    assert report.different == report.rebuilt == 1
    assert projection(world.store) == projection(twin.store)
    assert world.segments() == twin.segments()
    assert world.decisions == sent
    again = rebuilt(world)
    assert (again.same, again.rebuilt) == (4, 0)


def test_an_item_that_is_not_there_is_made_again() -> None:
    world, twin = a_shop(), a_shop()
    del world.store._rows[ANN, "PROFILE"]
    del world.store._rows[ANN, "ORDERS"]
    report = rebuilt(world)
    assert (report.missing, report.different, report.rebuilt) == (1, 0, 1)
    assert projection(world.store) == projection(twin.store)


def test_what_came_twice_counts_once_after_a_rebuild_too() -> None:
    """The ids of the last seven days come back with the profile."""
    world = World()
    event = world.event("Product Viewed")
    keys = world.log.append([event])
    world.update([("record", keys)])
    break_profile(world, ANN)
    rebuilt(world)
    world.update([("again", keys)])
    assert world.customer().profile.events == 1


def test_what_is_on_its_way_to_the_fold_counts_once() -> None:
    """It has landed and its notification has not been worked off, when the rebuild takes it in; however old it is."""
    world = World()
    old = world.event("Product Viewed")
    world.advance(START + 9 * DAY)
    world.send(world.event("Product Viewed"))
    keys = world.log.append([old])
    rebuilt(world)
    assert world.customer().profile.events == 2
    world.update([("late", keys)])
    world.settle()
    assert world.customer().profile.events == 2


@pytest.mark.parametrize("before_write", [False, True])
def test_traffic_meanwhile_is_not_lost(before_write: bool) -> None:  # noqa: FBT001
    """Events are folded between the rebuild's reading of the table and of the log, or between that and its writing:
    they are in the profile, once."""
    world = a_shop()
    break_profile(world, ANN)
    break_orders(world, ANN)

    def buy() -> None:
        world.send(world.event("Product Viewed"), world.order("o2"))

    report = rebuilt(world, store=Meanwhile(world.store, buy, before_write))
    twin = a_shop()
    twin.send(twin.event("Product Viewed"), twin.order("o2"))
    assert report.busy == 0
    assert projection(world.store) == projection(twin.store)


def test_a_log_that_is_not_there_empties_nothing() -> None:
    world = a_shop()
    before = projection(world.store)
    world.log.objects.clear()
    assert rebuilt(world).rebuilt == 0
    assert projection(world.store) == before


def test_some_nodes_only() -> None:
    world = a_shop()
    break_profile(world, ANN)
    break_profile(world, user("bob"))
    assert rebuilt(world, frozenset({user("bob")})).rebuilt == 1
    assert world.customer("bob").profile.events == 1
    assert world.customer("ann").profile.events == 0


def test_the_slices_of_all_nights_are_all_nodes() -> None:
    world = a_shop()
    for node in (ANN, EMAIL, user("bob")):
        break_profile(world, node)
    reports = [rebuilt(world, Slice(index, 3)) for index in range(3)]
    assert sum(report.nodes for report in reports) == 4
    assert sum(report.rebuilt for report in reports) == 3


def test_a_counter_that_a_new_rule_asks_for_gets_its_history_and_starts_no_campaign() -> None:
    world = a_shop()
    sent = world.sent()
    put_in_force(world)
    report = rebuilt(world)
    assert report.rebuilt == 2
    assert world.customer().value("events.Product Viewed.count") == 1
    assert "looker" in world.segments()
    assert world.state().memberships["looker"].trigger == REBUILD
    world.advance(world.clock.instant + DAY)
    assert "hello" not in world.sent()
    assert world.sent()[: len(sent)] == sent


def test_a_campaign_that_waits_goes_on_waiting() -> None:
    """The rebuild changes the profile of a customer whose cart's reminder waits: it still goes out, once."""
    world, twin = a_shop(), a_shop()
    for each in (world, twin):
        each.advance(each.clock.instant + timedelta(minutes=61))
    assert "abandoned_cart" in world.state().pending
    break_profile(world, ANN, lambda profile: replace(profile, events=7))
    rebuilt(world)
    for each in (world, twin):
        each.advance(each.clock.instant + DAY)
    assert world.sent() == twin.sent()
    assert world.sent().count("abandoned_cart") == 1


def test_what_was_due_before_a_rebuild_is_not_silenced_by_it() -> None:
    """The cart was left an hour ago and the tick is late: the rebuild comes first, and the reminder still goes out."""
    world = a_shop()
    break_profile(world, ANN, lambda profile: replace(profile, events=7))
    world.clock.instant += timedelta(minutes=61)
    assert rebuilt(world).rebuilt == 1
    world.advance(world.clock.instant + DAY)
    assert world.sent().count("abandoned_cart") == 1


def test_what_happens_around_a_rebuild_is_not_silent() -> None:
    """A consent, a rebuild and an order wait in the stream together: the welcome still goes out."""
    world = World()
    world.send(world.event("Product Viewed"))
    world.update([("r", world.log.append(world.sign_up()))])
    head = world.store.heads([ANN])[ANN].profile
    assert head is not None
    world.store.put_profile(ANN, replace(head.value, events=9), applied=REBUILT, expected=head.version, owner="x")
    report_before = world.sent()
    world.settle()
    world.advance(world.clock.instant + DAY)
    assert report_before == []
    assert world.sent() == ["welcome"]


def test_who_is_due_before_the_stream_tells_of_a_rebuild_is_not_written_to_for_it() -> None:
    """The tick comes first: what the rebuild changed is taken in silently all the same, and the stream finds it so."""
    world = a_shop()
    put_in_force(world)
    rebuilt(world, settle=False)
    world.evaluate.due([("d", orjson.dumps({"v": 1, "node": ANN}).decode())])
    assert world.state().memberships["looker"].trigger == REBUILD
    world.settle()
    world.advance(world.clock.instant + DAY)
    assert "hello" not in world.sent()


def test_a_fact_of_another_item_is_not_silenced_by_a_rebuild() -> None:
    """The stream tells of a consent first, while the rebuilt profile of the same shopper's browser is there already."""
    world = World()
    world.send(world.event("Product Viewed", user_id=None, anonymous_id="b1"))
    world.send(world.event("", type=EventType.IDENTIFY, anonymous_id="b1"))
    put_in_force(world)
    world.update([("r", world.log.append(world.sign_up()))])
    assert rebuilt(world, settle=False).rebuilt == 1
    world.settle()
    assert {name: known.trigger == REBUILD for name, known in world.state().memberships.items()} == {
        "looker": True,
        "new_subscriber": False,
    }
    world.advance(world.clock.instant + DAY)
    assert world.sent() == ["welcome"]


@pytest.mark.parametrize("together", [True, False])
def test_a_fact_that_is_told_after_a_rebuild_of_another_item_is_not_silenced(together: bool) -> None:  # noqa: FBT001
    """The stream tells of the rebuilt browser first; the consent is in its own item already."""
    world = World()
    put_in_force(world)
    world.send(world.event("", type=EventType.IDENTIFY, traits={"email": "ann@example.com"}))
    world.send(world.event("Product Viewed", user_id=None, anonymous_id="b1"))
    world.send(world.event("", type=EventType.IDENTIFY, anonymous_id="b1"))
    break_profile(world, node_id(NodeKind.ANONYMOUS, "b1"), lambda profile: replace(profile, events=7))
    assert world.segments() == {"looker"}
    agreed = world.event("Consent Updated", properties={"channel": "email", "status": "granted"})
    world.update([("r", world.log.append([agreed]))])
    rebuilt(world, settle=False)
    changes = sorted(world.store.changes(), key=lambda change: not getattr(change, "rebuilt", False))
    batches = [changes] if together else [[change] for change in changes]
    for batch in batches:
        assert not world.evaluate.changed(batch).failed
    assert world.state().memberships["new_subscriber"].trigger != REBUILD
    world.advance(world.clock.instant + DAY)
    assert "welcome" in world.sent()


def test_a_rebuild_that_waited_in_vain_is_looked_at_minutes_later() -> None:
    """Nothing more is told: what the rebuild made is taken in all the same, silently."""
    world = World()
    world.send(world.event("Product Viewed", user_id=None, anonymous_id="b1"))
    world.send(world.event("", type=EventType.IDENTIFY, anonymous_id="b1"))
    put_in_force(world)
    world.update([("r", world.log.append(world.sign_up()))])
    rebuilt(world, settle=False)
    (first, *lost) = sorted(world.store.changes(), key=lambda change: not getattr(change, "rebuilt", False))
    assert lost
    world.evaluate.changed([first])
    assert "looker" not in world.segments()
    world.advance(world.clock.instant + timedelta(minutes=6))
    assert world.state().memberships["looker"].trigger == REBUILD


def test_a_rebuild_that_is_overwritten_while_it_waits_leaves_nothing_due() -> None:
    """Else the tick would bring the customer up for ever."""
    world = World()
    world.send(*world.sign_up(anonymous_id="b1"))
    break_profile(world, node_id(NodeKind.ANONYMOUS, "b1"), lambda profile: replace(profile, events=7))
    world.update([("r", world.log.append([world.event("Signed In")]))])
    rebuilt(world, settle=False)
    (first, *_lost) = sorted(world.store.changes(), key=lambda change: not getattr(change, "rebuilt", False))
    world.evaluate.changed([first])
    assert world.state().relay_by is not None
    world.send(world.event("Product Viewed", user_id=None, anonymous_id="b1"))
    world.advance(world.clock.instant + timedelta(hours=1))
    assert world.state().relay_by is None


def test_what_falls_due_while_a_rebuild_waits_is_sent() -> None:
    """The cart is an hour old two minutes after the browser was rebuilt, which waits for what is yet to be told."""
    world = World()
    world.send(*world.sign_up(anonymous_id="b1"))
    world.send(world.event("Product Added", properties={"product_id": "p1", "price": 5}))
    world.advance(world.clock.instant + timedelta(minutes=58))
    break_profile(world, node_id(NodeKind.ANONYMOUS, "b1"), lambda profile: replace(profile, events=7))
    world.update([("r", world.log.append([world.event("Product Viewed")]))])
    rebuilt(world, settle=False)
    (first, *_lost) = sorted(world.store.changes(), key=lambda change: not getattr(change, "rebuilt", False))
    world.evaluate.changed([first])
    world.advance(world.clock.instant + timedelta(minutes=30))
    assert world.state().memberships["cart_abandoner"].trigger == DUE
    assert "abandoned_cart" in world.sent()


def test_machines_are_left_to_the_live_fold() -> None:
    """Which of too many events were refused depends on the order of delivery, so a difference is no mistake."""
    world = World()
    world.send(*(world.event("Product Viewed") for _ in range(MAX_SEEN + 5)))
    assert world.customer().profile.events == MAX_SEEN
    assert rebuilt(world).rebuilt == 0
    break_profile(world, ANN)
    nightly = Doing(settled=world.clock.instant)
    assert (rebuilt(world, doing=nightly).overfull, rebuilt(world).rebuilt) == (1, 1)
    assert world.customer().profile.events == MAX_SEEN


def test_what_has_just_landed_is_no_difference_yet() -> None:
    world = World()
    world.send(world.event("Product Viewed"))
    world.advance(world.clock.instant + timedelta(hours=2))
    world.log.append([world.event("Product Viewed")])
    doing = Doing(settled=world.clock.instant - timedelta(hours=1))
    assert rebuilt(world, doing=doing).unsettled == 1
    world.clock.instant += timedelta(hours=3)
    doing = Doing(settled=world.clock.instant - timedelta(hours=1))
    assert rebuilt(world, doing=doing).rebuilt == 1


def test_without_the_time_to_read_the_log_nothing_is_compared() -> None:
    world = a_shop()
    break_profile(world, ANN)
    report = rebuilt(world, doing=Doing(until=world.clock.instant))
    assert (report.complete, report.nodes, report.rebuilt) == (False, 0, 0)


@given(distinct_events, st.randoms(use_true_random=False))
def test_the_history_of_events_in_any_order_with_any_copies_is_their_fold(
    some: list[Event], chance: random.Random
) -> None:
    """The same as taking them in one by one."""
    world = World(now=START + 60 * DAY)
    facts = [fact for event in some if (fact := fact_of(event, currency="USD"))]
    plan = world.programs.current().compiled.plan
    shuffled = chance.sample(facts * 2, len(facts) * 2)
    one, other = history_of(facts, plan), history_of(shuffled, plan)
    assert one == other
    if not some:
        assert (one.profile, one.orders) == (Profile(), OrderBook())


@settings(deadline=None, max_examples=30)
@given(distinct_events)
def test_the_live_fold_and_the_log_agree(some: list[Event]) -> None:
    """Whatever came, a rebuild right after finds nothing to do."""
    world = World(now=START + 60 * DAY)
    for event in sorted(some, key=lambda event: event.received_at):
        world.update([("r", world.log.append([event]))])
    assert rebuilt(world).rebuilt == 0
