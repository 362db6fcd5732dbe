"""GET and POST /survey: bad input -> answer, event or none."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import orjson
import pytest

from tests.credentials import survey_token, unsubscribe_token
from tests.functions.bad_input.conftest import Endpoint, Outcome

FORM = {"content-type": "application/x-www-form-urlencoded"}
SAID = "A word about her legs"


def bad_tokens(endpoint: Endpoint) -> dict[str, str]:
    """By what is wrong with them."""
    token = survey_token(endpoint.cloud)
    payload, signature = token.rsplit(".", 1)
    other = survey_token(endpoint.cloud, node="e_" + "1" * 32)
    return {
        "none": "",
        "cut off": token[:-5],
        "longer": token + "x",
        "without its signature": payload,
        "with another's payload": f"{other.rsplit('.', 1)[0]}.{signature}",
        "of an unsubscribe link": unsubscribe_token(endpoint.cloud),
        "twice": f"{token},{token}",
        "a NUL": "%00",
        "bytes": "%ff%fe",
        "two lines": "a%0d%0aSet-Cookie:%20a=b",
        "5,000 characters": "t" * 5_000,
        "markup": "%3Cscript%3Ealert(1)%3C/script%3E",
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bad_links(endpoint: Endpoint, method: str) -> None:
    """400 with the same page for all, which repeats nothing; nothing is stored."""
    pages = set()
    for name, token in bad_tokens(endpoint).items():
        path = f"/survey?t={token}"
        assert endpoint.send(method, path, FORM, b"score=9") == Outcome(400), name
        pages.add(endpoint.cloud.request(method, path, FORM, b"score=9").body)
    assert len(pages) == 1


ANSWERS: dict[str, tuple[bytes, int, int]] = {
    "a score": (b"score=9&o=1", 200, 1),
    "a score and words": (b"score=0&comment=caf%C3%A9&o=2", 200, 1),
    "no body": (b"", 400, 0),
    "no score": (b"comment=x", 400, 0),
    "beyond the scale": (b"score=11", 400, 0),
    "below the scale": (b"score=-1", 400, 0),
    "a score in words": (b"score=nine", 400, 0),
    "two scores, of which the first counts": (b"score=99&score=9", 400, 0),
    "5,000 digits": (b"score=" + b"9" * 5_000, 400, 0),
    "half a byte": (b"score=%f", 400, 0),
    "no UTF-8 in the words": (b"score=9&comment=%ff%fe&o=3", 200, 1),
    "controls in the words": (b"score=9&comment=%00%1b%5b31m&o=4", 200, 1),
    "markup in the words": (b"score=9&comment=%3Cscript%3E&o=5", 200, 1),
    "2,001 characters": (b"score=9&comment=" + b"x" * 2_001, 400, 0),
    "70 KB": (b"score=9&comment=" + b"x" * 70_000, 400, 0),
    "a thousand fields": (b"&".join(b"a%d=1" % n for n in range(1_000)), 400, 0),
    "JSON": (b'{"score": 9}', 400, 0),
    "another's occasion": (b"score=9&o=%3Cscript%3E", 200, 1),
}


@pytest.mark.parametrize("row", ANSWERS)
def test_answers(endpoint: Endpoint, row: str) -> None:
    """Recorded, or asked again; nothing that was sent comes back as markup."""
    body, status, stored = ANSWERS[row]
    path = f"/survey?t={survey_token(endpoint.cloud)}"
    assert endpoint.send("POST", path, FORM, body) == Outcome(status, events=stored)
    assert "<script" not in endpoint.cloud.request("POST", path, FORM, body).text


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "Mozilla/5.0 (compatible; SafeLinks)"},
        {"sec-purpose": "prefetch"},
        {"x-http-method-override": "POST"},
        FORM,
    ],
)
def test_whoever_only_looks_answers_nothing(endpoint: Endpoint, headers: dict[str, str]) -> None:
    path = f"/survey?t={survey_token(endpoint.cloud)}"
    for query in ("", "&score=10", "&score=10&comment=x&o=1"):
        assert endpoint.send("GET", path + query, headers, b"score=10") == Outcome(200)


def test_an_old_link_is_over(endpoint: Endpoint) -> None:
    path = f"/survey?t={survey_token(endpoint.cloud, lasts=timedelta(0))}"
    for method in ("GET", "POST"):
        assert endpoint.send(method, path, FORM, b"score=9") == Outcome(410)


def test_what_was_said_is_in_no_log(endpoint: Endpoint) -> None:
    """Nor the link that says who said it."""
    cloud, token = endpoint.cloud, survey_token(endpoint.cloud)
    body = urlencode({"score": "9", "comment": SAID}).encode()
    assert cloud.request("POST", f"/survey?t={token}", FORM, body).status == 200
    said = {"survey": "a", "kind": "nps", "score": 99, "comment": SAID, "userId": "u", "writeKey": "dev-write-key"}
    assert cloud.request("POST", "/v1/survey", {}, orjson.dumps(said)).status == 400
    cloud.settle()
    log = "\n".join(cloud.log)
    assert '"SurveyAnswers"' in log
    for secret in (SAID, SAID.replace(" ", "+"), token[:40]):
        assert secret not in log
