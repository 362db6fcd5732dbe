"""What is written in one place and must stay as it is: hashes and ids that the lake holds already."""

from __future__ import annotations

from datetime import UTC, datetime

from regulars.application.payload_hash import payload_hash
from regulars.application.redrive import FETCHES, QUEUES
from regulars.domain.event_nodes import external_ids, external_nodes
from regulars.domain.events import BY_SYSTEM, SYSTEM, event_id_of
from regulars.domain.identity import EXTERNAL_KINDS, NodeKind, node_id
from regulars.domain.json_text import content_hash
from regulars.domain.message_events import SOURCE, known, own_event
from tests.infra.test_template import QUEUES as OF_THE_TEMPLATE

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PARTS = [{"b": 1, "a": "ü"}, None, [1.5]]


def test_hashes_over_content_are_those_that_are_stored() -> None:
    """SHA-256, first 128 bits, of `[{"a":"ü","b":1},null,[1.5]]` in UTF-8."""
    assert content_hash(PARTS) == payload_hash(PARTS) == "f56477363ed7c20d3cc8f9ff573e57e9"
    assert content_hash([{"a": "ü", "b": 1}, None, [1.5]]) == content_hash(PARTS)


def test_what_is_written_as_external_ids_is_read_as_nodes() -> None:
    """Every type that has a kind; a shop's number under the shop's name; nothing where nothing is said."""
    written = external_ids("shop", dict.fromkeys(EXTERNAL_KINDS, "7") | {"unknown": "8"})
    assert [one["type"] for one in written] == list(EXTERNAL_KINDS)
    assert set(external_nodes({"externalIds": written})) == {
        node_id(NodeKind.LOYALTY, "7"), node_id(NodeKind.SHOP, "shop:7"), node_id(NodeKind.DEVICE, "7"),
    }  # fmt: skip
    assert external_ids("shop", {"loyalty_card": None, "shop_customer_id": ""}) == []


def test_an_own_event_says_what_it_was_given() -> None:
    """Also that something was nothing before; `known` is for those that leave it out."""
    said = {"from": None, "to": "active"}
    event = own_event(name="Churn Band Changed", message_id="m1", at=NOON, properties=said, payload_hash="")
    assert (event.event_id, event.source) == (event_id_of("regulars", "m1"), SOURCE)
    assert (event.type, event.trust, event.received_at, event.payload_hash) == (SYSTEM, BY_SYSTEM, NOON, "")
    assert event.properties == said
    assert known(said) == {"to": "active"}


def test_every_dead_letter_queue_of_the_template_can_be_redriven() -> None:
    letters = {given["QueueName"] for name, given in OF_THE_TEMPLATE.items() if name.endswith("Dlq")}
    named = {name.rpartition("-dlq")[0].partition("-")[2] for name in map(str, letters)}
    assert named == {*QUEUES, FETCHES}
