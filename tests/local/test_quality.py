"""Support, social and bought data on their way, and the monitor's look at them, on the local cloud."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from infra.local import LocalCloud
from infra.local.cli import main
from infra.local.customers import Customers
from infra.local.dev import DevSite
from regulars.domain.identity import NodeKind, node_id
from tests.traffic import post_batch, signed

ROOT = Path(__file__).parents[2]
ANN = node_id(NodeKind.USER, "ann")
SECRET = "shared-with-the-sender"
SOURCES = {"sources": {"acme": {"party": "third_party"}, "desk": {"strict": True}}, "region": "DE"}


@pytest.fixture
def shop(cloud: LocalCloud, tmp_path: Path) -> LocalCloud:
    """A shop that buys data of `acme` and holds its helpdesk to the contracts."""
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(SOURCES))
    cloud.functions.configure("ingest", PROGRAM_PATH=str(tmp_path))
    return cloud


def told(cloud: LocalCloud, source: str, *calls: dict[str, Any]) -> None:
    """Signed events of a source, as a helpdesk or a data provider sends them."""
    cloud.client("secretsmanager").create_secret(Name=f"{cloud.stack.name}/orders/{source}", SecretString=SECRET)
    body = json.dumps({"batch": list(calls)}).encode()
    headers = signed(SECRET, int(cloud.now.timestamp()), body)
    answer = cloud.request("POST", f"/webhooks/events/{source}", headers=headers, body=body)
    assert answer.status == 200, answer.body
    cloud.settle()


def regulars(cloud: LocalCloud, *arguments: str) -> str:
    environment = {
        "BUCKET_NAME": cloud.bucket_name,
        "PROGRAM_PATH": str(ROOT / "program"),
        "CONTRACTS_PATH": str(ROOT / "events" / "contracts"),
    }
    result = CliRunner().invoke(main, list(arguments), env=environment, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    cloud.settle()
    return result.output


def test_support_and_social_events_are_part_of_the_customer(shop: LocalCloud) -> None:
    """And a strict source's mistake is a bad row, which is replayed once the source is strict no more."""
    names = ("Live Chat Conversation Started", "Ticket Opened", "Mentioned", "Product Reviewed")
    properties = ({"conversation_id": "c1"}, {"ticket_id": 7}, {"network": "mastodon"}, {"product_id": "p1"})
    calls = [
        {"type": "track", "userId": "ann", "messageId": name, "event": name, "properties": said}
        for name, said in zip(names, properties, strict=True)
    ]
    told(shop, "desk", *calls, calls[1] | {"messageId": "bad", "properties": {"ticket": 8}})
    story = Customers(shop).story(ANN)
    assert story is not None
    assert story.customer.profile.events == len(names)
    assert "1 replayed as 1 events" in regulars(shop, "replay-bad", "--code", "contract_violation")
    story = Customers(shop).story(ANN)
    assert story is not None
    assert story.customer.profile.events == len(names) + 1


def test_bought_traits_come_after_the_shops_own_and_the_page_says_whose_they_are(shop: LocalCloud) -> None:
    identify = {"type": "identify", "userId": "ann", "messageId": "1"}
    post_batch(shop, [identify | {"traits": {"city": "Ulm", "phone": "0731 123456", "email": "Ann@Mailinator.com"}}])
    shop.settle()
    told(shop, "acme", identify | {"traits": {"city": "Berlin", "income": "high"}})
    request = Request(EnvironBuilder(path=f"/customers/{ANN}").get_environ())
    page = DevSite(shop)(request).get_data(as_text=True)
    assert "Ulm" in page
    assert "Berlin" not in page
    assert "from acme (third party)" in page
    story = Customers(shop).story(ANN)
    assert story is not None
    traits = {name: (trait.value, trait.source) for name, trait in story.provenance}
    assert traits == {
        "city": ("Ulm", "web"),
        "email": ("ann@mailinator.com", "web"),
        "email_flags": ("disposable", "web"),
        "income": ("high", "acme"),
        "phone": ("+49731123456", "web"),
    }


def test_the_monitor_measures_the_day_at_night_and_the_operator_reads_it(shop: LocalCloud) -> None:
    view = {"type": "track", "anonymousId": "b1", "event": "Product Viewed"}
    post_batch(shop, [view | {"messageId": str(number), "properties": {"product_id": "p"}} for number in range(3)])
    post_batch(shop, [view | {"messageId": "4", "properties": {"product": "p"}}, {"type": "track"}])
    day = shop.now.date()
    shop.advance(to=shop.now.replace(hour=6) + timedelta(days=1))
    assert not shop.functions.failures
    report = regulars(shop, "quality", "--date", day.isoformat())
    assert "4 events in" in report
    assert "1 bad rows" in report
    (line,) = [line for line in report.splitlines() if "Product Viewed" in line]
    assert line.split()[:5] == ["web", "Product", "Viewed", "4", "25.0%"]
    assert "properties.product 25%" in line
    assert "nothing unusual" in report
    later = day + timedelta(days=3)
    assert "not measured" in regulars(shop, "quality", "--date", later.isoformat())
    assert "0 events" in regulars(shop, "quality", "--date", later.isoformat(), "--measure")
