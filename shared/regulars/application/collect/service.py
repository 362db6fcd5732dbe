"""Collect: HTTP requests to messages of the events queue. A request is answered only after the queue has its events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from regulars.application.collect.doors import BATCH, DOORS, PIXEL, SNOWPLOW, SNOWPLOW_PIXEL
from regulars.application.collect.keys import WriteKeys, key_in_headers
from regulars.application.collect.normalised import Normalised, rejected
from regulars.application.collect.pixel import KEY_PARAMETER, call_of, parameters
from regulars.application.collect.receipt import Receipt, is_prefetch, receipt_of
from regulars.application.collect.segment import CALLS
from regulars.application.collect.settings import rudder_settings, segment_settings
from regulars.application.collect.snowplow import APP_ID
from regulars.application.collect.static import ANALYTICS_PATH, DOCUMENT_PATH, SNIPPET_PATH, LazyFile, StaticFile
from regulars.application.collect.survey import SURVEY
from regulars.application.collect.wire import MAX_BATCH_BYTES, inflated, parsed_object
from regulars.application.http import HttpReply, error_reply, json_reply
from regulars.application.queue_messages import messages_of
from regulars.domain.errors import BadInputError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regulars.application.collect.cors import Origins
    from regulars.application.http import HttpRequest
    from regulars.domain.events import BadRow
    from regulars.ports import Ids, Queue

GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
"""43 bytes, one transparent pixel, in base64."""

RETRY_AFTER_SECONDS = "5"
_GIF_HEADERS = {"content-type": "image/gif", "cache-control": "no-store", "x-content-type-options": "nosniff"}
_PREFETCHED = {"EventsPrefetched": 1}


class _UnauthorizedError(Exception):
    """No write key, or one that belongs to no source."""


@dataclass(frozen=True, slots=True)
class _Route:
    """`door`: the normaliser, or the file. `key_parameter`: what the write key is called in a query. `credentials`: its
    clients ask browsers to send cookies."""

    methods: tuple[str, ...]
    answer: Callable[[Collect, HttpRequest, _Route], HttpReply]
    door: str = ""
    key_parameter: str = KEY_PARAMETER
    credentials: bool = False


class Collect:
    """The collector of one deployment."""

    def __init__(
        self, *, keys: WriteKeys, origins: Origins, queue: Queue, ids: Ids, files: Mapping[str, StaticFile | LazyFile]
    ) -> None:
        """`files`: what is served under the paths SNIPPET_PATH, DOCUMENT_PATH and ANALYTICS_PATH."""
        self._keys = keys
        self._origins = origins
        self._queue = queue
        self._ids = ids
        self._files = files

    def __call__(self, request: HttpRequest) -> HttpReply:
        """Answer one request. Never raises for what a sender did."""
        route = _ROUTES.get(request.path) or _route_with_key(request.path)
        if route is None:
            cors = self._origins.headers(request.headers)
            return error_reply(404, "not_found", "there is nothing at this path", cors)
        if request.method in route.methods:
            return route.answer(self, request, route)
        methods = ", ".join((*route.methods, "OPTIONS"))
        if request.method == "OPTIONS":
            return self._origins.preflight(request, methods, credentials=route.credentials)
        cors = self._cors(request, route)
        return error_reply(405, "method_not_allowed", f"use {methods}", {**cors, "allow": methods})

    def call(self, request: HttpRequest, route: _Route) -> HttpReply:
        """POST of calls in the form that the route's door reads."""
        cors, door = self._cors(request, route), route.door
        if (refused := self._refused_origin(request, cors)) is not None:
            return refused
        try:
            receipt, raw, body = self._read(request, route)
        except _UnauthorizedError:
            return _unauthorized(cors)
        except _MalformedError as error:
            return self._malformed(error, cors)
        if is_prefetch(request.headers):
            return json_reply(200, {"success": True}, cors, _PREFETCHED)
        try:
            normalised = DOORS[door](raw, body, receipt, self._ids)
        except BadInputError as error:
            row = rejected(receipt, door, error, raw, body.get("messageId"))
            return self._malformed(_MalformedError(error, row), cors)
        return self._stored(normalised, cors) or _accepted(normalised, cors)

    def _cors(self, request: HttpRequest, route: _Route) -> dict[str, str]:
        return self._origins.headers(request.headers, credentials=route.credentials)

    def _read(self, request: HttpRequest, route: _Route) -> tuple[Receipt, bytes, dict[str, Any]]:
        """(receipt, inflated body, its JSON object) of an authenticated request.

        The key is looked for in the headers, then the body, then the query. A wrong one is refused before the body is
        read.
        """
        key = key_in_headers(request.headers)
        source = self._source(key) if key is not None else None
        raw = b""
        try:
            raw = request.raw_body()
            raw = inflated(raw, MAX_BATCH_BYTES)
            body = parsed_object(raw)
        except BadInputError as error:
            row = rejected(receipt_of(request, source), route.door, error, raw) if source else None
            raise _MalformedError(error, row) from error
        if source is None:
            in_body = _app_id(body) if route.door == SNOWPLOW else body.get(KEY_PARAMETER)
            source = self._source(in_body if isinstance(in_body, str) else _key_in_query(request.query, route))
        return receipt_of(request, source), raw, body

    def _source(self, key: str | None) -> str:
        source = self._keys.source_of(key) if key else None
        if source is None:
            raise _UnauthorizedError
        return source

    def _stored(self, normalised: Normalised, cors: Mapping[str, str]) -> HttpReply | None:
        """None once the queue has everything; 503 when it has not."""
        messages = messages_of(normalised.events, normalised.bad)
        if messages:
            try:
                self._queue.send(messages)
            except (TransientError, PermanentError):
                # Also when it refuses for good: that is our deployment's fault, and the sender's copy is the only one.
                return error_reply(
                    503, "unavailable", "the events could not be stored, send them again",
                    {**cors, "retry-after": RETRY_AFTER_SECONDS}, {"QueueUnavailable": 1},
                )  # fmt: skip
        return None

    def _malformed(self, error: _MalformedError, cors: Mapping[str, str]) -> HttpReply:
        """400, after the bad row is safe."""
        counters = {"RequestsMalformed": 1}
        if error.row is not None:
            unavailable = self._stored(Normalised(bad=[error.row]), cors)
            if unavailable is not None:
                return unavailable
            counters["BadRows"] = 1
        return error_reply(400, error.reason.code, error.reason.detail, cors, counters)

    def _refused_origin(self, request: HttpRequest, cors: Mapping[str, str]) -> HttpReply | None:
        if self._origins.allows(request.headers):
            return None
        return error_reply(403, "origin_refused", "this origin may not send events", cors, {"OriginsRefused": 1})

    def pixel(self, request: HttpRequest, route: _Route) -> HttpReply:
        """GET and HEAD of the pixel: the image for every request with a right key, whatever became of the event.

        HEAD asks what GET would answer and records nothing.
        """
        cors, door = self._cors(request, route), route.door
        if (refused := self._refused_origin(request, cors)) is not None:
            return refused
        try:
            source = self._source(key_in_headers(request.headers) or _key_in_query(request.query, route))
        except _UnauthorizedError:
            return _unauthorized(cors)
        if request.method == "HEAD":
            return _image(cors, {}, head=True)
        if is_prefetch(request.headers):
            return _image(cors, _PREFETCHED)
        receipt, raw = receipt_of(request, source), request.query.encode("utf-8", "surrogatepass")
        try:
            normalised = DOORS[door](raw, parameters(request.query), receipt, self._ids)
        except BadInputError as error:
            normalised = Normalised()
            message_id = _lenient(request.query).get("eid" if door == SNOWPLOW_PIXEL else "messageId")
            normalised.reject(rejected(receipt, door, error, raw, message_id), 0)
        return self._stored(normalised, cors) or _image(cors, normalised.counters())

    def file(self, request: HttpRequest, route: _Route) -> HttpReply:
        """A file that anybody may have."""
        return self._files[route.door].reply(request)

    def segment_settings(self, request: HttpRequest, route: _Route) -> HttpReply:
        """GET of what Segment's browser library needs to know, by the write key in the path."""
        return self._settings(request, route, unquote(request.path.split("/")[3]))

    def rudder_settings(self, request: HttpRequest, route: _Route) -> HttpReply:
        """GET of what Rudder's browser library needs to know, by the write key in Basic auth or the query."""
        return self._settings(request, route, key_in_headers(request.headers) or _key_in_query(request.query, route))

    def _settings(self, request: HttpRequest, route: _Route, key: str | None) -> HttpReply:
        cors = self._cors(request, route)
        if (refused := self._refused_origin(request, cors)) is not None:
            return refused
        try:
            source = self._source(key)
        except _UnauthorizedError:
            return _unauthorized(cors)
        rudder = route.door == _RUDDER
        document = rudder_settings(key or "", source) if rudder else segment_settings(key or "", request)
        return json_reply(200, document, cors, {})


