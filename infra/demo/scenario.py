"""Who does what in the two live days: the real orders, and made-up visits around and beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from infra.demo.people import person
from infra.demo.traffic import Delivery, Hits, delivery_of, hits_of
from infra.demo.visits import Visits
from regulars.domain.instants import from_millis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SEED = "regulars-demo-1"
LIVE_DAYS = timedelta(days=2)
_ONLINE = 0.4
_UPDATED_LATER = timedelta(hours=3)
_ABANDONERS, _SUBSCRIBERS, _PASSERS_BY, _CRAWLERS, _BROKEN = 110, 40, 120, 25, 20
_REPEATS = 15


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """A real order of the live days and the household that placed it."""

    user_id: str
    order: Mapping[str, Any]


def timeline(
    orders: Sequence[LiveOrder], regulars: Mapping[str, Sequence[Mapping[str, Any]]], *, start: datetime
) -> list[Hits | Delivery]:
    """Every request of the live days, in order of time.

    `regulars` are households of the past with products they bought: some of them fill a cart and leave it. The same
    arguments give the same requests.
    """
    chance = Random(f"{_SEED}:scenario")  # noqa: S311 - a made-up scenario, no secret
    visits = Visits(f"{_SEED}:visits")
    end = start + LIVE_DAYS
    requests: list[Hits | Delivery] = []
    for number, live in enumerate(orders):
        requests += _order(number, live, visits, chance, end)
    requests += _beside(orders, regulars, visits, chance, start)
    batches = [request for request in requests if isinstance(request, Hits) and request.method == "POST"]
    requests += [_again(request, end) for request in chance.sample(batches, min(_REPEATS, len(batches)))]
    return sorted(requests, key=lambda request: (request.at, isinstance(request, Delivery)))


def _order(number: int, live: LiveOrder, visits: Visits, chance: Random, end: datetime) -> list[Hits | Delivery]:
    """The deliveries of one order: some in two versions, twice, or out of order; online ones with their visit."""
    placed = from_millis(live.order["placed_at"])
    someone = person(live.user_id)
    online = chance.random() < _ONLINE
    visit = visits.before_order(live.order, live.user_id) if online else None
    anonymous_id = visit.anonymous_id if visit else None
    first = delivery_of(live.order, someone, at=placed, version=1, status="placed", anonymous_id=anonymous_id)
    requests: list[Hits | Delivery] = list(hits_of(visit)) if visit else []
    later = min(placed + _UPDATED_LATER, end)
    if number % 8 == 0:  # fulfilled later
        second = delivery_of(live.order, someone, at=later, version=2, status="fulfilled", anonymous_id=anonymous_id)
        # Every other one overtakes the first version.
        return [*requests, second, first if number % 16 else _late(first, later + timedelta(minutes=1))]
    if number % 20 == 1:  # delivered twice
        return [*requests, first, _late(first, placed + timedelta(minutes=1))]
    return [*requests, first]


def _late(delivery: Delivery, at: datetime) -> Delivery:
    return Delivery(at, delivery.order_id, delivery.body)


def _again(request: Hits, end: datetime) -> Hits:
    at = min(request.at + timedelta(minutes=1), end)
    return Hits(at, request.method, request.path, request.headers, request.body, request.ids)


def _beside(
    orders: Sequence[LiveOrder],
    regulars: Mapping[str, Sequence[Mapping[str, Any]]],
    visits: Visits,
    chance: Random,
    start: datetime,
) -> Iterable[Hits | Delivery]:
    """Visits without an order: carts left, newsletters asked for, passers-by, machines, a buggy page."""
    buyers = {live.user_id for live in orders}
    candidates = sorted(user for user in regulars if user not in buyers and person(user).email_consent)
    catalogue = [product for user in sorted(regulars, key=int)[:300] for product in regulars[user]]

    def some(most: int) -> list[Mapping[str, Any]]:
        return chance.sample(catalogue, chance.randint(1, most))

    def instant() -> datetime:
        return start + timedelta(minutes=chance.randint(1, 2_200))

    made = [
        visits.abandoned(regulars[user], user, instant())
        for user in chance.sample(candidates, min(_ABANDONERS, len(candidates)))
    ]
    for number in range(_SUBSCRIBERS):
        someone = person(str(900_000 + number))
        made.append(visits.subscriber(some(3), f"{someone.first_name}.{number}@example.org".lower(),
                                      someone.first_name, instant()))  # fmt: skip
    made += [visits.passer_by(some(4), instant()) for _ in range(_PASSERS_BY)]
    made += [visits.crawler(some(6), instant()) for _ in range(_CRAWLERS)]
    made += [visits.broken(instant()) for _ in range(_BROKEN)]
    return [request for visit in made for request in hits_of(visit)]
