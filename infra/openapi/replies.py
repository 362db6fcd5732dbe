"""Answers of the HTTP API, as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

from infra.openapi.models import Error, GatewayError

Document = dict[str, Any]

_TEXT = {"type": "string"}
_COUNT = {"type": "string", "pattern": "^[0-9]+$"}
_ERROR = {"$ref": f"#/components/schemas/{Error.__name__}"}
_GATEWAY = {"$ref": f"#/components/schemas/{GatewayError.__name__}"}
_JSON = "application/json"
_NAMES = {
    "400": "Malformed",
    "401": "Unauthorized",
    "403": "OriginRefused",
    "404": "NotFound",
    "413": "BodyTooLarge",
    "414": "QueryTooLong",
    "429": "Throttled",
    "503": "Unavailable",
}

SAFE: Document = {
    "Strict-Transport-Security": {"required": True, "schema": _TEXT},
    "Cache-Control": {"required": True, "schema": _TEXT},
    "Retry-After": {"required": True, "description": "Seconds to wait.", "schema": _COUNT},
}
"""Headers that answers name by reference."""
ETAG: Document = {"ETag": {"required": True, "schema": _TEXT}}


def _headers(*names: str) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


_OURS = _headers("Strict-Transport-Security", "Cache-Control")


def json_answer(description: str, schema: Document) -> Document:
    """A JSON answer of a function."""
    return {"description": description, "headers": _OURS, "content": {_JSON: {"schema": schema}}}


def empty(description: str) -> Document:
    """An answer without a body."""
    return {"description": description}


def image() -> Document:
    """The pixel."""
    return {
        "description": "A transparent image, whatever became of the event.",
        "headers": _OURS,
        "content": {"image/gif": {"schema": {"type": "string", "contentMediaType": "image/gif", "maxLength": 43}}},
    }


def file(content_type: str) -> Document:
    """A static file."""
    return {
        "description": "Kept for an hour, then asked for by its ETag.",
        "headers": _headers("Strict-Transport-Security", "Cache-Control", "ETag"),
        "content": {content_type: {"schema": {} if content_type == _JSON else _TEXT}},
    }


HTML: Document = {"$ref": "#/components/responses/Page"}
_PAGE: Document = {
    "description": "A page that says so.",
    "headers": _OURS,
    "content": {"text/html; charset=utf-8": {"schema": _TEXT}},
}

_UNAVAILABLE = {
    "description": "Not stored: send it again after Retry-After seconds. Without that header it is the gateway's.",
    "content": {_JSON: {"schema": {"anyOf": [_ERROR, _GATEWAY]}}},
}
_FAILURES: Document = {
    "400": json_answer(
        "Malformed, and kept as a bad row when the sender is known. Sending it again does not help.", _ERROR
    ),
    "401": json_answer("The write key or the signature is missing or wrong.", _ERROR),
    "403": json_answer("This page may not send events.", _ERROR),
    "404": {"description": "There is nothing here.", "content": {_JSON: {"schema": {"anyOf": [_ERROR, _GATEWAY]}}}},
    "413": {"description": "Over 10 MB; the gateway's.", "content": {_JSON: {"schema": _GATEWAY}}},
    "414": {"description": "The query is too long; the gateway's.", "content": {_JSON: {"schema": _GATEWAY}}},
    "429": {
        "description": "Over the limit of the route (API Gateway): wait and send it again. Carries no Retry-After.",
        "content": {_JSON: {"schema": _GATEWAY}},
    },
    "503": {**_UNAVAILABLE, "headers": _headers("Retry-After")},
}


def failures(*statuses: str) -> Document:
    """What can go wrong. Every route can be throttled."""
    return {status: {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in sorted({*statuses, "429"})}


def responses() -> Document:
    """The components that `failures` and `HTML` name."""
    return {"Page": _PAGE, **{name: _FAILURES[status] for status, name in _NAMES.items()}}
