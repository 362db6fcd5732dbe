"""The catalogue: product events in any order, as often as they like, give the same products."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.application.catalogue import RememberedCatalogue, keep_products
from regulars.application.rebuild import Doing
from regulars.domain.errors import BadInputError, TransientError, VersionConflictError
from regulars.domain.events import Trust
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.products import (
    MAX_SOURCES,
    Listing,
    Product,
    listing_from_doc,
    listing_of,
    listing_to_doc,
    listings_of,
    product_from_doc,
    product_key,
)
from regulars.domain.products_payload import product_of_payload
from tests.product_samples import MORNING, a_listing, a_product, told
from tests.recovering import rebuilt
from tests.world import World, user


def in_catalogue(world: World, product_id: str = "7", source: str | None = None) -> Product | None:
    listing = world.catalogue.products([product_id]).get(product_id, Listing())
    return listing.product(source)


def test_a_product_event_lands_and_is_in_the_catalogue() -> None:
    """And is nobody's: no customer is written, none evaluated."""
    world = World()
    report = world.send(told(a_product()))
    assert (report.products, report.written, world.reports) == (1, 0, [])
    assert in_catalogue(world) == a_product()


def test_the_highest_version_wins_whatever_comes_last() -> None:
    world = World()
    new, old = a_product(version=5, price_minor=3990), a_product(version=4)
    world.send(told(new))
    assert world.send(told(old)).products == 0, "what is known costs no write"
    assert world.send(told(new)).products == 0
    assert in_catalogue(world) == new


def test_of_two_bodies_under_one_version_the_later_told_counts() -> None:
    """A shop that does not count its versions up."""
    early, late = a_product(stock=3), a_product(stock=2)
    events = [told(late, at=MORNING + timedelta(hours=1)), told(early)]
    for order in (events, events[::-1]):
        assert listings_of(order)["7"].product() == late


def test_sources_do_not_overwrite_each_other() -> None:
    """A file that counts 1, 2, 3 beside a webhook that counts milliseconds: each has its own word; asked for none in
    particular, whoever spoke last is believed."""
    world = World()
    file = told(a_product(name="From the file"), source="file", trust=Trust.IMPORTED)
    shop = told(a_product(version=1795305600000, name="From the shop"), at=MORNING + timedelta(days=1))
    world.send(shop, file)
    names = {source: found.name for source in ("file", "shop", None) if (found := in_catalogue(world, source=source))}
    assert names == {"file": "From the file", "shop": "From the shop", None: "From the shop"}


def test_a_write_key_tells_of_no_product() -> None:
    """It is in the shop's pages: anybody could put a price of their own into other people's mail."""
    event = told(a_product())
    assert listing_of(event) is not None
    assert listing_of(replace(event, trust=Trust.PUBLIC)) is None
    with pytest.raises(ValueError, match="believed"):
        told(a_product(), trust=Trust.PUBLIC)


