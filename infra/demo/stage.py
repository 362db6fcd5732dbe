"""The demo's three acts on the local cloud: a year's history, two live days, 45 days ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from infra.demo.dataset import LAST_ORDER_AT, Household, read_households
from infra.demo.people import contact_events, person
from infra.demo.scenario import LIVE_DAYS, LiveOrder, timeline
from infra.demo.traffic import HIT_SOURCE, ORDER_SOURCE, WRITE_KEY, Delivery, Hits, Receipts, send
from regulars.adapters.aws.lake import S3EventLog
from regulars.application.import_orders import CustomerHistory, ImportReport, import_orders
from regulars.domain.instants import from_millis, to_millis

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local import LocalCloud

LIVE_FROM = LAST_ORDER_AT - LIVE_DAYS
AHEAD = timedelta(days=45)
PARAMETERS = {"WriteKeys": f"{HIT_SOURCE}={WRITE_KEY}"}
_LIVE_STRIDE = timedelta(minutes=30)
_AHEAD_STRIDE = timedelta(hours=12)
REFRESH_EVERY = timedelta(days=21)
_RARER = {"refresh": REFRESH_EVERY, "reconcile": 2 * AHEAD, "monitor": 2 * AHEAD}
"""moto's scans and a year's log cost seconds, so what is nightly is not nightly here."""
_REMEMBERED = 3

Progress = Callable[[int], None]
"""Hears how much more has been done."""


@dataclass(slots=True)
class History:
    """What the reader keeps of the year while it is imported: the live orders, and what each household bought last."""

    live: list[LiveOrder] = field(default_factory=list)
    regulars: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def past(self, households: Iterator[Household], *, cut: int) -> Iterator[CustomerHistory]:
        """Each household's orders up to `cut` (epoch ms) with its made-up contacts; later ones are kept for the live
        days."""
        for household in households:
            past = [order for order in household.orders if order["placed_at"] <= cut]
            self.live += [LiveOrder(household.user_id, order) for order in household.orders if order["placed_at"] > cut]
            if not past:
                continue
            bought = [product for product in past[-1]["products"] if product["price_minor"]]
            if bought:
                self.regulars[household.user_id] = bought[:_REMEMBERED]
            since = from_millis(past[0]["placed_at"])
            contacts = contact_events(person(household.user_id), since=since, received_at=LIVE_FROM)
            yield CustomerHistory(household.user_id, past, contacts)


def import_year(cloud: LocalCloud, folder: Path, history: History, on_orders: Progress) -> ImportReport:
    """The year up to the live days into the lake. Nothing is folded yet: `fold` does that."""
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    return import_orders(
        history.past(read_households(folder), cut=to_millis(LIVE_FROM)),
        source=ORDER_SOURCE,
        received_at=LIVE_FROM,
        log=log,
        on_written=on_orders,
    )


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
        return self.cloud.now

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
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
