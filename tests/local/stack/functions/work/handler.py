"""Queue bodies: `seen <pk>` writes an item, `poison` fails alone, `explode` fails the batch, others are just noted."""

import os
from typing import Any

import boto3

_table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event: dict[str, Any], _context: object) -> Any:
    bodies = [record["body"] for record in event["Records"]]
    print("batch", len(bodies), *(record["attributes"]["ApproximateReceiveCount"] for record in event["Records"]))
    if "explode" in bodies:
        raise ValueError("the whole batch")
    for body in bodies:
        if body.startswith("seen "):
            _table.put_item(Item={"pk": body.removeprefix("seen "), "sk": "SEEN", "n": 1})
    failed = [record["messageId"] for record in event["Records"] if record["body"] == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
