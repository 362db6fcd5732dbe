"""Hands what is due to the queue with the seconds that are left; fails while an item asks for it."""

import os
import time
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

_table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
_sqs = boto3.client("sqs")


def handler(event: dict[str, Any], _context: object) -> Any:
    print("slot", event["time"])
    if "Item" in _table.get_item(Key={"pk": "fail", "sk": "tick"}):
        raise RuntimeError("asked to fail")
    now = time.time()
    found = _table.query(
        IndexName="due", KeyConditionExpression=Key("due_shard").eq("0") & Key("due_at").lte(int((now + 60) * 1000))
    )["Items"]
    for item in found:
        left = max(0, round(float(item["due_at"]) / 1000 - now))
        _sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=f"due {item['pk']}", DelaySeconds=left)
        _table.update_item(Key={"pk": item["pk"], "sk": item["sk"]}, UpdateExpression="REMOVE due_shard, due_at")
    return {"found": len(found)}
