"""The three functions of sending in true envelopes, with the template's resources, against SES, SNS and SQS in moto."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local import LocalCloud
from regulars.adapters.aws.dynamo import dynamo_client
from regulars.adapters.aws.ledger import DynamoLedger
from regulars.domain.sends import SendStatus
from tests.send_samples import EMAIL, PHONE, a_send, a_text

EVENTS = Path(__file__).parents[2] / "events"
FUNCTIONS = ("send_messages", "record_feedback", "unsubscribe")


def sample(function: str, case: str) -> dict[str, Any]:
    """One recorded invocation."""
    event: dict[str, Any] = json.loads((EVENTS / function / f"{case}.json").read_text())
    return event


def told(cloud: LocalCloud) -> list[str]:
    """Names of the events that wait on the events queue."""
    return [event["name"] for body in cloud.queue("events") for event in json.loads(body)["events"]]


@pytest.fixture
def ledger(cloud: LocalCloud) -> DynamoLedger:
    """The ledger in the cloud's table."""
    return DynamoLedger(dynamo_client(), cloud.table_name)


def test_emails_go_out_whole_and_every_link_in_them_unsubscribes(cloud: LocalCloud, ledger: DynamoLedger) -> None:
    assert cloud.invoke("send_messages", sample("send_messages", "emails")) == {"batchItemFailures": []}
    assert [mail.subject for mail in cloud.mail] == [
        "Welcome, Ada",
        "Ada, your cart is waiting",
        "It has been a while",
    ]
    assert told(cloud) == ["Message Sent"] * 3
    for mail in cloud.mail:
        assert set(mail.recipients) == {EMAIL}
        assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = mail.message["List-Unsubscribe"].strip("<>")
        assert link in mail.text
        assert link in mail.html
        assert "Demo Shop, 1 Example Street" in mail.text
        path = "/" + link.split("/", 3)[3]
        assert cloud.request("GET", path).status == 200
        assert ledger.opted_out_at(a_send().address_node, channel="email") is None
    posted = cloud.request(
        "POST", path, {"content-type": "application/x-www-form-urlencoded"}, "List-Unsubscribe=One-Click"
    )
    assert posted.status == 200
    assert ledger.opted_out_at(a_send().address_node, channel="email") == cloud.now


def test_the_same_batch_again_sends_nothing(cloud: LocalCloud) -> None:
    for _ in range(2):
        assert cloud.invoke("send_messages", sample("send_messages", "emails")) == {"batchItemFailures": []}
    assert len(cloud.mail) == 3


def test_a_text_goes_out(cloud: LocalCloud, ledger: DynamoLedger) -> None:
    cloud.invoke("send_messages", sample("send_messages", "sms"))
    (text,) = cloud.sms
    (record,) = ledger.sends(a_text().address_node)
    assert (text.to, record.status, record.provider_id) == (PHONE, SendStatus.SENT, text.message_id)


def test_withheld_decisions_are_recorded_and_told(cloud: LocalCloud, ledger: DynamoLedger) -> None:
    assert cloud.invoke("send_messages", sample("send_messages", "withheld")) == {"batchItemFailures": []}
    records = ledger.sends(a_send().address_node)
    assert sorted((record.status, record.reason) for record in records) == [
        (SendStatus.WITHHELD, "expired"),
        (SendStatus.WITHHELD, "frequency_cap"),
    ]
    assert cloud.mail == []
    assert told(cloud) == ["Message Withheld"] * 2


def test_poison_messages_come_again_alone(cloud: LocalCloud) -> None:
    event = sample("send_messages", "poison")
    reply = cloud.invoke("send_messages", event)
    failed = [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]
    assert failed == [record["messageId"] for record in event["Records"][:4]]
    assert len(cloud.mail) == 1


def test_an_unknown_outcome_is_settled_by_sess_own_event(cloud: LocalCloud, ledger: DynamoLedger) -> None:
    record = a_send()
    ledger.claim(record, attempt="lost", now=cloud.now)
    ledger.settle(
        record, attempt="lost", status=SendStatus.UNKNOWN, provider_id=None, reason="no_answer", now=cloud.now
    )
    cloud.invoke("record_feedback", sample("record_feedback", "delivered_opened_clicked"))
    cloud.settle()
    (settled,) = ledger.sends(record.address_node)
    assert (settled.status, settled.reason) == (SendStatus.SENT, "confirmed_by_event")
    assert cloud.mail == []


def test_a_bounce_reaches_the_profile_of_the_address(cloud: LocalCloud) -> None:
    cloud.invoke("record_feedback", sample("record_feedback", "bounced_and_complained"))
    cloud.settle()
    item = dynamo_client().get_item(
        TableName=cloud.table_name, Key={"pk": {"S": a_send().address_node}, "sk": {"S": "PROFILE"}}
    )["Item"]
    assert "complained" in item["doc"]["S"] or "bounced" in item["doc"]["S"]
    assert not any(cloud.dead_letters().values())


def test_feedback_that_nobody_can_read_comes_again_alone(cloud: LocalCloud) -> None:
    event = sample("record_feedback", "poison")
    reply = cloud.invoke("record_feedback", event)
    failed = [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]
    assert failed == [record["messageId"] for record in event["Records"][:4]]


def test_an_opt_out_on_the_page_holds_for_the_next_message(cloud: LocalCloud) -> None:
    reply = cloud.invoke("unsubscribe", sample("unsubscribe", "button"))
    cloud.advance(by=timedelta(minutes=1))
    cloud.invoke("send_messages", sample("send_messages", "emails"))
    assert reply["statusCode"] == 200
    assert cloud.mail == []


def test_the_unsubscribe_samples_are_answered(cloud: LocalCloud) -> None:
    cases = sorted(path.stem for path in (EVENTS / "unsubscribe").glob("*.json"))
    answers = {case: cloud.invoke("unsubscribe", sample("unsubscribe", case))["statusCode"] for case in cases}
    assert answers == {"button": 200, "one_click": 200, "one_click_multipart": 200, "page": 200, "tampered": 400}


def test_logs_hold_no_address_name_or_token(cloud: LocalCloud) -> None:
    for function in FUNCTIONS:
        for path in sorted((EVENTS / function).glob("*.json")):
            cloud.invoke(function, json.loads(path.read_text()))
    log = "\n".join(cloud.log)
    token = re.search(r"t=([\w.-]+)", (EVENTS / "unsubscribe" / "page.json").read_text())
    assert token is not None
    for secret in (EMAIL, PHONE, "Ada", token[1], "198.51.100.7"):
        assert secret not in log
    assert "MessagesSent" in log
    assert "EmailBounce" in log
