"""One local cloud for all clients, and a server for each client that first answers it badly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from botocore.exceptions import EndpointConnectionError
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from infra.local import LocalCloud
from infra.local.aws_calls import AwsCall, Proceed
from infra.local.server import _Quiet, answer
from regulars.adapters.aws.lake import S3EventLog
from regulars.domain.events import BadRow, Event

Site = Callable[[Request], Response]


def throttled(_cloud: LocalCloud, request: Request) -> Response:
    """429 of something that stands in front, with a time to come back, readable by pages."""
    origin = request.headers.get("origin", "*")
    headers = {
        "retry-after": "1",
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "Retry-After",
    }
    return Response('{"message":"Too Many Requests"}', 429, headers, content_type="application/json")


def gateway_throttled(_cloud: LocalCloud, _request: Request) -> Response:
    """429 of API Gateway itself, which no page may read and which says no time."""
    return Response('{"message":"Too Many Requests"}', 429, content_type="application/json")


def queue_down(cloud: LocalCloud, request: Request) -> Response:
    """What collect itself answers when the queue does not take the events: 503."""

    def refused(call: AwsCall, proceed: Proceed) -> Any:
        if call.function == "collect":
            raise EndpointConnectionError(endpoint_url="https://sqs")
        return proceed()

    with cloud.lock:
        cloud.calls.interceptor = refused
        try:
            return answer(cloud, request)
        finally:
            cloud.calls.interceptor = None


def answer_lost(cloud: LocalCloud, request: Request) -> Response:
    """Everything is stored, and the client hears of a 502: it sends the same again."""
    answer(cloud, request)
    return gateway_error(request)


def gateway_error(request: Request) -> Response:
    headers = {
        "access-control-allow-origin": request.headers.get("origin", "*"),
        "access-control-allow-credentials": "true",
    }
    return Response("{}", 502, headers, content_type="application/json")


Fault = Callable[[LocalCloud, Request], Response]
FAULTS: tuple[Fault, ...] = (throttled, queue_down, answer_lost)


@dataclass
class Collector:
    """An address of the cloud's API for one client. `faults`: how its first requests with events are answered."""

    cloud: LocalCloud
    faults: list[Fault] = field(default_factory=lambda: list(FAULTS))
    site: Site | None = None
    answers: list[tuple[str, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = make_server("127.0.0.1", 0, self._application, threaded=True, request_handler=_Quiet)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        """The shop: the same server under another name, so another site."""
        return f"http://localhost:{self.port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def taken(self) -> int:
        """How many requests with events were answered with success, after all faults."""
        return sum(status == 200 and _carries_events(method, path) for method, path, status in self.answers)

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        if self.site is not None and not self.cloud.routes(request.method, request.path):
            return self.site(request)(environ, start_response)
        response = self._answer(request)
        self.answers.append((request.method, request.path, response.status_code))
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self.faults and _carries_events(request.method, request.path):
            return self.faults.pop(0)(self.cloud, request)
        return answer(self.cloud, request)


def _carries_events(method: str, path: str) -> bool:
    return method == "POST" or path == "/i"


@dataclass
class Clients:
    """The cloud, a collector for each client that is asked for, and what the lake has of each in the end."""

    cloud: LocalCloud
    collectors: dict[str, Collector] = field(default_factory=dict)
    _stored: dict[str, list[Event]] | None = None

    def collector(self, name: str, **given: Any) -> Collector:
        """A new address for the client `name`, whose source is called the same."""
        self.collectors[name] = Collector(self.cloud, **given)
        return self.collectors[name]

    def close(self) -> None:
        for collector in self.collectors.values():
            collector.close()

    def stored(self, name: str) -> list[Event]:
        """Every event of a client that lies in the lake, as often as it lies there, by the time that it says."""
        return sorted(self._everything()[name], key=lambda event: event.original_timestamp or event.timestamp)

    def _everything(self) -> dict[str, list[Event]]:
        if self._stored is None:
            self._ingest()
            self._stored = {client: [] for client in self.collectors}
            for event in _lake(self.cloud):
                self._stored[event.source].append(event)
        return self._stored

    def _ingest(self) -> None:
        """What lies in the events queue, in one batch, into the lake."""
        bodies = self.cloud.queue("events")
        records = [{"messageId": str(n), "body": body, "eventSource": "aws:sqs"} for n, body in enumerate(bodies)]
        assert self.cloud.invoke("ingest", {"Records": records}) == {"batchItemFailures": []}

    def bad_rows(self) -> list[BadRow]:
        """Everything in the lake that was refused."""
        self._everything()
        log = S3EventLog(self.cloud.client("s3"), self.cloud.bucket_name)
        return [row for key in log.bad_keys() for row in log.read_bad(key)]


def _lake(cloud: LocalCloud) -> Iterator[Event]:
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    for key in list(log.keys()):
        yield from log.read(key)


def key_of(client: str) -> str:
    """The write key of a client; Jitsu's library takes none without a colon."""
    return f"wk_{client}:made-up" if client == "jitsu" else f"wk_{client}"


def cloud_for(*clients: str) -> LocalCloud:
    """A cloud whose clock ticks, as the clients' do, with a source for each client."""
    keys = ",".join(f"{client}={key_of(client)}" for client in clients)
    return LocalCloud(start=datetime.now(UTC), ticking=True, parameters={"WriteKeys": keys})
