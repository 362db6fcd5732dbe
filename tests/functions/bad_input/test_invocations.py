"""Invocations by queues, the stream and schedules: what is wrong -> what is reported.

A reply without failures is a whole success: nothing comes again. So what cannot be read is reported by its id, or the
invocation fails; what is nobody's business is skipped, knowingly.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local import LocalCloud
from infra.local.functions import InvocationError

EVENTS = Path(__file__).parents[3] / "events"
CONSUMERS = {
    "ingest": "batch",
    "update_customers": "landed",
    "evaluate_customers": "due",
    "send_messages": "emails",
    "record_feedback": "delivered_opened_clicked",
}
POISON = ["", "{", "null", "[]", '"x"', "1", "{}", '{"v":2}', '{"v":"1"}', '{"v":1}', "\ufffe", "[" * 2_000]
NOTHING_FAILED: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as fresh:
        yield fresh


def sample(case: str) -> Any:
    return json.loads((EVENTS / f"{case}.json").read_text())


def with_bodies(function: str, *bodies: str) -> dict[str, Any]:
    """An SQS event with these bodies in records like the sample's."""
    record = sample(f"{function}/{CONSUMERS[function]}")["Records"][0]
    return {"Records": [{**record, "messageId": f"m-{n}", "body": body} for n, body in enumerate(bodies)]}


@pytest.mark.parametrize("function", CONSUMERS)
@pytest.mark.parametrize("event", [{}, {"Records": None}, {"records": []}, {"Records": 1}, [], None, "x"])
def test_an_event_that_is_no_batch_is_a_failed_invocation(cloud: LocalCloud, function: str, event: Any) -> None:
    with pytest.raises(InvocationError):
        cloud.invoke(function, event)


@pytest.mark.parametrize("function", CONSUMERS)
@pytest.mark.parametrize("body", POISON)
def test_a_message_that_cannot_be_read_comes_again_alone(cloud: LocalCloud, function: str, body: str) -> None:
    """S3's test notification names no object, and is skipped: `{}` and the like look the same. A message to ingest that
    holds nothing is done with."""
    names_nothing = function == "update_customers" and body.startswith("{") and body != "{"
    skipped = names_nothing or (function, body) == ("ingest", '{"v":1}')
    reply = cloud.invoke(function, with_bodies(function, body))
    assert reply == (NOTHING_FAILED if skipped else {"batchItemFailures": [{"itemIdentifier": "m-0"}]})


@pytest.mark.parametrize("function", CONSUMERS)
def test_good_messages_around_a_bad_one_are_done(cloud: LocalCloud, function: str) -> None:
    good = sample(f"{function}/{CONSUMERS[function]}")["Records"][0]["body"]
    if function == "update_customers":
        cloud.invoke("ingest", sample("ingest/batch"))
    reply = cloud.invoke(function, with_bodies(function, "{", good, "\x00"))
    assert {failure["itemIdentifier"] for failure in reply["batchItemFailures"]} == {"m-0", "m-2"}


@pytest.mark.parametrize("function", CONSUMERS)
def test_an_empty_batch_is_no_error(cloud: LocalCloud, function: str) -> None:
    assert cloud.invoke(function, {"Records": []}) == NOTHING_FAILED


def changed(**dynamodb: Any) -> dict[str, Any]:
    """The sample of a changed profile with other parts; None takes one away."""
    event = copy.deepcopy(sample("evaluate_customers/profile_changed"))
    for record in event["Records"]:
        record["dynamodb"].update(dynamodb)
        record["dynamodb"] = {name: value for name, value in record["dynamodb"].items() if value is not None}
    return dict(event)


STREAM: dict[str, dict[str, Any]] = {
    "no keys": {"Keys": None},
    "keys of another kind": {"Keys": {"pk": {"N": "1"}, "sk": {"N": "2"}}},
    "a document that is no JSON": {"NewImage": {"doc": {"S": "{"}, "version": {"N": "1"}, "applied": {"S": "["}}},
    "a version that is no number": {"NewImage": {"doc": {"S": "{}"}, "version": {"N": "x"}}},
    "a document of another type": {"NewImage": {"doc": {"N": "1"}, "version": {"N": "1"}}},
    "a document of 5,000 levels": {
        "NewImage": {"doc": {"S": "[" * 5_000}, "version": {"N": "1"}, "applied": {"S": "[" * 5_000}}
    },
}


@pytest.mark.parametrize("row", STREAM)
def test_a_stream_record_that_cannot_be_read_is_reported(cloud: LocalCloud, row: str) -> None:
    event = changed(**STREAM[row])
    numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    failed = [failure["itemIdentifier"] for failure in cloud.invoke("evaluate_customers", event)["batchItemFailures"]]
    assert failed
    assert set(failed) <= set(numbers)


def test_a_stream_record_without_its_number_fails_the_invocation(cloud: LocalCloud) -> None:
    """There is no id to report; an empty reply would be a whole success."""
    with pytest.raises(InvocationError):
        cloud.invoke("evaluate_customers", changed(SequenceNumber=None, Keys=None))


def test_removals_and_items_of_others_are_nobodys_business(cloud: LocalCloud) -> None:
    """The table's own expiry, the ledger, opt-outs, items without an image."""
    assert cloud.invoke("evaluate_customers", sample("evaluate_customers/removed")) == NOTHING_FAILED
    for kind in ("SEND#x", "OPTOUT#email", "CONSENT#1#x", "SOMETHING"):
        event = changed(Keys={"pk": {"S": "e_" + "0" * 32}, "sk": {"S": kind}}, NewImage={"doc": {"S": "x"}})
        assert cloud.invoke("evaluate_customers", event) == NOTHING_FAILED, kind
    assert cloud.invoke("evaluate_customers", changed(NewImage=None, OldImage=None)) == NOTHING_FAILED


@pytest.mark.parametrize("function", ["tick", "refresh"])
@pytest.mark.parametrize("event", [{}, None, [], {"detail": "x", "time": "yesterday"}, {"Records": [{}]}])
def test_a_schedule_runs_whatever_its_event_says(cloud: LocalCloud, function: str, event: Any) -> None:
    """Who is due, is due: the event's content is not looked at."""
    assert isinstance(cloud.invoke(function, event), dict)


def test_more_than_lambda_takes_never_reaches_a_function(cloud: LocalCloud) -> None:
    """6 MB for one invocation: no queue or stream delivers more, and the local cloud refuses it as Lambda does."""
    before = cloud.invocations["ingest"]
    with pytest.raises(InvocationError, match="RequestEntityTooLarge"):
        cloud.invoke("ingest", with_bodies("ingest", "x" * (6 * 1024 * 1024)))
    assert cloud.invocations["ingest"] == before
