"""The short way to tables, queues and objects answers as the long one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from infra.local import LocalCloud

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

    from infra.local.aws_calls import AwsCall, Proceed

ITEM = {"pk": {"S": "u_1"}, "sk": {"S": "STATE"}, "doc": {"S": "{}"}, "due_shard": {"S": "1"}, "due_at": {"N": "17"}}
OTHER = {"pk": {"S": "u_2"}, "sk": {"S": "PROFILE"}, "doc": {"S": "x"}, "version": {"N": "3"}}


def conversation(cloud: LocalCloud) -> list[Any]:
    """What a client hears that writes, reads, asks both indexes and breaks a condition."""
    client, table = cloud.client("dynamodb"), cloud.table_name
    heard: list[Any] = [client.put_item(TableName=table, Item=item) for item in (ITEM, OTHER)]
    heard.append(client.get_item(TableName=table, Key={"pk": {"S": "u_1"}, "sk": {"S": "STATE"}}))
    heard.append(client.get_item(TableName=table, Key={"pk": {"S": "u_9"}, "sk": {"S": "STATE"}}))
    keys = [{"pk": {"S": node}, "sk": {"S": "PROFILE"}} for node in ("u_2", "u_3")]
    heard.append(client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}}))
    heard.append(
        client.update_item(
            TableName=table,
            Key={"pk": {"S": "u_2"}, "sk": {"S": "PROFILE"}},
            UpdateExpression="SET #v = :v REMOVE doc",
            ExpressionAttributeNames={"#v": "version"},
            ExpressionAttributeValues={":v": {"N": "4"}},
            ReturnValues="ALL_NEW",
        )
    )
    due = {"IndexName": "due", "KeyConditionExpression": "due_shard = :s AND due_at <= :b"}
    for before in ("16", "17"):
        values = {":s": {"S": "1"}, ":b": {"N": before}}
        heard.append(client.query(TableName=table, ExpressionAttributeValues=values, **due))
    heard += client.get_paginator("scan").paginate(TableName=table, PaginationConfig={"PageSize": 1})
    nine = {":v": {"N": "9"}}
    for name, condition, values in (
        (table, "attribute_not_exists(pk)", {}),
        (table, "version = :v", nine),
        (table, "version = :v AND owner = :o", nine),
        ("no-such-table", "attribute_not_exists(pk)", {}),
    ):
        given = {"ExpressionAttributeValues": values} if values else {}
        with pytest.raises(ClientError) as caught:
            client.put_item(
                TableName=name,
                Item=OTHER,
                ConditionExpression=condition,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **given,
            )
        heard += [type(caught.value).__name__, dict(caught.value.response)]
    heard += queue_conversation(cloud)
    heard += object_conversation(cloud)
    for answer in heard:
        if isinstance(answer, dict):
            answer.pop("ResponseMetadata", None)
            answer.pop("message", None)
            answer.pop("Message", None)
            answer.pop("ConsumedCapacity", None)
    return heard


def queue_conversation(cloud: LocalCloud) -> list[Any]:
    """What a client hears that sends a good batch, one with a bad delay and one to no queue."""
    client = cloud.client("sqs")
    url = client.get_queue_url(QueueName=f"{cloud.stack.name}-events")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": f"body {number}", "DelaySeconds": number} for number in (0, 7, 901)]
    answer = client.send_message_batch(QueueUrl=url, Entries=entries)
    heard: list[Any] = [[(taken["Id"], taken["MD5OfMessageBody"]) for taken in answer["Successful"]]]
    heard += [answer.get("Failed"), sorted(cloud.queue("events"))]
    for address, given in ((url + "-none", entries), (url, [entries[0], entries[0]])):
        with pytest.raises(ClientError) as caught:
            client.send_message_batch(QueueUrl=address, Entries=given)
        heard += [type(caught.value).__name__, caught.value.response["Error"]["Code"]]
    return heard


def object_conversation(cloud: LocalCloud) -> list[Any]:
    """What a client hears that writes an object, replaces it, reads it, and breaks each condition."""
    client, bucket = cloud.client("s3"), cloud.bucket_name
    given = {"Bucket": bucket, "ContentType": "text/plain"}
    etag = client.put_object(Key="a", Body=b"one", IfNoneMatch="*", **given)["ETag"]
    heard: list[Any] = [etag, client.put_object(Key="a", Body=b"two", IfMatch=etag, **given)["ETag"]]
    answer = client.get_object(Bucket=bucket, Key="a")
    heard += [answer["Body"].read(), answer["ETag"], answer["ContentType"], answer["ContentLength"]]
    heard += [answer["LastModified"].utcoffset(), answer["LastModified"].microsecond]
    refused: list[tuple[str, dict[str, Any]]] = [
        ("put_object", {"Key": "a", "IfNoneMatch": "*", "Body": b"", **given}),
        ("put_object", {"Key": "a", "IfMatch": etag, "Body": b"", **given}),
        ("put_object", {"Key": "b", "IfMatch": etag, "Body": b"", **given}),
        ("get_object", {"Key": "b", "Bucket": bucket}),
        ("get_object", {"Key": "a", "Bucket": "no-such-bucket"}),
    ]
    for operation, parameters in refused:
        with pytest.raises(ClientError) as caught:
            getattr(client, operation)(**parameters)
        heard += [type(caught.value).__name__, caught.value.response["Error"]["Code"]]
    return heard


def test_both_ways_give_the_same_answers_and_counts() -> None:
    heard, counted = [], []
    for direct in (False, True):
        with LocalCloud(direct=direct) as cloud:
            heard.append(conversation(cloud))
            counted.append(cloud.calls.by_operation())
    assert heard[0] == heard[1]
    assert counted[0] == counted[1]


def test_whoever_disturbs_calls_sees_them_all() -> None:
    seen: list[str] = []

    def look(call: AwsCall, proceed: Proceed) -> AWSResponse | None:
        seen.append(call.operation)
        return proceed()

    with LocalCloud(direct=True) as cloud:
        cloud.calls.interceptor = look
        cloud.client("dynamodb").put_item(TableName=cloud.table_name, Item=ITEM)
    assert seen == ["PutItem"]
