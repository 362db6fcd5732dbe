"""What a million events cost, from counted calls and capacity units; and what a month without any costs.

Traffic of 100 events a second, ten events a request, goes through the local cloud in windows as long as the ingest
mapping's batching window, so batches are as large as they would be. Calls and units are counted there; CPU is that of
the same handlers on memory adapters; waiting times are assumed and said.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from infra.bench import prices
from infra.bench.figures import Figure, rounded
from infra.bench.handlers import Handlers
from infra.bench.idle import idle_month
from infra.bench.metering import Meter
from infra.bench.traffic import START, WRITE_KEY, Call, batches, request_event, visits
from infra.bench.way import Way
from infra.local import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FUNCTIONS = frozenset({"collect", "ingest", "update_customers", "evaluate_customers", "tick"})
"""Collecting, storing, folding, evaluating. Sending is billed by the message (SES, SNS) and is not in this figure."""
_PER_REQUEST = 10
_RATE = 100
_WINDOW_SECONDS = 5
_WINDOWS = 12
_AFTERWARDS = timedelta(hours=2)
"""Time rules about carts become due within it."""
_STRIDE = timedelta(minutes=10)
"""Ticks find as many due customers as they would each minute under steady traffic, not a few stragglers each."""

_FULL_CPU_MB = 1769
"""Megabytes of memory at which Lambda gives a function one whole processor (Lambda, "Configuring function memory")."""
_CLIENT_CPU_MS = 1.5
_WAIT_MS = {"sqs": 8.0, "dynamodb": 5.0, "s3": 30.0}
"""Assumed: milliseconds that a warm function waits for one call, and CPU that the AWS client takes for it."""
_ACCESS_LOG_BYTES = 250
_PLATFORM_LOG_BYTES = 330
"""Lambda's START, END and REPORT lines of one invocation."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was counted on the local cloud for `events` events."""

    events: int
    requests: int
    invocations: Counter[str]
    memory_mb: dict[str, int]
    meter: Meter
    log_bytes: int
    seconds: float


def windows(*, mixed: bool, change: Callable[[Call], Call] = lambda call: call) -> list[list[dict[str, Any]]]:
    """Requests by ingest window. `mixed`: each request holds ten shoppers' calls, as from a server's library; else one
    shopper's ten, as from a browser's or an app's. `change` is done to each call."""
    number = _WINDOWS * _WINDOW_SECONDS * _RATE // _PER_REQUEST
    calls = map(change, visits(number, seed=11, per_second=_RATE / _PER_REQUEST))
    groups = batches(calls, _PER_REQUEST) if mixed else _by_shopper(calls)
    requests = [request_event(group, index) for index, group in enumerate(groups)]
    size = _WINDOW_SECONDS * _RATE // _PER_REQUEST
    return [requests[begin : begin + size] for begin in range(0, len(requests), size)]


def _by_shopper(calls: Iterable[Call]) -> Iterator[list[Call]]:
    groups: dict[str, list[Call]] = {}
    for call in calls:
        groups.setdefault(call.document["anonymousId"], []).append(call)
    return iter(sorted(groups.values(), key=lambda group: group[-1].at))


def count_on_local_cloud(traffic: list[list[dict[str, Any]]]) -> Run:
    """Send the traffic window by window, then let two hours pass so that what became due is evaluated."""
    meter = Meter(FUNCTIONS)
    with LocalCloud(start=START, parameters={"WriteKeys": f"shop={WRITE_KEY}"}) as cloud:
        cloud.calls.interceptor = meter
        for requests in traffic:
            for request in requests:
                if (status := cloud.invoke("collect", request)["statusCode"]) != 200:  # noqa: PLR2004
                    raise RuntimeError(f"collect answered {status}")
            cloud.settle()
            cloud.advance(by=timedelta(seconds=_WINDOW_SECONDS))
        seconds = (cloud.now - START).total_seconds()
        cloud.advance(by=_AFTERWARDS, stride=_STRIDE)
        if letters := cloud.dead_letters():
            failures = ", ".join(sorted(cloud.functions.failures))
            raise RuntimeError(f"dead letters in {sorted(letters)}; failed: {failures}")
        requests_sent = sum(len(requests) for requests in traffic)
        return Run(
            events=requests_sent * _PER_REQUEST,
            requests=requests_sent,
            invocations=Counter({name: cloud.invocations[name] for name in FUNCTIONS}),
            memory_mb={name: cloud.functions.specs[name].memory_mb for name in FUNCTIONS},
            meter=meter,
            log_bytes=sum(len(line) + 1 for line in cloud.log),
            seconds=seconds,
        )


def cpu_per_invocation(traffic: list[list[dict[str, Any]]]) -> dict[str, float]:
    """Seconds of CPU by function, for the same windows on memory adapters (after a first round that warms up)."""
    for _ in range(2):
        handlers = Handlers()
        way = Way(handlers)
        for requests in traffic:
            way.send(requests, ingest_batch=len(requests))
    return {name: handlers.cpu[name] / handlers.runs[name] for name in handlers.cpu}


