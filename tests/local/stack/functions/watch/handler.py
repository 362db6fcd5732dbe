"""Prints each change that it is shown; fails on items whose key says so."""


def handler(event, _context):
    for record in event["Records"]:
        if record["dynamodb"]["Keys"]["pk"]["S"].startswith("bad"):
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        if record["dynamodb"]["Keys"]["pk"]["S"].startswith("raise"):
            raise ValueError("cannot look at this")
        change = record["dynamodb"]
        print(record["eventName"], change["Keys"]["pk"]["S"], change.get("NewImage", {}).get("n", {}).get("N", "-"))
    return None