class _MalformedError(Exception):
    """The whole request is bad. `row` is kept of it; None when nobody knows whose it is."""

    def __init__(self, reason: BadInputError, row: BadRow | None) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.row = row


def _accepted(normalised: Normalised, cors: Mapping[str, str]) -> HttpReply:
    """Exactly 200 with JSON: some SDKs send again on any other 2xx."""
    return json_reply(200, normalised.answer(), cors, normalised.counters())


def _unauthorized(cors: Mapping[str, str]) -> HttpReply:
    return error_reply(401, "unauthorized", "the write key is missing or unknown", cors, {"RequestsUnauthorized": 1})


def _image(cors: Mapping[str, str], counters: Mapping[str, int], *, head: bool = False) -> HttpReply:
    return HttpReply(
        status=200, headers={**_GIF_HEADERS, **cors}, body="" if head else GIF, is_base64=not head, counters=counters
    )


def _lenient(query: str) -> dict[str, str]:
    """Parameters of a query that may be badly encoded, to tell whose it is; empty when it has none that can be read."""
    try:
        pairs = parse_qsl(query, errors="replace", max_num_fields=1_000)
    except ValueError:
        return {}
    return dict(reversed(pairs))


def _app_id(body: dict[str, Any]) -> object:
    """The app id of a Snowplow request: that of its first payload, as one tracker sends one request."""
    payloads = body.get("data")
    first = payloads[0] if isinstance(payloads, list) and payloads else None
    return first.get(APP_ID) if isinstance(first, dict) else None


