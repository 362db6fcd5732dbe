"""Requests generated from our own OpenAPI document (Schemathesis), good and bad ones, against the whole local cloud.

Two passes: one with right credentials (so that bodies are read), one with generated ones. Checked of each answer: no
5xx, and status, content type, headers and body are as described; bad bodies are refused; nothing is taken without
credentials.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from werkzeug.wrappers import Request

from infra.local import LocalCloud
from infra.local.server import answer
from regulars.application.webhooks.signatures import SIGNATURE_HEADER, signature_of
from tests.credentials import survey_token, unsubscribe_token
from tests.soak.completing import completed

WRITE_KEY = "dev-write-key"
SIGN_ME = "v1=sign-me"
"""Stands for the signature of the body that is sent, which is not known before it is written out."""

_ACCEPTS_ANYTHING = (
    "POST /v1/batch", "POST /beacon/v1/batch", "POST /com.snowplowanalytics.snowplow/tp2", "GET /p.gif", "GET /i",
    "POST /unsubscribe", "POST /webhooks/events/{source}",
)  # fmt: skip
"""A batch answers 200 and names its bad members, the pixels always answer their image, and one-click unsubscribing
ignores its body."""

_CHECKS = {
    # API Gateway answers 404 to a method that has no route, and only then is a function asked (tests/bad_input).
    "unsupported_method": {"enabled": False},
    # A body may have the right shape and still name nobody, no currency or no time; that is 400, as described.
    "positive_data_acceptance": {"enabled": False},
    # Cannot be sent in-process by Schemathesis 4.32; the pass without credentials shows the same (`_Application`).
    "ignored_auth": {"enabled": False},
}


def run(*, examples: int, seed: int = 0, edges: bool = True, paths: tuple[str, ...] = ()) -> dict[str, Any]:
    """Both passes with `examples` generated requests for each operation; `edges`: also one for each edge of its schema
    (some 4,000 in all). `paths`: only these, else all.

    Returns {"requests", "answers": status to number, "operations", "violations": [text, ...]}.
    """
    answers: Counter[str] = Counter()
    operations: set[str] = set()
    violations: list[str] = []
    begun = time.perf_counter()
    for authenticated in (True, False):
        with LocalCloud() as cloud:
            app = _Application(cloud, answers, completing=authenticated)
            config = _config(examples, seed, edges=edges, authenticated=authenticated)
            schema = schemathesis.openapi.from_dict(_described(cloud, paths), config=config)
            schema.app = app
            if authenticated:
                schema.auth(refresh_interval=None)(_credentials(cloud))
            violations += _violations(schema, operations)
            if not authenticated and (stored := len(cloud.queue("events"))):
                violations.append(f"{stored} messages of senders without credentials")
            violations += [f"{name} raised" for name in cloud.functions.failures]
    return {
        "requests": sum(answers.values()),
        "answers": dict(sorted(answers.items())),
        "operations": len(operations),
        "violations": sorted(set(violations)),
        "seconds": round(time.perf_counter() - begun, 1),
    }


class _Application:
    """The cloud as a WSGI application, which counts answers, completes bodies and signs the orders that ask for it."""

    def __init__(self, cloud: LocalCloud, answers: Counter[str], *, completing: bool) -> None:
        self._cloud = cloud
        self._answers = answers
        self._completing = completing
        self._secret = cloud.secret("orders/shop")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("RAW_URI", None)  # Schemathesis leaves the query out of it
        request = Request(environ)
        if self._completing and request.method == "POST":
            request = self._completed(request)
        response = answer(self._cloud, request)
        self._answers[str(response.status_code)] += 1
        return response(request.environ, start_response)

    def _completed(self, request: Request) -> Request:
        raw = request.get_data()
        if request.mimetype == "application/json":
            raw = completed(request.path, raw)
        headers = {}
        if request.headers.get(SIGNATURE_HEADER) == SIGN_ME:
            timestamp = str(int(self._cloud.now.timestamp()))
            headers["HTTP_REGULARS_TIMESTAMP"] = timestamp
            headers["HTTP_REGULARS_SIGNATURE"] = f"v1={signature_of(raw, timestamp, self._secret)}"
        body = {"wsgi.input": BytesIO(raw), "CONTENT_LENGTH": str(len(raw))}
        return Request({**request.environ, **headers, **body, "werkzeug.request": None})


def _config(examples: int, seed: int, *, edges: bool, authenticated: bool) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "generation": {
                "max-examples": max(1, examples),
                "deterministic": True,
                "database": "none",
                "with-security-parameters": not authenticated,
            },
            "phases": {
                "stateful": {"enabled": False},
                "coverage": {"enabled": edges},
                "fuzzing": {"enabled": bool(examples)},
            },
            "checks": _CHECKS,
            "operations": [
                {"include-name": name, "checks": {"negative_data_rejection": {"enabled": False}}}
                for name in _ACCEPTS_ANYTHING
            ],
        }
    )


def _credentials(cloud: LocalCloud) -> type:
    """What a right client of each operation adds to its requests."""
    tokens = {"/unsubscribe": unsubscribe_token(cloud), "/survey": survey_token(cloud)}
    operator = f"Bearer {cloud.operator_token()}"

    class Credentials:
        def get(self, _case: Any, _context: Any) -> dict[str, str]:
            return tokens

        def set(self, case: Any, tokens: dict[str, str], _context: Any) -> None:
            path = case.operation.path
            if path in tokens:
                case.query = {"t": tokens[path]}
            elif path.startswith("/v1/admin/"):
                case.headers["Authorization"] = operator
            elif path.startswith("/webhooks/"):
                case.path_parameters = {"source": "shop"}
                case.headers.update({"Regulars-Signature": SIGN_ME, "Regulars-Timestamp": "0"})
            elif path.startswith("/v1/projects/"):
                case.path_parameters = {"key": WRITE_KEY}
            elif not path.endswith((".js", ".json")):
                case.headers.update({"X-Write-Key": WRITE_KEY})

    return Credentials


def _described(cloud: LocalCloud, paths: tuple[str, ...]) -> dict[str, Any]:
    """The published document, of `paths` only where there are some."""
    published: dict[str, Any] = cloud.request("GET", "/openapi.json").json()
    kept = {path: item for path, item in published["paths"].items() if path in paths or not paths}
    return {**published, "paths": kept}


def _violations(schema: Any, operations: set[str]) -> list[str]:
    found = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            operations.add(str(event.recorder.label))
            for checks in event.recorder.checks.values():
                for check in checks:
                    if check.failure_info is not None:
                        failure = check.failure_info.failure
                        reason = f"{failure.title}: {failure.message}".replace("\n", " ")
                        found.append(f"{event.recorder.label}: {reason} | {check.failure_info.code_sample}")
        elif isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.value}")
        elif isinstance(event, events.FatalError):
            raise event.exception
    return found
