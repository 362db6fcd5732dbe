"""Every catalogue keeps the same promises: the one in memory and the one in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from regulars.adapters.aws.catalogue import DynamoCatalogue
from regulars.adapters.aws.stream import change_from_record
from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.domain.errors import PermanentError, TransientError, VersionConflictError
from regulars.domain.products import Listing
from tests.product_samples import a_listing

Catalogue = MemoryCatalogue | DynamoCatalogue


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A cloud with an empty table."""
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="customers",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def catalogue(request: pytest.FixtureRequest) -> Iterator[Catalogue]:
    """A catalogue that knows nothing."""
    if request.param == "memory":
        yield MemoryCatalogue()
        return
    client = request.getfixturevalue("client")
    yield DynamoCatalogue(client, "customers")
    for item in client.scan(TableName="customers")["Items"]:
        client.delete_item(TableName="customers", Key={"pk": item["pk"], "sk": item["sk"]})


def test_what_is_put_is_read(catalogue: Catalogue) -> None:
    """With its version for the writer; products that nobody described are left out."""
    catalogue.put("7", a_listing("7", version=3), expected=0, owner="a")
    catalogue.put("Kleid, größe 38", a_listing("Kleid, größe 38"), expected=0, owner="a")
    wanted = ["7", "7", "Kleid, größe 38", "unknown"]
    assert catalogue.products(wanted) == {
        "7": a_listing("7", version=3),
        "Kleid, größe 38": a_listing("Kleid, größe 38"),
    }
    assert {name: stored.version for name, stored in catalogue.stored(wanted).items()} == {"7": 1, "Kleid, größe 38": 1}
    assert catalogue.products([]) == {}


def test_more_products_than_one_call_takes(catalogue: Catalogue) -> None:
    """A hundred keys is what DynamoDB answers at once."""
    for number in range(101):
        catalogue.put(str(number), a_listing(str(number)), expected=0, owner="a")
    assert len(catalogue.products([str(number) for number in range(200)])) == 101


def test_a_put_that_finds_another_version_is_refused(catalogue: Catalogue) -> None:
    """Two readers of one version: the second to write is told. A writer whose answer was lost has succeeded."""
    catalogue.put("7", a_listing("7"), expected=0, owner="a")
    catalogue.put("7", a_listing("7"), expected=0, owner="a")
    with pytest.raises(VersionConflictError):
        catalogue.put("7", Listing(), expected=0, owner="b")
    with pytest.raises(VersionConflictError):
        catalogue.put("7", Listing(), expected=5, owner="b")
    catalogue.put("7", a_listing("7", version=9), expected=1, owner="b")
    assert catalogue.stored(["7"])["7"].version == 2


class _Troubled:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def put_item(self, **_request: Any) -> Any:
        raise self._error

    def batch_get_item(self, **_request: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "PutItem"), TransientError),
        (ReadTimeoutError(endpoint_url="http://localhost"), TransientError),
        (ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "PutItem"), PermanentError),
    ],
)
def test_trouble_with_the_table_is_told_by_its_kind(error: Exception, expected: type[Exception]) -> None:
    catalogue = DynamoCatalogue(_Troubled(error), "customers")
    with pytest.raises(expected):
        catalogue.put("7", a_listing("7"), expected=0, owner="a")
    with pytest.raises(expected):
        catalogue.products(["7"])


def test_a_product_is_no_change_of_a_customer(client: Any) -> None:
    """Should the stream's filter let one through, the evaluation passes it over."""
    DynamoCatalogue(client, "customers").put("8", a_listing("8"), expected=0, owner="a")
    (item,) = client.scan(TableName="customers")["Items"]
    keys = {name: item[name] for name in ("pk", "sk")}
    record = {"dynamodb": {"Keys": keys, "NewImage": item, "SequenceNumber": "1"}}
    assert change_from_record(record) is None
