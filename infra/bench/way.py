"""The whole way of an event through the real handlers: collect, ingest, update_customers, evaluate_customers."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.bench.figures import Figure
from infra.bench.handlers import Handlers, notification, python_version, sqs_event
from infra.bench.traffic import batches, request_event, visits
from regulars.domain.instants import from_millis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STREAM_BATCH = 100
_LANDED_BATCH = 10
_SQS_PAYLOAD = 5_500_000
"""Characters of bodies in one batch: Lambda takes 6 MB an invocation, envelope and all."""


@dataclass(frozen=True, slots=True)
class Load:
    """A kind of traffic: calls per request, requests per ingest batch, visits, and how many begin in a second."""

    per_request: int
    ingest_batch: int
    number_of_visits: int
    visits_per_second: float


SINGLE = Load(per_request=1, ingest_batch=500, number_of_visits=800, visits_per_second=10)
FIFTY = Load(per_request=50, ingest_batch=100, number_of_visits=2_000, visits_per_second=100)


class Way:
    """Drives one load through the handlers; every batch is finished to evaluated profiles before the next."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._seen_objects: set[str] = set()

    def send(self, requests: Sequence[dict[str, Any]], *, ingest_batch: int) -> None:
        """Requests, in groups that one ingest batch takes. Raises RuntimeError where a handler refuses anything."""
        for begin in range(0, len(requests), ingest_batch):
            for request in requests[begin : begin + ingest_batch]:
                if (status := self._handlers.call("collect", request)["statusCode"]) != 200:  # noqa: PLR2004
                    raise RuntimeError(f"collect answered {status}")
                self._handlers.clock.instant = from_millis(request["requestContext"]["timeEpoch"])
            self._settle(ingest_batch)

    def _settle(self, ingest_batch: int) -> None:
        """Until nothing is left to run; what was decided is relayed and goes round once more, at our cost."""
        handlers = self._handlers
        while True:
            for bodies in _sized([message.body for message in handlers.events.receive()], ingest_batch):
                self._call("ingest", sqs_event(bodies, "events"))
            landed = [key for key in handlers.log.objects if key not in self._seen_objects]
            self._seen_objects.update(landed)
            keys = [key for key in landed if key.startswith("events/")]
            for begin in range(0, len(keys), _LANDED_BATCH):
                bodies = [notification(key) for key in keys[begin : begin + _LANDED_BATCH]]
                self._call("update_customers", sqs_event(bodies, "landed"))
            records = handlers.store.records()
            for begin in range(0, len(records), _STREAM_BATCH):
                self._call("evaluate_customers", {"Records": records[begin : begin + _STREAM_BATCH]})
            if not (records or landed or handlers.events.messages):
                return

    def _call(self, name: str, event: dict[str, Any]) -> None:
        if self._handlers.call(name, event)["batchItemFailures"]:
            raise RuntimeError(f"{name} asks for records again")


def _sized(bodies: list[str], most: int) -> Iterator[list[str]]:
    """Bodies in batches of at most `most`, and of a size that Lambda takes."""
    group: list[str] = []
    size = 0
    for body in bodies:
        if group and (len(group) == most or size + len(body) > _SQS_PAYLOAD):
            yield group
            group, size = [], 0
        group.append(body)
        size += len(body)
    if group:
        yield group


def requests_of(load: Load, seed: int) -> list[dict[str, Any]]:
    """The HTTP API events of one load."""
    calls = visits(load.number_of_visits, seed=seed, per_second=load.visits_per_second)
    return [request_event(group, number) for number, group in enumerate(batches(calls, load.per_request))]


def measure(load: Load, *, repeats: int = 5) -> tuple[float, dict[str, float]]:
    """(events per core-second, microseconds per event by handler) of the best of some runs, each warm and on new
    shoppers in a store of its own."""
    best: tuple[float, dict[str, float]] | None = None
    for repeat in range(repeats):
        handlers = Handlers()
        way = Way(handlers)
        warm_up = Load(load.per_request, load.ingest_batch, load.number_of_visits // 8, load.visits_per_second)
        way.send(requests_of(warm_up, seed=1_000 + repeat), ingest_batch=load.ingest_batch)
        requests = requests_of(load, seed=repeat)
        handlers.reset()
        gc.collect()
        way.send(requests, ingest_batch=load.ingest_batch)
        events = load.number_of_visits * 10
        spent = {name: seconds / events * 1e6 for name, seconds in handlers.cpu.items()}
        rate = events / sum(handlers.cpu.values())
        if best is None or rate > best[0]:
            best = rate, spent
    if best is None:
        raise ValueError("at least one repeat")
    return best


def figures() -> list[Figure]:
    """The way of an event at one and at fifty events a request."""
    found = []
    for name, load, target in (("way_single", SINGLE, 1_500.0), ("way_fifty", FIFTY, 5_000.0)):
        rate, spent = measure(load)
        found.append(
            Figure(
                name,
                rate,
                "events per core-second",
                f"CPU of the four real handlers from HTTP event to evaluated profile, JSON and Parquet included, on "
                f"memory adapters, Python {python_version()}; {load.per_request} calls a request, many shoppers, "
                f"ingest batches of {load.ingest_batch} messages; best of 5.",
                target=target,
                parts={f"{handler}, microseconds per event": round(cost, 1) for handler, cost in spent.items()},
            )
        )
    peers = {"way_peer_a": (214.0, 243.0), "way_peer_b": (156.0, 542.0)}
    for name, (single, fifty) in peers.items():
        how = "An open peer on the same kind of machine, its database included; it does less. For context."
        found.append(Figure(f"{name}_single", single, "events per core-second", how))
        found.append(Figure(f"{name}_fifty", fifty, "events per core-second", how))
    return found
