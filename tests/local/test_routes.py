"""Paths that end with a slash, as API Gateway's HTTP APIs take them: no route may, requests may."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.local.http_api import HttpApi, Request
from infra.local.template import Stack, TemplateError


def api(*paths: str) -> HttpApi:
    """An API whose routes all lead to one function, which answers with the path that it was given."""
    operation = {"get": {"x-amazon-apigateway-integration": {"uri": {"Fn::Sub": "arn/${Echo.Arn}/invocations"}}}}
    resources: dict[str, Any] = {
        "Echo": {"Type": "AWS::Lambda::Function"},
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Body": {"paths": dict.fromkeys(paths, operation)}},
        },
    }
    stack = cast("Stack", SimpleNamespace(resources=resources))
    return HttpApi(stack, lambda _function, event: event["rawPath"], lambda: datetime.now(UTC))


def test_a_template_with_such_a_route_is_refused_before_aws_refuses_it() -> None:
    with pytest.raises(TemplateError, match="ends with a slash"):
        api("/config/")


def test_a_request_with_a_slash_at_the_end_takes_a_greedy_route_only() -> None:
    assert api("/config").request(Request("GET", "/config/")).status == 404
    assert api("/config", "/config/{rest}").request(Request("GET", "/config/")).status == 404
    greedy = api("/config", "/config/{rest+}")
    assert greedy.request(Request("GET", "/config/")).json() == "/config/"
    assert greedy.request(Request("GET", "/config/a/b")).json() == "/config/a/b"
    assert greedy.route_key("GET", "/config") == "GET /config"
