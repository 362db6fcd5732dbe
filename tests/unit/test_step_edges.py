"""Corners where customers were lost, written to twice or held up by others, each once seen to go wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from regulars.adapters.items import applied_text, orders_text, profile_text
from regulars.adapters.program_files import program_files
from regulars.domain.components import component
from regulars.domain.errors import PermanentError
from regulars.domain.events import EventType, Trust
from regulars.domain.facts import fact_of
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.loading import load_program
from regulars.domain.orders import MAX_ORDERS, OrderBook
from regulars.domain.plan import NO_PLAN
from regulars.domain.profile import Profile, fold
from regulars.domain.state import CustomerState
from regulars.domain.stored import FragmentChange, applied_of
from regulars.ports import QueueMessage
from tests.strategies import START
from tests.world import PROGRAM_FOLDER, World, user

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KB = 1024


def test_a_campaign_that_is_gone_does_not_hold_up_who_waits_for_it() -> None:
    """Ann waits for a welcome that the next program no longer has; she and Bob are evaluated all the same."""
    world = World()
    world.send(*world.sign_up())
    files: dict[str, Any] = dict(program_files(PROGRAM_FOLDER))
    campaigns = [campaign for campaign in files["campaigns.yaml"]["campaigns"] if campaign["name"] != "welcome"]
    world.programs._program = load_program({**files, "campaigns.yaml": {"campaigns": campaigns}})
    world.clock.instant += HOUR
    world.send(world.event("Product Added", properties={"sku": "x"}), world.order("o1", user_id="bob"))
    assert world.reports[-1].failed == frozenset()
    assert "active" in world.segments("bob")
    world.advance(START + DAY)
    assert world.sent() == ["abandoned_cart"]


def test_an_instant_behind_the_outbox_is_written_down_too() -> None:
    """The outbox is looked after sooner than the cart goes cold; once it is empty, the cart must still go cold."""
    stored = CustomerState(flips_at=START + 30 * DAY, relay_by=START + HOUR / 12)
    assert replace(stored, flips_at=START + HOUR).differs_from(stored)


def test_a_merge_is_decided_even_when_its_event_is_of_no_interest() -> None:
    """The cart was filled in another browser; a page view that names both is enough to be reminded of it."""
    world = World()
    world.send(*world.sign_up())
    world.send(world.event("Product Added", user_id=None, anonymous_id="b9", properties={"sku": "x"}))
    world.clock.instant += 10 * timedelta(minutes=1)
    world.send(world.event("Video Played", anonymous_id="b9"))
    world.advance(START + 6 * HOUR)
    assert world.sent() == ["welcome", "abandoned_cart"]


def test_many_browsers_do_not_push_out_the_address() -> None:
    """After sixty new browsers, a complaint about the customer's address still stops messages."""
    world = World()
    world.send(*world.sign_up())
    for number in range(60):
        world.send(world.event("Cart Viewed", anonymous_id=f"browser-{number}"))
    node = node_id(NodeKind.EMAIL, "ann@example.com")
    complaint = {"address_node": node}
    world.send(world.event("Email Marked as Spam", user_id=None, trust=Trust.SYSTEM, properties=complaint))
    world.advance(START + DAY)
    assert world.sent() == []
    assert not world.customer().reachable("email")


def test_a_complaint_about_a_shared_address_counts_for_all_who_share_it() -> None:
    """Six accounts share one address, too many to be one customer; none of them is written to again."""
    world = World()
    for number in range(6):
        world.send(*world.sign_up("shared@example.com", user_id=f"user-{number}"))
    complaint = {"address_node": node_id(NodeKind.EMAIL, "shared@example.com")}
    world.send(world.event("Email Marked as Spam", user_id=None, trust=Trust.SYSTEM, properties=complaint))
    world.advance(START + DAY)
    assert world.sent() == []
    assert [world.segments(f"user-{number}") for number in range(6)] == [set()] * 6


