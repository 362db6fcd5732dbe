"""Each kind of import from each format, and what becomes of its values."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.facts import Fact, fact_of
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.instants import to_millis
from regulars.domain.orders import entry_of
from regulars.domain.orders_payload import order_event
from tests.collecting import NOW
from tests.importing.samples import LINES, WRITERS, Importer, as_csv, as_jsonl, lines, orders_by_id
from tests.lake_samples import NOON
from tests.webhooks import SHOPIFY_ORDER, Shops
from tests.world import World

FORMATS = sorted(WRITERS)


def folded(event: Event) -> Fact:
    fact = fact_of(event, currency="EUR")
    assert fact is not None
    return fact


@pytest.fixture
def run(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


@pytest.mark.parametrize("kind", FORMATS)
def test_lines_become_orders_of_the_till_on_the_loyalty_card(run: Importer, kind: str) -> None:
    report = run.rows(LINES, lines(), kind)
    assert (report.rows, report.events, report.bad_rows) == (9, 3, 0)
    order = orders_by_id(run.events())["r1"]
    placed = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert (order.type, order.trust, order.timestamp, order.received_at) == (
        EventType.ORDER, Trust.IMPORTED, placed, NOON,
    )  # fmt: skip
    assert order.event_id == event_id_of("till", f"r1:{to_millis(placed)}")
    assert order.properties["total_minor"] == 210 + 211 + 212
    assert [line["price_minor"] for line in order.properties["products"]] == [210, 106, 71]
    assert order.properties["channel"] == "store"
    assert nodes_of(order) == [node_id(NodeKind.LOYALTY, "card-2")]
    fact = fact_of(order, currency="EUR")
    assert fact is not None
    assert fact.imported


ORDERS: dict[str, Any] = {
    "version": 1,
    "kind": "orders",
    "source": "shop",
    "fields": {
        "order_id": "id",
        "version": "rev",
        "placed_at": "placed",
        "updated_at": "changed",
        "status": {"column": "state", "values": {"ok": "paid", "storno": "cancelled", "*": "placed"}},
        "currency": "cur",
        "total": {"column": "total", "decimal": ",", "thousands": "."},
        "refunded": {"column": "back", "unit": "minor"},
        "coupons": {"column": "codes", "separator": "|"},
        "email": "mail",
        "user_id": "user",
        "shop_customer_id": "customer",
        "first_name": "first",
        "email_consent": {"column": "news", "values": {"yes": "granted", "no": "denied"}},
    },
    "products": {
        "column": "items",
        "fields": {"product_id": "sku.id", "quantity": "n", "price": "each", "name": {"column": "title"}},
    },
}


def an_order(number: int = 1, **changes: Any) -> dict[str, Any]:
    items = [{"sku": {"id": f"p{line}"}, "n": 2, "each": "3.5", "title": f"Product {line}"} for line in range(2)]
    return {
        "id": 1000 + number,
        "rev": 7,
        "placed": "2026-05-01T10:00:00Z",
        "changed": "2026-05-02T10:00:00+02:00",
        "state": "ok",
        "cur": "EUR",
        "total": "1.234,50",
        "back": "250",
        "codes": "MAY | VIP",
        "mail": "Ada@Example.com",
        "user": f"u{number}",
        "customer": "77",
        "first": "Ada",
        "news": "yes",
        "items": orjson.dumps(items).decode(),
    } | changes  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_an_order_is_the_event_that_a_generic_order_makes(run: Importer, kind: str) -> None:
    """All of it but for trust, receipt, and what says that it was imported."""
    run.rows(ORDERS, [an_order()], kind)
    body = {
        "order_id": "1001",
        "version": 7,
        "placed_at": "2026-05-01T10:00:00Z",
        "updated_at": "2026-05-02T08:00:00Z",
        "status": "paid",
        "currency": "EUR",
        "total": "1234.50",
        "refunded": "2.50",
        "coupons": ["MAY", "VIP"],
        "customer": {
            "user_id": "u1",
            "email": "Ada@Example.com",
            "first_name": "Ada",
            "shop_customer_id": "77",
            "marketing_consent": {"email": {"status": "granted", "at": "2026-05-01T10:00:00Z"}},
        },
        "products": [
            {"product_id": f"p{line}", "quantity": 2, "price": "3.5", "name": f"Product {line}"} for line in range(2)
        ],
    }
    (imported,) = run.events()
    signed = order_event(orjson.dumps(body), source="shop", received_at=NOON)
    for name in ("event_id", "message_id", "type", "name", "user_id", "timestamp", "original_timestamp", "properties",
                 "traits"):  # fmt: skip
        assert getattr(imported, name) == getattr(signed, name), name
    assert imported.context == {"channel": "import"} | signed.context
    assert folded(imported).order == folded(signed).order


@pytest.mark.parametrize("import_first", [True, False])
def test_an_order_from_a_shop_systems_webhook_and_from_an_import_counts_once(
    tmp_path: Path, *, import_first: bool
) -> None:
    """They are two events of one order, of the same change of it; the shop system's own has the higher version."""
    run = Importer(tmp_path, now=NOW)
    order = {"id": SHOPIFY_ORDER["id"], "placed": SHOPIFY_ORDER["processed_at"], "mail": "ada@example.com",
             "changed": SHOPIFY_ORDER["updated_at"], "state": "paid", "total": "99.00"}  # fmt: skip
    fields = {"order_id": "id", "placed_at": "placed", "updated_at": "changed", "status": "state", "total": "total",
              "email": "mail"}  # fmt: skip
    run.rows({"version": 1, "kind": "orders", "source": "shopify-main", "currency": "EUR", "fields": fields}, [order])
    (imported,) = run.events()
    (told,) = Shops().told("shopify-main", SHOPIFY_ORDER, "orders/create")
    assert imported.event_id != told.event_id
    assert imported.properties["version"] <= told.properties["version"]
    world = World(now=NOW)
    for event in (imported, told) if import_first else (told, imported):
        world.send(event)
    customer = world.customer_of_node(node_id(NodeKind.EMAIL, "ada@example.com"))
    (entry,) = customer.book.entries.values()
    assert entry == entry_of(told.properties)


