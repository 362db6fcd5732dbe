"""The admin API for segments and scores: HTTP in, HTTP out; who may call is the gateway's business (a JWT authorizer).

Personal data stays out of addresses: a customer is named in a body. Answers hold ids of nodes, never an address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from regulars.application.http import HttpReply, error_reply, json_reply
from regulars.application.scores_explain import ExplainScores, explained_scores_doc
from regulars.application.scores_report import ReportScores, scores_doc
from regulars.application.segments import requests as bodies
from regulars.application.segments.backtest import BacktestSegment, backtest_doc
from regulars.application.segments.definitions import ABSENT, Definitions
from regulars.application.segments.drafts import PreviewSegment, preview_doc, unfilled
from regulars.application.segments.explain import ExplainSegment, explained_doc
from regulars.application.segments.reading import ReadSegments
from regulars.application.segments.report import ReportSegments, report_doc
from regulars.domain.definitions import is_name, problems_of
from regulars.domain.errors import BadInputError, TransientError
from regulars.domain.identity import node_of

if TYPE_CHECKING:
    from regulars.application.http import HttpRequest
    from regulars.domain.definitions import Basis

PATH = "/v1/admin/segments"
SCORES_PATH = "/v1/admin/scores"
RETRY_SECONDS = 5
PATIENCE = timedelta(seconds=24)
"""API Gateway waits 30 seconds for an answer."""
_ACTIONS = ("validate", "preview", "explain", "backtest", "report")
_OF_NAME = "GET, PUT, DELETE"
_ETAG = re.compile(r'"(\d{1,9})"')
_STATUS = {
    "unauthorized": 401,
    "not_found": 404,
    "unknown_segment": 404,
    "unknown_customer": 404,
    "unknown_version": 404,
    "name_taken": 409,
    "precondition_failed": 412,
    "precondition_required": 428,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminApi:
    """Call it with a request that the gateway has let in; `subject` of that says who it is."""

    reading: ReadSegments
    definitions: Definitions
    basis: Callable[[], Basis]
    preview: PreviewSegment
    explain: ExplainSegment
    backtest: BacktestSegment
    report: ReportSegments
    scores: ReportScores
    explain_scores: ExplainScores

    def __call__(self, request: HttpRequest) -> HttpReply:
        """200 with a document, or a refusal as `{"code", "message", "success": false}`, with `problems` where there are
        several to tell; 503 when it cannot be done now."""
        try:
            return self._answered(request)
        except BadInputError as error:
            return _refused(error)
        except TransientError as error:
            headers = {"retry-after": str(RETRY_SECONDS)}
            return error_reply(503, "unavailable", str(error), headers, {"AdminUnavailable": 1})

    def _answered(self, request: HttpRequest) -> HttpReply:
        if not request.subject:
            raise BadInputError("unauthorized", "the gateway says nobody's name")
        if request.path in (f"{SCORES_PATH}/report", f"{SCORES_PATH}/explain"):
            return _only(request, "POST") or _ok(self._scored(request))
        tail = request.path.removeprefix(PATH).strip("/") if request.path.startswith(PATH) else None
        if tail == "":
            return _only(request, "GET") or _ok(self.reading.all())
        if tail in _ACTIONS and request.method == "POST":
            return _ok(self._acted(tail, request))
        if tail is None or not is_name(tail):
            raise BadInputError("not_found", "there is nothing here")
        return _only(request, _OF_NAME) or self._one(tail, request)

    def _one(self, name: str, request: HttpRequest) -> HttpReply:
        if request.method == "GET":
            doc = self.reading.one(name, request.query)
            return _ok(doc, {"etag": f'"{doc["version"]}"'} if doc.get("version") else {})
        expected = _expected(request.headers)
        if request.method == "DELETE":
            done = self.definitions.withdraw(name, expected=expected)
            return _ok({"name": name, "version": None, "program_version": done.program.version})
        data = bodies.data_in(request.raw_body())
        done = self.definitions.put(name, data, by=request.subject, expected=expected)
        version = done.definition.version if done.definition else ABSENT
        doc = {
            "name": name,
            "version": version,
            "rule": done.program.describe(name),
            "program_version": done.program.version,
            "waits": name in done.program.waiting,
            "unfilled": list(unfilled(self.basis(), done.program)),
        }
        return _ok(doc, {"etag": f'"{version}"'})

    def _scored(self, request: HttpRequest) -> Mapping[str, Any]:
        data = bodies.data_in(request.raw_body() or b"{}")
        if request.path.endswith("/report"):
            return scores_doc(self.scores(bodies.parsed(bodies.ScoresRequest, data).by))
        asked = bodies.parsed(bodies.ExplainScoresRequest, data)
        return explained_scores_doc(self.explain_scores(_node_of(asked.customer)))

    def _acted(self, action: str, request: HttpRequest) -> Mapping[str, Any]:
        data = bodies.data_in(request.raw_body() or b"{}")
        match action:
            case "validate":
                return self._validated(data, request.received_at)
            case "preview":
                wanted = bodies.parsed(bodies.PreviewRequest, data)
                draft = data["definition"]
                return preview_doc(self.preview(wanted.definition.name, draft, sample=wanted.sample))
            case "explain":
                return self._explained(bodies.parsed(bodies.ExplainRequest, data))
            case "backtest":
                return self._looked_back(bodies.parsed(bodies.BacktestRequest, data), data, request.received_at)
            case _:
                asked = bodies.parsed(bodies.ReportRequest, data)
                return report_doc(self.report(asked.days, smallest=asked.smallest))

    def _validated(self, data: Any, now: datetime) -> Mapping[str, Any]:
        name = bodies.parsed(bodies.ValidateRequest, data).definition.name
        try:
            program = self.basis().as_put(name, data["definition"], now=now)
        except BadInputError as error:
            return {"ok": False, "problems": [problem._asdict() for problem in problems_of(error)]}
        return {
            "ok": True,
            "problems": [],
            "rule": program.describe(name),
            "unfilled": list(unfilled(self.basis(), program)),
        }

    def _explained(self, asked: bodies.ExplainRequest) -> Mapping[str, Any]:
        return explained_doc(self.explain(_node_of(asked.customer), asked.segment))

    def _looked_back(self, asked: bodies.BacktestRequest, data: Any, now: datetime) -> Mapping[str, Any]:
        if (asked.segment is None) == (asked.definition is None):
            raise BadInputError("bad_shape", "body: either a segment or a definition")
        midnight = time()
        over = bodies.range_of(
            datetime.combine(asked.first, midnight), datetime.combine(asked.last, midnight), asked.step
        )
        basis = self.basis()
        if asked.definition is not None:
            name = asked.definition.name
            program = basis.with_draft(name, data["definition"], now=now)
        else:
            name, program = str(asked.segment), basis.program()
            if name not in {segment.name for segment in program.segments}:
                raise BadInputError("unknown_segment", "there is no such segment")
        return backtest_doc(self.backtest(program, name, over, until=now + PATIENCE))


def _node_of(customer: str) -> str:
    node = node_of(customer)
    if node is None:
        raise BadInputError("bad_identifier", "a customer is a node id, or user:ID, email:ADDRESS, phone:+NUMBER, ...")
    return node


def _ok(doc: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> HttpReply:
    return json_reply(200, doc, headers or {}, {})


def _only(request: HttpRequest, methods: str) -> HttpReply | None:
    """A refusal unless the method is one of these."""
    if request.method in methods.split(", "):
        return None
    return error_reply(405, "method_not_allowed", f"use {methods}", {"allow": methods})


def _refused(error: BadInputError) -> HttpReply:
    doc: dict[str, Any] = {"code": error.code, "message": error.detail, "success": False}
    if error.code in ("bad_program", "name_taken", "bad_shape"):
        doc["problems"] = [problem._asdict() for problem in problems_of(error)]
    return json_reply(_STATUS.get(error.code, 400), doc, {}, {"AdminRefused": 1})


def _expected(headers: Mapping[str, str]) -> int | None:
    """The version that a change must find; None where the request does not say."""
    if headers.get("if-none-match", "").strip() == "*":
        return ABSENT
    given = headers.get("if-match")
    if given is None:
        return None
    found = _ETAG.fullmatch(given.strip())
    return int(found[1]) if found else -1
