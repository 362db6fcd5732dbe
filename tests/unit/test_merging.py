"""What becomes of consent, messages and counters when two customers turn out to be one, or two after all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from regulars.adapters.items import profile_text
from regulars.application.identity import Identity
from regulars.domain.event_nodes import JOINED, SPLIT
from regulars.domain.events import Event, EventType, Trust
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.state import CustomerState, states_merged
from tests.strategies import START
from tests.world import World, user

BROWSER = node_id(NodeKind.ANONYMOUS, "b1")
MINUTE = timedelta(minutes=1)


def word(world: World, name: str, one: str, other: str) -> Event:
    """An operator's word about two identifiers."""
    own: dict[str, Any] = {"type": EventType.SYSTEM, "trust": Trust.SYSTEM, "user_id": None}
    return world.event(name, properties={"nodes": [one, other]}, **own)


def consent(world: World, status: str, **who: Any) -> Event:
    return world.event("Consent Updated", properties={"channel": "email", "status": status}, **who)


def status_of(world: World) -> str | None:
    record = world.customer().consent("email")
    return record.status if record else None


def login(world: World, **parts: Any) -> Event:
    return world.event("Page Viewed", type=EventType.PAGE, anonymous_id="b1", **parts)


def test_the_stricter_answer_wins_when_two_customers_are_one() -> None:
    """Refused in the browser, agreed to in the account, and only then known to be one person, whichever came last."""
    for answers in (("denied", "granted"), ("granted", "denied")):
        world = World()
        in_browser, in_account = answers
        world.send(consent(world, in_browser, user_id=None, anonymous_id="b1"))
        world.clock.instant += MINUTE
        world.send(consent(world, in_account))
        world.clock.instant += MINUTE
        world.send(login(world))
        assert status_of(world) == "denied"


def test_who_is_known_may_take_a_refusal_back() -> None:
    world = World()
    world.send(consent(world, "denied", user_id=None, anonymous_id="b1"))
    world.clock.instant += MINUTE
    world.send(login(world))
    world.clock.instant += MINUTE
    world.send(consent(world, "granted"))
    assert status_of(world) == "granted"


def test_an_answer_given_under_both_names_holds_for_both() -> None:
    world = World()
    world.send(consent(world, "denied", user_id=None, anonymous_id="b1"))
    world.clock.instant += MINUTE
    world.send(consent(world, "granted", anonymous_id="b1"))
    assert status_of(world) == "granted"
    world.send(word(world, SPLIT, user("ann"), BROWSER))
    assert world.customer_of_node(BROWSER).consent("email") is not None


def test_a_merged_customer_hears_of_an_occasion_once() -> None:
    """Two accounts with two addresses, both welcomed, turn out to be one person's, who leaves and subscribes again."""
    world = World()
    world.send(
        *world.sign_up("ann@example.com", trust=Trust.SIGNED),
        *world.sign_up("bob@example.com", user_id="bob", trust=Trust.SIGNED),
    )
    world.advance(world.clock.instant + timedelta(hours=1))
    assert world.sent() == ["welcome", "welcome"]
    world.send(
        world.event("", type=EventType.IDENTIFY, trust=Trust.SIGNED, user_id="bob", traits={"email": "ann@example.com"})
    )
    assert world.customer("bob").root == world.customer("ann").root
    for status in ("denied", "granted"):
        world.clock.instant += MINUTE
        world.send(consent(world, status), consent(world, status, user_id="bob"))
    assert "new_subscriber" in world.segments("ann")
    world.advance(world.clock.instant + timedelta(days=1))
    assert world.sent() == ["welcome", "welcome"]


def test_who_changes_the_address_is_not_welcomed_again() -> None:
    world = World()
    world.send(*world.sign_up("ann@example.com"))
    world.advance(world.clock.instant + timedelta(hours=1))
    world.send(world.event("", type=EventType.IDENTIFY, traits={"email": "new@example.com"}))
    for status in ("denied", "granted"):
        world.clock.instant += MINUTE
        world.send(consent(world, status))
    world.advance(world.clock.instant + timedelta(days=1))
    assert world.sent() == ["welcome"]


def test_split_after_merge_equals_never_merged() -> None:
    """Counter for counter, order for order, segment for segment; but for the event that named both."""
    worlds = []
    for merges in (True, False):
        world = World()
        world.send(*(world.event("Product Viewed", user_id=None, anonymous_id="b1") for _ in range(3)))
        world.send(*world.sign_up(), world.order("o1"), world.event("Product Viewed"))
        link = login(world)
        world.send(link if merges else replace(link, anonymous_id=None))
        if merges:
            assert world.customer().root == world.customer_of_node(BROWSER).root
            world.send(word(world, SPLIT, user("ann"), BROWSER))
        worlds.append(world)
    merged, never = ([world.customer_of_node(node) for node in (user("ann"), BROWSER)] for world in worlds)
    for one, other in zip(merged, never, strict=True):
        one_profile, other_profile = (replace(customer.profile, seen={}) for customer in (one, other))
        links = one_profile.links
        assert profile_text(replace(one_profile, links=other_profile.links)) == profile_text(other_profile)
        assert links.cuts or not links.known
        assert one.orders() == other.orders()
        assert one.root == other.root
    states = [world.state().memberships.keys() for world in worlds]
    assert states[0] == states[1]
    assert worlds[0].segments("ann") == worlds[1].segments("ann")


