"""A definition that is put over the admin API acts on customers who do nothing, minutes later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from infra.artifacts.plan import ROOT
from infra.local import LocalCloud
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.runtime.segments import programs
from tests.traffic import place_order, post_batch

MINUTES = timedelta(minutes=1)
BIG = {"rule": {"sum": "orders.revenue", "at_least": 99.90}}
SHOES = {"rule": {"count": "Product Viewed", "where": {"category": "Shoes"}, "at_least": 1}}


class Shop:
    """A cloud with three customers who have been idle for hours: `ann` spent 120.00, `bob` 20.00, `cat` saw shoes."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        for name, total in (("ann", "120.00"), ("bob", "20.00")):
            order = {
                "order_id": f"of-{name}", "version": 1, "placed_at": cloud.now.isoformat(), "status": "paid",
                "currency": "USD", "total": total, "customer": {"user_id": name},
            }  # fmt: skip
            place_order(cloud, order)
        viewed = {"type": "track", "event": "Product Viewed", "userId": "cat", "properties": {"category": "Shoes"}}
        post_batch(cloud, [viewed])
        cloud.advance(by=timedelta(hours=2))
        cloud.invoke("reconcile", {})
        self.evaluated: Counter[str] = Counter()
        cloud.functions.observer = self._note

    def _note(self, function: str, event: bytes, _reply: bytes) -> None:
        if function == "evaluate_customers":
            for record in orjson.loads(event)["Records"]:
                told = record["dynamodb"]["Keys"]["pk"]["S"] if "dynamodb" in record else orjson.loads(record["body"])
                self.evaluated["changed" if "dynamodb" in record else "due"] += bool(told)

    def put(self, name: str, definition: dict[str, Any]) -> None:
        token = {"authorization": f"Bearer {self.cloud.operator_token()}"}
        assert self.cloud.request("PUT", f"/v1/admin/segments/{name}", token, definition).status == 200

    def sizes(self) -> Counter[str]:
        """How many are in each segment."""
        store = DynamoCustomerStore(self.cloud.client("dynamodb"), self.cloud.table_name)
        states = (head.state.value for _, head in store.scan() if head.state)
        return Counter(name for state in states for name in state.memberships)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(direct=True) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def shop(cloud: LocalCloud) -> Shop:
    return Shop(cloud)


def test_who_does_nothing_is_in_it_six_minutes_later_and_nobody_else_was_evaluated(shop: Shop) -> None:
    shop.put("big", BIG)
    shop.cloud.advance(by=6 * MINUTES)
    assert shop.sizes()["big"] == 1
    assert shop.evaluated["due"] == 1


def test_what_must_be_filled_first_takes_some_minutes_more(shop: Shop) -> None:
    shop.put("shoes", SHOES)
    shop.cloud.advance(by=12 * MINUTES)
    assert shop.sizes()["shoes"] == 1
    assert not shop.cloud.dead_letters()


def test_the_word_of_a_deployment_looks_everybody_through_once(shop: Shop) -> None:
    """Its own event, and again by an at-least-once delivery: what it changed is told one time."""
    event = orjson.loads((ROOT / "events" / "reconcile" / "deployed.json").read_bytes())
    shop.cloud.advance(by=12 * MINUTES)
    assert [shop.cloud.invoke("reconcile", event) for _ in range(2)] == [{"changed": True}, {"changed": False}]
    shop.cloud.advance(by=6 * MINUTES)
    parameters = programs(shop.cloud.bucket_name).in_force().program.parameters
    assert parameters.deployed is not None
    assert parameters.since
    assert not shop.cloud.dead_letters()


def test_after_a_deployment_that_was_rolled_back_everybody_is_compared_with_the_log(shop: Shop) -> None:
    event = orjson.loads((ROOT / "events" / "reconcile" / "rolled_back.json").read_bytes())
    assert shop.cloud.invoke("reconcile", event) == {"changed": True}
    assert programs(shop.cloud.bucket_name).in_force().program.parameters.in_doubt
    shop.cloud.advance(by=12 * MINUTES)
    assert not programs(shop.cloud.bucket_name).in_force().program.parameters.in_doubt
    assert not shop.cloud.dead_letters()


def test_a_word_that_is_lost_is_made_up_for_by_the_night(shop: Shop) -> None:
    shop.put("small", {"rule": {"sum": "orders.revenue", "at_least": 1, "below": 99}})
    queue = shop.cloud.stack.ref("ChangesQueue")
    shop.cloud.client("sqs").purge_queue(QueueUrl=queue)
    shop.cloud.advance(by=12 * MINUTES)
    assert shop.sizes()["small"] == 0
    for event in ({}, {"announce": True}):
        shop.cloud.invoke("refresh", event)
        shop.cloud.advance(by=6 * MINUTES)
    assert shop.sizes()["small"] == 1