def test_versions_of_an_order_are_events_of_their_own(run: Importer) -> None:
    run.rows(ORDERS, [an_order(), an_order(rev=8, state="storno"), an_order()])
    assert sorted((e.message_id, e.properties["status"]) for e in run.events()) == [
        ("1001:7", "paid"), ("1001:8", "cancelled"),
    ]  # fmt: skip


def test_what_is_said_in_one_row_of_an_order_counts_for_all(run: Importer) -> None:
    """As exports do that name the customer and the total in an order's first row only."""
    mapping = LINES | {"fields": LINES["fields"] | {"total": "total", "currency": "cur"}}
    del mapping["currency"]
    rows = [row | {"total": "", "cur": ""} for row in lines(1)]
    rows[1] |= {"total": "99.00", "cur": "CHF"}
    rows[0] |= {"card": ""}
    run.rows(mapping, rows)
    (order,) = run.events()
    assert (order.properties["total_minor"], order.properties["currency"]) == (9900, "CHF")


@pytest.mark.parametrize("kind", FORMATS)
def test_customers_become_identify_calls(run: Importer, kind: str) -> None:
    mapping = {
        "version": 1,
        "kind": "customers",
        "source": "shop",
        "fields": {
            "at": {"column": "changed", "format": "%d.%m.%Y", "timezone": "Europe/Berlin"},
            "user_id": "id",
            "email": "mail",
            "last_name": "surname",
            "sms_consent": {"column": "texts", "values": {"true": "granted", "false": "denied"}},
        },
        "traits": {"points": {"column": "points", "type": "integer"}, "tier": {"value": "gold"}, "city": "city"},
    }
    row = {
        "changed": "03.05.2026", "id": "u1", "mail": "a@example.com", "surname": "L", "points": "12", "city": "",
        "texts": "false",
    }  # fmt: skip
    run.rows(mapping, [row], kind)
    (event,) = run.events()
    assert (event.type, event.user_id) == (EventType.IDENTIFY, "u1")
    assert event.timestamp == datetime(2026, 5, 2, 22, tzinfo=UTC)
    assert event.traits == {"email": "a@example.com", "last_name": "L", "points": 12, "tier": "gold"}
    fact = fact_of(event, currency="EUR")
    assert fact is not None
    assert [(one.channel, one.status) for one in fact.consents] == [("sms", "denied")]


@pytest.mark.parametrize("kind", FORMATS)
def test_products_become_snapshots(run: Importer, kind: str) -> None:
    mapping = {
        "version": 1,
        "kind": "products",
        "source": "shop",
        "currency": "EUR",
        "fields": {
            "product_id": "id", "updated_at": "changed", "name": "title", "price": "price", "stock": "stock",
            "categories": {"column": "tree", "separator": ">"},
        },
    }  # fmt: skip
    row = {"id": "p1", "changed": "2026-05-01", "title": "Tea", "price": "4.20", "stock": 3, "tree": "Food > Tea"}
    run.rows(mapping, [row], kind)
    (event,) = run.events()
    assert (event.type, event.trust) == (EventType.PRODUCT, Trust.IMPORTED)
    changed = to_millis(datetime(2026, 5, 1, tzinfo=UTC))
    assert event.message_id == f"product:p1:{changed}"
    assert event.properties == {
        "product_id": "p1", "version": changed, "name": "Tea", "price_minor": 420, "currency": "EUR",
        "categories": ["Food", "Tea"], "stock": 3, "in_stock": True,
    }  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_consents_become_statements_on_the_ledger(run: Importer, kind: str) -> None:
    mapping = {
        "version": 1,
        "kind": "consents",
        "source": "shop",
        "fields": {
            "at": "when", "email": "mail", "channel": {"value": "email"}, "text_version": "text", "expires_at": "until",
            "status": {"column": "optin", "values": {"1": "granted", "0": "denied"}},
            "consent_source": {"value": "web"},
        },
    }  # fmt: skip
    row = {"when": "2026-05-01T00:00:00Z", "mail": "a@example.com", "optin": 1, "text": "v3", "until": "2027-05-01"}
    run.rows(mapping, [row], kind)
    (event,) = run.events()
    (record,) = folded(event).consents
    assert (record.channel, record.status, record.source, record.text_version) == ("email", "granted", "web", "v3")
    assert (record.at, record.expires_at) == (datetime(2026, 5, 1, tzinfo=UTC), datetime(2027, 5, 1, tzinfo=UTC))


