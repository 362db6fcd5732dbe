"""Every customer store keeps the same promises: the one in memory and the one in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.dynamo import batch_get
from regulars.adapters.memory.customers import MemoryCustomerStore
from regulars.domain.errors import TransientError, VersionConflictError
from regulars.domain.facts import Fact
from regulars.domain.instants import to_millis
from regulars.domain.orders import OrderBook, entry_from_doc
from regulars.domain.plan import NO_PLAN
from regulars.domain.profile import Profile, fold
from regulars.domain.state import CustomerState, OutboxEntry, OutboxKind
from regulars.domain.statements import ConsentRecord
from regulars.domain.stored import REBUILT, Applied
from tests.strategies import START

Store = MemoryCustomerStore | DynamoCustomerStore
NODE, OTHER = "u_00000000000000000000000000000001", "a_00000000000000000000000000000002"
FACT = Fact("AAAAAAAA", "Page Viewed", START, START)
PROFILE = fold(Profile(), [FACT], NO_PLAN)
ORDERS = OrderBook({"4:shop:1": entry_from_doc([1, to_millis(START), 999, 0, "USD", "placed", 1, "online"])})


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A DynamoDB client whose retries are the adapter's own affair."""
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def table(client: Any) -> Iterator[Any]:
    """A client of a cloud with an empty customer table."""
    text = {"AttributeType": "S"}
    client.create_table(
        TableName="customers",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", **text},
            {"AttributeName": "sk", **text},
            {"AttributeName": "due_shard", **text},
            {"AttributeName": "due_at", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_shard", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.delete_table(TableName="customers")


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store."""
    if request.param == "memory":
        return MemoryCustomerStore()
    return DynamoCustomerStore(request.getfixturevalue("table"), "customers")


def test_what_is_put_is_read(store: Store) -> None:
    """All three parts of a node, with their versions; a node that is not there has an empty head."""
    state = CustomerState(churn_band="low", flips_at=START)
    store.put_profile(NODE, PROFILE, applied=Applied([FACT]), expected=0, owner="a")
    store.put_orders(NODE, ORDERS, applied=Applied(None), expected=0, owner="a")
    store.put_state(NODE, state, expected=0, owner="a")
    heads = store.heads([NODE, OTHER, NODE])
    head = heads[NODE]
    assert head.profile is not None
    assert (head.profile.value, head.profile.version, head.profile.owner) == (PROFILE, 1, "a")
    assert head.orders is not None
    assert head.orders.value == ORDERS
    assert head.state is not None
    assert head.state.value == state
    assert heads[OTHER].profile is None
    assert heads[OTHER].fragment(OTHER).profile == Profile()


def test_a_put_that_finds_another_version_is_refused(store: Store) -> None:
    """Two readers of one version: the second to write is told, and nothing of the first is lost."""
    store.put_profile(NODE, PROFILE, applied=Applied([FACT]), expected=0, owner="a")
    with pytest.raises(VersionConflictError):
        store.put_profile(NODE, Profile(), applied=Applied(None), expected=0, owner="b")
    with pytest.raises(VersionConflictError):
        store.put_profile(NODE, Profile(), applied=Applied(None), expected=7, owner="b")
    store.put_profile(NODE, PROFILE, applied=Applied([]), expected=1, owner="b")
    head = store.heads([NODE])[NODE].profile
    assert head is not None
    assert (head.version, head.owner) == (2, "b")


def test_a_rebuild_says_so_until_the_next_write(store: Store) -> None:
    """Of both items; who reads them later can tell that nothing came in."""
    store.put_profile(NODE, PROFILE, applied=Applied([FACT]), expected=0, owner="a")
    store.put_profile(NODE, Profile(), applied=REBUILT, expected=1, owner="b")
    store.put_orders(NODE, ORDERS, applied=REBUILT, expected=0, owner="c")
    head = store.heads([NODE])[NODE]
    assert head.profile is not None
    assert head.orders is not None
    assert head.profile.rebuilt
    assert head.orders.rebuilt
    store.put_profile(NODE, PROFILE, applied=Applied([FACT]), expected=2, owner="d")
    head = store.heads([NODE])[NODE]
    assert head.profile is not None
    assert not head.profile.rebuilt


def test_a_put_recognises_its_own_effect(store: Store) -> None:
    """The answer to a put was lost and the client puts again: it finds its own write, which is success."""
    store.put_state(NODE, CustomerState(), expected=0, owner="a")
    store.put_state(NODE, CustomerState(), expected=0, owner="a")
    head = store.heads([NODE])[NODE].state
    assert head is not None
    assert head.version == 1


def test_who_is_due_is_found_until_it_is_due_no_more(store: Store) -> None:
    """The due index follows the state, both ends included."""
    store.put_state(NODE, CustomerState(flips_at=START), expected=0, owner="a")
    store.put_state(OTHER, CustomerState(relay_by=START + timedelta(hours=1)), expected=0, owner="b")
    assert list(store.due(START - timedelta(milliseconds=1))) == []
    assert list(store.due(START)) == [(NODE, START)]
    assert {node for node, _ in store.due(START + timedelta(hours=1))} == {NODE, OTHER}
    store.put_state(NODE, CustomerState(), expected=1, owner="c")
    assert list(store.due(START)) == []


def test_the_consent_ledger_only_grows(store: Store) -> None:
    """In order of instant, and the same statement twice is one."""
    granted = ConsentRecord("email", "granted", START, "web", "v1", START + timedelta(days=365), "e1")
    denied = ConsentRecord("email", "denied", START + timedelta(days=1), "web", event_id="e2")
    store.append_consents(NODE, [denied, granted])
    store.append_consents(NODE, [granted])
    assert store.consents(NODE) == [granted, denied]
    assert store.consents(OTHER) == []


def test_a_scan_finds_every_node(store: Store) -> None:
    """With all its parts together, and none of what is not a head."""
    store.put_profile(NODE, PROFILE, applied=Applied(None), expected=0, owner="a")
    store.put_orders(NODE, ORDERS, applied=Applied(None), expected=0, owner="a")
    store.put_state(OTHER, CustomerState(), expected=0, owner="a")
    found = dict(store.scan())
    assert set(found) == {NODE, OTHER}
    assert found[NODE].orders is not None
    assert found[NODE].profile is not None
    assert found[OTHER].state is not None


def test_the_outbox_and_the_due_instant_are_attributes(table: Any) -> None:
    """The stream's filter and the due index look at attributes, not into the document."""
    entry = OutboxEntry("k", OutboxKind.EVENT, {})
    store = DynamoCustomerStore(table, "customers")
    store.put_state(NODE, CustomerState(outbox=[entry], relay_by=START), expected=0, owner="a")
    item = table.get_item(TableName="customers", Key={"pk": {"S": NODE}, "sk": {"S": "STATE"}})["Item"]
    assert item["outbox"] == {"N": "1"}
    assert item["due_at"] == {"N": str(int(START.timestamp() * 1000))}


class Disturbed:
    """A client that breaks one operation, before or after it took effect."""

    def __init__(self, client: Any, operation: str, error: Exception, *, after: bool = False) -> None:
        self._client, self._operation, self._error, self._after = client, operation, error, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name != self._operation:
            return method

        def broken(**request: Any) -> Any:
            if self._after:
                method(**request)
            raise self._error

        return broken


def throttled(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, operation)


@pytest.mark.parametrize(
    ("operation", "error", "after"),
    [
        ("put_item", throttled("PutItem"), False),
        ("put_item", ReadTimeoutError(endpoint_url="http://localhost"), True),
        ("batch_get_item", throttled("BatchGetItem"), False),
        ("batch_get_item", ReadTimeoutError(endpoint_url="http://localhost"), False),
    ],
)
def test_trouble_with_the_table_is_transient(table: Any, operation: str, error: Exception, after: bool) -> None:  # noqa: FBT001
    """Throttled, or an answer that never came: the batch comes again, and finds what it did."""
    store = DynamoCustomerStore(Disturbed(table, operation, error, after=after), "customers")

    def read_and_write() -> None:
        store.heads([NODE])
        store.put_state(NODE, CustomerState(), expected=0, owner="a")

    with pytest.raises(TransientError):
        read_and_write()


def test_keys_that_stay_unread_are_not_taken_for_absent() -> None:
    """A table that hands keys back again and again makes the read fail, not the profile empty."""

    class Stingy:
        def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 botocore's name
            return {"Responses": {}, "UnprocessedKeys": RequestItems}

    with pytest.raises(TransientError):
        list(batch_get(Stingy(), "customers", [{"pk": {"S": NODE}}], pause=lambda _: None))
