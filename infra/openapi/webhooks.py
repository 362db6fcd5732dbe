"""The route for events of server-side systems, and what the route for orders says of shop systems."""

from __future__ import annotations

from typing import Any

from infra.openapi.models import Batch, PartialSuccess, Success
from infra.openapi.replies import failures, json_answer

Document = dict[str, Any]
_SCHEMAS = "#/components/schemas/"
SIGNED: list[Document] = [{"orderSignature": [], "orderTimestamp": []}]
SOURCE: Document = {
    "name": "source",
    "in": "path",
    "required": True,
    "description": "The sender, whose secret signs.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
}
SHOPS = (
    "A source called shopify, woocommerce, bigcommerce or stripe (or shopify-anything, ...) takes that system's own "
    "webhooks instead: their headers, their signatures, their bodies, at most 1 MiB, and 200 for whatever was verified."
)


def paths() -> Document:
    """Paths to their operations."""
    return {"/webhooks/events/{source}": {"post": _events()}}


def _events() -> Document:
    return {
        "operationId": "signedEvents",
        "summary": "Calls of a server-side system, signed, so that they are believed",
        "description": "A batch, or one call with its type. At most 500 KiB, and the body may be gzip. A call without "
        "a messageId gets one that is made of the body, so that a repeated request counts once.",
        "security": SIGNED,
        "parameters": [SOURCE],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{Batch.__name__}"}}},
        },
        "responses": {
            "200": json_answer(
                "Stored.", {"anyOf": [{"$ref": f"{_SCHEMAS}{model.__name__}"} for model in (Success, PartialSuccess)]}
            ),
            **failures("400", "401", "404", "413", "503"),
        },
    }
