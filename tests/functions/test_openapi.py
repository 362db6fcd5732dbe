"""The published description: up to date, complete, and what the API itself serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema_rs import Draft202012Validator

from infra.local import LocalCloud
from infra.local.http_api import HttpApi
from infra.local.template import Stack
from infra.openapi.__main__ import BUILT, text
from infra.openapi.document import document
from infra.openapi.models import ErrorCode
from tests.collecting import TRACK

ROOT = Path(__file__).parents[2]
DOCUMENT = document()
METHODS = {"get", "head", "post", "options", "put", "patch", "delete"}
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item if method in METHODS]


def test_the_published_file_is_what_the_models_say_now() -> None:
    assert BUILT.read_text(encoding="utf-8") == text(), "run python -m infra.openapi"


def template_routes() -> set[str]:
    """`METHOD /path` of the template's HTTP API."""
    paths = Stack().resources["HttpApi"]["Properties"]["Body"]["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def test_the_description_has_every_route_of_the_template_and_no_other() -> None:
    api = HttpApi(Stack(), lambda _function, _event: None, lambda: None)  # type: ignore[arg-type,return-value] # only routes
    described = set()
    for path, method in OPERATIONS:
        route = api.route_key(method.upper(), path.replace("{source}", "shop"))
        assert route is not None, f"{method} {path} reaches no function"
        described.add(route)
    assert described == template_routes()


def test_the_codes_are_those_of_the_documentation() -> None:
    page = (ROOT / "docs" / "error-codes.md").read_text(encoding="utf-8").partition("## Elsewhere")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)) == {code.value for code in ErrorCode}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_can_be_throttled_and_says_who_may_call_it(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    if method != "options":
        assert "security" in operation
        assert "429" in operation["responses"]


def test_a_refusal_of_ours_says_when_to_come_back_and_the_gateways_does_not() -> None:
    responses = DOCUMENT["components"]["responses"]
    assert "Retry-After" in responses["Unavailable"]["headers"]
    assert "headers" not in responses["Throttled"]


def test_names_of_operations_are_unique() -> None:
    names = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]
    assert len(names) == len(set(names))


def test_schemas_are_json_schema_and_take_what_the_documentation_shows() -> None:
    components = DOCUMENT["components"]
    for name in components["schemas"]:
        Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})
    track = Draft202012Validator({"$ref": "#/components/schemas/Track", "components": components})
    assert track.is_valid(TRACK)
    assert not track.is_valid({**TRACK, "event": 1})


def test_the_api_serves_it_to_every_page_and_lets_browsers_keep_it(cloud: LocalCloud) -> None:
    reply = cloud.request("GET", "/openapi.json", {"origin": "https://docs.example"})
    served: dict[str, Any] = reply.json()
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "max-age" in reply.headers["cache-control"]
    assert served == orjson.loads(text())
    again = cloud.request("GET", "/openapi.json", {"if-none-match": reply.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