@pytest.mark.parametrize("kind", FORMATS)
def test_events_keep_their_names_ids_and_properties(run: Importer, kind: str) -> None:
    mapping = {
        "version": 1,
        "kind": "events",
        "source": "web",
        "fields": {"event": "name", "at": "ts", "anonymous_id": "visitor", "message_id": "mid"},
        "properties": {"product_id": "sku", "price": {"column": "price", "type": "number"}, "url": "page"},
    }
    page = "https://shop.example/?email=a@example.com"
    row = {"name": "Product Viewed", "ts": 1777600000, "visitor": "b1", "mid": "m-1", "sku": "p1", "price": "4.2",
           "page": page}  # fmt: skip
    run.rows(mapping, [row], kind)
    (event,) = run.events()
    assert (event.event_id, event.name, event.anonymous_id) == (event_id_of("web", "m-1"), "Product Viewed", "b1")
    assert event.properties == {"product_id": "p1", "price": 4.2, "url": "https://shop.example/?email=[masked]"}
    assert event.timestamp == datetime(2026, 5, 1, 1, 46, 40, tzinfo=UTC)


def test_properties_may_be_a_whole_object(run: Importer) -> None:
    mapping = {
        "version": 1, "kind": "events", "source": "web", "properties": "data",
        "fields": {"event": "e.name", "at": "e.at", "user_id": "u", "type": {"column": "kind", "default": "track"}},
    }  # fmt: skip
    row = {"e": {"name": "Tea Room Visited", "at": "2026-05-01T00:00:00Z"}, "u": "u1", "data": {"table": {"no": 4}}}
    run.rows(mapping, [row, row], "jsonl")
    (event,) = run.events()
    assert event.properties == {"table": {"no": 4}}


def test_csv_is_read_in_the_dialect_and_encoding_that_the_mapping_says(run: Importer) -> None:
    mapping = LINES | {"csv": {"delimiter": ";", "encoding": "cp1252"}}
    rows = [row | {"article": "Tée, groß"} for row in lines(1, 1)]
    content = as_csv(rows, delimiter=";").decode().encode("cp1252")
    run(mapping, run.file("rows.txt", content))
    (order,) = run.events()
    assert order.properties["products"][0]["product_id"] == "Tée, groß"


def test_gzipped_files_and_a_byte_order_mark_are_read(run: Importer) -> None:
    content = gzip.compress(b"\xef\xbb\xbf" + as_csv(lines()))
    assert run(LINES, run.file("rows.csv.gz", content)).events == 3
    assert run(LINES | {"source": "other"}, run.file("rows.jsonl.gz", gzip.compress(as_jsonl(lines())))).events == 3


def test_nobody_is_named_by_values_that_stand_for_nobody(run: Importer) -> None:
    run.rows(LINES, [row | {"card": "0"} for row in lines(1)])
    assert run.events() == []
    assert {fault.code for fault in run.faults} == {"no_identifier", "same_order"}


def test_time_in_a_zone_follows_its_summer(run: Importer) -> None:
    times = ["2026-03-28 12:00", "2026-03-29 12:00"]
    run.rows(LINES, [row | {"time": time} for row, time in zip(lines(2, 1), times, strict=True)])
    found = sorted(event.timestamp for event in run.events())
    assert found[1] - found[0] == timedelta(hours=23)


def test_floating_point_noise_is_an_error_unless_rounding_is_asked_for(run: Importer) -> None:
    rows = [row | {"amount": 1.1 * 3} for row in lines(1, 1)]
    run.rows(LINES, rows, "parquet")
    assert [fault.code for fault in run.faults] == ["bad_amount"]
    fields = LINES["fields"] | {"line_total": {"column": "amount", "rounding": "half_up"}}
    run.rows(LINES | {"fields": fields}, rows, "parquet")
    assert [event.properties["total_minor"] for event in run.events()] == [330]
