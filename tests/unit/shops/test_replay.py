"""Bad deliveries of shops, read again: the very events that they would have been, or still bad."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.bots import CrawlerList
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.application.replay_bad import Selection, all_normalisers, replay_bad
from regulars.cli import main
from regulars.domain.errors import BadInputError
from regulars.domain.events import BadRow, Event
from tests.lake_samples import an_intake
from tests.unit.shops.test_shopify import PRODUCT
from tests.unit.shops.test_way import DELIVERIES
from tests.webhooks import BIGCOMMERCE_THIN, Shops

ONLY_A_TOPIC = {"x_shopify_triggered_at": "", "x_shopify_webhook_id": "", "x_wc_webhook_delivery_id": ""}
"""A row keeps the body and the topic of a delivery, and no other header."""


def a_row(source: str, body: Any, topic: str) -> BadRow:
    """The row of a delivery that was refused, as if what was wrong had been mended since."""
    shops = Shops()
    shops.post(source, b"{", topic)
    _, (row,) = shops.stored()
    return replace(row, original=json.dumps(body))


def read(row: BadRow, currency: str | None = "EUR") -> list[Event]:
    return all_normalisers(shop_currency=currency)[row.stage.partition("/")[0]](row)


@pytest.mark.parametrize(("source", "body", "topic"), DELIVERIES)
def test_a_row_read_again_is_the_event_of_the_live_delivery(source: str, body: Any, topic: str) -> None:
    shops = Shops()
    shops.post(source, body, topic, **ONLY_A_TOPIC)
    live, _ = shops.stored()
    assert live
    assert read(a_row(source, body, topic)) == live


def test_a_fetched_product_has_its_price_when_it_is_read_again() -> None:
    listed = {"data": {"id": 9, "price": 9.9, "date_modified": "2026-11-22T09:05:00+00:00"}}
    row = replace(a_row("bigcommerce-eu", {"product": listed}, ""), stage="fetched/product")
    (priced,), (unpriced,) = read(row), read(row, currency=None)
    assert priced.properties["price_minor"] == 990
    assert "price_minor" not in unpriced.properties


def test_what_must_be_fetched_stays_a_bad_row() -> None:
    """A replay fetches nothing: the shop's next delivery does."""
    row = a_row("bigcommerce-eu", BIGCOMMERCE_THIN, "")
    with pytest.raises(BadInputError, match="needs_fetch"):
        read(row)
    log = MemoryEventLog()
    log.append_bad([row])
    for _ in range(2):
        report = replay_bad(log=log, replays=log, bots=CrawlerList(), intake=an_intake(), selection=Selection())
        assert (report.replayed, dict(report.still_bad)) == (0, {"needs_fetch": 1})


def test_what_bigcommerce_says_is_deleted_needs_no_fetch() -> None:
    (event,) = read(a_row("bigcommerce-eu", {**BIGCOMMERCE_THIN, "scope": "store/customer/deleted"}, ""))
    assert event.name == "Customer Deleted"


@pytest.mark.parametrize(("environment", "price"), [({"SHOP_CURRENCY": "EUR"}, 990), ({}, None)])
def test_the_command_reads_prices_in_the_shops_currency(environment: dict[str, str], price: int | None) -> None:
    with mock_aws():
        client: Any = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="lake")
        log = S3EventLog(client, "lake")
        log.append_bad([a_row("shopify-main", PRODUCT, "products/update")])
        result = CliRunner().invoke(main, ["replay-bad", "--bucket", "lake"], env=environment)
        assert result.exit_code == 0, result.output
        (event,) = [event for key in log.keys() for event in log.read(key)]  # noqa: SIM118 - not a mapping
        assert event.properties.get("price_minor") == price
