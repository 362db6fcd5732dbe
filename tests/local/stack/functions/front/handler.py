"""Answers with what it was given; puts POST bodies on the queue."""

import os
from typing import Any

import boto3

_sqs = boto3.client("sqs")
_served = 0


def handler(event: dict[str, Any], context: Any) -> Any:
    global _served
    _served += 1
    if event["rawPath"] == "/items/broken":
        raise RuntimeError("broken item")
    if event["routeKey"].startswith("POST"):
        _sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=event["body"])
    print(f"served {_served}")
    return {
        "greeting": os.environ["GREETING"],
        "served": _served,
        "event": event,
        "function": context.function_name,
        "milliseconds_left": context.get_remaining_time_in_millis(),
    }
