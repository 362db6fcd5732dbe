"""The fetch_shop function: from a thin webhook, over an API on this machine, to a customer's orders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from infra.local import LocalCloud
from regulars.adapters.items import parsed_orders
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.shop_api import BigCommerceApi
from regulars.domain.errors import PermanentError, TransientError
from regulars.runtime.recovery import redrive
from tests.shop_server import ACCOUNT, FakeBigCommerce
from tests.webhooks import BIGCOMMERCE_ORDER, BIGCOMMERCE_THIN

SOURCE = "bigcommerce-eu"


@pytest.fixture
def shop() -> Iterator[FakeBigCommerce]:
    with FakeBigCommerce() as fake:
        yield fake


def api_of(shop: FakeBigCommerce, account: str = ACCOUNT) -> BigCommerceApi:
    return BigCommerceApi(MemorySecrets({f"shops/{SOURCE}": account}), secret_prefix="shops/", url=shop.url)


def test_a_thin_webhook_ends_in_the_customers_orders(shop: FakeBigCommerce) -> None:
    shop.has_order(BIGCOMMERCE_ORDER)
    with LocalCloud(parameters={"BigCommerceUrl": shop.url}) as cloud:
        cloud.make_secret(f"orders/{SOURCE}", "webhook-secret")
        cloud.make_secret(f"shops/{SOURCE}", ACCOUNT)
        headers = {"Regulars-Secret": "webhook-secret"}
        for _ in range(2):
            body = json.dumps(BIGCOMMERCE_THIN).encode()
            assert cloud.request("POST", f"/webhooks/orders/{SOURCE}", headers, body).status == 200
        cloud.advance(by=timedelta(seconds=90))
        items = cloud.client("dynamodb").scan(TableName=cloud.table_name)["Items"]
        (book,) = [parsed_orders(item["doc"]["S"]) for item in items if item["sk"]["S"] == "ORDERS"]
        assert [entry.net_minor for entry in book.entries.values()] == [22500]
        assert {token for _, token in shop.seen} == {"t-1"}
        assert not cloud.functions.failures


def test_what_the_shop_never_gives_ends_in_the_dead_letters(shop: FakeBigCommerce) -> None:
    with LocalCloud(parameters={"BigCommerceUrl": shop.url}) as cloud:
        cloud.make_secret(f"shops/{SOURCE}", ACCOUNT)
        record = {
            "messageId": "m-1",
            "body": f'{{"v":1,"source":"{SOURCE}","resource":"order","id":"9","received_at":1795339800000}}',
        }
        for status in (500, 404, 401):
            shop.answers["/stores/abcde/v2/orders/9"] = (status, b"")
            reply = cloud.invoke("fetch_shop", {"Records": [record]})
            assert reply == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
        assert cloud.queue("events") == []


def test_dead_letters_of_fetches_go_back_to_their_queue_where_there_is_one() -> None:
    with LocalCloud() as cloud:
        sqs = cloud.client("sqs")
        dead = sqs.get_queue_url(QueueName=f"{cloud.stack.name}-fetches-dlq")["QueueUrl"]
        sqs.send_message(QueueUrl=dead, MessageBody="{}")
        report = redrive(cloud.stack.name, cloud.bucket_name, cloud.table_name)(["fetches"])
        assert report.done["fetches"] == {"moved": 1}
        assert cloud.queue("fetches") == ["{}"]
    with LocalCloud(parameters={"BigCommerce": "no"}) as cloud:
        without = redrive(cloud.stack.name, cloud.bucket_name, cloud.table_name)
        assert "fetches" not in without(dry_run=True).waiting
        with pytest.raises(PermanentError):
            without(["fetches"])


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, TransientError), (500, TransientError), (503, TransientError), (408, TransientError),
     (401, PermanentError), (403, PermanentError), (404, PermanentError), (302, PermanentError)],
)  # fmt: skip
def test_what_may_pass_is_told_from_what_will_not(shop: FakeBigCommerce, status: int, error: type[Exception]) -> None:
    """A redirect is never followed: it could lead anywhere, with the shop's token."""
    shop.answers["/stores/abcde/x"] = (status, b"")
    with pytest.raises(error):
        api_of(shop).get(SOURCE, "/x")
    assert len(shop.seen) == 1


def test_nothing_is_an_empty_body_and_too_much_is_refused(shop: FakeBigCommerce) -> None:
    shop.answers["/stores/abcde/none"] = (204, b"")
    shop.answers["/stores/abcde/much"] = (200, b" " * (4 * 1024 * 1024 + 1))
    assert api_of(shop).get(SOURCE, "/none") == b""
    with pytest.raises(PermanentError):
        api_of(shop).get(SOURCE, "/much")


def test_a_shop_that_is_not_there_may_come_back() -> None:
    api = BigCommerceApi(MemorySecrets({"shops/x": ACCOUNT}), secret_prefix="shops/", url="http://127.0.0.1:1")
    with pytest.raises(TransientError):
        api.get("x", "/x")


@pytest.mark.parametrize(
    "account",
    ["t-1", "{}", "[]", "null", '{"store_hash": "../x", "token": "t"}', '{"store_hash": "abc", "token": 1}',
     '{"store_hash": "", "token": "t"}'],
)  # fmt: skip
def test_an_account_that_is_none_asks_nobody(shop: FakeBigCommerce, account: str) -> None:
    with pytest.raises(PermanentError) as refused:
        api_of(shop, account).get(SOURCE, "/x")
    assert account not in str(refused.value)
    with pytest.raises(PermanentError):
        api_of(shop).get("nobody", "/x")
    assert shop.seen == []
