"""The admin API: bad input -> a clear refusal, and nothing is put."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions.bad_input.conftest import Endpoint, Outcome
from tests.functions.bad_input.payloads import NOT_JSON, deep

BASE = "/v1/admin/segments"
RULE: dict[str, Any] = {"count": "orders", "at_least": 1}
DRAFT: dict[str, Any] = {"name": "vip", "rule": RULE}
RANGE = {"from": "2026-11-01", "to": "2026-11-20"}
BAD_SHAPE, BAD_JSON, BAD_PROGRAM = (Outcome(400, code) for code in ("bad_shape", "bad_json", "bad_program"))
NOBODY, BAD_RANGE = Outcome(400, "bad_identifier"), Outcome(400, "bad_range")
UNKNOWN = Outcome(404, "unknown_customer")
NOT_FOUND = Outcome(404, "not_found")


@pytest.fixture(scope="module")
def token(endpoint: Endpoint) -> dict[str, str]:
    return {"authorization": f"Bearer {endpoint.cloud.operator_token()}", "content-type": "application/json"}


PUTS: dict[str, tuple[Any, Outcome]] = {
    **{
        f"{name} instead of JSON": (body, BAD_PROGRAM if "400 digits" in name else BAD_JSON)
        for name, body in NOT_JSON.items()
    },
    "nothing": (b"", BAD_JSON),
    "a key twice": (b'{"rule": {}, "rule": {}}', BAD_JSON),
    "an array": ([RULE], BAD_PROGRAM),
    "null": (b"null", BAD_PROGRAM),
    "no rule": ({}, BAD_PROGRAM),
    "a rule that is text": ({"rule": "orders > 1"}, BAD_PROGRAM),
    "a rule of no kind": ({"rule": {}}, BAD_PROGRAM),
    "an unknown key": ({"rule": RULE, "campaign": "x"}, BAD_PROGRAM),
    "a description that is a number": ({"rule": RULE, "description": 5}, BAD_PROGRAM),
    "another name": ({"rule": RULE, "name": "other"}, BAD_PROGRAM),
    "a number beyond JSON's": (b'{"rule": {"count": "orders", "at_least": 99999999999999999999}}', BAD_PROGRAM),
    "half a character": (b'{"rule": {"field": "traits.x", "equals": "\\ud800"}}', BAD_JSON),
    "a rule in itself": ({"rule": {"segment": "vip"}}, BAD_PROGRAM),
    "too deep": ({"rule": deep(60)}, BAD_PROGRAM),
    "far too deep": (json.dumps({"rule": 1}).encode().replace(b"1", b"[" * 20_000 + b"]" * 20_000), BAD_JSON),
    "over 64 KiB": ({"rule": RULE, "description": "x" * 70_000}, Outcome(400, "too_large")),
}


@pytest.mark.parametrize("row", PUTS)
def test_bad_definitions(endpoint: Endpoint, token: dict[str, str], row: str) -> None:
    body, outcome = PUTS[row]
    assert endpoint.send("PUT", f"{BASE}/vip", token, body) == outcome
    assert endpoint.send("GET", f"{BASE}/vip", token) == Outcome(404, "unknown_segment")


ACTIONS: dict[str, tuple[str, Any, Outcome]] = {
    "a draft without a name": ("validate", {"definition": {"rule": RULE}}, BAD_SHAPE),
    "a draft with a bad name": ("preview", {"definition": {"name": "V I P", "rule": RULE}}, BAD_SHAPE),
    "a draft that is null": ("validate", {"definition": None}, BAD_SHAPE),
    "a bad draft": ("preview", {"definition": {**DRAFT, "rule": {"count": "orders"}}}, BAD_PROGRAM),
    "a sample of everybody": ("preview", {"definition": DRAFT, "sample": 10**6}, BAD_SHAPE),
    "a key that nobody knows": ("preview", {"definition": DRAFT, "limit": 5}, BAD_SHAPE),
    "a customer that is none": ("explain", {"customer": "somebody", "segment": "active"}, NOBODY),
    "a customer that is blocked": ("explain", {"customer": "user:null", "segment": "active"}, NOBODY),
    "a customer that is a number": ("explain", {"customer": 5, "segment": "active"}, BAD_SHAPE),
    "a segment that is none": ("explain", {"customer": "user:a", "segment": "nope"}, Outcome(404, "unknown_segment")),
    "a customer of nobody": ("explain", {"customer": "user:zoe", "segment": "active"}, UNKNOWN),
    "a backtest of nothing": ("backtest", RANGE, BAD_SHAPE),
    "a backtest of two things": ("backtest", {"segment": "active", "definition": DRAFT, **RANGE}, BAD_SHAPE),
    "a backtest of no segment": ("backtest", {"segment": "nope", **RANGE}, Outcome(404, "unknown_segment")),
    "a backtest backwards": (
        "backtest", {"segment": "active", "from": "2026-11-02", "to": "2026-11-01"}, BAD_RANGE,
    ),
    "a backtest by the hour for ever": (
        "backtest", {"segment": "active", "from": "0001-01-01", "to": "9999-12-31", "step": "1h"}, BAD_RANGE,
    ),
    "a backtest in steps of a length beyond time": (
        "backtest", {"segment": "active", "from": "2000-01-01", "to": "2100-12-31", "step": "99999w"}, Outcome(200),
    ),
    "a backtest beyond the calendar": (
        "backtest", {"segment": "active", "from": "0001-01-01", "to": "9999-12-31", "step": "99999w"}, BAD_RANGE,
    ),
    "a step of nothing": ("backtest", {"segment": "active", **RANGE, "step": "0d"}, BAD_SHAPE),
    "a day that is none": ("backtest", {"segment": "active", "from": "2026-02-30", "to": "2026-03-01"}, BAD_SHAPE),
    "a report over a thousand years": ("report", {"days": 365_000}, BAD_SHAPE),
    "a report that is an array": ("report", [], BAD_SHAPE),
    "a body that is no JSON": ("report", b"{", BAD_JSON),
}  # fmt: skip


SCORES: dict[str, tuple[Any, Outcome]] = {
    "no such field": ({"by": "age"}, Outcome(400, "bad_field")),
    "a field that makes no groups": ({"by": "orders.revenue"}, Outcome(400, "bad_field")),
    "a field that is a path": ({"by": "traits.../../x"}, Outcome(400, "bad_field")),
    "a field that is a number": ({"by": 5}, BAD_SHAPE),
    "a field that is far too long": ({"by": "traits." + "x" * 9_000}, BAD_SHAPE),
    "an unknown key": ({"with": "traits.age"}, BAD_SHAPE),
    "an array": ([], BAD_SHAPE),
    "half of a document": (b"{", BAD_JSON),
}


@pytest.mark.parametrize("row", SCORES)
def test_bad_requests_for_scores(endpoint: Endpoint, token: dict[str, str], row: str) -> None:
    body, outcome = SCORES[row]
    assert endpoint.send("POST", "/v1/admin/scores/report", token, body) == outcome


SCORES_OF: dict[str, tuple[Any, Outcome]] = {
    "nobody": ({}, BAD_SHAPE),
    "nothing": (b"", BAD_SHAPE),
    "a customer that is none": ({"customer": "somebody"}, NOBODY),
    "a customer that is blocked": ({"customer": "user:null"}, NOBODY),
    "a customer that is a number": ({"customer": 5}, BAD_SHAPE),
    "a customer that is empty": ({"customer": ""}, BAD_SHAPE),
    "a customer that is far too long": ({"customer": "user:" + "x" * 9_000}, BAD_SHAPE),
    "a customer of whom nothing is known": ({"customer": "user:zoe"}, UNKNOWN),
    "an unknown key": ({"customer": "user:a", "score": "churn_probability"}, BAD_SHAPE),
    "an array": (["user:a"], BAD_SHAPE),
    "half of a document": (b"{", BAD_JSON),
}


@pytest.mark.parametrize("row", SCORES_OF)
def test_bad_requests_for_somebodys_scores(endpoint: Endpoint, token: dict[str, str], row: str) -> None:
    body, outcome = SCORES_OF[row]
    assert endpoint.send("POST", "/v1/admin/scores/explain", token, body) == outcome


@pytest.mark.parametrize("row", ACTIONS)
def test_bad_requests(endpoint: Endpoint, token: dict[str, str], row: str) -> None:
    action, body, outcome = ACTIONS[row]
    assert endpoint.send("POST", f"{BASE}/{action}", token, body) == outcome


PATHS: dict[str, tuple[str, str, dict[str, str], Outcome]] = {
    "a name in capitals": ("GET", "/VIP", {}, NOT_FOUND),
    "a name that is a path": ("GET", "/%2e%2e", {}, NOT_FOUND),
    "a name that is an object's": ("GET", "/in-force", {}, NOT_FOUND),
    "a name with a NUL": ("PUT", "/vip%00", {}, NOT_FOUND),
    "a version that is no number": ("GET", "/active?version=x", {}, Outcome(400, "bad_query")),
    "an empty version": ("GET", "/active?version=", {}, Outcome(400, "bad_query")),
    "a version in other digits": ("GET", "/active?version=%D9%A1", {}, Outcome(400, "bad_query")),
    "a version of no definition": ("GET", "/active?version=1", {}, Outcome(404, "unknown_version")),
    "a program that is none": ("GET", "/active?program_version=../x", {}, Outcome(400, "bad_query")),
    "a query that is none": ("GET", "/active?version", {}, Outcome(400, "bad_query")),
    "an ETag of somebody else": ("PUT", "/fresh", {"if-match": 'W/"x"'}, Outcome(412, "precondition_failed")),
    "a withdrawal of the files'": ("DELETE", "/active", {}, Outcome(409, "name_taken")),
    "a withdrawal of nothing": ("DELETE", "/nope", {}, Outcome(404, "unknown_segment")),
    "POST to a segment": ("POST", "/vip", {}, Outcome(404)),
    "PATCH of a segment": ("PATCH", "/vip", {}, Outcome(404)),
}


@pytest.mark.parametrize("row", PATHS)
def test_bad_paths_and_headers(endpoint: Endpoint, token: dict[str, str], row: str) -> None:
    method, path, headers, outcome = PATHS[row]
    body = {"rule": RULE} if method == "PUT" else b""
    assert endpoint.send(method, f"{BASE}{path}", token | headers, body) == outcome
