"""Sending, step by step, on memory adapters: who is asked what, and what is known afterwards."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.ledger import MemoryLedger
from regulars.adapters.memory.providers import MemoryMailer, MemoryTexter
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.adapters.templates import JinjaTemplates
from regulars.adapters.tokens import SignedSurveys, SignedTokens
from regulars.application.compose_message import Shop
from regulars.application.send_messages import SendMessages, SendReport
from regulars.domain.errors import PermanentError, TransientError, UnknownOutcomeError
from regulars.domain.events import Event, event_from_doc
from regulars.domain.sends import CLAIM_LEASE, SendRecord, SendStatus, UnsafeContentError, send_record_to_doc
from tests.product_samples import a_listing
from tests.send_samples import CART, CONSENT, EMAIL, NOON, PHONE, a_send, a_text

TEMPLATES = JinjaTemplates(Path(__file__).parents[2] / "program" / "templates", shop_url="https://shop.example")
SECRETS = MemorySecrets({"tokens": "k" * 32})
SHOP = Shop("Demo Shop", "Demo Shop, 1 Example Street", "https://api.shop.example", "https://shop.example")


@dataclass
class Sender:
    """A send function on memory adapters, its clock at noon."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    mailer: MemoryMailer = field(default_factory=MemoryMailer)
    texter: MemoryTexter = field(default_factory=MemoryTexter)
    catalogue: MemoryCatalogue = field(default_factory=MemoryCatalogue)
    events: MemoryQueue = field(default_factory=MemoryQueue)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))
    time_left: int = 1000

    def __post_init__(self) -> None:
        self.use_case = SendMessages(
            ledger=self.ledger,
            mailer=self.mailer,
            texter=self.texter,
            templates=TEMPLATES,
            tokens=SignedTokens(SECRETS, "tokens"),
            surveys=SignedSurveys(SECRETS, "tokens"),
            catalogue=self.catalogue,
            events=self.events,
            clock=self.clock,
            ids=CountedIds(),
            shop=SHOP,
        )

    def deliver(self, *instructions: SendRecord | dict[str, Any] | str) -> SendReport:
        """One batch; message ids are `m0`, `m1`, ..."""
        bodies = [(f"m{number}", body_of(instruction)) for number, instruction in enumerate(instructions)]
        return self.use_case(bodies, has_time=self._has_time)

    def record(self, send: SendRecord) -> SendRecord:
        """What the ledger says about a decision."""
        return next(known for known in self.ledger.sends(send.address_node) if known.send_key == send.send_key)

    def told(self) -> list[Event]:
        """The events on the events queue, which it leaves."""
        bodies = [orjson.loads(message.body) for message in self.events.receive()]
        return [event_from_doc(doc) for body in bodies for doc in body["events"]]

    def _has_time(self) -> bool:
        self.time_left -= 1
        return self.time_left >= 0


def body_of(instruction: SendRecord | dict[str, Any] | str) -> str:
    """The body of a queue message."""
    if isinstance(instruction, SendRecord):
        instruction = {"v": 1, "send": send_record_to_doc(instruction)}
    return instruction if isinstance(instruction, str) else orjson.dumps(instruction).decode()


def a_proof(send: SendRecord) -> dict[str, Any]:
    """What record_feedback says when a provider's event shows that a message went out."""
    return {
        "v": 1,
        "resolve": {"address_node": send.address_node, "send_key": send.send_key, "provider_id": "ses-7"},
    }


def test_an_email_goes_out_once_and_its_outcome_is_told() -> None:
    sender = Sender()
    report = sender.deliver(a_send())
    (message,) = sender.mailer.sent
    record = sender.record(a_send())
    (event,) = sender.told()
    assert (message.to, message.subject) == (EMAIL, "Welcome, Ada")
    assert (record.status, record.provider_id, record.settled_at) == (SendStatus.SENT, "provider-1", NOON)
    assert record.trace == a_send().trace
    assert record.content_hash is not None
    assert (event.name, event.properties["send_key"], event.properties["customer"]) == (
        "Message Sent",
        a_send().send_key,
        a_send().customer,
    )
    assert report.failed == {}
    assert report.counts["sent"] == 1


