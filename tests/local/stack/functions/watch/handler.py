"""Prints each change that it is shown; fails on items whose key says so."""

from typing import Any


def handler(event: dict[str, Any], _context: object) -> Any:
    for record in event["Records"]:
        if record["dynamodb"]["Keys"]["pk"]["S"].startswith("bad"):
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        if record["dynamodb"]["Keys"]["pk"]["S"].startswith("raise"):
            raise ValueError("cannot look at this")
        change = record["dynamodb"]
        print(record["eventName"], change["Keys"]["pk"]["S"], change.get("NewImage", {}).get("n", {}).get("N", "-"))
    return None