def test_joined_again_is_one_customer_again() -> None:
    world = World()
    world.send(login(world))
    world.send(word(world, SPLIT, user("ann"), BROWSER))
    world.clock.instant += MINUTE
    world.send(login(world))
    assert world.customer_of_node(BROWSER).root == BROWSER
    world.send(word(world, JOINED, BROWSER, user("ann")))
    assert world.customer_of_node(BROWSER).root == user("ann")


def test_only_our_own_log_can_split_anybody() -> None:
    """A stranger who sends an event of that name, or an order that claims it, changes nothing."""
    world = World()
    world.send(login(world))
    forged = world.event(SPLIT, properties={"nodes": [user("ann"), BROWSER]})
    world.send(forged)
    assert world.customer_of_node(BROWSER).root == user("ann")


def test_who_loses_a_link_is_looked_at_again() -> None:
    """A second user of a browser takes it from the first, who is told, though nothing of hers changed."""
    world = World()
    world.send(*world.sign_up(user_id=None, anonymous_id="b1"), login(world))
    assert "new_subscriber" in world.segments("ann")
    world.send(world.event("Page Viewed", type=EventType.PAGE, user_id="bob", anonymous_id="b1"))
    assert world.customer().consent("email") is None
    assert world.segments("ann") == set()


def test_a_refusal_stamped_on_every_call_is_written_once() -> None:
    """A library puts the preferences on each page view: it counts, and costs no write to every other identifier."""
    world = World()
    world.send(login(world))
    versions = world.store.heads([BROWSER])[BROWSER]
    stamped: dict[str, Any] = {"context": {"consent": {"categoryPreferences": {"email_marketing": False}}}}
    world.send(world.event("Page Viewed", type=EventType.PAGE, anonymous_id="b1", **stamped))
    assert status_of(world) == "denied"
    assert world.store.heads([BROWSER])[BROWSER] == versions


def test_a_guest_on_somebodys_computer_does_not_get_her_mail() -> None:
    """Simona was logged in; then her husband orders as a guest. The computer is nobody's, and she is told."""
    world = World()
    world.send(*world.sign_up("ann@example.com"), login(world))
    world.send(*(world.event("Product Viewed", user_id=None, anonymous_id="b1") for _ in range(2)))
    assert world.customer().root == world.customer_of_node(BROWSER).root
    order = world.order("guest", user_id=None, anonymous_id="b1", traits={"email": "husband@example.com"})
    world.send(order)
    assert world.customer_of_node(BROWSER).root == BROWSER
    address = world.customer().address("email")
    assert address is not None
    assert address.text == "ann@example.com"
    assert "active" not in world.segments("ann")


def test_who_has_too_many_identifiers_is_looked_at_again() -> None:
    """Beyond fifty identifiers each stands alone; what was decided of all together does not stay for ever."""
    world = World()
    world.send(world.order("o1"))
    names = [f"u{number}" for number in range(12)]
    for number, name in enumerate(names):
        for address in (f"a{number // 4}@example.com", f"a{(number + 1) // 4}@example.com"):
            world.send(
                world.event("", type=EventType.IDENTIFY, trust=Trust.SIGNED, user_id=name, traits={"email": address})
            )
    world.send(world.event("", type=EventType.IDENTIFY, trust=Trust.SIGNED, traits={"email": "a0@example.com"}))
    together = world.customer()
    assert {world.customer(name).root for name in names} == {together.root}
    assert "active" in world.segments()
    for name in names:
        cards = [[{"id": f"{name}-{n}", "type": "loyalty_card", "collection": "users"}] for n in range(4)]
        told: dict[str, Any] = {"user_id": name, "trust": Trust.SIGNED}
        world.send(*(world.event("Page Viewed", context={"externalIds": card}, **told) for card in cards))
    assert {world.customer(name).root for name in names} == {user(name) for name in names}
    assert [name for name in ("ann", *names) if world.segments(name)] == ["ann"]


def test_a_split_forgets_nothing_of_what_the_part_had_heard() -> None:
    """Both were welcomed, then taken for one, then told apart; neither is welcomed again."""
    world = World()
    world.send(
        *world.sign_up("ann@example.com", trust=Trust.SIGNED),
        *world.sign_up("bob@example.com", user_id="bob", trust=Trust.SIGNED),
    )
    world.advance(world.clock.instant + timedelta(hours=1))
    shared = node_id(NodeKind.EMAIL, "both@example.com")
    for name in ("ann", "bob"):
        world.send(
            world.event(
                "", type=EventType.IDENTIFY, trust=Trust.SIGNED, user_id=name, traits={"email": "both@example.com"}
            )
        )
    assert world.customer("bob").root == world.customer("ann").root
    for name in ("ann", "bob"):
        world.send(
            world.event(
                "", type=EventType.IDENTIFY, trust=Trust.SIGNED, user_id=name, traits={"email": f"{name}2@example.com"}
            )
        )
        world.send(word(world, SPLIT, user(name), shared))
    assert world.customer("bob").root != world.customer("ann").root
    world.advance(world.clock.instant + timedelta(days=2))
    assert world.sent() == ["welcome", "welcome"]


