"""What is inside the envelopes of S3 notifications and stream records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from regulars.adapters.aws.stream import change_from_record
from regulars.domain.stored import Change


def landed_keys(records: Iterable[dict[str, Any]]) -> tuple[list[tuple[str, list[str]]], frozenset[str]]:
    """(message id, keys of new objects) of SQS records that carry S3 notifications, and the ids of those that do not.

    S3's test notification, sent once when the notification is set up, names no object.
    """
    landed, poison = [], set()
    for record in records:
        try:
            keys = landed_keys_of(record["body"])
        except (ValueError, KeyError, TypeError):
            poison.add(record["messageId"])
            continue
        landed.append((record["messageId"], keys))
    return landed, frozenset(poison)


def landed_keys_of(body: str) -> list[str]:
    """The keys of new objects that an S3 notification names. Raises ValueError when it is none."""
    try:
        entries = json.loads(body).get("Records", ())
        return [unquote_plus(entry["s3"]["object"]["key"]) for entry in entries]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a notification of S3's") from error


def stream_changes(records: Iterable[dict[str, Any]]) -> tuple[list[Change], frozenset[str]]:
    """The changes that stream records tell of, and the sequence numbers of records that cannot be read."""
    changes, poison = [], set()
    for record in records:
        try:
            change = change_from_record(record)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            poison.add(record["dynamodb"]["SequenceNumber"])
            continue
        if change is not None:
            changes.append(change)
    return changes, frozenset(poison)
