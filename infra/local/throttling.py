"""API Gateway's throttling: a token bucket for each route, as the template's stage sets it.

A bucket holds `ThrottlingBurstLimit` requests and gets `ThrottlingRateLimit` a second
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html). What is over it is answered 429
`{"message":"Too Many Requests"}`, without a Retry-After.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from infra.local.template import Stack


class Throttle:
    """The buckets of one API's stage, full at the beginning."""

    def __init__(self, stack: Stack, now: Callable[[], datetime], *, scale: float = 1.0) -> None:
        """`scale`: how much of the template's limits, for a machine that is slower than Lambda."""
        ((_, stage),) = stack.of_type("AWS::ApiGatewayV2::Stage")
        self._now = now
        self._scale = scale
        self._default: Mapping[str, Any] = stage["DefaultRouteSettings"]
        self._by_route: Mapping[str, Mapping[str, Any]] = stage.get("RouteSettings", {})
        self._buckets: dict[str, tuple[float, datetime]] = {}

    def allows(self, route: str) -> bool:
        """Whether the next request of a route (`POST /v1/{call}`) is let in; takes its token."""
        settings = self._by_route.get(route, self._default)
        capacity = float(settings["ThrottlingBurstLimit"]) * self._scale
        rate = float(settings["ThrottlingRateLimit"]) * self._scale
        now = self._now()
        tokens, then = self._buckets.get(route, (capacity, now))
        tokens = min(capacity, tokens + rate * (now - then).total_seconds())
        allowed = tokens >= 1
        self._buckets[route] = (tokens - 1 if allowed else tokens, now)
        return allowed