def test_a_cart_that_two_carts_became_is_not_reminded_of_again() -> None:
    """One in a browser, three days later one in the account, reminded; then a look at it, logged in on that browser."""
    world = World()
    product = {"product_id": "p1", "price": 5}
    world.send(world.event("Product Added", user_id=None, anonymous_id="b1", properties=product))
    world.advance(world.clock.instant + timedelta(days=3))
    world.send(*world.sign_up(), world.event("Product Added", properties=product))
    world.advance(world.clock.instant + timedelta(hours=2))
    assert world.sent().count("abandoned_cart") == 1
    world.send(world.event("Cart Viewed", anonymous_id="b1"))
    world.advance(world.clock.instant + timedelta(days=1))
    assert world.sent().count("abandoned_cart") == 1


def test_nobody_is_subscribed_again_by_what_anybody_may_send() -> None:
    """The reader clicked on unsubscribe; a public call claims the address and agrees. The shop's own word counts, about
    the address, or an account that the shop said is its owner's."""
    world = World()
    world.send(*world.sign_up())
    left = world.event(
        "Unsubscribed", trust=Trust.SYSTEM, user_id=None,
        properties={"address_node": node_id(NodeKind.EMAIL, "ann@example.com"), "channel": "email"},
    )  # fmt: skip
    world.clock.instant += MINUTE
    world.send(left)
    world.clock.instant += MINUTE
    world.send(consent(world, "granted", traits={"email": "ann@example.com"}))
    assert status_of(world) == "denied"
    world.send(consent(world, "granted", trust=Trust.SIGNED))
    assert status_of(world) == "denied"
    world.send(consent(world, "granted", trust=Trust.SIGNED, traits={"email": "ann@example.com"}))
    assert status_of(world) == "granted"


def test_a_public_call_does_not_replace_an_address_that_the_shop_told() -> None:
    """Else a stranger who knows a user id would get her mail."""
    world = World()
    world.send(world.order("o1", traits={"email": "ann@example.com"}))
    world.clock.instant += MINUTE
    world.send(world.event("", type=EventType.IDENTIFY, traits={"email": "stranger@example.com"}))
    address = world.customer().address("email")
    assert address is not None
    assert address.text == "ann@example.com"
    world.send(world.order("o2", traits={"email": "ann@example.org"}))
    changed = world.customer().address("email")
    assert changed is not None
    assert changed.text == "ann@example.org"


def test_a_stranger_who_claims_an_address_is_not_its_owner() -> None:
    """With an account of his own and her address; the shop's orders say whose it is. Without them it is nobody's."""
    for shop_knows in (True, False):
        world = World()
        if shop_knows:
            world.send(world.order("o1", traits={"email": "ann@example.com"}))
        world.send(*world.sign_up("ann@example.com"))
        claim: dict[str, Any] = {"type": EventType.IDENTIFY, "user_id": "evil", "traits": {"email": "ann@example.com"}}
        world.send(world.event("", **claim))
        assert world.customer("evil").root == user("evil")
        email = world.customer_of_node(node_id(NodeKind.EMAIL, "ann@example.com"))
        assert (email.root == user("ann")) is shop_knows


def test_an_operator_is_told_why_a_shared_computer_is_nobodys() -> None:
    """No limit is broken and nothing is cut; it is what hangs on it that makes it two people's."""
    world = World()
    world.send(*world.sign_up("ann@example.com"), login(world))
    world.send(world.order("guest", user_id=None, anonymous_id="b1", traits={"email": "husband@example.com"}))
    commands = Identity(
        store=world.store, programs=world.programs, log=world.log, events=world.events, clock=world.clock
    )
    ties = {tuple(sorted((tie.one, tie.other))): tie for tie in commands.explain(user("ann")).ties}
    tie = ties[BROWSER, user("ann")]
    assert tie.objection is not None
    assert tie.objection.startswith("a browser or device of two people")
    assert tie.event is not None
    assert [other.objection for pair, other in ties.items() if BROWSER not in pair] == [None]


def test_two_messages_of_one_instant_count_twice_after_a_merge() -> None:
    """For the frequency cap; and those that both states have heard of once only."""
    at = START
    twice, once = CustomerState(sends=[(at, "email"), (at, "email")]), CustomerState(sends=[(at, "email")])
    assert states_merged(twice, once).sends == states_merged(once, twice).sends == twice.sends
