"""The HTTP API: routes from the expanded template, requests to Lambda's payload format 2.0 and back.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

import orjson

from infra.local.functions import InvocationError
from infra.local.operators import Operators, RefusedError, authorizers
from infra.local.template import ACCOUNT, Stack, TemplateError
from infra.local.throttling import Throttle

BODY_LIMIT: Final = 10 * 1024 * 1024
"""Bytes of a request body that API Gateway passes on."""

_UNAUTHORIZED: Final = 401
_FUNCTION_IN_URI = re.compile(r"\$\{(\w+)\.Arn\}")
_TEXT_TYPES = re.compile(
    r"^(text/|application/(json|javascript|xml)\b|application/[\w.-]+\+(json|xml)\b)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response. Header names are in lower case; cookies are the values of its Set-Cookie headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is not."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `path` and `query` are as on the wire (percent-encoded), `query` without its question mark."""

    method: str
    path: str
    query: str = ""
    headers: Iterable[tuple[str, str]] = ()
    body: bytes = b""
    source_ip: str = "203.0.113.7"


@dataclass(frozen=True, slots=True)
class _Route:
    key: str
    method: str
    pattern: re.Pattern[str]
    function: str
    fixed_parts: int = field(default=0)
    authorizer: str | None = None
    scopes: tuple[str, ...] = ()


