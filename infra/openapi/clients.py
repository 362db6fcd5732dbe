"""Routes that are other clients' own: Rudder's, Snowplow's, Segment's in a browser, Jitsu's."""

from __future__ import annotations

from typing import Any

from infra.openapi.models import Batch, PartialSuccess, SnowplowBatch, Success
from infra.openapi.replies import empty, failures, file, image, json_answer

Document = dict[str, Any]
_SCHEMAS = "#/components/schemas/"
_BY_KEY: list[Document] = [{"basic": []}, {"bearer": []}, {"writeKeyHeader": []}, {"writeKeyQuery": []}]
_BY_APP_ID: list[Document] = [*_BY_KEY, {}]
"""The app id in the payload is a write key, too."""


def paths() -> Document:
    """Paths to their operations."""
    batch = {"anyOf": [_ref(Success), _ref(PartialSuccess)]}
    snowplow = "Snowplow's trackers: the app id is the write key. The answer allows credentials, which they ask for."
    return {
        "/beacon/v1/batch": {
            "post": _post("beacon", "Rudder's browser library when a page is left", _ref(Batch), batch, _BY_KEY),
            "options": _preflight("beacon"),
        },
        "/com.snowplowanalytics.snowplow/tp2": {
            "post": _post("snowplow", snowplow, _ref(SnowplowBatch), batch, _BY_APP_ID),
            "options": _preflight("snowplow"),
        },
        "/i": {"get": _snowplow_pixel(), "options": _preflight("snowplowPixel")},
        "/api/s/{call}": {
            "post": _post("jitsu", "Jitsu's library: one call", {"type": "object"}, _ref(Success), _BY_KEY, "call"),
            "options": _preflight("jitsu", "call"),
        },
        "/v1/projects/{key}/settings": {
            "get": _settings("segmentSettings", "What Segment's browser library asks for first", [], "key"),
            "options": _preflight("segmentSettings", "key"),
        },
        "/analytics.js/v1/{key}/analytics.min.js": {"get": _library()},
        "/sourceConfig": {
            "get": _settings("rudderSettings", "What Rudder's browser library asks for first", _BY_KEY),
            "options": _preflight("rudderSettings"),
        },
        "/sourceConfig/": {
            "get": _settings("rudderSettingsSlash", "As /sourceConfig", _BY_KEY),
            "options": _preflight("rudderSettingsSlash"),
        },
    }


def _ref(model: type) -> Document:
    return {"$ref": _SCHEMAS + model.__name__}


_PATH_PARAMETERS: Document = {
    "key": {
        "name": "key",
        "in": "path",
        "required": True,
        "description": "The write key.",
        "schema": {"type": "string", "minLength": 1},
    },
    "call": {
        "name": "call",
        "in": "path",
        "required": True,
        "description": "The call, as in /v1.",
        "schema": {"enum": ["track", "identify", "page", "screen", "group", "alias"]},
    },
}


def _parameters(names: tuple[str, ...]) -> list[Document]:
    return [_PATH_PARAMETERS[name] for name in names]


def _post(
    operation: str, summary: str, body: Document, success: Document, security: list[Document], *parameters: str
) -> Document:
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": body}
    return {
        "operationId": operation,
        "summary": summary,
        "description": "The content type does not matter, and the body may be gzip.",
        "security": security,
        "parameters": _parameters(parameters),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body}, "text/plain": {"schema": text}},
        },
        "responses": {"200": json_answer("Stored.", success), **failures("400", "401", "403", "404", "413", "503")},
    }


def _preflight(operation: str, *parameters: str) -> Document:
    return {
        "operationId": f"{operation}Preflight",
        "summary": "A browser's preflight; the headers that it asks for are echoed.",
        "parameters": _parameters(parameters),
        "responses": {"204": empty("What may be sent."), **failures("404")},
    }


def _snowplow_pixel() -> Document:
    names = {
        "e": "What happened.",
        "aid": "The write key.",
        "eid": "The message's id.",
        "uid": "The user's id.",
        "duid": "The browser's id.",
        "url": "Of the page.",
        "ue_px": "A self-describing event in base64url.",
    }
    return {
        "operationId": "snowplowPixel",
        "summary": "One payload of Snowplow's tracker protocol in a query string",
        "description": "A bad event gets its image, too, and becomes a bad row.",
        "security": _BY_APP_ID,
        "parameters": [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in names.items()
        ],
        "responses": {"200": image(), **failures("401", "403", "414", "503")},
    }


def _settings(operation: str, summary: str, security: list[Document], *parameters: str) -> Document:
    return {
        "operationId": operation,
        "summary": summary,
        "description": "Names where to send; without it the library sends nothing, and says nothing either.",
        "security": security,
        "parameters": _parameters(parameters),
        "responses": {"200": json_answer("Where to send.", {"type": "object"}), **failures("401", "403", "404")},
    }


def _library() -> Document:
    return {
        "operationId": "segmentLibrary",
        "summary": "Segment's browser library, where its snippet looks for it",
        "security": [],
        "parameters": [
            *_parameters(("key",)),
            {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
        ],
        "responses": {
            "200": file("text/javascript; charset=utf-8"),
            "304": empty("You have it."),
            **failures("404"),
        },
    }
