"""HTTP as use cases see it: a request and a reply, without API Gateway's envelope."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from regulars.domain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

JSON_HEADERS = {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. Header names are in lower case; `query` is the raw query string; `body` is text, or base64 of the
    bytes.

    `received_at` is when the gateway took it, `request_id` the gateway's id of it, `source_ip` the peer's address,
    `subject` whom the gateway's authorizer found in a token, where the route has one.
    """

    method: str
    path: str
    received_at: datetime
    request_id: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    is_base64: bool = False
    source_ip: str = ""
    subject: str = ""

    def raw_body(self) -> bytes:
        """The bytes of the body, empty where there is none. Raises BadInputError `bad_body` when they are not
        base64."""
        if not self.body:
            return b""
        if not self.is_base64:
            # A lone surrogate can only come from a hand-made envelope; let the JSON reader refuse it like any bad byte.
            return self.body.encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(self.body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadInputError("bad_body", "the body is flagged as base64 and is not") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """One reply. `body` is text, or base64 of the bytes when `is_base64`. `counters`: metric name to what to add to
    it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    is_base64: bool = False
    counters: Mapping[str, int] = field(default_factory=dict)


def json_reply(
    status: int, document: Mapping[str, object], headers: Mapping[str, str], counters: Mapping[str, int]
) -> HttpReply:
    """A reply with a JSON body."""
    return HttpReply(
        status=status, headers={**JSON_HEADERS, **headers}, body=orjson.dumps(document).decode(), counters=counters
    )


def error_reply(
    status: int, code: str, message: str, headers: Mapping[str, str], counters: Mapping[str, int] | None = None
) -> HttpReply:
    """`{"code", "message", "success": false}`: SDKs read `code` and `message`, and retry for ever where they are
    missing."""
    return json_reply(status, {"code": code, "message": message, "success": False}, headers, counters or {})
