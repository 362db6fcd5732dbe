"""Warm collect: its own CPU for requests of one event and of ten, everything but the call to SQS."""

from __future__ import annotations

from statistics import median

from infra.bench.figures import Figure
from infra.bench.handlers import Handlers, python_version
from infra.bench.traffic import batches, request_event, visits

_REQUESTS = 1_500
_TARGETS = {1: None, 10: 1_000.0}


def figures() -> list[Figure]:
    """CPU per request and, in the parts, per event."""
    handlers = Handlers()
    found = []
    for size, target in _TARGETS.items():
        calls = visits(_REQUESTS * size // 10 + 1, seed=size, per_second=50)
        requests = [request_event(group, number) for number, group in enumerate(batches(calls, size))]
        spent = []
        for request in requests:
            before = handlers.cpu["collect"]
            handlers.call("collect", request)
            spent.append((handlers.cpu["collect"] - before) * 1e6)
            handlers.events.messages.clear()
        per_request = median(spent[len(spent) // 10 :])
        found.append(
            Figure(
                f"collect_warm_{size}",
                per_request,
                "microseconds of CPU per request",
                f"Median of {len(requests)} requests of {size} calls through the real handler, queue in memory, the "
                f"event's and the reply's JSON included, Python {python_version()}.",
                target=target,
                at_least=False,
                parts={"microseconds per event": round(per_request / size, 1)},
            )
        )
    return found
