"""The demo's three acts on the local cloud: a year's history, two live days, 45 days ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from infra.demo.dataset import LAST_ORDER_AT
from infra.demo.scenario import LIVE_DAYS, timeline
from infra.demo.traffic import HIT_SOURCE, ORDER_SOURCE, WRITE_KEY, Delivery, Hits, Receipts, send

if TYPE_CHECKING:
    from infra.demo.history import History
    from infra.local import LocalCloud

LIVE_FROM = LAST_ORDER_AT - LIVE_DAYS
AHEAD = timedelta(days=45)
PARAMETERS = {"WriteKeys": f"{HIT_SOURCE}={WRITE_KEY}"}
_LIVE_STRIDE = timedelta(minutes=30)
_AHEAD_STRIDE = timedelta(hours=12)
REFRESH_EVERY = timedelta(days=21)
_RARER = {"refresh": REFRESH_EVERY, "reconcile": 2 * AHEAD, "monitor": 2 * AHEAD, "snapshot": 2 * AHEAD}
"""moto's scans and a year's log cost seconds, so what is nightly is not nightly here."""

Progress = Callable[[int], None]
"""Hears how much more has been done."""


def fold(cloud: LocalCloud, on_calls: Progress) -> None:
    """Let everything that landed be folded and evaluated."""
    seen = cloud.calls.total
    while cloud.pump():
        on_calls(cloud.calls.total - seen)
        seen = cloud.calls.total


class _LiveShop:
    """The local cloud's HTTP API, as the senders see it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    @property
    def now(self) -> Any:
        """The cloud's clock, an aware instant."""
        return self.cloud.now

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        """The answer of the function behind a route."""
        return self.cloud.request(method, path, headers, body)


def live_requests(history: History) -> list[Hits | Delivery]:
    """Everything that is sent in the live days."""
    orders = sorted(history.live, key=lambda live: (live.order["placed_at"], live.order["order_id"]))
    return timeline(orders, history.regulars, start=LIVE_FROM)


def live(cloud: LocalCloud, requests: list[Hits | Delivery], on_requests: Progress) -> Receipts:
    """Send every request through the HTTP API, the clock moving in strides of half an hour."""
    receipts = Receipts()
    shop = _LiveShop(cloud)
    secret = cloud.secret(f"orders/{ORDER_SOURCE}")
    waiting = iter(requests)
    request = next(waiting, None)
    while request is not None:
        cloud.advance(
            to=max(cloud.now, min(cloud.now + _LIVE_STRIDE, requests[-1].at)), stride=_LIVE_STRIDE, rarer=_RARER
        )
        sent = 0
        while request is not None and request.at <= cloud.now:
            send(request, shop, secret, receipts)
            request = next(waiting, None)
            sent += 1
        cloud.settle()
        on_requests(sent)
    return receipts


def ahead(cloud: LocalCloud, on_days: Progress) -> None:
    """Let 45 days pass, with ticks in strides: short ones while carts are fresh, then twice a day."""
    for day in range(AHEAD.days):
        stride = _LIVE_STRIDE if day < 1 else _AHEAD_STRIDE
        cloud.advance(by=timedelta(days=1), stride=stride, rarer=_RARER)
        on_days(1)
