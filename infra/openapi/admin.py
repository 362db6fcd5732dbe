"""The operators' routes, for segments and scores: behind a JWT authorizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.openapi.models import Error, GatewayError
from infra.openapi.replies import ETAG, failures, json_answer
from regulars.application.segments import requests

if TYPE_CHECKING:
    from pydantic import BaseModel

Document = dict[str, Any]
PATH, SCORES_PATH = "/v1/admin/segments", "/v1/admin/scores"
READ, WRITE = "regulars/segments.read", "regulars/segments.write"
MODELS: list[type[BaseModel]] = [
    requests.DefinitionBody,
    requests.ValidateRequest,
    requests.PreviewRequest,
    requests.ExplainRequest,
    requests.BacktestRequest,
    requests.ReportRequest,
    requests.ScoresRequest,
    requests.ExplainScoresRequest,
]
SECURITY_SCHEME: Document = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token of the deployment's AdminIssuer for its AdminAudience, with the scope that is named "
    f"({READ}, {WRITE}).",
}
_SCHEMAS = "#/components/schemas/"
_TEXT: Document = {"type": "string"}
_NAME: Document = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": requests.NAME},
    "example": "vip",
}
_IF_MATCH: Document = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the version that is to be changed; needed where there is one.",
    "schema": _TEXT,
}
_PROBLEM: Document = {
    "type": "object",
    "required": ["path", "problem"],
    "properties": {"path": _TEXT, "problem": _TEXT},
    "additionalProperties": False,
}
PROBLEMS: Document = {
    "type": "object",
    "description": "A refusal with everything that is wrong, each with its path and what would fit.",
    "required": ["code", "message", "success"],
    "properties": {
        "code": {"$ref": f"{_SCHEMAS}ErrorCode"},
        "message": _TEXT,
        "success": {"const": False},
        "problems": {"type": "array", "items": _PROBLEM},
    },
    "additionalProperties": False,
}
_REFUSAL = {"$ref": f"{_SCHEMAS}Problems"}


def paths() -> Document:
    """Paths to their operations."""
    actions: dict[str, tuple[type[BaseModel], str]] = {
        "validate": (requests.ValidateRequest, "Check a definition with the program in force; changes nothing"),
        "preview": (requests.PreviewRequest, "How many a definition would hold, a sample, the overlap"),
        "explain": (requests.ExplainRequest, "Why a customer is in a segment or not, leaf by leaf, and until when"),
        "backtest": (requests.BacktestRequest, "Who would have been in a segment over a past range, from the log"),
        "report": (requests.ReportRequest, "Size over time, entries and exits, drift, overlap, revenue per member"),
    }
    return {
        PATH: {"get": _operation("listSegments", "All segments in force", READ, {"200": _document("They are.")})},
        f"{PATH}/{{name}}": {"get": _read(), "put": _put(), "delete": _withdraw()},
        **{f"{PATH}/{name}": {"post": _action(name, *about)} for name, about in actions.items()},
        f"{SCORES_PATH}/report": {"post": _scores()},
        f"{SCORES_PATH}/explain": {"post": _scores_of_one()},
    }


def _operation(operation: str, summary: str, scope: str, responses: Document) -> Document:
    return {
        "operationId": operation,
        "summary": summary,
        "security": [{"operator": [scope]}],
        "responses": {**failures("503"), "401": _refused("401"), "403": _refused("403"), **responses},
    }


_REFUSED = {
    "400": "Malformed.",
    "401": "No token, or one that is not good here.",
    "403": "The token lacks the scope.",
    "404": "There is no such segment, customer or version.",
    "409": "The program's files define it.",
    "412": "It is not the version that you have seen.",
    "428": "It is in force: say which version you have seen.",
}


def _refused(status: str) -> Document:
    """The gateway's refusal (401, 403, 404), or the function's."""
    gateway = {"$ref": f"{_SCHEMAS}{GatewayError.__name__}"}
    ours = {"$ref": f"{_SCHEMAS}{Error.__name__}"}
    schema: Document = {"anyOf": [gateway, ours, _REFUSAL]}
    return {"description": _REFUSED[status], "content": {"application/json": {"schema": schema}}}


def _document(description: str, **properties: Document) -> Document:
    return json_answer(description, {"type": "object", "properties": properties, "required": sorted(properties)})


def _with_etag(answer: Document, *, always: bool) -> Document:
    etag = {**ETAG["ETag"], "required": always}
    return {**answer, "headers": {**answer["headers"], "ETag": etag}}


def _body(model: type[BaseModel], *, needed: bool = True) -> Document:
    return {"required": needed, "content": {"application/json": {"schema": {"$ref": _SCHEMAS + model.__name__}}}}


def _read() -> Document:
    query = [
        {
            "name": "version",
            "in": "query",
            "description": "That version of its definition.",
            "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"},
            "example": "1",
        },
        {
            "name": "program_version",
            "in": "query",
            "description": "As it was when such a program decided.",
            "schema": {"type": "string", "pattern": "^[0-9a-f]{10,16}$"},
        },
    ]
    answer = _with_etag(_document("The segment.", name=_TEXT, definition={"type": "object"}), always=False)
    told = _operation("readSegment", "One segment, now or then", READ, {"200": answer})
    told["responses"] |= {status: _refused(status) for status in ("400", "404")}
    return {**told, "parameters": [_NAME, *query]}


def _put() -> Document:
    absent = {"name": "If-None-Match", "in": "header", "description": "*: only where there is none.", "schema": _TEXT}
    answer = _with_etag(_document("In force.", name=_TEXT, version={"type": "integer"}), always=True)
    told = _operation("putSegment", "Put a definition in force, as its next version", WRITE, {"200": answer})
    told["responses"] |= {status: _refused(status) for status in ("400", "404", "409", "412", "428")}
    return {**told, "parameters": [_NAME, _IF_MATCH, absent], "requestBody": _body(requests.DefinitionBody)}


def _withdraw() -> Document:
    told = _operation("withdrawSegment", "Take a definition out", WRITE, {"200": _document("It is out.", name=_TEXT)})
    told["responses"] |= {status: _refused(status) for status in ("400", "404", "409", "412", "428")}
    return {**told, "parameters": [_NAME, _IF_MATCH]}


def _action(name: str, model: type[BaseModel], summary: str) -> Document:
    told = _operation(f"{name}Segments", summary, READ, {"200": _document("Done.")})
    told["responses"] |= {status: _refused(status) for status in ("400", "404", "409")}
    return {**told, "requestBody": _body(model, needed=name != "report")}


def _scores() -> Document:
    summary = "How good the churn probability is, which model it comes from, and whether groups of people fare alike"
    told = _operation("reportScores", summary, READ, {"200": _document("Done.", groups={"type": "array"})})
    told["responses"] |= {"400": _refused("400")}
    return {**told, "requestBody": _body(requests.ScoresRequest, needed=False)}


def _scores_of_one() -> Document:
    summary = "A customer's scores: the nine fields, why some are absent, what moved each, and the churn band"
    by_name: Document = {"type": "object"}
    text: Document = {"type": ["string", "null"]}
    told = _operation(
        "explainScores",
        summary,
        READ,
        {"200": _document("Done.", scores=by_name, reasons=by_name, explanations=by_name, churn_band=text)},
    )
    told["responses"] |= {status: _refused(status) for status in ("400", "404")}
    return {**told, "requestBody": _body(requests.ExplainScoresRequest)}
