"""Both queues keep what the port promises; SQS's own failures besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from regulars.adapters.aws.queue import SqsQueue, sqs_client
from regulars.adapters.memory.queue import MemoryQueue
from regulars.domain.errors import PermanentError, TransientError
from regulars.ports import Queue, QueueMessage

Received = Callable[[], list[str]]


def received_from_sqs(client: Any, url: str) -> list[str]:
    """All bodies that can be received now, which are deleted."""
    bodies: list[str] = []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(message["Body"])
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


@pytest.fixture(params=["memory", "sqs"])
def queue(request: pytest.FixtureRequest) -> Iterator[tuple[Queue, Received]]:
    """A queue, and what comes out of it."""
    if request.param == "memory":
        memory = MemoryQueue()
        yield memory, lambda: [message.body for message in memory.receive()]
        return
    with mock_aws():
        client = sqs_client()
        url = client.create_queue(QueueName="events")["QueueUrl"]
        yield SqsQueue(client, url), lambda: received_from_sqs(client, url)


@pytest.mark.parametrize("number", [0, 1, 10, 11, 25])
def test_every_message_arrives_once(queue: tuple[Queue, Received], number: int) -> None:
    sender, received = queue
    sender.send([QueueMessage(f"body {n}") for n in range(number)])
    assert sorted(received()) == sorted(f"body {n}" for n in range(number))


def test_messages_that_do_not_fit_into_one_call_arrive_too(queue: tuple[Queue, Received]) -> None:
    sender, received = queue
    bodies = [f"{n}" + "ü" * 119_000 for n in range(7)]
    sender.send([QueueMessage(body) for body in bodies])
    assert sorted(received()) == sorted(bodies)


def test_a_delayed_message_is_held_back_by_sqs() -> None:
    with mock_aws():
        client = sqs_client()
        url = client.create_queue(QueueName="due")["QueueUrl"]
        SqsQueue(client, url).send([QueueMessage("later", delay_seconds=60), QueueMessage("now")])
        assert received_from_sqs(client, url) == ["now"]


def test_a_queue_that_is_down_takes_nothing() -> None:
    queue = MemoryQueue()
    queue.available = False
    with pytest.raises(TransientError):
        queue.send([QueueMessage("x")])
    assert queue.receive() == []


class Scripted:
    """SqsQueue on a client with prepared answers; `pauses` are the waits between its attempts, in seconds."""

    def __init__(self) -> None:
        self.client: Any = botocore.session.get_session().create_client("sqs", region_name="us-east-1")
        self.stub = Stubber(self.client)
        self.pauses: list[float] = []
        self.queue = SqsQueue(self.client, "https://queue", pause=self.pauses.append)

    def expect(self, *bodies: str, failed: tuple[str, ...] = (), sender_fault: bool = False) -> None:
        """The next call carries these bodies; those at the ids `failed` are not taken."""
        answers = [{"Id": entry, "Code": "InternalError", "SenderFault": sender_fault} for entry in failed]
        entries = [{"Id": ANY, "MessageBody": body} for body in bodies]
        self.stub.add_response(
            "send_message_batch",
            {"Successful": [], "Failed": answers},
            {"QueueUrl": "https://queue", "Entries": entries},
        )

    def send(self, *bodies: str) -> None:
        with self.stub:
            self.queue.send([QueueMessage(body) for body in bodies])
        self.stub.assert_no_pending_responses()


def test_only_what_was_not_taken_is_sent_again() -> None:
    sqs = Scripted()
    sqs.expect("a", "b", "c", failed=("0", "2"))
    sqs.expect("a", "c", failed=("2",))
    sqs.expect("c")
    sqs.send("a", "b", "c")
    assert len(sqs.pauses) == 2


def test_what_is_never_taken_is_a_transient_error() -> None:
    sqs = Scripted()
    for _ in range(3):
        sqs.expect("a", failed=("0",))
    with pytest.raises(TransientError):
        sqs.send("a")
    sqs.stub.assert_no_pending_responses()


def test_what_sqs_will_never_take_is_a_permanent_error() -> None:
    sqs = Scripted()
    sqs.expect("a", failed=("0",), sender_fault=True)
    with pytest.raises(PermanentError):
        sqs.send("a")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ServiceUnavailable", 503, TransientError),
        ("RequestThrottled", 403, TransientError),
        ("AccessDenied", 403, PermanentError),
        ("QueueDoesNotExist", 400, PermanentError),
    ],
)
def test_an_error_of_the_service_is_told_by_its_kind(code: str, status: int, error: type[Exception]) -> None:
    sqs = Scripted()
    for _ in range(3):
        sqs.stub.add_client_error("send_message_batch", service_error_code=code, http_status_code=status)
    with sqs.stub, pytest.raises(error):
        sqs.queue.send([QueueMessage("a")])


def test_a_queue_that_cannot_be_reached_is_a_transient_error() -> None:
    client: Any = botocore.session.get_session().create_client(
        "sqs", region_name="us-east-1", endpoint_url="http://127.0.0.1:9"
    )
    queue = SqsQueue(client, "http://127.0.0.1:9/queue", pause=lambda _seconds: None)
    with pytest.raises(TransientError):
        queue.send([QueueMessage("a")])
