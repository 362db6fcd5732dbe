"""Simona: known in the store by her card, at home by her account, and later recognised without logging in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local import LocalCloud
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.domain.identity import NodeKind, node_id
from tests.local.test_recovery import HOUR, ROOT, regulars
from tests.local.test_way_of_an_event import consent
from tests.traffic import place_order, post_batch

SIMONA, COMPUTER, CARD = (
    node_id(NodeKind.USER, "simona"),
    node_id(NodeKind.ANONYMOUS, "computer"),
    node_id(NodeKind.LOYALTY, "4711-22"),
)
ME = {"userId": "simona", "anonymousId": "computer"}
LOGGED_IN: list[dict[str, Any]] = [
    {"type": "identify", **ME, "messageId": "s1", "timestamp": "2026-11-17T19:00:00Z",
     "traits": {"email": "simona@example.com", "first_name": "Simona"},
     "context": {"externalIds": [{"id": "4711-22", "type": "loyalty_card", "collection": "users"}]}},
    {"type": "track", **ME, "messageId": "s2", "timestamp": "2026-11-17T19:01:00Z", **consent("email")},
]  # fmt: skip
IN_THE_STORE: dict[str, Any] = {
    "order_id": "till-7-0815", "version": 1, "placed_at": "2026-11-20T15:30:00Z", "status": "paid", "currency": "USD",
    "total": "89.00", "channel": "store", "customer": {"loyalty_card": "4711-22"},
    "products": [{"product_id": "dress-9", "name": "Purple dress", "quantity": 1, "price": "89.00"}],
}  # fmt: skip
BACK_ONLINE: list[dict[str, Any]] = [
    {"type": "page", "anonymousId": "computer", "messageId": "s3", "timestamp": "2026-11-22T08:50:00Z"},
    {"type": "track", "anonymousId": "computer", "messageId": "s4", "timestamp": "2026-11-22T08:51:00Z",
     "event": "Product Added", "properties": {"product_id": "shoe-3", "name": "Purple shoes", "price": 59}},
]  # fmt: skip
CHAPTERS: dict[str, Callable[[LocalCloud], None]] = {
    "logs in": lambda cloud: post_batch(cloud, LOGGED_IN),
    "buys in the store": lambda cloud: place_order(cloud, IN_THE_STORE),
    "comes back": lambda cloud: post_batch(cloud, BACK_ONLINE),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that writes to whoever bought lately and leaves a cart: what goes with it."""
    folder = tmp_path_factory.mktemp("simona") / "program"
    shutil.copytree(ROOT / "program", folder)
    rule = {"all": [{"count": "orders", "within": "30d", "at_least": 1}, {"field": "cart.open", "equals": True}]}
    (folder / "segments.yaml").write_text(yaml.safe_dump({"segments": [{"name": "matching", "rule": rule}]}))
    goes_with = {
        "name": "goes_with_it", "channel": "email", "template": "welcome", "segment": "matching", "wait": "10m",
        "once_per": "cart",
    }  # fmt: skip
    (folder / "campaigns.yaml").write_text(yaml.safe_dump({"campaigns": [goes_with]}))
    return folder


@pytest.mark.parametrize("order", list(permutations(CHAPTERS)), ids=", ".join)
def test_simona_is_recognised_in_any_order_of_her_story(program: Path, order: tuple[str, ...]) -> None:
    """One profile with the purchase and the visits, and one decision that uses both."""
    with LocalCloud(direct=True) as cloud:
        for name in ("update_customers", "evaluate_customers", "send_messages"):
            cloud.functions.configure(name, PROGRAM_PATH=str(program))
        for chapter in order:
            CHAPTERS[chapter](cloud)
            cloud.settle()
        cloud.advance(by=HOUR)
        told = regulars(cloud, "identity", "explain", "anonymous:computer", program=program)
        state = DynamoCustomerStore(cloud.client("dynamodb"), cloud.table_name).heads([SIMONA])[SIMONA].state
        mails = list(cloud.mail)
    assert told.startswith(f"{SIMONA} is 4 identifiers")
    assert all(node in told for node in (COMPUTER, CARD))
    assert state is not None
    why = json.dumps(state.value.memberships["matching"].why)
    assert "orders" in why
    assert [mail.headers["To"] for mail in mails] == ["simona@example.com"]


def test_an_operator_sees_why_and_takes_a_link_out(cloud: LocalCloud) -> None:
    """The event that joined them, by its id; split, they are two; joined, they are one again."""
    for chapter in CHAPTERS.values():
        chapter(cloud)
    cloud.settle()
    told = regulars(cloud, "identity", "explain", "user:simona")
    assert f"{COMPUTER} - {SIMONA}: one customer; first named together by identify " in told
    assert " of web at 2026-11-17T19:00:00+00:00" in told
    regulars(cloud, "identity", "split", "user_id:simona", "anonymous:computer")
    assert f"{COMPUTER} is 1 identifiers" in regulars(cloud, "identity", "explain", "anonymous:computer")
    assert "NOT one: cut by an operator" in regulars(cloud, "identity", "explain", "user:simona")
    assert "0 different, 0 missing" in regulars(cloud, "rebuild", "--all", "--dry-run")
    cloud.advance(by=HOUR)
    regulars(cloud, "identity", "join", "user:simona", "anonymous:computer")
    assert f"{SIMONA} is 4 identifiers" in regulars(cloud, "identity", "explain", "anonymous:computer")
