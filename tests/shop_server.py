"""BigCommerce's API on a port of this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.webhooks import BIGCOMMERCE_LINES

ACCOUNT = '{"store_hash": "abcde", "token": "t-1"}'


class FakeBigCommerce:
    """Some of BigCommerce's API on a port of this machine. `answers`: path to (status, body), before all else."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.seen: list[tuple[str, str | None]] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.seen.append((self.path, self.headers["X-Auth-Token"]))
                status, body = shop.answers.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status == 302:
                    self.send_header("Location", "/stores/other")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeBigCommerce:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def has_order(self, order: dict[str, Any]) -> None:
        at = f"/stores/abcde/v2/orders/{order['id']}"
        self.answers[at] = (200, json.dumps(order).encode())
        self.answers[f"{at}/products?limit=250"] = (200, json.dumps(BIGCOMMERCE_LINES).encode())
        self.answers[f"{at}/coupons"] = (204, b"")
