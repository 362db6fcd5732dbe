"""The HTTP API's throttling, as API Gateway does it."""

from __future__ import annotations

from datetime import timedelta

from infra.local import LocalCloud
from infra.local.template import Stack
from infra.local.throttling import Throttle


def test_a_burst_is_let_in_and_then_the_rate(cloud: LocalCloud) -> None:
    """The template lets in 2,000 at once and 1,000 a second of each route: a hundredth of that."""
    cloud.throttle(0.01)
    hits = [cloud.request("GET", "/r.js").status for _ in range(25)]
    assert hits == [200] * 20 + [429] * 5
    refused = cloud.request("GET", "/r.js")
    assert (refused.json(), "retry-after" in refused.headers) == ({"message": "Too Many Requests"}, False)
    assert cloud.request("GET", "/unsubscribe?t=x").status == 400  # another route, another bucket
    cloud.advance(by=timedelta(seconds=1))
    assert [cloud.request("GET", "/r.js").status for _ in range(12)] == [200] * 10 + [429] * 2


def test_routes_with_limits_of_their_own_keep_to_them(cloud: LocalCloud) -> None:
    throttle = Throttle(Stack(), lambda: cloud.now)
    assert [throttle.allows("GET /unsubscribe") for _ in range(101)].count(True) == 100
    assert [throttle.allows("POST /webhooks/orders/{source}") for _ in range(201)].count(True) == 200