def test_a_stream_that_lags_does_not_let_time_pass_on_old_data() -> None:
    """The order is in the table two hours before the stream tells of it: nobody is reminded of the cart."""
    world = World()
    world.send(*world.sign_up(), world.event("Page", type=EventType.PAGE))
    world.advance(START + HOUR)
    for event in (world.event("Product Added", properties={"sku": "x"}), world.order("o1", at=START + 1.2 * HOUR)):
        world.update([("record", world.log.append([event]))])
    late, *rest = world.store.changes()
    world.clock.instant = START + 4 * HOUR
    world.evaluate.changed([late])
    world.evaluate.changed(rest)
    world.settle()
    world.advance(START + DAY)
    assert world.sent() == ["welcome"]


def test_an_import_that_is_told_late_starts_no_campaign() -> None:
    """A hit is evaluated before the history that is already in the table; no win-back comes of it."""
    world = World(now=START + 1000 * DAY)
    world.send(*world.sign_up())
    world.advance(START + 1001 * DAY)
    world.decisions.clear()
    history = [world.order(f"o{n}", at=START + n * DAY, trust=Trust.IMPORTED) for n in range(60)]
    world.update([("record", world.log.append(history))])
    imported = world.store.changes()
    world.update([("record", world.log.append([world.event("Consent Updated", properties={})]))])
    hit = world.store.changes()
    world.evaluate.changed(hit)
    world.evaluate.changed(imported)
    world.settle()
    world.advance(START + 1002 * DAY)
    assert world.decisions == []


def test_one_customers_text_does_not_hold_up_the_others() -> None:
    """A queue that refuses one message still gets the others'."""
    world = World()
    refused: list[QueueMessage] = []
    send = world.messages.send

    def picky(messages: Any) -> None:
        if any("mallory" in message.body for message in messages):
            refused.extend(messages)
            raise PermanentError("refused")
        send(messages)

    world.messages.send = picky  # type: ignore[method-assign] # a queue with a taste
    world.send(*world.sign_up(), *world.sign_up("mallory@example.com", user_id="mallory"))
    world.clock.instant = START + HOUR
    changes = [(str(number), f'{{"v":1,"node":"{user(name)}"}}') for number, name in enumerate(("mallory", "ann"))]
    world.evaluate.due(changes)
    report = world.evaluate.changed(world.store.changes())
    assert refused
    assert [message.body.count("ann@example.com") for message in world.messages.messages] == [1]
    assert len(report.failed) == 1


def test_a_cart_that_is_touched_every_day_is_one_cart() -> None:
    """Two months of looking at it bring one reminder."""
    world = World()
    world.send(*world.sign_up())
    for day in range(60):
        world.advance(START + day * DAY)
        world.send(world.event("Product Added", properties={"sku": "x"}))
    world.advance(START + 61 * DAY)
    assert world.sent().count("abandoned_cart") == 1
    world.advance(START + 80 * DAY)
    world.send(world.event("Product Added", properties={"sku": "x"}))
    world.advance(START + 81 * DAY)
    assert world.sent().count("abandoned_cart") == 2


def test_preferences_on_a_page_view_do_not_undo_an_unsubscribe() -> None:
    """Segment's libraries stamp them on every call; consent is given where a person says who they are."""
    world = World()
    consent: dict[str, Any] = {"consent": {"categoryPreferences": {"email_marketing": True}}}
    world.send(world.event("", type=EventType.IDENTIFY, traits={"email": "ann@example.com"}, context=consent))
    assert world.customer().value("consent.email") == "granted"
    world.clock.instant += HOUR
    node = node_id(NodeKind.EMAIL, "ann@example.com")
    said = {"channel": "email", "address_node": node}
    world.send(world.event("Unsubscribed", user_id=None, trust=Trust.SYSTEM, properties=said))
    world.clock.instant += HOUR
    world.send(world.event("Product Viewed", context=consent))
    assert world.customer().value("consent.email") == "denied"


def test_a_shoppers_event_of_our_own_name_is_counted() -> None:
    """`Linked` is what nodes tell each other; from a shopper it is an event like any other."""
    world = World()
    world.send(world.event("Linked"), world.event("Linked"))
    assert world.customer().profile.events == 2


