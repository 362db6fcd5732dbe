"""The unsubscribe link: GET asks, POST does, and neither tells strangers anything."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta

import orjson
import pytest

from regulars.adapters.memory.ledger import MemoryLedger
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.memory.system import FixedClock
from regulars.adapters.tokens import SignedTokens
from regulars.application.http import HttpReply, HttpRequest
from regulars.application.unsubscribe_page import UnsubscribePage
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import Event, event_from_doc
from regulars.domain.facts import fact_of
from regulars.domain.sends import Channel, ClaimOutcome, Subscription
from tests.send_samples import NOON, a_send

TOKENS = SignedTokens(MemorySecrets({"tokens": "k" * 32}), "tokens")
ABOUT = Subscription(address_node=a_send().address_node, channel=Channel.EMAIL, send_key=a_send().send_key)
TOKEN = TOKENS.issue(ABOUT)
MULTIPART = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@dataclass
class Site:
    """The unsubscribe function on memory adapters."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    events: MemoryQueue = field(default_factory=MemoryQueue)
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))

    def ask(self, method: str, token: str = TOKEN, body: str | None = None, *, is_base64: bool = False) -> HttpReply:
        """One request."""
        page = UnsubscribePage(
            tokens=TOKENS, opt_outs=self.ledger, events=self.events, clock=self.clock, shop_name="Ann & Bob's"
        )
        return page(
            HttpRequest(
                method=method,
                path="/unsubscribe",
                query=f"t={token}",
                body=body,
                is_base64=is_base64,
                received_at=NOON,
                request_id="r1",
            )
        )

    def opted_out(self) -> bool:
        """Whether the address of ABOUT gets no e-mails any more."""
        return self.ledger.opted_out_at(ABOUT.address_node, channel="email") is not None

    def told(self) -> list[Event]:
        """The events on the queue."""
        return [event_from_doc(doc) for m in self.events.receive() for doc in orjson.loads(m.body)["events"]]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_link_changes_nothing(method: str) -> None:
    site = Site()
    reply = site.ask(method)
    assert reply.status == 200
    assert not site.opted_out()
    assert site.told() == []
    assert ("<form method" in reply.body) == (method == "GET")


@pytest.mark.parametrize(
    ("body", "is_base64", "how"),
    [
        ("List-Unsubscribe=One-Click", False, "one_click"),
        (base64.b64encode(b"List-Unsubscribe=One-Click").decode(), True, "one_click"),
        (MULTIPART, False, "one_click"),
        (None, False, "one_click"),
        ("!!", True, "one_click"),
        ("confirm=page", False, "page"),
        (base64.b64encode(b"confirm=page").decode(), True, "page"),
    ],
)
def test_a_post_unsubscribes_at_once_without_a_redirect(body: str | None, is_base64: bool, how: str) -> None:  # noqa: FBT001
    site = Site()
    reply = site.ask("POST", body=body, is_base64=is_base64)
    (event,) = site.told()
    assert (reply.status, site.opted_out()) == (200, True)
    assert "location" not in reply.headers
    assert site.ledger.claim(a_send(), attempt="one", now=NOON).outcome is ClaimOutcome.OPTED_OUT
    assert event.properties == {
        "address_node": ABOUT.address_node,
        "channel": "email",
        "send_key": ABOUT.send_key,
        "how": how,
    }


def test_the_profile_of_the_address_learns_that_consent_is_denied() -> None:
    site = Site()
    site.ask("POST")
    (event,) = site.told()
    fact = fact_of(event, currency="EUR")
    assert nodes_of(event) == [ABOUT.address_node]
    assert fact is not None
    assert [(consent.channel, consent.status, consent.at) for consent in fact.consents] == [("email", "denied", NOON)]


def test_unsubscribing_again_is_no_error_and_a_later_one_counts() -> None:
    site = Site()
    site.ask("POST")
    site.clock.instant = NOON + timedelta(days=3)
    assert site.ask("POST").status == 200
    assert site.ledger.opted_out_at(ABOUT.address_node, channel="email") == NOON + timedelta(days=3)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["", "x", TOKEN[:-5], TOKEN + "x", "%00", "t" * 5000])
def test_a_link_that_is_not_whole_is_refused_and_changes_nothing(method: str, token: str) -> None:
    site = Site()
    reply = site.ask(method, token)
    assert reply.status == 400
    assert site.told() == []
    assert not site.opted_out()


def test_a_link_about_an_unknown_address_gets_the_same_answer() -> None:
    unknown = TOKENS.issue(Subscription(address_node="e_" + "0" * 32, channel=Channel.EMAIL))
    site = Site()
    site.ledger.claim(a_send(), attempt="one", now=NOON)
    assert site.ask("POST", unknown) == site.ask("POST")
    assert site.ask("GET", unknown).body.replace(unknown, "") == site.ask("GET").body.replace(TOKEN, "")


def test_other_methods_are_not_allowed() -> None:
    reply = Site().ask("DELETE")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, POST")


def test_when_the_queue_is_down_the_opt_out_stands_and_a_repetition_is_asked_for() -> None:
    site = Site()
    site.events.available = False
    reply = site.ask("POST")
    assert (reply.status, reply.headers["retry-after"]) == (503, "30")
    assert site.opted_out()
    site.events.available = True
    assert site.ask("POST").status == 200
    assert len(site.told()) == 1


def test_the_page_lets_nothing_else_in_and_tells_nothing_on() -> None:
    reply = Site().ask("GET")
    style = re.search(r"<style>(.*)</style>", reply.body, re.DOTALL)
    assert style is not None
    allowed = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{allowed}'" in policy
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in reply.body
    assert "style=" not in reply.body
    assert "Ann &amp; Bob&#x27;s" in reply.body


def test_the_page_can_be_read_aloud() -> None:
    body = Site().ask("GET").body
    assert '<html lang="en">' in body
    assert body.count("<h1 ") == 1
    assert "<main>" in body
    assert '<button type="submit"' in body
    assert "<title>Unsubscribe from e-mails? - Ann" in body


def test_the_link_of_a_text_message_is_about_texts() -> None:
    token = TOKENS.issue(Subscription(address_node="p_" + "0" * 32, channel=Channel.SMS))
    assert "text messages" in Site().ask("GET", token).body