def _key_in_query(query: str, route: _Route) -> str | None:
    """The write key among the parameters, or inside `data`, where Segment's own pixel has it."""
    given = _lenient(query)
    if route.key_parameter in given or not given.get("data"):
        return given.get(route.key_parameter) or given.get(KEY_PARAMETER)
    try:
        key = call_of({"data": given["data"]}).get(KEY_PARAMETER)
    except BadInputError:
        return None
    return key if isinstance(key, str) else None


_RUDDER = "rudder"
_SHORT = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"}
_SNOWPLOW_POST = _Route(("POST",), Collect.call, SNOWPLOW, APP_ID, credentials=True)
_SNOWPLOW_GET = _Route(("GET",), Collect.pixel, SNOWPLOW_PIXEL, APP_ID, credentials=True)
_ROUTES = {
    **{f"/v1/{name}": _Route(("POST",), Collect.call, name) for name in (*CALLS, BATCH, SURVEY)},
    **{f"/v1/{short}": _Route(("POST",), Collect.call, name) for short, name in _SHORT.items()},
    **{f"/api/s/{name}": _Route(("POST",), Collect.call, name) for name in CALLS},
    **{path: _Route(("POST",), Collect.call, BATCH) for path in ("/v1/b", "/v1/import", "/beacon/v1/batch")},
    "/p.gif": _Route(("GET", "HEAD"), Collect.pixel, PIXEL),
    "/com.snowplowanalytics.snowplow/tp2": _SNOWPLOW_POST,
    "/i": _SNOWPLOW_GET,
    **{path: _Route(("GET",), Collect.rudder_settings, _RUDDER) for path in ("/sourceConfig", "/sourceConfig/")},
    **{path: _Route(("GET", "HEAD"), Collect.file, path) for path in (SNIPPET_PATH, DOCUMENT_PATH)},
}
"""Path to what answers it. A route of another protocol is one more line, with its normaliser among the doors."""

_WITH_KEY = {
    ("/v1/projects/", "/settings"): _Route(("GET",), Collect.segment_settings),
    ANALYTICS_PATH.partition("{key}")[::2]: _Route(("GET", "HEAD"), Collect.file, ANALYTICS_PATH),
}
"""What stands before and behind the write key in a path, to what answers it."""


def _route_with_key(path: str) -> _Route | None:
    for (before, behind), route in _WITH_KEY.items():
        if path.startswith(before) and path.endswith(behind) and "/" not in path[len(before) : -len(behind)]:
            return route
    return None
