"""Webhooks as a stand-in for Stripe really sends them, over HTTP on this machine."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from regulars.application.http import HttpRequest
from regulars.domain.events import Event, EventType
from regulars.domain.instants import truncated
from tests.webhooks import SECRET, Shops

_SENDER = """
import sys
from aiohttp import web
from localstripe import resources, server
resources.store.dump_to_disk = lambda: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""
"""Its own command would listen on every address of the machine, and keep what it is told in a file."""
_PATIENCE = 20


class Receiver:
    """The webhooks of `stripe` on a port of this machine, by the clock of this machine, as the sender's are."""

    def __init__(self) -> None:
        self.shops, self.statuses = Shops(), list[int]()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                reply = receiver.shops.receive(
                    HttpRequest(
                        method="POST",
                        path=self.path,
                        received_at=truncated(datetime.now(UTC)),
                        request_id=str(len(receiver.statuses)),
                        headers={name.lower(): text for name, text in self.headers.items()},
                        body=base64.b64encode(raw).decode(),
                        is_base64=True,
                    )
                )
                receiver.statuses.append(reply.status)
                self.send_response(reply.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhooks/orders/stripe"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def stripe_url(tmp_path: Path) -> Iterator[str]:
    """The address of a stand-in for Stripe's API."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as free:
        port = free.server_address[1]
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", _SENDER, str(port)], cwd=tmp_path, stderr=subprocess.DEVNULL
    ) as sender:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{url}/_config/data", timeout=1):  # noqa: S310 - our own address
                    break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.05)  # a process of its own, that starts when it does
        yield url
        sender.terminate()


def call(server: str, path: str, /, **fields: str) -> dict[str, Any]:
    """One call of Stripe's API."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        server + path, data=urlencode(fields).encode(), headers={"Authorization": "Bearer sk_test_1"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        body = answer.read()
    return json.loads(body) if body[:1] == b"{" else {}


def test_what_a_stand_in_for_stripe_sends_is_believed_and_becomes_one_order(
    receiver: Receiver, stripe_url: str
) -> None:
    call(stripe_url, "/_config/webhooks/regulars", url=receiver.url, secret=SECRET)
    customer = call(stripe_url, "/v1/customers", email="ada@example.com", name="Ada")
    card = call(
        stripe_url,
        "/v1/payment_methods",
        **{"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "12", "card[exp_year]": "2030",
           "card[cvc]": "123"},
    )  # fmt: skip
    call(stripe_url, f"/v1/payment_methods/{card['id']}/attach", customer=customer["id"])
    payment = call(
        stripe_url,
        "/v1/payment_intents",
        amount="9900",
        currency="eur",
        customer=customer["id"],
        payment_method=card["id"],
        confirm="true",
    )
    events: list[Event] = []
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and {EventType.IDENTIFY, EventType.ORDER} > {event.type for event in events}:
        time.sleep(0.05)  # the sender delivers from a process of its own
        told, bad = receiver.shops.stored()
        assert bad == []
        events += told
    assert set(receiver.statuses) == {200}
    identify = next(event for event in events if event.type is EventType.IDENTIFY)
    orders = [event.properties for event in events if event.type is EventType.ORDER]
    assert identify.traits == {"email": "ada@example.com", "name": "Ada"}
    assert {(order["order_id"], order["total_minor"], order["currency"]) for order in orders} == {
        (payment["id"], 9900, "EUR")
    }
