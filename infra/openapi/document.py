"""The OpenAPI document: routes, bodies, answers and errors of everything that the HTTP API of the template serves.

OpenAPI 3.1.1 with JSON Schema 2020-12. Calls are listed one by one, though the template routes them as `/v1/{call}`:
each has a body of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from infra.openapi import admin, clients, models, webhooks
from infra.openapi.replies import ETAG, HTML, SAFE, empty, failures, file, image, json_answer, responses
from regulars.domain.orders_payload import OrderPayload
from regulars.domain.surveys import MAX_COMMENT

if TYPE_CHECKING:
    from pydantic import BaseModel

VERSION = "1.0.0"
"""Of the HTTP interface, not of the software: it changes with what clients must do."""

Document = dict[str, Any]
_SCHEMAS = "#/components/schemas/"
_OF_WRITE_KEY: list[Document] = [{"basic": []}, {"bearer": []}, {"writeKeyHeader": []}, {"writeKeyQuery": []}]
_SECURITY_SCHEMES: Document = {
    "basic": {"type": "http", "scheme": "basic", "description": "The write key as the user, without a password."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
    "writeKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
    "writeKeyQuery": {"type": "apiKey", "in": "query", "name": "writeKey"},
    "orderSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Regulars-Signature",
        "description": "v1= and the hex of HMAC-SHA256(secret, timestamp + '.' + raw body); several with commas.",
    },
    "orderTimestamp": {
        "type": "apiKey",
        "in": "header",
        "name": "Regulars-Timestamp",
        "description": "Unix seconds, at most five minutes off.",
    },
    "operator": admin.SECURITY_SCHEME,
}
_PIXEL_TEXTS = {
    "type": "The call; without one track where there is an event, else page.",
    "event": "Of a track call.",
    "name": "Of a page or screen call.",
    "userId": "Who it is.",
    "anonymousId": "The browser's id.",
    "messageId": "The same id from the same source is the same event.",
    "timestamp": "When it happened.",
    "url": "Of the page.",
    "properties": "A JSON object. One value: properties.NAME.",
    "traits": "A JSON object. One value: traits.NAME.",
    "context": "A JSON object. One value: context.NAME.NAME.",
    "data": "A whole call as JSON, base64 or base64url of it.",
}


def document() -> Document:
    """The whole document."""
    wire: list[type[BaseModel]] = [*models.CALLS.values(), models.Error, models.GatewayError, models.Success]
    wire += [models.PartialSuccess, models.SnowplowBatch, OrderPayload, *admin.MODELS]
    _, schemas = models_json_schema(
        [(model, "validation") for model in wire], ref_template=_SCHEMAS + "{model}", title=None
    )
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Regulars",
            "version": VERSION,
            "description": "Hits and orders of online stores in, links of messages. Codes of errors are stable.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            **{f"/v1/{call}": _call(call) for call in models.CALLS},
            **clients.paths(),
            "/p.gif": {"get": _pixel(), "head": _pixel_head()},
            "/r.js": {"get": _file("snippet", "The browser snippet", "text/javascript; charset=utf-8")},
            "/openapi.json": {"get": _file("description", "This document", "application/json")},
            "/webhooks/orders/{source}": {"post": _order()},
            **webhooks.paths(),
            **admin.paths(),
            "/unsubscribe": {"get": _unsubscribe_page(), "post": _unsubscribe()},
            "/survey": {"get": _survey_page(), "post": _survey_answer()},
        },
        "components": {
            "schemas": {**_without_titles(schemas["$defs"]), "Problems": admin.PROBLEMS},
            "headers": {**SAFE, **ETAG},
            "responses": responses(),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _ref(model: type[BaseModel]) -> Document:
    return {"$ref": _SCHEMAS + model.__name__}


def _without_titles(node: Any) -> Any:
    """Titles that pydantic makes from names say nothing."""
    if isinstance(node, dict):
        return {
            key: _without_titles(value)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_without_titles(value) for value in node] if isinstance(node, list) else node


def _call(call: str) -> Document:
    model = models.CALLS[call]
    body = _ref(model)
    success = _ref(models.Success)
    if call == "batch":
        success = {"anyOf": [success, _ref(models.PartialSuccess)]}
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": body}
    return {
        "post": {
            "operationId": call,
            "summary": " ".join((model.__doc__ or "").split()),
            "description": "The content type does not matter, and the body may be gzip. The write key may also stand "
            f"in the body, as writeKey, where a browser's beacon can set no header.{_also(call)}",
            "security": _OF_WRITE_KEY,
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": body}, "text/plain": {"schema": text}},
            },
            "responses": {"200": json_answer("Stored.", success), **failures("400", "401", "403", "404", "413", "503")},
        },
        "options": {
            "operationId": f"{call}Preflight",
            "summary": "A browser's preflight; the headers that it asks for are echoed.",
            "responses": {"204": empty("What may be sent."), **failures("404")},
        },
    }


def _also(call: str) -> str:
    """Segment's own short names, which its browser library uses."""
    if call == "survey":
        return ""
    paths = ("/v1/b", "/v1/import") if call == "batch" else (f"/v1/{call[0]}",)
    return f" Also as {' and '.join(paths)}."