class HttpApi:
    """Routes requests to functions by their logical id."""

    def __init__(self, stack: Stack, invoke: Callable[[str, Any], Any], now: Callable[[], datetime]) -> None:
        self._routes = list(_routes(stack))
        self._authorizers = dict(authorizers(stack))
        self._operators = Operators()
        self._invoke = invoke
        self._now = now
        self.throttle: Throttle | None = None
        """Lets requests in, where there is one; without, all."""

    def request(self, request: Request) -> Response:
        """What API Gateway answers. A function that fails is a 500 without a reason, as there."""
        if len(request.body) > BODY_LIMIT:
            return _message(413, "Request Entity Too Large")
        path = unquote(request.path)
        found = self._route(request.method.upper(), path)
        if found is None:
            return _message(404, "Not Found")
        route, parameters = found
        if self.throttle is not None and not self.throttle.allows(route.key):
            return _message(429, "Too Many Requests")
        event = self._event(route, parameters, request, path)
        try:
            if route.authorizer is not None:
                event["requestContext"]["authorizer"] = self._operators.admitted(
                    event["headers"].get("authorization"), self._authorizers[route.authorizer], route.scopes
                )
            reply = self._invoke(route.function, event)
        except RefusedError as error:
            return _message(error.status, "Unauthorized" if error.status == _UNAUTHORIZED else "Forbidden")
        except InvocationError:
            return _message(500, "Internal Server Error")
        return _response(reply)

    def operator_token(self, **claims: Any) -> str:
        """A token that the operators' routes take (infra/local/operators.py says what may be asked of it)."""
        (authorizer,) = self._authorizers.values()
        return self._operators.token(authorizer, **claims)

    def has_route(self, method: str, path: str) -> bool:
        """Whether a request would reach a function."""
        return self.route_key(method, path) is not None

    def route_key(self, method: str, path: str) -> str | None:
        """The route that a request takes, as `METHOD /path` of the template; None where there is none."""
        found = self._route(method.upper(), unquote(path))
        return found[0].key if found else None

    def _route(self, method: str, path: str) -> tuple[_Route, dict[str, str]] | None:
        """The most specific route: most fixed parts first, then a named method before ANY."""
        matches = [
            (route, match.groupdict())
            for route in self._routes
            if route.method in (method, "ANY") and (match := route.pattern.fullmatch(path))
        ]
        return max(matches, key=lambda pair: (pair[0].fixed_parts, pair[0].method != "ANY"), default=None)

    def _event(self, route: _Route, parameters: dict[str, str], request: Request, path: str) -> dict[str, Any]:
        headers, cookies = _headers(request)
        now = self._now()
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": route.key,
            "rawPath": path,
            "rawQueryString": request.query,
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": "local0api",
                "domainName": headers["host"],
                "domainPrefix": "local0api",
                "http": {
                    "method": request.method.upper(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": request.source_ip,
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": uuid4().hex[:16],
                "routeKey": route.key,
                "stage": "$default",
                "time": now.astimezone(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "timeEpoch": int(now.timestamp() * 1000),
            },
            "isBase64Encoded": False,
        }
        if cookies:
            event["cookies"] = cookies
        if parameters:
            event["pathParameters"] = parameters
        if request.query:
            event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
        if request.body:
            event["body"], event["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
        return event


def _routes(stack: Stack) -> Iterable[_Route]:
    functions = {
        logical for logical, resource in stack.resources.items() if resource["Type"] == "AWS::Lambda::Function"
    }
    for logical, resource in stack.resources.items():
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        for path, methods in resource["Properties"]["Body"]["paths"].items():
            if path.endswith("/") and path != "/":
                raise TemplateError(f"{logical}: API Gateway takes no route that ends with a slash, as {path} does")
            for method, operation in methods.items():
                uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
                target = _FUNCTION_IN_URI.search(uri)
                if target is None or target[1] not in functions:
                    raise TemplateError(f"{logical}: {method} {path} leads to no function")
                verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                authorizer, scopes = _authorizer_of(operation)
                fixed_parts = len(re.sub(r"\{[^}]*\}", "", path))
                yield _Route(f"{verb} {path}", verb, _pattern(path), target[1], fixed_parts, authorizer, scopes)


def _authorizer_of(operation: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """The authorizer that a route names, and its scopes."""
    for required in operation.get("security", ()):
        for name, scopes in required.items():
            return name, tuple(scopes)
    return None, ()


def _pattern(path: str) -> re.Pattern[str]:
    """`/v1/{call}` as a pattern: a variable is one part of the path, `{rest+}` is the rest of it, which may be empty
    behind a slash."""
    parts = re.split(r"(\{[^}]*\})", path)
    converted = [
        (f"(?P<{part[1:-2]}>.*)" if part.endswith("+}") else f"(?P<{part[1:-1]}>[^/]+)")
        if part.startswith("{")
        else re.escape(part)
        for part in parts
    ]
    return re.compile("".join(converted))


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Repeated names become one value with commas, as API Gateway does."""
    result: dict[str, str] = {}
    for key, value in pairs:
        result[key] = f"{result[key]},{value}" if key in result else value
    return result


def _headers(request: Request) -> tuple[dict[str, str], list[str]]:
    headers = _joined((name.lower(), value) for name, value in request.headers)
    cookies = [part.strip() for part in headers.pop("cookie", "").split(";") if part.strip()]
    headers.setdefault("host", "localhost")
    headers.setdefault("x-forwarded-for", request.source_ip)
    headers.setdefault("x-forwarded-proto", "https")
    headers["content-length"] = str(len(request.body))
    return headers, cookies


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    """Text types go as text where they are UTF-8; everything else, form posts too, goes in base64."""
    if _TEXT_TYPES.match(content_type):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            return base64.b64encode(body).decode(), True
    return base64.b64encode(body).decode(), True


def _response(reply: Any) -> Response:
    """A reply without statusCode is the JSON body of a 200."""
    if not isinstance(reply, dict) or "statusCode" not in reply:
        return Response(200, {"content-type": "application/json"}, orjson.dumps(reply))
    text = reply.get("body") or ""
    body = base64.b64decode(text) if reply.get("isBase64Encoded") else text.encode()
    headers = {name.lower(): str(value) for name, value in (reply.get("headers") or {}).items()}
    headers.setdefault("content-type", "text/plain; charset=utf-8")
    return Response(int(reply["statusCode"]), headers, body, tuple(reply.get("cookies") or ()))


def _message(status: int, text: str) -> Response:
    return Response(status, {"content-type": "application/json"}, orjson.dumps({"message": text}))