def test_an_event_long_on_its_way_counts_once() -> None:
    """Nine days in a dead-letter queue, then delivered three times."""
    world = World(now=START + 9 * DAY)
    world.send(world.event("New"))
    late = world.event("Old", at=START, received_at=START)
    for _ in range(3):
        world.send(late)
    assert world.customer().profile.events == 2


def test_a_flood_of_one_customer_is_decided_as_one() -> None:
    """The log of decisions stays small however often somebody changes their mind in one batch."""
    world = World()
    world.send(world.event("", type=EventType.IDENTIFY, traits={"email": "ann@example.com"}))
    fickle = [
        world.event(
            "Consent Updated",
            at=START + timedelta(seconds=number),
            properties={"channel": "email", "status": ("granted", "denied")[number % 2]},
        )
        for number in range(1000)
    ]
    for start in range(0, 1000, 50):
        world.update([("record", world.log.append(fickle[start : start + 50]))])
    world.evaluate.changed(world.store.changes())
    outbox = world.state().outbox
    assert len(outbox) < 10


def test_a_chain_of_public_identifiers_is_followed_to_a_limit() -> None:
    """A thousand addresses and accounts strung together by a stranger cost fifty reads, not a thousand; wherever one
    starts, they are nobody."""
    links = {}
    for number in range(500):
        links[f"u_{number}"] = {f"e_{number}": True, f"e_{number + 1}": True}
        links[f"e_{number}"] = {f"u_{number}": True, f"u_{number - 1}": True}
    for start in ("u_0", "e_250", "u_499"):
        assert component(start, links) == (frozenset({start}), frozenset())


def test_items_stay_under_their_limit_whatever_comes() -> None:
    """DynamoDB refuses 400 KB; the largest profile, order book and facts that can be sent stay below."""
    world = World()
    hostile = "\x01" * 400 + "魚" * 500
    traits = {f"{hostile[:20]}{number:03d}": hostile for number in range(300)}
    lines = [{"product_id": f"{n}{hostile}", "name": hostile, "url": hostile, "image_url": hostile} for n in range(50)]
    events = [
        world.event("", type=EventType.IDENTIFY, traits=traits, anonymous_id=f"b{number}") for number in range(60)
    ] + [world.event("Cart Viewed", properties={"products": lines})]
    facts = [fact for event in events if (fact := fact_of(event, currency="USD"))]
    profile = fold(Profile(), facts, NO_PLAN)
    profile.seen = {0: "AAAAAAAA" * 3000}
    assert len(profile_text(profile).encode()) < 300 * KB
    assert len((applied_text(applied_of(facts[:50])) or "").encode()) <= 60_000
    orders = [
        fact.order
        for number in range(MAX_ORDERS)
        if (fact := fact_of(world.order(f"{number:0255d}", total=10**12, version=10**15), currency="USD"))
        and fact.order
    ]
    assert len(orders_text(OrderBook().with_entries(orders)[0]).encode()) < 300 * KB


@pytest.mark.parametrize("first", [1, "1"])
def test_a_number_and_its_text_at_one_instant_have_an_order(first: object) -> None:
    """Which of the two stays does not depend on which came first."""
    world = World()
    both = [world.event("", type=EventType.IDENTIFY, traits={"size": value}) for value in (1, "1")]
    if first == "1":
        both.reverse()
    facts = [fact for event in both if (fact := fact_of(event, currency="USD"))]
    assert fold(Profile(), facts, NO_PLAN).traits["size"].value == "1"


def test_a_change_is_replayed_on_what_it_changed() -> None:
    """A bulk change after facts in one batch: the facts are not folded in a second time."""
    world = World()
    world.update([("record", world.log.append([world.event("", type=EventType.PAGE)]))])
    pages = [world.event("", type=EventType.PAGE) for _ in range(60)]
    world.update([("record", world.log.append(pages))])
    changes = world.store.changes()
    assert [isinstance(change, FragmentChange) and change.applied is None for change in changes] == [False, True]
    assert world.evaluate.changed(changes).failed == frozenset()
    assert world.customer().profile.events == 61