def test_a_text_goes_to_the_number_with_a_word_on_how_to_stop() -> None:
    sender = Sender()
    sender.deliver(a_text(template="win_back_sms"))
    (message,) = sender.texter.sent
    assert message.to == PHONE
    assert message.text.endswith("Reply STOP to opt out.")


def test_the_same_decision_delivered_again_is_not_sent_again_and_tells_the_same_event() -> None:
    sender = Sender()
    sender.deliver(a_send(), a_send())
    first = sender.told()
    sender.clock.instant = NOON + timedelta(days=1)
    report = sender.deliver(a_send())
    assert len(sender.mailer.sent) == 1
    assert first == [sender.told()[0]] * 2
    assert (report.failed, report.counts["duplicate"]) == ({}, 1)


def test_no_address_leaves_the_ledger_for_the_log() -> None:
    sender = Sender()
    sender.deliver(a_send(), a_text(template="win_back_sms"))
    bodies = "".join(message.body for message in sender.events.receive())
    assert EMAIL not in bodies
    assert PHONE not in bodies
    assert "Ada" not in bodies


def test_a_withheld_decision_is_recorded_with_its_reason_and_nothing_is_sent() -> None:
    sender = Sender()
    report = sender.deliver(a_send(withheld="no_consent", address="", template="unwritten"))
    (event,) = sender.told()
    assert sender.record(a_send()).status is SendStatus.WITHHELD
    assert (event.name, event.properties["reason"]) == ("Message Withheld", "no_consent")
    assert (sender.mailer.sent, report.failed, report.withheld) == ([], {}, {"no_consent": 1})


def test_an_opt_out_that_came_after_the_decision_is_obeyed() -> None:
    sender = Sender()
    sender.ledger.opt_out(a_send().address_node, channel="email", at=NOON, source="page")
    report = sender.deliver(a_send())
    assert (sender.mailer.sent, report.withheld) == ([], {"opted_out": 1})


def test_a_later_consent_overrules_an_opt_out() -> None:
    sender = Sender()
    sender.ledger.opt_out(a_send().address_node, channel="email", at=CONSENT - timedelta(1), source="page")
    sender.deliver(a_send())
    assert len(sender.mailer.sent) == 1


def test_what_comes_too_late_is_withheld_as_expired() -> None:
    sender = Sender(clock=FixedClock(a_send().not_after + timedelta(seconds=1)))
    report = sender.deliver(a_send())
    assert (sender.mailer.sent, report.withheld) == ([], {"expired": 1})


def test_a_throttled_message_comes_again_and_goes_out_then() -> None:
    sender = Sender(mailer=MemoryMailer([TransientError("throttled")]))
    first = sender.deliver(a_send())
    assert (first.failed, sender.record(a_send()).status) == ({"m0": "not_accepted"}, SendStatus.PENDING)
    assert sender.told() == []
    second = sender.deliver(a_send())
    assert (second.failed, sender.record(a_send()).status) == ({}, SendStatus.SENT)


def test_a_message_whose_answer_was_lost_is_unknown_and_never_sent_again() -> None:
    sender = Sender(mailer=MemoryMailer([UnknownOutcomeError("timeout")]))
    report = sender.deliver(a_send())
    sender.deliver(a_send())
    assert len(sender.mailer.sent) == 1
    assert (report.failed, sender.record(a_send()).status) == ({}, SendStatus.UNKNOWN)
    assert sender.told()[0].name == "Message Outcome Unknown"


def test_a_providers_event_settles_what_was_unknown() -> None:
    sender = Sender(mailer=MemoryMailer([UnknownOutcomeError("timeout")]))
    sender.deliver(a_send())
    sender.told()
    report = sender.deliver(a_proof(a_send()), a_proof(a_send()))
    record = sender.record(a_send())
    assert (record.status, record.provider_id) == (SendStatus.SENT, "ses-7")
    assert [event.name for event in sender.told()] == ["Message Sent"] * 2
    assert report.failed == {}


