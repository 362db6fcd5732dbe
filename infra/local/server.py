"""The local cloud on HTTP: its API on 127.0.0.1, and a pump that runs what the requests set off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud

Site = Callable[[Request], Response]
"""Answers what is no route of the API."""

_PAUSE = 0.05
"""Real seconds between two looks of an idle pump."""


class _Quiet(WSGIRequestHandler):
    """Writes no access log: it would hold the shoppers' addresses and query strings."""

    def log_request(self, *_values: object) -> None:
        """Nothing."""


class Server:
    """Serves a cloud until closed; a context manager."""

    def __init__(self, cloud: LocalCloud, *, port: int = 0, site: Site | None = None, pumping: bool = True) -> None:
        """Port 0 takes a free one (see `url`). Without `pumping` nothing runs but what requests run themselves."""
        self._cloud = cloud
        self._site = site
        self._stopping = Event()
        self._server = make_server("127.0.0.1", port, self._application, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._threads = [Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)]
        if pumping:
            self._threads.append(Thread(target=self._pump, daemon=True))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and pumping; returns when both have stopped."""
        self._stopping.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Return when somebody closes the server."""
        self._stopping.wait()

    def _pump(self) -> None:
        while not self._stopping.is_set():
            self._cloud.run_due_schedules()
            if not self._cloud.pump():
                self._stopping.wait(_PAUSE)

    def _application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        path = _target(request).partition("?")[0]
        if self._site is not None and not self._cloud.routes(request.method, path):
            return self._site(request)(environ, start_response)
        return answer(self._cloud, request)(environ, start_response)


def _target(request: Request) -> str:
    """Path and query as they were on the wire."""
    return str(request.environ.get("RAW_URI", request.full_path))


def answer(cloud: LocalCloud, request: Request) -> Response:
    """What the cloud's HTTP API answers to a WSGI request."""
    headers = [*request.headers.items(), ("x-forwarded-proto", request.scheme)]
    given = cloud.request(request.method, _target(request), headers, request.get_data(), source_ip="127.0.0.1")
    response = Response(given.body, given.status)
    response.headers.clear()
    response.headers.extend({**given.headers, "content-length": str(len(given.body))})
    for cookie in given.cookies:
        response.headers.add("set-cookie", cookie)
    return response
