"""What collect does not store: hits that the shopper does not want, pages that nobody saw, addresses in URLs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from regulars.application.http import HttpReply
from tests.collecting import TRACK, Shop


def success(reply: HttpReply) -> bool:
    return reply.status == 200 and orjson.loads(reply.body) == {"success": True}


@pytest.mark.parametrize("header", [{"sec-gpc": "1"}, {"dnt": "1"}])
def test_a_browser_that_says_no_is_answered_and_not_stored(header: dict[str, str]) -> None:
    shop = Shop()
    reply = shop.post("track", TRACK, **header)
    assert success(reply)
    assert reply.counters == {"EventsRefusedGpc": 1}
    assert shop.queue.messages == []


def consenting(**categories: bool) -> dict[str, Any]:
    return {"context": {"consent": {"categoryPreferences": categories}}}


def test_a_shoppers_own_answer_counts_more_than_the_browsers_setting() -> None:
    shop = Shop()
    gpc = {"sec-gpc": "1"}
    shop.post("track", {**TRACK, **consenting(analytics=True)}, **gpc)
    shop.post(
        "track", {**TRACK, "event": "Consent Updated", "properties": {"channel": "email", "status": "denied"}}, **gpc
    )
    shop.post("identify", {"userId": "u", **consenting(email_marketing=True, analytics=False)}, **gpc)
    assert len(shop.stored()[0]) == 3
    reply = shop.post("track", {**TRACK, **consenting(analytics=False)})
    assert reply.counters == {"EventsRefusedConsent": 1}
    assert shop.queue.messages == []


@pytest.mark.parametrize(
    "header", [{"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x-moz": "prefetch"}]
)
def test_a_page_loaded_ahead_is_no_visit(header: dict[str, str]) -> None:
    shop = Shop()
    reply = shop.post("page", {"userId": "u"}, **header)
    assert success(reply)
    assert reply.counters == {"EventsPrefetched": 1}
    assert shop.pixel("userId=u", **header).status == 200
    assert shop.queue.messages == []


def test_addresses_in_urls_are_masked_before_anything_is_stored() -> None:
    shop = Shop()
    url = "https://shop.example/?email=canary%40example.com&q=x"
    body = {
        **TRACK,
        "properties": {"url": url, "link": url, "products": [{"url": url}], "query": "canary@example.com"},
        "context": {
            "page": {"url": url, "referrer": url, "search": "?email=canary%40example.com"},
            "campaign": {"name": "canary@example.com"},
        },
    }
    shop.post("track", body)
    shop.post("batch", {"batch": [{**body, "event": None}]})
    shop.pixel("event=x&userId=u&url=https%3A%2F%2Fs.example%2F%3Fq%3Dcanary%40example.com", referer=url)
    assert len(shop.queue.messages) == 3
    assert "canary" not in "".join(message.body for message in shop.queue.messages)
