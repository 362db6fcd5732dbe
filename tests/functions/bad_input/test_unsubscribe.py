"""GET and POST /unsubscribe: bad input -> answer, opt-out or none."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import pytest

from infra.local import LocalCloud
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.adapters.tokens import SignedTokens
from regulars.domain.sends import Channel, Subscription
from tests.credentials import ADDRESS_NODE, unsubscribe_token

ABOUT = Subscription(address_node=ADDRESS_NODE, channel=Channel.EMAIL)


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud() as fresh:
        yield fresh


def opted_out(cloud: LocalCloud, node: str = ADDRESS_NODE) -> bool:
    key = {"pk": {"S": node}, "sk": {"S": "OPTOUT#email"}}
    return "Item" in cloud.client("dynamodb").get_item(TableName=cloud.table_name, Key=key)


def bad_tokens(cloud: LocalCloud) -> dict[str, str]:
    """By what is wrong with them."""
    token = unsubscribe_token(cloud)
    payload, signature = token.rsplit(".", 1)
    secrets = MemorySecrets({"tokens": cloud.secret("tokens")})
    swapped = SignedTokens(secrets, "tokens").issue(Subscription(address_node="e_" + "1" * 32, channel=Channel.EMAIL))
    return {
        "none": "",
        "cut off": token[:-5],
        "longer": token + "x",
        "without its signature": payload,
        "with another's signature": f"{payload}.{swapped.rsplit('.', 1)[1]}",
        "with another's payload": f"{swapped.rsplit('.', 1)[0]}.{signature}",
        "of another key": SignedTokens(MemorySecrets({"tokens": "guess"}), "tokens").issue(ABOUT),
        "of another purpose": SignedTokens(secrets, "tokens", purpose="regulars.click.1").issue(ABOUT),
        "twice": f"{token},{token}",
        "a NUL": "%00",
        "bytes": "%ff%fe",
        "two lines": "a%0d%0aSet-Cookie:%20a=b",
        "5,000 characters": "t" * 5_000,
        "markup": "%3Cscript%3Ealert(1)%3C/script%3E",
        "a path": "../../etc/passwd",
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bad_links(cloud: LocalCloud, method: str) -> None:
    """400 with the same page for all, which tells nothing and repeats nothing; nothing is written."""
    pages = set()
    for name, token in bad_tokens(cloud).items():
        reply = cloud.request(
            method, f"/unsubscribe?t={token}", {}, b"List-Unsubscribe=One-Click" if method == "POST" else b""
        )
        assert reply.status == 400, name
        assert "set-cookie" not in reply.headers
        pages.add(reply.body)
    assert len(pages) == 1
    assert not opted_out(cloud)
    assert cloud.queue("events") == []


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "Mozilla/5.0 (compatible; SafeLinks)"},
        {"sec-purpose": "prefetch"},
        {"x-http-method-override": "POST"},
        {"content-type": "application/x-www-form-urlencoded"},
    ],
)
def test_whoever_only_looks_changes_nothing(cloud: LocalCloud, headers: dict[str, str]) -> None:
    """Scanners and previews follow every link (RFC 8058, section 1)."""
    path = f"/unsubscribe?t={unsubscribe_token(cloud)}"
    for query in ("", "&confirm=page", "&List-Unsubscribe=One-Click"):
        assert cloud.request("GET", path + query, headers, b"List-Unsubscribe=One-Click").status == 200
    assert not opted_out(cloud)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n--b--\r\n'),
        ("application/json", b"{"),
        ("text/plain", b"\xff\xfe"),
        ("application/octet-stream", b"\x00" * 100_000),
        ("", b""),
    ],
)
def test_one_click_is_obeyed_whatever_the_body(cloud: LocalCloud, content_type: str, body: bytes) -> None:
    """At once, without a redirect or a cookie, and once is as good as twice."""
    node = "e_" + sha256(body).hexdigest()[:32]
    path = f"/unsubscribe?t={unsubscribe_token(cloud, node)}"
    assert not opted_out(cloud, node)
    for _time in range(2):
        reply = cloud.request("POST", path, {"content-type": content_type}, body)
        assert (reply.status, "location" in reply.headers, reply.cookies) == (200, False, ())
        assert opted_out(cloud, node)


def test_nobody_learns_whether_an_address_is_known(cloud: LocalCloud) -> None:
    secrets = MemorySecrets({"tokens": cloud.secret("tokens")})
    stranger = SignedTokens(secrets, "tokens").issue(Subscription(address_node="e_" + "9" * 32, channel=Channel.EMAIL))
    known = unsubscribe_token(cloud)
    pages = [cloud.request("GET", f"/unsubscribe?t={token}").text.replace(token, "") for token in (stranger, known)]
    assert pages[0] == pages[1]
