"""API Gateway's HTTP API envelope (payload format 2.0) to and from the use cases' requests and replies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from regulars.application.http import HttpReply, HttpRequest
from regulars.domain.instants import from_millis, truncated

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_SUBJECT = 255  # OpenID Connect Core 1.0, section 2
SAFE_HEADERS = {
    "strict-transport-security": "max-age=31536000",
    "referrer-policy": "no-referrer",
}


def request_of(event: Mapping[str, Any]) -> HttpRequest:
    """The request in an envelope. It was received when the gateway says so (`timeEpoch`), else now.

    The path is without the stage's prefix, where the API is called under its stage's name.
    """
    context = event["requestContext"]
    http = context["http"]
    epoch = context.get("timeEpoch")
    path, stage = event["rawPath"], context.get("stage", "$default")
    return HttpRequest(
        method=http["method"],
        path=path.removeprefix(f"/{stage}") if stage != "$default" else path,
        query=event.get("rawQueryString", ""),
        headers=event.get("headers") or {},
        body=event.get("body"),
        is_base64=bool(event.get("isBase64Encoded")),
        source_ip=http.get("sourceIp", ""),
        request_id=context["requestId"],
        received_at=truncated(datetime.now(UTC)) if epoch is None else from_millis(int(epoch)),
        subject=str(context.get("authorizer", {}).get("jwt", {}).get("claims", {}).get("sub", ""))[:_MAX_SUBJECT],
    )


def reply_doc(reply: HttpReply) -> dict[str, Any]:
    """The reply as API Gateway wants it."""
    return {
        "statusCode": reply.status,
        "headers": {**SAFE_HEADERS, **reply.headers},
        "body": reply.body,
        "isBase64Encoded": reply.is_base64,
    }