def gigabyte_seconds(run: Run, cpu: dict[str, float]) -> dict[str, float]:
    """Billed GB-seconds by function: measured CPU at the share of a processor that its memory buys, and assumed waits.

    Our processor counts as one of Lambda's. `tick` has no measurement: it is one query for each shard, and waits.
    """
    billed = {}
    for name, invocations in run.invocations.items():
        memory = run.memory_mb[name]
        slower = max(1.0, _FULL_CPU_MB / memory)
        seconds = cpu.get(name, 0.0) * invocations * slower
        for (function, service), calls in run.meter.calls.items():
            if function == name:
                seconds += calls * (_CLIENT_CPU_MS * slower + _WAIT_MS[service]) / 1000
        billed[name] = seconds * memory / 1024
    return billed


def bill(run: Run, cpu: dict[str, float]) -> dict[str, float]:
    """US dollars by item for the run."""
    units = run.meter.units
    messages = sum(run.meter.messages.values())
    invocations = sum(run.invocations.values())
    # Lambda's pollers: one message a receive at the worst, ten a delete. S3's notifications are messages too.
    polled = messages + units["s3 writes"]
    logs = run.log_bytes + _PLATFORM_LOG_BYTES * invocations + _ACCESS_LOG_BYTES * run.requests
    stored = run.meter.stored["s3"] * prices.S3_GB_MONTH
    table = run.meter.table_bytes() * (prices.DYNAMODB_GB_MONTH + prices.DYNAMODB_PITR_GB_MONTH)
    return {
        "HTTP API requests": run.requests * prices.HTTP_API_REQUEST,
        "Lambda requests": invocations * prices.LAMBDA_REQUEST,
        "Lambda GB-seconds": sum(gigabyte_seconds(run, cpu).values()) * prices.LAMBDA_GB_SECOND,
        "SQS sends": units["sqs requests"] * prices.SQS_REQUEST,
        "SQS receives and deletes": (polled + polled / 10) * prices.SQS_REQUEST,
        "S3 requests": units["s3 writes"] * prices.S3_WRITE + units["s3 reads"] * prices.S3_READ,
        "S3 storage, first month": stored / 1e9,
        "DynamoDB writes": units["dynamodb write units"] * prices.DYNAMODB_WRITE_UNIT,
        "DynamoDB reads": units["dynamodb read units"] * prices.DYNAMODB_READ_UNIT,
        "DynamoDB storage and backup, first month": table / 1e9,
        "CloudWatch Logs": logs / 1e9 * prices.LOGS_GB,
        "X-Ray traces": _traces(run) * prices.XRAY_TRACE,
    }


def _traces(run: Run) -> float:
    """X-Ray's default sampling: the first request of each second, and five in a hundred of the others, by function."""
    total = 0.0
    for invocations in run.invocations.values():
        always = min(invocations, run.seconds)
        total += always + 0.05 * (invocations - always)
    return total


def _figure(name: str, who: str, target: float | None, *, mixed: bool) -> Figure:
    traffic = windows(mixed=mixed)
    run, cpu = count_on_local_cloud(traffic), cpu_per_invocation(traffic)
    per_million = 1e6 / run.events
    items = {item: dollars * per_million for item, dollars in bill(run, cpu).items()}
    parts: dict[str, Any] = {f"{item}, $": rounded(dollars) for item, dollars in items.items()}
    parts |= {f"{unit} per 1,000 events": rounded(count * 1e3 / run.events) for unit, count in run.meter.units.items()}
    parts |= {
        f"{operation} per 1,000 events": rounded(count * 1e3 / run.events)
        for operation, count in sorted(run.meter.operations.items())
    }
    parts |= {
        f"invocations of {name} per 1,000 events": rounded(count * 1e3 / run.events)
        for name, count in sorted(run.invocations.items())
    }
    return Figure(
        name,
        sum(items.values()),
        "US dollars per million events",
        f"{prices.DATED}. {_RATE} events/s, {_PER_REQUEST} events a request, {who}. Calls, bytes and capacity units "
        f"counted on the local cloud over {run.events} events and two hours after them; Lambda time is CPU measured on "
        f"memory adapters x {_FULL_CPU_MB} MB / the function's memory, plus assumed {_CLIENT_CPU_MS} ms of CPU and "
        f"{_WAIT_MS} ms of waiting a call; every SQS message received alone; storage of the first month only.",
        target=target,
        at_least=False,
        parts=parts,
    )


def figures() -> list[Figure]:
    """Cost of a million events for the two extremes of who is in a request, and of an idle month."""
    items = idle_month()
    return [
        _figure("cost_per_million", "each request one shopper's", 0.50, mixed=False),
        _figure("cost_per_million_mixed", "each request ten shoppers', the worst case", None, mixed=True),
        Figure(
            "cost_idle_month",
            sum(items.values()),
            "US dollars a month",
            f"{prices.DATED}. What the template makes, without any traffic: alarms, secrets, keys, the tick, the "
            "refresh, and the polling of queues.",
            target=5.0,
            at_least=False,
            parts={f"{item}, $": rounded(dollars) for item, dollars in items.items()},
        ),
    ]
