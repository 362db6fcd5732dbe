"""Lines and the catalogue: events completed where they say nothing, carts of messages brought up to date."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import orjson
import pytest

from regulars.adapters.bots import CrawlerList
from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.memory.system import FixedClock
from regulars.application.catalogue import RememberedCatalogue, complete_products
from regulars.application.ingest import IngestReport, ingest
from regulars.domain.errors import TransientError
from regulars.domain.events import Event, EventType, Trust
from regulars.domain.product_lines import MAX_LINES, completed, current_cart, product_ids
from tests.lake_samples import a_message, an_event, an_intake
from tests.product_samples import MORNING, a_listing, a_product, told
from tests.world import World

KNOWN = {"7": a_listing("7", version=3)}
FROM_THE_CATALOGUE = {
    "name": "Purple dress", "category": "Dresses", "categories": ["Dresses", "Summer"], "price": 49.9,
    "currency": "EUR", "url": "https://shop.example/p/7", "image_url": "https://shop.example/i/7.jpg",
}  # fmt: skip


def viewed(properties: dict[str, Any], **changes: Any) -> Event:
    return an_event(1, name="Product Viewed", properties=properties, **changes)


def an_order(*lines: dict[str, Any]) -> Event:
    return viewed({"order_id": "o1", "products": list(lines)}, type=EventType.ORDER, trust=Trust.SIGNED)


def test_an_event_that_names_only_the_product_gets_all_that_is_known() -> None:
    """With its provenance: which version, and which fields."""
    event = completed(viewed({"product_id": "7", "position": 2}), KNOWN)
    assert event.properties == {"product_id": "7", "position": 2, **FROM_THE_CATALOGUE}
    assert event.context["catalogue"] == {"7": {"version": 3, "fields": sorted(FROM_THE_CATALOGUE)}}


def test_what_the_event_says_is_never_changed() -> None:
    said = {"product_id": "7", "name": "Robe", "price": 39.9, "category": "Sale", "url": "https://x", "image_url": "i"}
    event = viewed(said)
    assert completed(event, KNOWN) is event
    part = completed(viewed({"product_id": 7, "name": "Robe", "category": ""}), KNOWN)
    assert part.properties["name"] == "Robe"
    assert part.properties["category"] == "Dresses"


def test_each_line_is_completed_by_itself() -> None:
    lines = [{"product_id": "7"}, {"sku": "7", "quantity": 2}, {"product_id": "unknown"}, "no line", {"quantity": 1}]
    products = completed(viewed({"products": lines}), KNOWN).properties["products"]
    assert [line.get("name") for line in products if isinstance(line, dict)] == ["Purple dress"] * 2 + [None] * 2
    assert products[2:] == lines[2:]
    assert lines[0] == {"product_id": "7"}, "the event that came is as it was"


def test_an_order_gets_words_and_pictures_and_no_amount() -> None:
    order = completed(an_order({"product_id": "7", "quantity": 1, "price_minor": 100}), KNOWN)
    (line,) = order.properties["products"]
    assert (line["category"], line["price_minor"]) == ("Dresses", 100)
    assert "price" not in line


@pytest.mark.parametrize("where", ["line", "event"])
def test_a_price_in_another_currency_is_not_mixed_in(where: str) -> None:
    line = {"product_id": "7"} | ({"currency": "USD"} if where == "line" else {})
    event = viewed({"products": [line]} | ({"currency": "USD"} if where == "event" else {}))
    assert "price" not in completed(event, KNOWN).properties["products"][0]


def test_the_fold_reads_a_completed_price_in_the_programs_currency_only() -> None:
    """The starter program counts in USD."""
    world = World()
    world.send(world.event("Product Added", properties={"product_id": "a", "price": "49.90", "currency": "USD"}))
    world.send(world.event("Product Added", properties={"product_id": "b", "price": "49.90", "currency": "EUR"}))
    world.send(world.event("Product Added", properties={"product_id": "c", "price": 5, "category": "Tea"}))
    lines = world.customer().open_lines()
    assert {key: line.price_minor for key, line in lines.items()} == {"a": 4990, "b": None, "c": 500}
    assert world.customer().value("cart.categories") == ("Tea",)


@pytest.mark.parametrize("kind", [EventType.PAGE, EventType.IDENTIFY, EventType.SYSTEM, EventType.PRODUCT])
def test_other_events_have_no_lines(kind: EventType) -> None:
    assert product_ids(viewed({"product_id": "7"}, type=kind)) == []


@pytest.mark.parametrize("strange", [None, True, 1.5, "", "x" * 256, [], {}])
def test_what_is_no_id_is_not_looked_up(strange: Any) -> None:
    event = viewed({"products": [{"product_id": strange, "sku": strange}], "product_id": strange})
    assert product_ids(event) == []
    assert completed(event, KNOWN) is event


def test_a_long_order_is_completed_at_its_beginning() -> None:
    """What one event can make us read is bounded."""
    lines = [{"product_id": str(number)} for number in range(MAX_LINES + 5)]
    event = viewed({"products": lines})
    assert len(product_ids(event)) == MAX_LINES
    listings = {str(number): a_listing(str(number)) for number in range(MAX_LINES + 5)}
    products = completed(event, listings).properties["products"]
    assert ["name" in line for line in products] == [True] * MAX_LINES + [False] * 5


def test_the_events_own_source_is_asked_first() -> None:
    listing = a_listing(source="web", name="The web's").merged(a_listing(source="zoo", name="The zoo's"))
    assert completed(viewed({"product_id": "7"}, source="web"), {"7": listing}).properties["name"] == "The web's"
    assert completed(viewed({"product_id": "7"}, source="other"), {"7": listing}).properties["name"] == "The zoo's"


def taken(log: MemoryEventLog, catalogue: Any, *events: Event) -> IngestReport:
    return ingest(
        [("m", a_message(list(events)))], log=log, bots=CrawlerList(), intake=an_intake(), catalogue=catalogue
    )


def test_ingest_stores_the_completed_event() -> None:
    """Under the payload hash of what was sent, so that a second delivery is still the same event."""
    catalogue, log = MemoryCatalogue(), MemoryEventLog()
    catalogue.put("7", KNOWN["7"], expected=0, owner="a")
    sent = viewed({"product_id": "7"})
    report = taken(log, catalogue, sent, an_event(2, type=EventType.PAGE, name=None, properties={}))
    stored = [event for key in log.keys() for event in log.read(key)]  # noqa: SIM118 - no mapping
    assert (report.events, report.completed) == (2, 1)
    assert stored[0].properties["category"] == "Dresses"
    assert stored[0].payload_hash == sent.payload_hash


class _Down:
    def products(self, product_ids: Collection[str]) -> Any:
        raise TransientError(f"no answer about {len(product_ids)}")


def test_a_catalogue_that_is_down_keeps_no_event_waiting() -> None:
    """They are stored as they came, and it is told."""
    log = MemoryEventLog()
    report = taken(log, _Down(), viewed({"product_id": "7"}))
    (key,) = log.keys()
    assert log.read(key)[0].properties == {"product_id": "7"}
    assert (report.events, report.completed) == (1, None)


def test_machines_are_not_looked_up_for() -> None:
    catalogue = MemoryCatalogue()
    events = [viewed({"product_id": "7"}, bot="known_crawler")]
    assert complete_products(events, catalogue) == (events, 0)
    assert catalogue.asked == []


def test_a_thousand_events_about_fifty_products_are_one_read() -> None:
    """In ten batches of one container; five minutes later it is one more."""
    catalogue, clock = MemoryCatalogue(), FixedClock(MORNING)
    memory = RememberedCatalogue(catalogue, clock=clock, lasts=timedelta(minutes=5))
    events = [an_event(number, properties={"product_id": str(number % 50)}) for number in range(1_000)]
    for _five_minutes in range(2):
        for start in range(0, 1_000, 100):
            complete_products(events[start : start + 100], memory)
        clock.instant += timedelta(minutes=5)
    assert [len(asked) for asked in catalogue.asked] == [50, 50]


def a_cart(*lines: dict[str, Any]) -> dict[str, Any]:
    plain = {"product_id": "7", "name": "Robe", "quantity": 2, "price_minor": 100, "url": None, "image_url": None}
    return {"items": [plain | line for line in lines], "value_minor": 1}


def test_a_messages_cart_is_as_it_can_be_bought_now() -> None:
    listings = KNOWN | {"8": a_listing("8", in_stock=False, name="Shoes"), "9": a_listing("9", deleted=True)}
    cart = current_cart(
        a_cart({}, {"product_id": "8"}, {"product_id": "9"}, {"product_id": "x"}), listings, currency="EUR"
    )
    assert [(line["name"], line["price_minor"], line["category"]) for line in cart["items"]] == [
        ("Purple dress", 4990, "Dresses"),
        ("Robe", 100, None),
    ]
    assert [line["name"] for line in cart["sold_out"]] == ["Shoes", "Purple dress"]
    assert cart["value_minor"] == 2 * 4990 + 2 * 100
    assert cart["items"][0]["url"] == "https://shop.example/p/7"


def test_a_price_in_another_currency_stays_the_pages() -> None:
    assert current_cart(a_cart({}), KNOWN, currency="USD")["items"][0]["price_minor"] == 100


def test_what_the_catalogue_does_not_say_stays_as_it_was() -> None:
    listing = {"7": a_listing(name=None, price_minor=None, currency=None, categories=(), url=None, image_url=None)}
    line = current_cart(a_cart({"category": "Old"}), listing, currency="EUR")["items"][0]
    assert (line["name"], line["price_minor"], line["category"]) == ("Robe", 100, "Old")


def test_a_decision_from_before_the_catalogue_keeps_its_lines() -> None:
    """Messages wait in a queue while a new version is deployed."""
    old = {
        "items": [{"name": "Tea", "quantity": 1, "price_minor": None, "url": None, "image_url": None}],
        "value_minor": 0,
    }
    cart = current_cart(old, KNOWN, currency="EUR")
    assert [line["name"] for line in cart["items"]] == ["Tea"]
    orjson.dumps(cart)


def test_in_the_lake_a_product_is_an_event_like_all() -> None:
    log = MemoryEventLog()
    report = taken(log, MemoryCatalogue(), told(a_product()))
    (key,) = log.keys()
    assert (report.events, log.read(key)) == (1, [told(a_product())])
