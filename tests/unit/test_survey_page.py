"""The survey link: GET asks, POST records, and one showing of the page gives an answer once."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import pytest

from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.tokens import SignedSurveys, SignedTokens
from regulars.application.http import HttpReply, HttpRequest
from regulars.application.survey_links import SurveyLinks
from regulars.application.survey_page import SurveyPage
from regulars.application.survey_texts import TEXTS, language_of
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import Event, Trust, event_from_doc
from regulars.domain.facts import fact_of
from regulars.domain.sends import Channel, Subscription, TemplateError
from regulars.domain.surveys import LINK_LASTS, Invitation, SurveyKind
from tests.send_samples import EMAIL, NOON, a_send

SECRETS = MemorySecrets({"tokens": "k" * 32})
TOKENS = SignedSurveys(SECRETS, "tokens")
SEND = a_send()


def invited(kind: SurveyKind = SurveyKind.NPS, **changes: Any) -> Invitation:
    given = Invitation(
        address_node=SEND.address_node,
        survey="delivery",
        kind=kind,
        send_key=SEND.send_key,
        expires_at=NOON + timedelta(days=1),
    )
    return replace(given, **changes)


TOKEN = TOKENS.issue(invited())


@dataclass
class Site:
    """The survey function on memory adapters."""

    events: MemoryQueue = field(default_factory=MemoryQueue)
    language: str = "en"
    now = NOON

    def ask(self, method: str = "GET", token: str = TOKEN, query: str = "", **form: str) -> HttpReply:
        """One request; `form` are the fields of the body."""
        return self.send(method, f"t={token}{query}", urlencode(form))

    def send(self, method: str, query: str, body: str | None, *, is_base64: bool = False) -> HttpReply:
        page = SurveyPage(tokens=TOKENS, events=self.events, shop_name="Ann & Bob's")
        headers = {"accept-language": self.language}
        return page(
            HttpRequest(
                method=method, path="/survey", query=query, headers=headers, body=body, is_base64=is_base64,
                received_at=self.now, request_id="r1",
            )
        )  # fmt: skip

    def answers(self) -> list[Event]:
        """What has been told to the events queue."""
        bodies = [orjson.loads(message.body) for message in self.events.messages]
        return [event_from_doc(doc) for body in bodies for doc in body["events"]]


class Page(HTMLParser):
    """A page taken apart. Raises where a tag is closed that was not open."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """Attributes of the elements of this tag that have these."""
        return [given for name, given in self.elements if name == tag and wanted.items() <= given.items()]


def chosen(reply: HttpReply) -> list[str | None]:
    return [radio["value"] for radio in Page(reply.body).all("input", type="radio") if "checked" in radio]


def test_looking_at_the_page_records_nothing() -> None:
    """Scanners and previews follow every link, with a score in it, too."""
    site = Site()
    for method in ("GET", "HEAD"):
        reply = site.ask(method, query="&score=10&comment=x", score="10")
        assert reply.status == 200
    assert site.ask("HEAD").body == ""
    assert site.answers() == []


@pytest.mark.parametrize(
    ("kind", "scores"), [("nps", range(11)), ("csat", range(1, 6)), ("ces", range(1, 8))], ids=["nps", "csat", "ces"]
)
def test_the_score_that_was_clicked_is_chosen(kind: str, scores: range) -> None:
    site, token = Site(), TOKENS.issue(invited(SurveyKind(kind)))
    page = Page(site.ask(token=token).body)
    assert [radio["value"] for radio in page.all("input", type="radio")] == [str(score) for score in scores]
    for score in scores:
        assert chosen(site.ask(token=token, query=f"&score={score}")) == [str(score)]
    for other in ("-1", "99", "ten", "", "%22%3E%3Cscript%3E"):
        assert chosen(site.ask(token=token, query=f"&score={other}")) == []


def test_an_answer_is_recorded_for_the_address_that_was_asked() -> None:
    site = Site()
    reply = site.ask("POST", score="9", comment="Fast &\r\nfriendly <b>", o="1795351200000")
    assert (reply.status, reply.counters) == (200, {"SurveyAnswers": 1})
    assert "Thank you" in reply.body
    (event,) = site.answers()
    assert (event.name, event.trust, event.timestamp) == ("Survey Answered", Trust.SYSTEM, NOON)
    assert event.properties == {
        "survey": "delivery", "kind": "nps", "score": 9, "comment": "Fast &\nfriendly <b>",
        "address_node": SEND.address_node, "send_key": SEND.send_key,
    }  # fmt: skip
    assert nodes_of(event) == [SEND.address_node]
    fact = fact_of(event, currency="EUR")
    assert fact is not None
    assert (fact.traits["nps_score"], fact.traits["nps_group"]) == (9, "promoter")


def test_one_showing_of_the_page_gives_the_same_answer_once() -> None:
    """A double click, a reload, a retry a minute later: one event id, one payload. Another answer is another event."""
    site = Site()
    for minutes in (0, 1):
        site.now = NOON + timedelta(minutes=minutes)
        site.ask("POST", score="9", o="1")
    site.ask("POST", score="3", o="1")
    site.ask("POST", score="9", o="2")
    site.ask("POST", score="9", comment="!", o="1")
    events = site.answers()
    assert events[0].event_id == events[1].event_id
    assert events[0].payload_hash == events[1].payload_hash
    assert len({event.event_id for event in events}) == 4


def test_every_showing_is_an_occasion_of_its_own() -> None:
    site = Site()
    (first,) = Page(site.ask().body).all("input", name="o")
    site.now = NOON + timedelta(seconds=1)
    (second,) = Page(site.ask().body).all("input", name="o")
    assert first["value"] != second["value"]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({}, "Please choose a number first."),
        ({"score": ""}, "Please choose a number first."),
        ({"score": "11"}, "Please choose a number first."),
        ({"score": "9", "comment": "x" * 2_001}, "Please write at most 2,000 characters."),
    ],
)
def test_a_mistake_brings_the_question_back_and_keeps_what_was_written(form: dict[str, str], says: str) -> None:
    site = Site()
    reply = site.ask("POST", **{"comment": "Half <b>a thought", **form})
    page = Page(reply.body)
    assert (reply.status, site.answers()) == (400, [])
    assert page.all("p", role="alert", id="problem")
    assert says in page.words
    assert page.all("fieldset", **{"aria-describedby": "problem"})
    assert ("Half <b>a thought" in page.words) or "comment" in form


@pytest.mark.parametrize(
    ("body", "is_base64"),
    [
        ("not base64!", True),
        ("\ud800", False),
        ("score=%ff%fe", False),
        ("&" * 100, False),
        ("score=9" * 20_000, False),
    ],
    ids=["no base64", "half a character", "bytes", "many fields", "too long"],
)
def test_a_body_that_is_no_form_is_no_answer(body: str, is_base64: bool) -> None:  # noqa: FBT001
    site = Site()
    assert site.send("POST", f"t={TOKEN}", body, is_base64=is_base64).status == 400
    assert site.answers() == []


def test_an_occasion_that_the_page_did_not_make_is_none() -> None:
    site = Site()
    for strange in ("", "-1", "1" * 17, "<script>", "\u0661"):
        site.ask("POST", score="9", o=strange)
    assert len({event.event_id for event in site.answers()}) == 1


def test_a_link_is_good_for_its_time_and_not_longer() -> None:
    site = Site()
    site.now = NOON + timedelta(days=1) - timedelta(milliseconds=1)
    assert site.ask().status == 200
    site.now = NOON + timedelta(days=1)
    for method in ("GET", "POST"):
        reply = site.ask(method, score="9")
        assert (reply.status, reply.counters) == (410, {"SurveyLinksExpired": 1})
    assert site.answers() == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_links_that_were_not_made_here_say_nothing(method: str) -> None:
    """Not one of an unsubscribe link either, though it is signed with the same secret."""
    site = Site()
    other = SignedTokens(SECRETS, "tokens").issue(Subscription(address_node=SEND.address_node, channel=Channel.EMAIL))
    foreign = SignedSurveys(MemorySecrets({"tokens": "guess"}), "tokens").issue(invited())
    pages = {site.ask(method, token, score="9").body for token in ("", TOKEN[:-1], other, foreign, "%00", "t" * 5_000)}
    assert len(pages) == 1
    assert site.ask(method, other).status == 400
    assert site.answers() == []


def test_a_queue_that_is_down_asks_for_another_try() -> None:
    site = Site()
    site.events.available = False
    reply = site.ask("POST", score="9", o="1")
    assert (reply.status, reply.headers["retry-after"]) == (503, "30")
    assert site.ask("DELETE").status == 405
    assert site.ask("DELETE").headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("kind", SurveyKind)
def test_the_page_can_be_used_by_keyboard_and_read_aloud(language: str, kind: SurveyKind) -> None:
    site = Site(language=language)
    reply = site.ask(token=TOKENS.issue(invited(kind)))
    page = Page(reply.body)
    assert page.all("html", lang=language)
    assert len(page.all("h1", id="title")) == len(page.all("main")) == len(page.all("button", type="submit")) == 1
    (fieldset,) = page.all("fieldset")
    assert fieldset["aria-labelledby"] == "title ends"
    assert page.all("legend", id="ends")
    (area,) = page.all("textarea")
    assert page.all("label", **{"for": str(area["id"])})
    assert all("required" in radio for radio in page.all("input", type="radio"))
    (form,) = page.all("form")
    assert (form["method"], urlsplit(str(form["action"])).path) == ("post", "")
    assert "Ann & Bob's" in page.words
    assert "{" not in page.words.partition("</style>")[2]


def test_the_page_lets_nothing_else_in() -> None:
    reply = Site().ask()
    style = re.search(r"<style>(.*)</style>", reply.body, re.DOTALL)
    assert style is not None
    allowed = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = reply.headers["content-security-policy"]
    assert f"default-src 'none'; style-src 'sha256-{allowed}'" in policy
    assert "unsafe" not in policy
    assert reply.headers["cache-control"] == "no-store"
    assert "<script" not in reply.body
    assert "style=" not in reply.body


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,de;q=0.9", "de"), ("fr, de;q=0.7, en;q=0.8", "en"), ("de;q=0, en", "en"),
        ("DE", "de"), ("fr", "en"), ("*", "en"), ("de;q=x", "en"), ("en;q=0.1,de;q=0.2", "de"), (";;;,,=", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_browsers(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_all_languages_have_all_texts() -> None:
    for texts in TEXTS.values():
        assert set(texts.questions) == set(texts.ends) == set(SurveyKind)


def test_a_templates_link_leads_to_the_page_with_the_score() -> None:
    """And is the same for each score but for the score; it holds no address."""
    links = SurveyLinks(SEND, tokens=TOKENS, public_url="https://api.shop.example/")
    nine = links("delivery", "nps", 9)
    assert nine == links("delivery") + "&score=9"
    assert nine.startswith("https://api.shop.example/survey?t=")
    assert EMAIL.split("@")[0] not in nine
    token = links.tokens_issued[0]
    assert len(links.tokens_issued) == 1
    found = TOKENS.read(token, now=NOON)
    assert found == invited(expires_at=SEND.decided_at + LINK_LASTS)
    assert chosen(Site().send("GET", urlsplit(nine).query, None)) == ["9"]


@pytest.mark.parametrize("arguments", [("Delivery!",), ("delivery", "stars"), ("delivery", "nps", 11)])
def test_a_template_that_asks_for_no_survey_is_mended(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TemplateError):
        SurveyLinks(SEND, tokens=TOKENS, public_url="https://a")(*arguments)