def test_a_proof_of_what_is_known_says_nothing_new() -> None:
    sender = Sender()
    sender.deliver(a_send())
    sender.told()
    sender.deliver(a_proof(a_send()), a_proof(a_send("never decided")))
    assert sender.told() == []
    assert sender.record(a_send()).provider_id == "provider-1"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(PermanentError("rejected"), "rejected"), (UnsafeContentError("a header"), "unsafe_content")],
)
def test_a_message_refused_for_good_is_withheld(fault: PermanentError, reason: str) -> None:
    sender = Sender(mailer=MemoryMailer([fault]))
    report = sender.deliver(a_send())
    assert (report.failed, report.withheld) == ({}, {reason: 1})


def test_a_message_another_attempt_is_sending_comes_again_and_is_unknown_once_the_lease_is_over() -> None:
    sender = Sender()
    sender.ledger.claim(a_send(), attempt="died", now=NOON)
    assert sender.deliver(a_send()).failed == {"m0": "in_flight"}
    sender.clock.instant = NOON + CLAIM_LEASE
    assert sender.deliver(a_send()).failed == {}
    assert (sender.mailer.sent, sender.record(a_send()).status) == ([], SendStatus.UNKNOWN)


def test_a_line_break_that_a_variable_brings_into_the_subject_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "email" / "hello"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("For {{ city }}")
    (folder / "body.html").write_text("{{ unsubscribe_url }} {{ postal_address }}")
    (folder / "body.txt").write_text("{{ unsubscribe_url }} {{ postal_address }}")
    sender = Sender()
    sender.use_case = SendMessages(
        **{
            **{name: getattr(sender.use_case, name) for name in SendMessages.__slots__},
            "templates": JinjaTemplates(tmp_path),
        }
    )
    report = sender.deliver(a_send(template="hello", variables={"city": "Bath\r\nBcc: victim@example.com"}))
    assert (sender.mailer.sent, report.withheld) == ([], {"unsafe_content": 1})


def test_a_broken_template_goes_to_the_dead_letters_and_leaves_the_key_free() -> None:
    sender = Sender()
    assert sender.deliver(a_send(template="no_such")).failed == {"m0": "template"}
    assert sender.deliver(a_send(variables={})).failed == {}
    assert len(sender.mailer.sent) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "null",
        "[]",
        "{}",
        '{"v":2,"send":{}}',
        '{"v":1}',
        '{"v":1,"send":{"send_key":"x"}}',
        '{"v":1,"send":{"unheard_of":1}}',
        '{"v":1,"resolve":{"address_node":"e_1"}}',
    ],
)
def test_what_nobody_can_read_fails_alone(body: str) -> None:
    sender = Sender()
    report = sender.deliver(body, a_send())
    assert list(report.failed) == ["m0"]
    assert len(sender.mailer.sent) == 1


def test_when_time_runs_out_the_rest_comes_again_unsent() -> None:
    sender = Sender(time_left=1)
    report = sender.deliver(a_send("one"), a_send("two"), a_send("three"))
    assert report.failed == {"m1": "out_of_time", "m2": "out_of_time"}
    assert len(sender.mailer.sent) == 1


def test_when_the_log_does_not_take_the_outcomes_the_batch_comes_again_and_nothing_is_sent_twice() -> None:
    sender = Sender()
    sender.events.available = False
    assert sender.deliver(a_send(), "not JSON").failed == {"m0": "events_queue", "m1": "unreadable"}
    sender.events.available = True
    assert sender.deliver(a_send()).failed == {}
    assert len(sender.mailer.sent) == 1
    assert [event.name for event in sender.told()] == ["Message Sent"]


def test_an_abandoned_cart_is_shown_without_the_strangers_markup_or_links() -> None:
    sender = Sender()
    items = [{**CART["items"][0], "url": "https://evil.example/p"}, *CART["items"][1:]]  # type: ignore[index]
    variables = {**a_send().variables, "cart": {**CART, "items": items}}
    sender.deliver(a_send(template="abandoned_cart", variables=variables))
    (message,) = sender.mailer.sent
    assert "Blue &lt;b&gt;kettle&lt;/b&gt;" in message.html
    assert "evil.example" not in message.html + message.text
    assert "49.98 EUR" in message.text


