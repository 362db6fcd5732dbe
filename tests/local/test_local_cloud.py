"""The local cloud runs a stack as AWS would: shown on a small stack with functions of one purpose each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from infra.local import InvocationError, LocalCloud
from infra.local.functions import UnknownFunctionError
from infra.local.template import TemplateError

if TYPE_CHECKING:
    from infra.local.aws_calls import AwsCall, Proceed

HERE = Path(__file__).parent / "stack"
START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def small_cloud(**parameters: str) -> LocalCloud:
    return LocalCloud(start=START, template=HERE / "template.yaml", functions=HERE / "functions", parameters=parameters)


@pytest.fixture
def stack() -> Iterator[LocalCloud]:
    with small_cloud() as cloud:
        cloud.settle()  # S3's test message, which comes when a bucket learns about its queue
        cloud.log.clear()
        cloud.calls.counts.clear()
        cloud.invocations.clear()
        yield cloud


def put(cloud: LocalCloud, **item: Any) -> None:
    typed = {key: {"N": str(value)} if isinstance(value, int) else {"S": value} for key, value in item.items()}
    cloud.client("dynamodb").put_item(TableName=cloud.table_name, Item=typed)


def send(cloud: LocalCloud, *bodies: str) -> None:
    url = cloud.stack.ref("WorkQueue")
    for body in bodies:
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def printed(cloud: LocalCloud, prefix: str) -> list[str]:
    return [line for line in cloud.log if line.startswith(prefix)]


class TestHttp:
    def test_a_request_becomes_a_version_2_event(self, stack: LocalCloud) -> None:
        answer = stack.request(
            "GET",
            "/items/a%20b?x=1&x=2&y=%C3%A4",
            {"Cookie": "a=1; b=2", "User-Agent": "test", "X-Twice": "1"},
        )
        event = answer.json()["event"]
        assert answer.status == 200
        assert event["version"] == "2.0"
        assert event["routeKey"] == "GET /items/{item}"
        assert event["rawPath"] == "/items/a b"
        assert event["pathParameters"] == {"item": "a b"}
        assert event["rawQueryString"] == "x=1&x=2&y=%C3%A4"
        assert event["queryStringParameters"] == {"x": "1,2", "y": "ä"}
        assert event["cookies"] == ["a=1", "b=2"]
        assert event["headers"]["x-twice"] == "1"
        assert "cookie" not in event["headers"]
        assert event["requestContext"]["http"]["method"] == "GET"
        assert event["requestContext"]["timeEpoch"] == START.timestamp() * 1000
        assert "body" not in event

    def test_the_most_specific_route_wins(self, stack: LocalCloud) -> None:
        assert stack.request("GET", "/items/fixed").json()["event"]["routeKey"] == "GET /items/fixed"

    @pytest.mark.parametrize(
        ("content_type", "body", "expected"),
        [
            ("text/plain", b"caf\xc3\xa9", ("café", False)),
            ("application/json; charset=utf-8", b"{}", ("{}", False)),
            ("text/plain", b"\x1f\x8b", ("H4s=", True)),
            ("application/x-www-form-urlencoded", b"a=1", ("YT0x", True)),
            ("application/octet-stream", b"a", ("YQ==", True)),
        ],
    )
    def test_bodies_that_are_not_text_come_in_base64(
        self, stack: LocalCloud, content_type: str, body: bytes, expected: tuple[str, bool]
    ) -> None:
        event = stack.request("POST", "/echo", {"Content-Type": content_type}, body).json()["event"]
        assert (event["body"], event["isBase64Encoded"]) == expected

    def test_an_unknown_path_or_method_is_404_and_a_failing_function_500(self, stack: LocalCloud) -> None:
        assert stack.request("GET", "/nothing").status == 404
        assert stack.request("DELETE", "/echo").status == 404
        failed = stack.request("GET", "/items/broken")
        assert (failed.status, failed.json()) == (500, {"message": "Internal Server Error"})
        assert stack.functions.failures["front"] == 1

    def test_an_oversized_body_is_refused_before_the_function(self, stack: LocalCloud) -> None:
        assert stack.request("POST", "/echo", {}, b"x" * (10 * 1024 * 1024 + 1)).status == 413
        assert stack.invocations["front"] == 0


class TestFunctions:
    def test_environment_comes_from_the_template_and_its_parameters(self) -> None:
        with small_cloud(Greeting="hi") as cloud:
            assert cloud.invoke("front", {"rawPath": "/", "routeKey": "GET /"})["greeting"] == "hi from us-east-1"

    def test_a_function_stays_warm_in_one_cloud_and_starts_cold_in_the_next(self) -> None:
        event = {"rawPath": "/", "routeKey": "GET /"}
        with small_cloud() as cloud:
            assert [cloud.invoke("front", event)["served"] for _ in range(2)] == [1, 2]
            assert list(cloud.log) == ["served 1", "served 2"]
        with small_cloud() as cloud:
            reply = cloud.invoke("front", event)
        assert reply["served"] == 1
        assert reply["function"] == "regulars-front"
        assert 0 < reply["milliseconds_left"] <= 10_000

    def test_an_exception_is_a_failed_invocation_that_names_its_type(self, stack: LocalCloud) -> None:
        with pytest.raises(InvocationError, match="broken item") as caught:
            stack.invoke("front", {"rawPath": "/items/broken", "routeKey": "GET /items/{item}"})
        assert caught.value.kind == "RuntimeError"

    def test_an_unknown_function_names_the_known_ones(self, stack: LocalCloud) -> None:
        with pytest.raises(UnknownFunctionError, match="front, mailer"):
            stack.invoke("nobody", {})

    def test_a_parameter_that_the_template_does_not_have_is_refused(self) -> None:
        with pytest.raises(TemplateError, match="Greting"):
            small_cloud(Greting="hi")

    def test_a_second_cloud_has_to_wait_for_the_first(self, stack: LocalCloud) -> None:
        with pytest.raises(RuntimeError, match="one local cloud at a time"):
            small_cloud()
        assert stack.request("GET", "/items/1").status == 200


class TestQueues:
    def test_a_batch_holds_as_many_messages_as_the_mapping_says(self, stack: LocalCloud) -> None:
        send(stack, *(f"note {number}" for number in range(30)))
        stack.settle()
        assert [line.split()[1] for line in printed(stack, "batch")] == ["25", "5"]
        assert stack.queue("work") == []
        assert stack.calls.counts["sqs", "ReceiveMessage", "work (source)"] == 4

    def test_only_failed_messages_come_again_and_end_in_the_dead_letters(self, stack: LocalCloud) -> None:
        send(stack, "note", "poison", "note")
        stack.settle()
        assert stack.queue("work") == ["poison"]
        assert stack.settle() == 0, "it is in flight until its visibility timeout is over"
        stack.advance(by=timedelta(minutes=10))
        assert printed(stack, "batch") == ["batch 3 1 1 1", "batch 1 2", "batch 1 3"]
        assert stack.dead_letters() == {"work-dlq": ["poison"]}

    def test_an_exception_fails_the_whole_batch(self, stack: LocalCloud) -> None:
        send(stack, "seen a", "explode")
        stack.settle()
        assert sorted(stack.queue("work")) == ["explode", "seen a"]
        stack.advance(by=timedelta(minutes=10))
        assert sorted(stack.dead_letters()["work-dlq"]) == ["explode", "seen a"]

    def test_new_objects_under_the_prefix_notify_the_queue(self, stack: LocalCloud) -> None:
        for key in ("events/a b.parquet", "other/c"):
            stack.client("s3").put_object(Bucket=stack.bucket_name, Key=key, Body=b"1")
        (body,) = [text for text in stack.queue("work") if "Records" in text]
        assert json.loads(body)["Records"][0]["s3"]["object"]["key"] == "events/a+b.parquet"

    def test_topics_deliver_raw(self, stack: LocalCloud) -> None:
        stack.client("sns").publish(TopicArn=stack.stack.ref("FeedbackTopic"), Message='{"eventType":"Open"}')
        assert '{"eventType":"Open"}' in stack.queue("work")


class TestStream:
    def test_changes_come_in_order_filtered_and_without_noise(self, stack: LocalCloud) -> None:
        put(stack, pk="a", sk="SEEN", n=1)
        put(stack, pk="a", sk="SEEN", n=1)  # changes nothing
        put(stack, pk="a", sk="OTHER", n=7)
        put(stack, pk="s", sk="STATE", outbox=0, n=8)
        put(stack, pk="s", sk="STATE", outbox=2, n=9)
        put(stack, pk="t", sk="STATE", n=10)  # no outbox at all
        put(stack, pk="a", sk="SEEN", n=2)
        stack.settle()
        assert printed(stack, "INSERT") + printed(stack, "MODIFY") == ["INSERT a 1", "MODIFY s 9", "MODIFY a 2"]
        assert stack.invocations["watch"] == 1

    def test_an_update_that_makes_an_item_is_one_insert(self, stack: LocalCloud) -> None:
        stack.client("dynamodb").update_item(
            TableName=stack.table_name,
            Key={"pk": {"S": "u"}, "sk": {"S": "SEEN"}},
            UpdateExpression="SET n = :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        stack.settle()
        assert printed(stack, "INSERT") == ["INSERT u 1"]

    def test_a_partial_failure_starts_again_at_the_failed_record(self, stack: LocalCloud) -> None:
        for name in ("a", "bad", "c"):
            put(stack, pk=name, sk="SEEN", n=1)
        stack.settle()
        assert printed(stack, "INSERT") == ["INSERT a 1", "INSERT c 1"]
        (failure,) = map(json.loads, stack.queue("failed-dlq"))
        assert failure["DDBStreamBatchInfo"]["batchSize"] == 1
        assert failure["requestContext"] == {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": 3}

    def test_an_exception_is_bisected_until_the_bad_record_is_alone(self, stack: LocalCloud) -> None:
        for name in ("a", "b", "raise", "d", "e"):
            put(stack, pk=name, sk="SEEN", n=1)
        stack.settle()
        assert sorted(set(printed(stack, "INSERT"))) == ["INSERT a 1", "INSERT b 1", "INSERT d 1", "INSERT e 1"]
        assert len(stack.queue("failed-dlq")) == 1

    def test_sequence_numbers_go_on_rising(self, stack: LocalCloud) -> None:
        seen: list[int] = []

        def remember(function: str, event: bytes, _reply: bytes) -> None:
            if function == "watch":
                seen.extend(int(record["dynamodb"]["SequenceNumber"]) for record in json.loads(event)["Records"])

        stack.functions.observer = remember
        for number in range(3):
            put(stack, pk=f"k{number}", sk="SEEN", n=1)
            stack.settle()
        assert len(seen) == 3
        assert seen == sorted(set(seen))


class TestTime:
    def test_time_stands_still_until_it_is_moved_and_never_goes_back(self, stack: LocalCloud) -> None:
        assert stack.now == START == datetime.now(UTC)
        stack.advance(by=timedelta(hours=2))
        assert stack.now == START + timedelta(hours=2)
        with pytest.raises(ValueError, match="cannot go back"):
            stack._clock.move_to(START)

    def test_a_due_item_is_ticked_in_the_minute_before_and_arrives_on_the_second(self, stack: LocalCloud) -> None:
        due = START + timedelta(hours=5, minutes=7, seconds=23)
        put(stack, pk="c", sk="STATE", due_shard="0", due_at=int(due.timestamp() * 1000))
        arrived: list[datetime] = []
        stack.functions.observer = lambda name, *_rest: arrived.append(stack.now) if name == "work" else None
        stack.advance(by=timedelta(hours=10))
        assert printed(stack, "slot") == ["slot 2026-03-01T15:07:00Z"]
        assert [round((instant - due).total_seconds()) for instant in arrived] == [0]

    def test_the_nightly_schedule_runs_at_its_time_of_day(self, stack: LocalCloud) -> None:
        stack.advance(to=START + timedelta(days=3))
        expected = [f"slot 2026-03-0{day}T03:15:00Z" for day in (2, 3, 4)]
        assert printed(stack, "slot") == expected

    def test_a_stride_gathers_what_is_due_into_fewer_ticks(self, stack: LocalCloud) -> None:
        for number in range(12):
            due = START + timedelta(minutes=20 * number + 5)
            put(stack, pk=f"c{number}", sk="STATE", due_shard="0", due_at=int(due.timestamp() * 1000))
        stack.advance(by=timedelta(hours=5), stride=timedelta(hours=4))
        assert printed(stack, "slot") == ["slot 2026-03-01T12:00:00Z"]
        assert [line.split()[1] for line in printed(stack, "batch")] == ["6"]

    def test_a_failing_schedule_is_tried_again_and_then_reported(self, stack: LocalCloud) -> None:
        put(stack, pk="fail", sk="tick")
        stack.advance(to=datetime(2026, 3, 2, 4, 0, tzinfo=UTC))
        assert stack.functions.failures["tick_now"] == 2
        (failure,) = map(json.loads, stack.dead_letters()["failed-dlq"])
        assert failure["requestPayload"]["time"] == "2026-03-02T03:15:00Z"


class TestOutbox:
    def test_mail_and_sms_are_captured_whole(self, stack: LocalCloud) -> None:
        reply = stack.invoke("mailer", {"to": "ann@example.com", "number": "+15550100"})
        (mail,), (sms,) = stack.mail, stack.sms
        assert mail.message_id == reply["id"]
        assert mail.sent_at == START
        assert mail.subject == "Käse"
        assert (mail.text, mail.html) == ("plain text\n", "<p>html</p>\n")
        assert mail.message["List-Unsubscribe"] == "<https://shop.example/unsubscribe?t=1>"
        assert "ann@example.com" in mail.recipients
        assert (sms.to, sms.text) == ("+15550100", "Reply STOP to end")


class TestCalls:
    def test_calls_are_counted_by_function(self, stack: LocalCloud) -> None:
        stack.request("POST", "/echo", {"Content-Type": "text/plain"}, b"seen a")
        stack.settle()
        assert stack.calls.counts["sqs", "SendMessage", "front"] == 1
        assert stack.calls.counts["dynamodb", "PutItem", "work"] == 1
        assert stack.calls.by_operation()["dynamodb.PutItem"] == 1

    def test_an_interceptor_can_lose_an_answer(self, stack: LocalCloud) -> None:
        def lose(call: AwsCall, proceed: Proceed) -> Any:
            answer = proceed()
            if (call.function, call.operation) == ("mailer", "Publish"):
                raise ReadTimeoutError(endpoint_url=call.request.url)
            return answer

        stack.calls.interceptor = lose
        with pytest.raises(InvocationError, match="ReadTimeout"):
            stack.invoke("mailer", {"to": "ann@example.com", "number": "+15550100"})
        assert len(stack.sms) > 1, "it was published, and published again by the client's own retries"

    def test_stream_clients_work_because_account_endpoints_are_off(
        self, stack: LocalCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When this fails, moto has learnt account-based endpoints and the setting can go."""
        arn = stack.stack.get_att("Table", "StreamArn")
        assert stack.client("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "preferred")
        with pytest.raises(Exception, match="404"):
            stack.client("dynamodbstreams").describe_stream(StreamArn=arn)
