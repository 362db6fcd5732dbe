"""Paths, methods and sizes: what the gateway answers itself, and what the functions would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functions.bad_input.conftest import Endpoint, Outcome

EVENTS = Path(__file__).parents[3] / "events"
NOT_ROUTED = Outcome(404)
ROUTES: dict[str, tuple[str, str, Outcome]] = {
    **{
        f"{method} of a call": (method, "/v1/track", NOT_ROUTED)
        for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE")
    },
    **{f"{method} of the pixel": (method, "/p.gif", NOT_ROUTED) for method in ("POST", "TRACE", "DELETE")},
    **{f"{method} of an order": (method, "/webhooks/orders/shop", NOT_ROUTED) for method in ("GET", "PUT", "HEAD")},
    **{f"{method} of a link": (method, "/unsubscribe", NOT_ROUTED) for method in ("PUT", "DELETE", "TRACE")},
    **{f"{method} of a survey": (method, "/survey", NOT_ROUTED) for method in ("PUT", "DELETE", "TRACE")},
    "GET of a survey's call": ("GET", "/v1/survey", NOT_ROUTED),
    "the root": ("GET", "/", NOT_ROUTED),
    "a path above": ("GET", "/v1/../r.js", NOT_ROUTED),
    "a path in a path": ("POST", "/v1/track/more", NOT_ROUTED),
    "a call with a slash": ("POST", "/v1/", NOT_ROUTED),
    "an encoded slash": ("POST", "/v1%2Ftrack", Outcome(401, "unauthorized")),  # decoded before it is routed
    "a call that is none": ("POST", "/v1/__proto__", Outcome(404, "not_found")),
    "a call in capitals": ("POST", "/v1/Track", Outcome(404, "not_found")),
    "a NUL": ("POST", "/v1/track%00", Outcome(404, "not_found")),
    "another path of Snowplow": ("POST", "/com.snowplowanalytics.snowplow/tp1", NOT_ROUTED),
    "POST of Snowplow's pixel": ("POST", "/i", NOT_ROUTED),
    "settings of no key": ("GET", "/v1/projects//settings", NOT_ROUTED),
    "settings of an unknown key": ("GET", "/v1/projects/nobody/settings", Outcome(401, "unauthorized")),
    "settings of a key that is a path": ("GET", "/v1/projects/a%2Fb/settings", NOT_ROUTED),
    "Rudder's settings of nobody": ("GET", "/sourceConfig/", Outcome(401, "unauthorized")),
    "Rudder's settings of an unknown key": ("GET", "/sourceConfig?writeKey=nobody", Outcome(401, "unauthorized")),
    "the library of an unknown key": ("GET", "/analytics.js/v1/nobody/analytics.min.js", Outcome(200)),
    "another file beside the library": ("GET", "/analytics.js/v1/nobody/handler.py", NOT_ROUTED),
    "a call of Jitsu's that is none": ("POST", "/api/s/teleport", Outcome(404, "not_found")),
    "no source": ("POST", "/webhooks/orders/", NOT_ROUTED),
    "other files": ("GET", "/handler.py", NOT_ROUTED),
}


@pytest.mark.parametrize("row", ROUTES)
def test_paths_and_methods(endpoint: Endpoint, row: str) -> None:
    method, path, outcome = ROUTES[row]
    assert endpoint.send(method, path, body=b"{}") == outcome


@pytest.mark.parametrize("path", ["/v1/track", "/webhooks/orders/shop", "/unsubscribe?t=x", "/survey?t=x"])
def test_a_body_over_the_gateways_limit(endpoint: Endpoint, path: str) -> None:
    assert endpoint.send("POST", path, body=b" " * (10 * 1024 * 1024 + 1)) == Outcome(413)


METHODS = [
    ("collect", "track", "DELETE", "POST, OPTIONS"),
    ("collect", "track", "TRACE", "POST, OPTIONS"),
    ("collect", "pixel", "POST", "GET, HEAD, OPTIONS"),
    ("collect", "snippet", "PUT", "GET, HEAD, OPTIONS"),
    ("receive_orders", "paid", "GET", "POST"),
    ("unsubscribe", "page", "DELETE", "GET, HEAD, POST"),
    ("survey", "page", "DELETE", "GET, HEAD, POST"),
]


@pytest.mark.parametrize(("function", "sample", "method", "allowed"), METHODS)
def test_methods_that_another_route_could_bring(
    endpoint: Endpoint, function: str, sample: str, method: str, allowed: str
) -> None:
    event: dict[str, Any] = json.loads((EVENTS / function / f"{sample}.json").read_text())
    event["requestContext"]["http"]["method"] = method
    reply = endpoint.cloud.invoke(function, event)
    assert (reply["statusCode"], reply["headers"]["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("function", "sample", "status"),
    [("collect", "track", 400), ("receive_orders", "paid", 401), ("unsubscribe", "one_click", 200)],
)
def test_a_body_that_is_not_the_base64_it_is_flagged_as(
    endpoint: Endpoint, function: str, sample: str, status: int
) -> None:
    """An order's signature is over bytes, and there are none; one-click unsubscribing ignores its body."""
    event: dict[str, Any] = json.loads((EVENTS / function / f"{sample}.json").read_text())
    event.update(body="\u00e9", isBase64Encoded=True)
    assert endpoint.cloud.invoke(function, event)["statusCode"] == status
