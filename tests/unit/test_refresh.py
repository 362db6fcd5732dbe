"""New thresholds reach whom they move, whatever happens around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from regulars.adapters.fitting_scores import fit_people
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.system import CountedIds
from regulars.application.evaluate_customers import EvaluateCustomers
from regulars.application.outbox import Relay
from regulars.application.publishing import SETTLED
from regulars.application.refresh import RefreshReport, announce, refresh
from regulars.domain.engine import NEW_RULES
from regulars.domain.loading import load_program
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
    return refresh(store=world.store, programs=world.programs, fit=fit_people, clock=world.clock)


def test_new_values_bring_up_those_whom_they_move_and_nobody_else() -> None:
    world = thirty_buyers()
    assert "big_spender" not in world.segments("u28")
    assert published(world).version == 1
    world.clock.instant += SETTLED
    assert announced(world).changed == 3
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


VISITED = {"name": "visited", "rule": {"count": "Product Viewed", "where": {"category": "Shoes"}, "at_least": 1}}
BOUGHT = {"name": "bought", "rule": {"count": "orders", "at_least": 1}}
CHAIN = {"name": "chained", "rule": {"all": [{"segment": "visited"}, {"segment": "bought"}]}}
GONE = {"name": "gone", "rule": {"since": "orders.last_at", "at_least": "20d"}}
HELLO = {"name": "hello", "channel": "email", "template": "welcome", "segment": "bought", "once_per": "customer"}


def with_rules(world: World, *segments: dict[str, Any], told: str = "bought") -> None:
    """Another program is deployed, whose campaign is for `told`; what is known of the profiles stays as it is."""
    parameters = world.programs.current().parameters
    files = {"p.yaml": {"currency": "USD", "segments": list(segments), "campaigns": [{**HELLO, "segment": told}]}}
    world.use(load_program(files, parameters))


def test_what_new_rules_say_of_the_past_starts_no_campaign() -> None:
    """A campaign that is new, or newly open to many, must not write to everybody who was there before it."""
    world = thirty_buyers()
    with_rules(world, BOUGHT)
    published(world)
    world.clock.instant += SETTLED
    assert announced(world).changed == 30
    state = world.state("u28")
    assert state.memberships["bought"].trigger == NEW_RULES
    assert not state.pending
    assert not state.decided


def test_who_comes_in_later_is_written_to() -> None:
    world = thirty_buyers()
    with_rules(world, BOUGHT)
    world.send(world.order("o31", total=100, user_id="u31"))
    assert [key for key in world.state("u31").decided if "hello" in key]


def test_what_an_unchanged_segment_makes_due_under_new_rules_is_sent() -> None:
    """The rules change on the tenth day; nobody is evaluated until the twentieth, when the time of `gone` has come."""
    world = World()
    with_rules(world, GONE, told="gone")
    world.send(world.order("o1", total=100, user_id="u1"))
    world.advance(world.clock.now() + timedelta(days=10))
    with_rules(world, GONE, BOUGHT, told="gone")
    world.advance(world.clock.now() + timedelta(days=11))
    state = world.state("u1")
    assert state.memberships["gone"].trigger != NEW_RULES
    assert state.memberships["bought"].trigger == NEW_RULES
    assert [key for key in state.decided if "hello" in key]


def test_a_segment_waits_until_profiles_keep_what_it_looks_at() -> None:
    world = thirty_buyers()
    world.programs.publish(replace(world.programs.current().parameters, version=5, parts={}))
    with_rules(world, VISITED, BOUGHT, CHAIN)
    program = world.programs.current()
    assert program.waiting == {"visited", "chained"}
    world.send(world.event("Product Viewed", user_id="u1", properties={"category": "Shoes"}))
    assert world.segments("u1") == {"bought"}
    world.programs.publish(replace(program.parameters, version=6, parts=program.plan.parts()))
    assert world.programs.current().waiting == set()
    published(world)
    world.clock.instant += SETTLED
    announced(world)
    assert world.segments("u1") == {"bought", "visited", "chained"}
    assert world.state("u1").memberships["visited"].trigger == NEW_RULES


LOOKED = {"name": "looked", "rule": {"field": "first_seen", "exists": True}}


def looked_through(world: World) -> None:
    published(world)
    world.clock.instant += SETTLED
    announced(world)


def test_who_is_first_evaluated_because_of_new_rules_hears_nothing_of_the_past() -> None:
    """Whoever only looked was never in anything, so no state was ever written; new rules speak of the past to them."""
    world = World()
    with_rules(world, BOUGHT, told="bought")
    world.send(world.event("Product Viewed", user_id="eve"), world.event("Product Viewed", user_id="fay"))
    looked_through(world)
    assert world.state("eve").clock is None
    with_rules(world, BOUGHT, LOOKED, told="looked")
    world.send(world.event("Product Viewed", user_id="eve"))
    looked_through(world)
    for name in ("eve", "fay"):
        assert world.state(name).memberships["looked"].trigger == NEW_RULES
        assert not world.state(name).decided


def test_who_is_really_new_is_written_to_whatever_the_rules_were() -> None:
    world = World()
    with_rules(world, BOUGHT, told="bought")
    world.send(world.event("Product Viewed", user_id="eve"))
    looked_through(world)
    with_rules(world, BOUGHT, LOOKED, told="looked")
    world.send(world.event("Product Viewed", user_id="gus"))
    assert [key for key in world.state("gus").decided if "hello" in key]
    looked_through(world)
    world.send(world.event("Product Viewed", user_id="hal"))
    assert [key for key in world.state("hal").decided if "hello" in key]


def test_what_old_rules_say_of_who_was_never_evaluated_is_news() -> None:
    """Their first order is folded and waits in the stream; new rules bring them up first."""
    world = World()
    with_rules(world, BOUGHT, told="bought")
    looked_through(world)
    with_rules(world, BOUGHT, LOOKED, told="bought")
    world.update([("r", world.log.append([world.order("o1", total=100, user_id="ida")]))])
    published(world)
    world.clock.instant += SETTLED
    announce(store=world.store, programs=world.programs, due=world.due, clock=world.clock)
    world.evaluate.due([("d", message.body) for message in world.due.receive()])
    world.settle()
    assert [key for key in world.state("ida").decided if "hello" in key]


def test_new_values_are_news_to_who_was_never_evaluated() -> None:
    big = {"name": "big", "rule": {"sum": "orders.revenue", "at_least": {"parameter": "much"}}}
    much = {"percentile": 50, "of": {"sum": "orders.revenue"}, "minimum_customers": 3, "default": 1000}
    campaigns = [{**HELLO, "segment": "big"}]
    files = {"p.yaml": {"currency": "USD", "parameters": {"much": much}, "segments": [big], "campaigns": campaigns}}
    world = World(load_program(files))
    world.send(*(world.order(f"o{n}", total=1000 * n, user_id=f"u{n}") for n in (1, 2)))
    looked_through(world)
    assert world.state("u2").clock is None
    world.send(world.order("o3", total=1500, user_id="u3"))
    looked_through(world)
    assert [key for key in world.state("u2").decided if "hello" in key]