def _pixel() -> Document:
    parameters = [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in _PIXEL_TEXTS.items()
    ]
    return {
        "operationId": "pixel",
        "summary": "One call in a query string, for pages without scripts and for e-mails",
        "description": "A bad event gets its image, too, and becomes a bad row.",
        "security": _OF_WRITE_KEY,
        "parameters": parameters,
        "responses": {"200": image(), **failures("401", "403", "414", "503")},
    }


def _pixel_head() -> Document:
    return {
        "operationId": "pixelHead",
        "summary": "What GET would answer; records nothing",
        "security": _OF_WRITE_KEY,
        "responses": {"200": empty("The key is right."), "401": empty("It is not."), "403": empty("Not from there."),
                      **failures("429")},
    }  # fmt: skip


def _file(operation: str, summary: str, content_type: str) -> Document:
    return {
        "operationId": operation,
        "summary": summary,
        "security": [],
        "parameters": [{"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}],
        "responses": {"200": file(content_type), "304": empty("You have it."), **failures("429")},
    }


def _order() -> Document:
    return {
        "operationId": "order",
        "summary": "One order as it stands now, signed: the only source of revenue",
        "description": "Send the whole order at each change; the highest version counts. At most 150 KiB. "
        + webhooks.SHOPS,
        "security": webhooks.SIGNED,
        "parameters": [webhooks.SOURCE],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(OrderPayload)}}},
        "responses": {
            "200": json_answer("Stored.", _ref(models.Success)),
            **failures("400", "401", "404", "413", "503"),
        },
    }


def _token(link: str = "unsubscribe link") -> list[Document]:
    return [
        {
            "name": "t",
            "in": "query",
            "required": True,
            "description": f"The token of a message's {link}.",
            "schema": {"type": "string", "maxLength": 600},
        }
    ]


def _unsubscribe_page() -> Document:
    return {
        "operationId": "unsubscribePage",
        "summary": "Asks whether to unsubscribe; changes nothing, whoever follows the link",
        "security": [],
        "parameters": _token(),
        "responses": {"200": HTML, "400": HTML, "503": HTML, **failures("429")},
    }


def _unsubscribe() -> Document:
    form = {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}
    return {
        "operationId": "unsubscribe",
        "summary": "Unsubscribes at once (RFC 8058), whatever the body",
        "security": [],
        "parameters": _token(),
        "requestBody": {
            "content": {
                "application/x-www-form-urlencoded": {**form, "example": {"List-Unsubscribe": "One-Click"}},
                "multipart/form-data": form,
            }
        },
        "responses": {"200": HTML, "400": HTML, "503": HTML, **failures("413")},
    }


def _survey_page() -> Document:
    language = {"name": "Accept-Language", "in": "header", "description": "de or en.", "schema": {"type": "string"}}
    score = {
        "name": "score",
        "in": "query",
        "description": "What is chosen on the page already.",
        "schema": {"type": "string"},
    }
    return {
        "operationId": "surveyPage",
        "summary": "Asks one question; records nothing, whoever follows the link",
        "security": [],
        "parameters": [*_token("survey link"), score, language],
        "responses": {"200": HTML, "400": HTML, "410": HTML, "503": HTML, **failures("429")},
    }


def _survey_answer() -> Document:
    form = {
        "type": "object",
        "required": ["score"],
        "properties": {
            "score": {"type": "string", "pattern": "^[0-9]{1,2}$"},
            "comment": {"type": "string", "maxLength": MAX_COMMENT},
            "o": {"type": "string", "description": "Of the page: the same answer from one showing counts once."},
        },
    }
    return {
        "operationId": "surveyAnswer",
        "summary": "Records the answer; the same from one showing of the page counts once",
        "security": [],
        "parameters": _token("survey link"),
        "requestBody": {
            "content": {
                "application/x-www-form-urlencoded": {"schema": form, "example": {"score": "9", "comment": "Fast."}}
            }
        },
        "responses": {"200": HTML, "400": HTML, "410": HTML, "503": HTML, **failures("413")},
    }
