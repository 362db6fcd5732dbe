"""Dead-letter queues and the table's stream keep what the ports promise, in memory and on AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.dead_letters import DynamoTableStream, SqsDeadLetters
from regulars.adapters.aws.queue import sqs_client
from regulars.adapters.memory.customers import MemoryCustomerStore
from regulars.adapters.memory.dead_letters import MemoryDeadLetters, MemoryTableStream
from regulars.domain.errors import PermanentError, TransientError
from regulars.domain.facts import Fact
from regulars.domain.plan import NO_PLAN
from regulars.domain.profile import Profile, fold
from regulars.domain.stored import REBUILT, Applied, Change, FragmentChange
from regulars.ports import DeadLetter, DeadLetterQueue, StreamPosition, TableStream

Put = Callable[[str], None]
NOW = datetime.now(UTC)
NODE, OTHER = "u_" + "1" * 32, "u_" + "2" * 32
FACT = Fact("AAAAAAAA", "Page Viewed", NOW.replace(microsecond=0), NOW.replace(microsecond=0))
PROFILE = fold(Profile(), [FACT], NO_PLAN)


@pytest.fixture(params=["memory", "sqs"])
def letters(request: pytest.FixtureRequest) -> Iterator[tuple[DeadLetterQueue, Put]]:
    """A queue of dead letters, and how something gets there."""
    if request.param == "memory":
        memory = MemoryDeadLetters()
        yield memory, lambda body: memory.put(body, NOW)
        return
    with mock_aws():
        client = sqs_client()
        url = client.create_queue(QueueName="events-dlq")["QueueUrl"]
        yield SqsDeadLetters(client, url), lambda body: client.send_message(QueueUrl=url, MessageBody=body)


def received(queue: DeadLetterQueue) -> list[DeadLetter]:
    """All that can be received now."""
    found: list[DeadLetter] = []
    while batch := queue.receive():
        found += batch
    return found


def test_every_letter_is_received_once_with_its_age(letters: tuple[DeadLetterQueue, Put]) -> None:
    queue, put = letters
    bodies = [f"body {number} ü" for number in range(25)]
    for body in bodies:
        put(body)
    assert queue.waiting() == 25
    found = received(queue)
    assert sorted(letter.body for letter in found) == sorted(bodies)
    assert all(abs(letter.sent_at - NOW) < timedelta(hours=1) for letter in found), "of this session, however slow"


def test_a_letter_stays_until_it_is_removed(letters: tuple[DeadLetterQueue, Put]) -> None:
    queue, put = letters
    for number in range(12):
        put(f"body {number}")
    found = received(queue)
    assert queue.waiting() == 12
    queue.remove(found[:11])
    assert queue.waiting() == 1
    queue.remove(found[:11])
    queue.remove([])
    assert queue.waiting() == 1


def test_a_queue_that_is_not_there_is_a_permanent_error() -> None:
    with mock_aws():
        queue = SqsDeadLetters(sqs_client(), "https://sqs.us-east-1.amazonaws.com/123456789012/none")
        with pytest.raises(PermanentError):
            queue.waiting()


def test_letters_that_sqs_keeps_come_again() -> None:
    client: Any = botocore.session.get_session().create_client("sqs", region_name="us-east-1")
    with Stubber(client) as stub:
        failed = {"Id": "0", "SenderFault": False, "Code": "InternalError"}
        stub.add_response("delete_message_batch", {"Successful": [], "Failed": [failed]})
        with pytest.raises(TransientError):
            SqsDeadLetters(client, "https://queue").remove([DeadLetter("h", "b", NOW)])


Tables = tuple[TableStream, StreamPosition]


@pytest.fixture(params=["memory", "dynamodb"])
def stream(request: pytest.FixtureRequest) -> Iterator[Tables]:
    """A stream of four writes: a profile, a rebuild of it, another profile, and one more; the first three asked for."""
    if request.param == "memory":
        store = MemoryCustomerStore()
        write(store)
        changes = {change.id: change for change in store.changes()}
        yield MemoryTableStream(changes), StreamPosition("stream", "shard", "1", "3")
        return
    with mock_aws():
        client: Any = botocore.session.get_session().create_client("dynamodb")
        text = {"AttributeType": "S"}
        client.create_table(
            TableName="customers",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": "pk", **text}, {"AttributeName": "sk", **text}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        write(DynamoCustomerStore(client, "customers"))
        streams: Any = botocore.session.get_session().create_client("dynamodbstreams")
        arn = streams.list_streams(TableName="customers")["Streams"][0]["StreamArn"]
        (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        first = int(shard["SequenceNumberRange"]["StartingSequenceNumber"])
        yield DynamoTableStream(streams), StreamPosition(arn, shard["ShardId"], str(first), str(first + 2))


def write(store: MemoryCustomerStore | DynamoCustomerStore) -> None:
    store.put_profile(NODE, PROFILE, applied=Applied([FACT]), expected=0, owner="a")
    store.put_profile(NODE, Profile(events=7), applied=REBUILT, expected=1, owner="b")
    store.put_profile(OTHER, PROFILE, applied=Applied(None, imported=True), expected=0, owner="c")
    store.put_profile(OTHER, Profile(), applied=Applied([]), expected=1, owner="d")


def test_a_stretch_of_the_stream_is_read_again(stream: Tables) -> None:
    """Whose changes they were and of which kind, to the last of them and no further."""
    table, position = stream
    changes: list[Change] = table.changes(position)
    fragments = [change for change in changes if isinstance(change, FragmentChange)]
    assert [(change.node, change.version, change.rebuilt, change.imported) for change in fragments] == [
        (NODE, 1, False, False),
        (NODE, 2, True, False),
        (OTHER, 1, False, True),
    ]
    assert (fragments[1].before, fragments[1].after) == (PROFILE, Profile(events=7))


@pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException"])
def test_what_the_stream_keeps_no_longer_is_a_permanent_error(code: str) -> None:
    client: Any = botocore.session.get_session().create_client("dynamodbstreams", region_name="us-east-1")
    with Stubber(client) as stub:
        stub.add_client_error("get_shard_iterator", code)
        with pytest.raises(PermanentError):
            DynamoTableStream(client).changes(StreamPosition("a" * 40, "shardId-" + "1" * 30, "1" * 21, "2" * 21))
    with pytest.raises(PermanentError):
        MemoryTableStream({}).changes(StreamPosition("s", "s", "1", "1"))


def test_a_record_that_cannot_be_read_is_a_change_of_its_node() -> None:
    """What killed its evaluation must not stop the redrive."""
    client: Any = botocore.session.get_session().create_client("dynamodbstreams", region_name="us-east-1")
    keys = {"pk": {"S": NODE}, "sk": {"S": "PROFILE"}}
    image = {"doc": {"S": "{"}, "version": {"N": "3"}}
    record = {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "1" * 21, "Keys": keys, "NewImage": image}}
    with Stubber(client) as stub:
        stub.add_response("get_shard_iterator", {"ShardIterator": "i"})
        stub.add_response("get_records", {"Records": [record], "NextShardIterator": "j"})
        position = StreamPosition("a" * 40, "shardId-" + "1" * 30, "1" * 21, "1" * 21)
        (change,) = DynamoTableStream(client).changes(position)
    assert change.node == NODE
