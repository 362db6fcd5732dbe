"""Products and surveys on their whole way: told by the shop and seen in a reminder; answered and known to rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from click.testing import CliRunner

from infra.local import LocalCloud
from regulars.adapters.aws.catalogue import DynamoCatalogue
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.lake import S3EventLog
from regulars.cli import main
from regulars.domain.events import Event, EventType, event_to_doc
from regulars.domain.identity import NodeKind, node_id
from tests.credentials import survey_token
from tests.product_samples import a_product, told
from tests.traffic import post_batch

ANN = {"userId": "ann", "anonymousId": "browser-1"}
EMAIL = "ann@example.com"


def tell(cloud: LocalCloud, *events: Event) -> None:
    """Put events into the queue, as the webhooks do."""
    body = orjson.dumps({"v": 1, "events": [event_to_doc(event) for event in events]}).decode()
    cloud.client("sqs").send_message(QueueUrl=cloud.stack.ref("EventsQueue"), MessageBody=body)
    cloud.settle()


def test_a_reminder_shows_the_catalogues_products_as_they_are_when_it_is_sent(cloud: LocalCloud) -> None:
    """The page names products by their ids only. One becomes cheaper once it is in the cart, one is sold out."""
    dress: dict[str, Any] = {"currency": "USD", "url": "https://shop.example/p/7", "categories": ("Dresses",)}
    shoes: dict[str, Any] = {"currency": "USD", "name": "Red shoes", "price_minor": 9900}
    tell(cloud, told(a_product("7", **dress), at=cloud.now), told(a_product("8", **shoes), at=cloud.now))
    cart = [
        {"type": "track", **ANN, "event": "Product Added", "properties": {"product_id": name}} for name in ("7", "8")
    ]
    consent = {"channel": "email", "status": "granted", "text_version": "v1"}
    post_batch(
        cloud,
        [
            {"type": "identify", **ANN, "traits": {"email": EMAIL}},
            {"type": "track", **ANN, "event": "Consent Updated", "properties": consent},
            *cart,
        ],
    )
    cloud.settle()
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    added = [event for key in log.keys() for event in log.read(key) if event.name == "Product Added"]  # noqa: SIM118
    assert {event.properties["name"] for event in added} == {"Purple dress", "Red shoes"}
    assert {event.properties["price"] for event in added} == {49.9, 99.0}
    changed = told(a_product("7", version=2, **dress | {"price_minor": 2990}), at=cloud.now)
    gone = told(a_product("8", version=2, **shoes | {"in_stock": False}), at=cloud.now)
    tell(cloud, changed, gone)
    cloud.advance(by=timedelta(minutes=80), stride=timedelta(minutes=5))
    reminder = next(mail for mail in cloud.mail if "cart" in str(mail.message["Subject"]))
    body = reminder.message.get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert "Purple dress" in html
    assert "29.90 USD" in html
    assert "Sold out in the meantime: Red shoes" in html
    catalogue = DynamoCatalogue(cloud.client("dynamodb"), cloud.table_name)
    found = catalogue.products(["7"])["7"].product()
    assert found is not None
    assert found.price_minor == 2990
    assert not cloud.functions.failures


def test_an_operator_sees_who_said_what_of_a_product(cloud: LocalCloud) -> None:
    """The newest word last; nothing of a product that nobody described."""
    first = told(a_product("7", name="From the file"), source="file", at=cloud.now - timedelta(days=1))
    tell(cloud, told(a_product("7", version=9), at=cloud.now), first)
    done = CliRunner().invoke(main, ["products", "7", "unknown"], env={"TABLE_NAME": cloud.table_name})
    lines = [orjson.loads(line) for line in done.output.splitlines()]
    assert [(line["source"], line["name"], line["version"]) for line in lines] == [
        ("file", "From the file", 1),
        ("shop", "Purple dress", 9),
    ]
    missing = CliRunner().invoke(main, ["products", "7"], env={"TABLE_NAME": "another"})
    assert missing.exit_code == 1
    assert "DynamoDB refused" in missing.output


def test_a_product_wakes_nobody(cloud: LocalCloud) -> None:
    """No evaluation is paid for when a price changes."""
    cloud.settle()
    before = cloud.functions.invocations["evaluate_customers"]
    tell(cloud, *(told(a_product(str(number)), at=cloud.now) for number in range(20)))
    assert cloud.functions.invocations["evaluate_customers"] == before


def test_an_answer_from_a_mail_is_the_addresses_trait(cloud: LocalCloud) -> None:
    """A double click is one answer; a later answer is the one that counts."""
    node = node_id(NodeKind.EMAIL, EMAIL)
    path = f"/survey?t={survey_token(cloud, node=node)}"
    assert cloud.request("GET", path + "&score=3").status == 200
    for score, occasion in ((3, 1), (3, 1), (9, 2)):
        body = f"score={score}&o={occasion}&comment=x".encode()
        assert cloud.request("POST", path, {"content-type": "application/x-www-form-urlencoded"}, body).status == 200
        cloud.advance(by=timedelta(minutes=1))
    cloud.settle()
    store = DynamoCustomerStore(cloud.client("dynamodb"), cloud.table_name)
    profile = store.heads([node])[node].profile
    assert profile is not None
    traits = {name: trait.value for name, trait in profile.value.traits.items()}
    assert (traits["nps_score"], traits["nps_group"]) == (9, "promoter")
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    answers = [event for key in log.keys() for event in log.read(key) if event.name == "Survey Answered"]  # noqa: SIM118
    assert len({event.event_id for event in answers}) == 2
    assert {event.type for event in answers} == {EventType.TRACK}
    assert list(log.bad_keys()) == []