def test_the_key_of_a_product_is_no_nodes() -> None:
    """Not even for an id that is made to look like one."""
    node = node_id(NodeKind.USER, "ann")
    assert product_key(node)[0] not in "uepalsd"
    assert product_key(node) != node
    assert len(product_key("x" * 255)) == len(product_key("7"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"in_stock": False}, True),
        ({"in_stock": True, "stock": 0}, False),  # sold on order
        ({"in_stock": None, "stock": 0}, True),
        ({"in_stock": None, "stock": None}, False),
        ({"deleted": True}, True),
    ],
)
def test_whether_a_product_can_be_bought(said: Mapping[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert a_product(**said).sold_out is expected


@pytest.mark.parametrize("product_id", ["\ud800", "a\udfff"], ids=["alone", "at the end"])
def test_half_a_character_names_no_product(product_id: str) -> None:
    """JSON can spell it, storage cannot."""
    with pytest.raises(BadInputError) as refusal:
        product_of_payload({"product_id": product_id, "version": 1}, currency="EUR")
    assert refusal.value.code == "bad_shape"
    assert refusal.value.detail.startswith("product_id: ")


products = st.builds(
    a_product,
    st.just("7"),
    version=st.integers(1, 3),
    price_minor=st.sampled_from([100, 200]),
    stock=st.sampled_from([None, 0, 1]),
    deleted=st.booleans(),
)
tellings = st.builds(
    told, products, source=st.sampled_from(["a", "b"]), at=st.sampled_from([MORNING, MORNING + timedelta(hours=1)])
)


@given(st.lists(tellings, max_size=6), st.randoms(use_true_random=False), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_any_order_and_any_number_of_times(events: list[Any], chance: Any, cut: int) -> None:
    """A listing is a commutative, idempotent monoid, and its document and every product in it can be read again."""
    shuffled = events + events[:cut]
    chance.shuffle(shuffled)
    whole = listings_of(events)
    assert listings_of(shuffled) == whole
    for listing in whole.values():
        assert listing_from_doc(listing_to_doc(listing)) == listing
        assert listing.merged(listing) == listing
        found = listing.product()
        assert found is not None
        assert product_from_doc(found.to_doc()) == found


def test_a_product_has_so_many_sources_and_no_more() -> None:
    """An item stays small; which ones are kept does not depend on the order."""
    sources = [f"s{number:02}" for number in range(MAX_SOURCES + 2)]
    listings = [a_listing(source=source) for source in sources]
    forth, back = Listing(), Listing()
    for one, other in zip(listings, reversed(listings), strict=True):
        forth, back = forth.merged(one), back.merged(other)
    assert forth == back
    assert list(forth.snapshots) == sources[:MAX_SOURCES]


class _Contested(MemoryCatalogue):
    """Somebody else writes first, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def put(self, product_id: str, listing: Listing, *, expected: int, owner: str) -> None:
        if self.times:
            self.times -= 1
            raise VersionConflictError("somebody else")
        super().put(product_id, listing, expected=expected, owner=owner)


@pytest.mark.parametrize(("times", "outcome"), [(4, (1, frozenset())), (5, (0, frozenset({"7"})))])
def test_a_lost_race_is_run_again(times: int, outcome: tuple[int, frozenset[str]]) -> None:
    """A few times; then its records come again."""
    told_of = {"7": a_listing()}
    assert keep_products(told_of, catalogue=_Contested(times), ids=CountedIds()) == outcome


def test_an_item_that_nobody_can_read_is_replaced() -> None:
    catalogue = MemoryCatalogue()
    catalogue._rows["7"] = ("not a document", 4, "somebody")
    assert keep_products({"7": a_listing()}, catalogue=catalogue, ids=CountedIds()) == (1, frozenset())
    assert catalogue.products(["7"]) == {"7": a_listing()}


class _Down(MemoryCatalogue):
    def stored(self, product_ids: Collection[str]) -> Any:
        raise TransientError(f"no answer about {len(product_ids)}")


def test_records_whose_products_could_not_be_written_come_again() -> None:
    """And only those."""
    world = World()
    world.update._catalogue = _Down()
    keys = world.log.append([told(a_product())])
    others = world.log.append([world.event("Page")])
    report = world.update([("products", keys), ("hits", others)])
    assert report.failed == {"products"}
    world.update._catalogue = world.catalogue
    assert world.update([("products", keys)]).failed == frozenset()
    assert in_catalogue(world) == a_product()


def test_a_memory_asks_for_a_product_once_in_a_while() -> None:
    """Also for one that does not exist: a made-up id is not asked for again and again."""
    catalogue, clock = MemoryCatalogue(), FixedClock(MORNING)
    catalogue.put("7", a_listing(), expected=0, owner="a")
    memory = RememberedCatalogue(catalogue, clock=clock, lasts=timedelta(minutes=5))
    for _ in range(3):
        assert memory.products(["7", "unknown"]) == {"7": a_listing()}
    assert memory.products(["8", "7"]) == {"7": a_listing()}
    assert catalogue.asked == [{"7", "unknown"}, {"8"}]
    catalogue.put("8", a_listing("8"), expected=0, owner="a")
    clock.instant = MORNING + timedelta(minutes=5)
    assert memory.products(["7", "8"]) == {"7": a_listing(), "8": a_listing("8")}


def test_a_rebuild_makes_the_catalogue_from_the_log() -> None:
    """What was lost is there again, and what was left behind; a second run finds nothing to do."""
    world = World()
    world.send(told(a_product("7", version=2)), told(a_product("8")), told(a_product("9")))
    lost = world.catalogue._rows.pop("7")
    world.catalogue.put("8", a_listing("8", source="other"), expected=1, owner="somebody")
    found = rebuilt(world, doing=Doing(repair=False))
    assert (found.products, found.products_behind, found.products_rebuilt, found.nodes) == (3, 2, 0, 0)
    assert rebuilt(world).products_rebuilt == 2
    assert world.catalogue._rows["7"][0] == lost[0]
    assert set(world.catalogue.products(["8"])["8"].snapshots) == {"shop", "other"}, "what is stored is never less"
    assert rebuilt(world).products_behind == 0


def test_a_night_leaves_alone_what_has_just_landed() -> None:
    """It may be on its way to the catalogue still, and would be told as drift."""
    world = World()
    world.log.append([told(a_product())])
    assert rebuilt(world, doing=Doing(settled=world.clock.instant - timedelta(hours=1))).products == 0


def test_a_rebuild_of_some_customers_leaves_products_alone() -> None:
    world = World()
    world.send(told(a_product()), world.event("Page"))
    assert rebuilt(world, wanted=frozenset({user("ann")})).products == 0