def test_instants_in_the_log_are_those_of_the_ledger() -> None:
    sender = Sender(clock=FixedClock(NOON + timedelta(minutes=3)))
    sender.deliver(a_send())
    (event,) = sender.told()
    expected: datetime | None = sender.record(a_send()).settled_at
    assert event.timestamp == event.received_at == expected


def test_a_cart_reminder_shows_what_can_be_bought_now() -> None:
    """The catalogue is asked once, when the message is written."""
    sender = Sender()
    sender.catalogue.put("7", a_listing("7", price_minor=3990), expected=0, owner="a")
    sender.catalogue.put("8", a_listing("8", name="Red shoes", stock=0, in_stock=False), expected=0, owner="a")
    line = {"name": "Old name", "quantity": 1, "price_minor": 4990, "url": None, "image_url": None}
    cart = {"items": [line | {"product_id": "7"}, line | {"product_id": "8"}], "value_minor": 9980}
    variables = a_send().variables | {"cart": cart}
    sender.deliver(a_send("cart 1", campaign="abandoned_cart", template="abandoned_cart", variables=variables))
    (message,) = sender.mailer.sent
    for part in (message.html, message.text):
        assert "Purple dress" in part
        assert "39.90 EUR" in part
        assert "Old name" not in part
        assert "Sold out in the meantime: Red shoes." in part
        assert "79.80" not in part
    assert sender.catalogue.asked == [{"7", "8"}]


def test_a_cart_that_is_all_sold_out_is_still_a_whole_message() -> None:
    sender = Sender()
    sender.catalogue.put("8", a_listing("8", name="Red shoes", deleted=True), expected=0, owner="a")
    line = {"product_id": "8", "name": None, "quantity": 1, "price_minor": 1, "url": None, "image_url": None}
    variables = a_send().variables | {"cart": {"items": [line], "value_minor": 1}}
    sender.deliver(a_send(template="abandoned_cart", variables=variables))
    (message,) = sender.mailer.sent
    assert "In your cart" not in message.html
    assert "Sold out in the meantime: Red shoes." in message.text


def test_a_catalogue_that_does_not_answer_lets_the_message_come_again() -> None:
    """Nothing was claimed, so nothing is lost, and the next delivery sends it once."""
    sender = Sender()
    send = a_send(template="abandoned_cart", variables=a_send().variables | {"cart": {**CART, "items": CART_ITEMS}})
    sender.use_case = SendMessages(
        **{**{name: getattr(sender.use_case, name) for name in SendMessages.__slots__}, "catalogue": _Silent()}
    )
    assert list(sender.deliver(send).failed.values()) == ["TransientError"]
    sender.__post_init__()
    assert sender.deliver(send).failed == {}
    assert len(sender.mailer.sent) == 1


CART_ITEMS = [{"product_id": "7", "name": "Tea", "quantity": 1, "price_minor": None, "url": None, "image_url": None}]


class _Silent(MemoryCatalogue):
    def products(self, product_ids: Collection[str]) -> Any:
        raise TransientError(f"no answer about {len(product_ids)}")


def test_a_survey_mail_holds_a_link_for_each_score() -> None:
    """All of one token, which leads to whom the message was sent."""
    sender = Sender()
    sender.deliver(a_send(template="post_purchase_nps"))
    (message,) = sender.mailer.sent
    links = re.findall(r'href="(https://api\.shop\.example/survey\?[^"]+)"', message.html)
    scores = [parse_qs(urlsplit(unescape(link)).query)["score"][0] for link in links]
    tokens = {parse_qs(urlsplit(unescape(link)).query)["t"][0] for link in links}
    assert (scores, len(tokens)) == ([str(score) for score in range(11)], 1)
    invitation = SignedSurveys(SECRETS, "tokens").read(tokens.pop(), now=NOON)
    assert (invitation.address_node, invitation.survey) == (a_send().address_node, "post_purchase")
    assert "https://api.shop.example/survey?t=" in message.text
