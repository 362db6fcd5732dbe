"""The catalogue on DynamoDB: an item `P#<hash of the product id>`, `PRODUCT` for each product.

The capital letter keeps it apart from every node, so roles can be given the products alone (`dynamodb:LeadingKeys`).
The table's stream filter does not let these items through: a product is nobody's business but the readers'.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from regulars.adapters import items
from regulars.adapters.aws.dynamo import CONDITION_FAILED, NO_ANSWER, Item, as_ours, batch_get
from regulars.domain.errors import TransientError, VersionConflictError
from regulars.domain.products import Listing, product_key
from regulars.domain.stored import Stored


class DynamoCatalogue:
    """`CatalogueStore` in the one table. `client` is a low-level DynamoDB client."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def products(self, product_ids: Collection[str]) -> Mapping[str, Listing]:
        """A hundred products a call, eventually consistent; see Catalogue.products."""
        return {
            product_id: items.parsed_listing(item["doc"]["S"])
            for product_id, item in self._items(product_ids, consistent=False)
        }

    def stored(self, product_ids: Collection[str]) -> dict[str, Stored[Listing]]:
        """A hundred products a call; see CatalogueStore.stored."""
        return {
            product_id: Stored(item["doc"]["S"], items.parsed_listing, int(item["version"]["N"]), item["owner"]["S"])
            for product_id, item in self._items(product_ids, consistent=True)
        }

    def put(self, product_id: str, listing: Listing, *, expected: int, owner: str) -> None:
        """One conditional write; a write of the same owner that is there already has succeeded before."""
        item = {
            "pk": {"S": product_key(product_id)},
            "sk": {"S": items.PRODUCT},
            "doc": {"S": items.listing_text(listing)},
            "version": {"N": str(expected + 1)},
            "owner": {"S": owner},
        }
        condition: Item = {"ConditionExpression": "attribute_not_exists(pk)"}
        if expected:
            condition = {
                "ConditionExpression": "#version = :expected",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":expected": {"N": str(expected)}},
            }
        try:
            self._client.put_item(
                TableName=self._table, Item=item, ReturnValuesOnConditionCheckFailure="ALL_OLD", **condition
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != CONDITION_FAILED:
                raise as_ours(error, "write a product") from error
            if error.response.get("Item", {}).get("owner", {}).get("S") != owner:
                raise VersionConflictError("the product moved on") from error
        except NO_ANSWER as error:
            raise TransientError("DynamoDB did not answer a write of a product") from error

    def _items(self, product_ids: Collection[str], *, consistent: bool) -> Iterator[tuple[str, Item]]:
        names = {product_key(product_id): product_id for product_id in product_ids}
        keys = [{"pk": {"S": key}, "sk": {"S": items.PRODUCT}} for key in names]
        for item in batch_get(self._client, self._table, keys, consistent=consistent):
            yield names[item["pk"]["S"]], item
