"""update_customers, evaluate_customers, tick and refresh on the local cloud, with the sample events."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local import LocalCloud
from tests.traffic import place_order, post_batch

EVENTS = Path(__file__).parents[2] / "events"
NOTHING_FAILED: dict[str, Any] = {"batchItemFailures": []}


def sample(case: str) -> Any:
    """One recorded invocation, by `function/case`."""
    return json.loads((EVENTS / f"{case}.json").read_text())


def run(cloud: LocalCloud, case: str) -> Any:
    """The function's reply to a sample."""
    return cloud.invoke(case.partition("/")[0], sample(case))


def items(cloud: LocalCloud, kind: str) -> list[dict[str, Any]]:
    """All items of a kind in the table."""
    found = cloud.client("dynamodb").scan(TableName=cloud.table_name)["Items"]
    return [item for item in found if item["sk"]["S"] == kind]


def test_a_landed_object_becomes_a_profile(cloud: LocalCloud) -> None:
    """And again, it is the same profile at the same version."""
    run(cloud, "ingest/batch")
    assert run(cloud, "update_customers/landed") == NOTHING_FAILED
    profiles = items(cloud, "PROFILE")
    assert [profile["version"]["N"] for profile in profiles] == ["1"]
    assert run(cloud, "update_customers/landed") == NOTHING_FAILED
    assert items(cloud, "PROFILE") == profiles


def test_an_object_that_is_not_there_comes_again(cloud: LocalCloud) -> None:
    """It may be on its way; if not, the dead letters have it."""
    failed = run(cloud, "update_customers/landed")["batchItemFailures"]
    assert [failure["itemIdentifier"] for failure in failed] == ["00000000-0000-4000-8000-000000000001"]


@pytest.mark.parametrize(
    "case",
    [
        "update_customers/s3_test_event",
        "evaluate_customers/profile_changed",
        "evaluate_customers/removed",
        "evaluate_customers/due",
        "evaluate_customers/refreshed",
    ],
)
def test_what_is_in_order_does_not_come_again(cloud: LocalCloud, case: str) -> None:
    """S3's test notification, a change, a removal by the table's own expiry, a due customer."""
    assert run(cloud, case) == NOTHING_FAILED


@pytest.mark.parametrize(
    ("case", "identifier"),
    [
        ("update_customers/poison", "00000000-0000-4000-8000-000000000001"),
        ("evaluate_customers/poison_due", "00000000-0000-4000-8000-000000000001"),
        ("evaluate_customers/poison_stream", "1100000000017454423009"),
    ],
)
def test_what_cannot_be_read_is_reported(cloud: LocalCloud, case: str, identifier: str) -> None:
    """By its identifier, so that the rest of the batch goes on and this ends with the dead letters."""
    assert run(cloud, case) == {"batchItemFailures": [{"itemIdentifier": identifier}]}


def order(number: int, total: str, placed_at: str) -> dict[str, Any]:
    """A shop's order of one of many customers."""
    return {
        "order_id": f"o{number}",
        "version": 1,
        "placed_at": placed_at,
        "status": "paid",
        "currency": "USD",
        "total": total,
        "customer": {"user_id": f"u{number}"},
    }


def test_the_tick_brings_who_is_due_within_a_minute(cloud: LocalCloud) -> None:
    """Nobody before; the customer who left a cart an hour ago, held back to the second, when the time comes."""
    assert run(cloud, "tick/every_minute") == {"due": 0}
    added = {"type": "track", "event": "Product Added", "userId": "c-1", "properties": {"product_id": "p1", "price": 5}}
    post_batch(cloud, [added])
    cloud.settle()
    due = items(cloud, "STATE")[0]["due_at"]["N"]
    wait = timedelta(milliseconds=int(due)) - timedelta(seconds=cloud.now.timestamp())
    cloud.advance(to=cloud.now + wait - timedelta(minutes=2))
    assert run(cloud, "tick/every_minute") == {"due": 0}
    cloud.advance(to=cloud.now + timedelta(seconds=90))
    assert run(cloud, "tick/every_minute") == {"due": 1}
    assert len(cloud.queue("due")) >= 1


def test_the_refresh_moves_only_those_between_the_thresholds(cloud: LocalCloud) -> None:
    """Thirty customers; the top tenth spends 270 and more, so 300 comes down and three customers come in."""
    assert run(cloud, "refresh/nightly") == {"customers": 0, "parameters_version": 1, "changed": 0}
    for number in range(1, 31):
        place_order(cloud, order(number, f"{number * 10}.00", "2026-11-22T09:00:00Z"))
    cloud.settle()
    assert run(cloud, "refresh/nightly") == {"customers": 30, "parameters_version": 2, "changed": 0}
    assert run(cloud, "refresh/afterwards") == {"customers": 0, "parameters_version": 2, "changed": 0}
    cloud.advance(to=cloud.now + timedelta(minutes=5))
    assert run(cloud, "refresh/afterwards") == {"customers": 30, "parameters_version": 3, "changed": 3}
    cloud.advance(to=cloud.now + timedelta(minutes=5))
    states = [json.loads(item["doc"]["S"]) for item in items(cloud, "STATE")]
    assert sum("big_spender" in state["memberships"] for state in states) == 4
    assert run(cloud, "refresh/nightly") == {"customers": 30, "parameters_version": 4, "changed": 0}
