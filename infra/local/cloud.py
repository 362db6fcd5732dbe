"""The local cloud: everything that infra/template.yaml describes, in this process, on a clock that can be moved."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from unittest import mock
from urllib.parse import quote

import boto3
import orjson
from moto import mock_aws

from infra.artifacts.plan import CONTRACTS
from infra.local import direct as _direct  # noqa: F401 - stands between botocore and moto from now on
from infra.local.aws_calls import AwsCalls
from infra.local.clock import MovableClock
from infra.local.functions import REPOSITORY, Functions, InvocationError
from infra.local.http_api import HttpApi, Request, Response
from infra.local.outbox import Mail, Outbox, Sms
from infra.local.queues import QueueSource, put_message, queue_bodies, queue_sources
from infra.local.resources import create
from infra.local.schedules import Schedule, schedules
from infra.local.server import Server, Site
from infra.local.streams import StreamSource, due_instants, stream_sources
from infra.local.template import EVERYTHING, REGION, TEMPLATE, Stack
from infra.local.throttling import Throttle

DEFAULT_START: Final = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_NO_TIME: Final = timedelta(0)
_FREQUENT: Final = timedelta(minutes=5)
"""A rate at or under this is a tick: it is run only where something is due."""
_TICK_LOOKAHEAD: Final = _MINUTE
_AT_MOST: Final = 200_000
"""Invocations in one `settle`; more means that it feeds itself for ever."""

_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    # moto does not know the account-based endpoints that botocore would use for a table's stream.
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "POWERTOOLS_SERVICE_NAME": "regulars",
    "POWERTOOLS_METRICS_NAMESPACE": "Regulars",
}


class RestlessError(RuntimeError):
    """The cloud does not come to rest: something keeps making work for itself."""


class LocalCloud:
    """One deployment of the template; use it as a context manager. One at a time in a process.

    The clock starts at `start` and stands still between moves unless `ticking`. Nothing happens by itself: `request`
    and `invoke` run one function, `settle` runs everything that they set off, `advance` lets time pass. (`serve` adds a
    background pump.) Methods may be called from any thread; one lock holds them apart, as moto cannot.
    """

    def __init__(
        self,
        *,
        start: datetime = DEFAULT_START,
        ticking: bool = False,
        parameters: Mapping[str, str] | None = None,
        template: Path = TEMPLATE,
        functions: Path = REPOSITORY / "functions",
        direct: bool = False,
    ) -> None:
        """`parameters` are the template's; `functions` is the folder that holds a folder for each function; `direct`
        saves the HTTP between functions and tables (infra/local/direct.py)."""
        self.lock = RLock()
        self._closing = ExitStack()
        with ExitStack() as opening:
            opening.enter_context(mock.patch.dict(os.environ, _ENVIRONMENT))
            self._calls = AwsCalls()
            self._calls.start()
            opening.callback(self._calls.stop)
            # One default session for all clouds: its credentials are made up, and its models are parsed already.
            opening.enter_context(mock_aws(config={"core": {"reset_boto3_session": False}}))
            self._clock = MovableClock(start, ticking=ticking)
            opening.callback(self._clock.close)
            everything = EVERYTHING if template == TEMPLATE else {}
            self.stack = Stack(template, parameters={**everything, **(parameters or {})})
            create(self.stack)
            environment = {
                "PROGRAM_PATH": str(REPOSITORY / "program"),
                "CONTRACTS_PATH": str(REPOSITORY / CONTRACTS),
            }
            self.functions = Functions(self.stack, self._calls, folder=functions, environment=environment)
            opening.callback(self.functions.close)
            self._closing = opening.pop_all()
        self._outbox = Outbox(self._clock.now)
        self._http = HttpApi(self.stack, self._invoke_logical, self._clock.now)
        by_arn = {self.stack.get_att(spec.logical, "Arn"): spec.name for spec in self.functions.specs.values()}
        by_name = {spec.deployed_name: spec.name for spec in self.functions.specs.values()}
        self._queues = queue_sources(self.stack, by_name, self.invoke, self._calls)
        self._sources = _by_window(
            [*self._queues, *stream_sources(self.stack, by_name, self.invoke, self._calls, self._clock.now)]
        )
        self._schedules = schedules(self.stack, by_arn | by_name)
        self._last_run = {schedule.name: self.now for schedule in self._schedules}
        self._calls.counts.clear()
        self._calls.direct = direct

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Throw everything away and go back to real time. Closing twice does nothing."""
        self._closing.close()

    # ------------------------------------------------------------------ what one looks at

    @property
    def now(self) -> datetime:
        """The cloud's current instant, aware UTC."""
        return self._clock.now()

    @property
    def mail(self) -> list[Mail]:
        """Every e-mail that SES took, oldest first."""
        return self._outbox.mail

    @property
    def sms(self) -> list[Sms]:
        """Every SMS that SNS took, oldest first."""
        return self._outbox.sms

    @property
    def calls(self) -> AwsCalls:
        """Counters of AWS calls, and the hook to disturb them."""
        return self._calls

    @property
    def invocations(self) -> Counter[str]:
        """How often each function ran."""
        return self.functions.invocations

    @property
    def log(self) -> deque[str]:
        """What the functions printed: log lines and metrics, the last 20,000 lines."""
        return self.functions.log

    @property
    def table_name(self) -> str:
        return self.stack.ref("Table")

    @property
    def bucket_name(self) -> str:
        return self.stack.ref("Bucket")

    def metric(self, name: str) -> float:
        """The sum of a metric over the lines that the log still holds (CloudWatch's embedded metric format)."""
        total = 0.0
        for line in self.log:
            if '"_aws"' in line and f'"{name}"' in line:
                value = orjson.loads(line).get(name, 0)
                total += sum(value) if isinstance(value, list) else value
        return total

    def queue(self, name: str) -> list[str]:
        """All message bodies in a queue, seen or not; `name` without the stack's: events, events-dlq, stream-dlq..."""
        with self.lock:
            return queue_bodies(f"{self.stack.name}-{name}")

    def dead_letters(self) -> dict[str, list[str]]:
        """What is in each dead-letter queue that is not empty, by the queue's short name."""
        names = [
            str(given["QueueName"]).removeprefix(f"{self.stack.name}-")
            for _, given in self.stack.of_type("AWS::SQS::Queue")
        ]
        return {name: bodies for name in names if name.endswith("-dlq") and (bodies := self.queue(name))}

    def make_secret(self, name: str, value: str) -> None:
        """Make a secret that the template does not make: `orders/shopify-main`."""
        self.client("secretsmanager").create_secret(Name=f"{self.stack.name}/{name}", SecretString=value)

    def secret(self, name: str) -> str:
        """The current value of a secret by its name without the stack's: `tokens`, `orders/shop`."""
        answer = self.client("secretsmanager").get_secret_value(SecretId=f"{self.stack.name}/{name}")
        return str(answer["SecretString"])

    def operator_token(self, **claims: Any) -> str:
        """A token for the admin API; `scopes`, `lasts` and claims as infra.local.operators.Operators.token has them."""
        return self._http.operator_token(**claims)

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud, for tests and tools."""
        return boto3.client(service, region_name=REGION)

    # ------------------------------------------------------------------ what one does

    def invoke(self, function: str, event: Any) -> Any:
        """Run one function (by its folder's name) with one event; its reply as JSON data.

        Raises InvocationError where the function fails and UnknownFunctionError where there is none.
        """
        with self.lock:
            try:
                return self.functions.invoke(function, event)
            finally:
                self._outbox.collect()

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str | Any = b"",
        *,
        source_ip: str = "203.0.113.7",
    ) -> Response:
        """One HTTP request, as API Gateway would take it. `path` may have a query; a body that is neither bytes nor
        text is sent as JSON."""
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body = orjson.dumps(body)
            if not any(name.lower() == "content-type" for name, _value in pairs):
                pairs.append(("content-type", "application/json"))
        path, _mark, query = path.partition("?")
        request = Request(method, quote(path, safe="/%:@!$&'()*+,;=~-._"), query, pairs, body, source_ip)
        with self.lock:
            return self._http.request(request)

    def throttle(self, scale: float = 1.0) -> None:
        """From now on the HTTP API lets in what the template's stage allows, or that share of it. The clock must move,
        or no bucket fills again."""
        self._http.throttle = Throttle(self.stack, self._clock.now, scale=scale)

    def routes(self, method: str, path: str) -> bool:
        """Whether the HTTP API has a route for this."""
        return self._http.has_route(method, path)

    def serve(self, port: int = 0, *, site: Site | None = None, pumping: bool = True) -> Server:
        """Listen on 127.0.0.1 (port 0: a free one) and pump in the background; close the result, or use it in a `with`.

        `site` answers what is no route of the API. The clock should tick, or delays and schedules never end.
        """
        return Server(self, port=port, site=site, pumping=pumping)

    def settle(self) -> int:
        """Run queues and streams until nothing is left that can run now; how many invocations that took.

        Messages that are delayed, or failed and in flight, wait for `advance`. Raises RestlessError if it never ends.
        """
        with self.lock:
            before = sum(self.invocations.values())
            while self.pump():
                if sum(self.invocations.values()) - before > _AT_MOST:
                    raise RestlessError(f"more than {_AT_MOST} invocations and still not at rest")
            return sum(self.invocations.values()) - before

    def pump(self) -> bool:
        """One round: at most one batch from each source. Says whether anything ran.

        A source with a batching window gathers what comes in meanwhile: it waits until those with a shorter window have
        nothing left.
        """
        with self.lock:
            # All of a group run, so a list and not a generator.
            return any(any([source.pump() for source in group]) for group in self._sources)  # noqa: C419

    def advance(
        self,
        *,
        to: datetime | None = None,
        by: timedelta | None = None,
        stride: timedelta = _MINUTE,
        rarer: Mapping[str, timedelta] = MappingProxyType({}),
    ) -> None:
        """Let time pass until `to` (or for `by`), from one instant at which something happens to the next.

        Those are: messages that can be seen again, the slots of schedules, and ticks, which run only where the due
        index has something for them. `stride` makes ticks rarer than the template's (6 h: four a day), so what is due
        waits for the next one; demonstrations over weeks use it. `rarer` does that for other schedules, by function: it
        runs at the first slot of its schedule so long after its last run.
        """
        if (to is None) == (by is None):
            raise ValueError("advance takes either an instant or a duration")
        with self.lock:
            target = to if to is not None else self.now + (by or timedelta())
            self.settle()
            while (found := self._next_instant(stride, rarer)) is not None and found[0] <= target:
                instant, schedule = found
                self._clock.move_to(max(instant, self.now))
                if schedule is not None:
                    self._run(schedule, instant)
                self.settle()
            self._clock.move_to(max(target, self.now))
            self.settle()

    def run_due_schedules(self) -> None:
        """Run the slots that have passed since the last look; for a clock that ticks by itself."""
        with self.lock:
            for schedule in self._schedules:
                if schedule.next_after(self._last_run[schedule.name]) <= self.now:
                    self._run(schedule, self.now)

    # ------------------------------------------------------------------ inside

    def _invoke_logical(self, logical: str, event: Any) -> Any:
        return self.invoke(self.functions.by_logical[logical].name, event)

    def _next_instant(
        self, stride: timedelta, rarer: Mapping[str, timedelta]
    ) -> tuple[datetime, Schedule | None] | None:
        """The next instant at which something can happen, and the schedule that it belongs to."""
        grid = _MINUTE if stride > _MINUTE else timedelta(0)
        instants: list[tuple[datetime, Schedule | None]] = [
            (_ceiling(visible, grid), None) for source in self._queues if (visible := source.next_visible()) is not None
        ]
        instants.extend(
            (slot, schedule)
            for schedule in self._schedules
            if (slot := self._next_slot(schedule, stride, rarer.get(schedule.function, _NO_TIME))) is not None
        )
        return min(instants, key=lambda pair: pair[0], default=None)

    def _next_slot(self, schedule: Schedule, stride: timedelta, pause: timedelta) -> datetime | None:
        base = max(self._last_run[schedule.name], self.now - timedelta(microseconds=1))
        if schedule.period is None or schedule.period > _FREQUENT:
            return schedule.next_after(max(base, self._last_run[schedule.name] + pause - timedelta(microseconds=1)))
        due = due_instants(self.table_name)
        if not due:
            return None
        first = datetime.fromtimestamp(min(due) / 1000, UTC) - _TICK_LOOKAHEAD
        return _ceiling(max(schedule.next_after(base), first), max(stride, schedule.period))

    def _run(self, schedule: Schedule, slot: datetime) -> None:
        """One slot, with Lambda's retries of asynchronous invocations (at once) and its failure destination."""
        self._last_run[schedule.name] = slot
        event = schedule.envelope(slot)
        for _attempt in range(1 + schedule.retries):
            if self._succeeds(schedule.function, event):
                return
        if schedule.failure_queue is not None:
            document = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event}
            put_message(schedule.failure_queue, orjson.dumps(document).decode())

    def _succeeds(self, function: str, event: Any) -> bool:
        try:
            self.invoke(function, event)
        except InvocationError:
            return False
        return True


def _by_window(sources: Iterable[QueueSource | StreamSource]) -> list[list[QueueSource | StreamSource]]:
    """Event sources in groups of the same batching window, the shortest first."""
    groups: dict[int, list[QueueSource | StreamSource]] = {}
    for source in sources:
        groups.setdefault(source.window, []).append(source)
    return [groups[window] for window in sorted(groups)]


def _ceiling(instant: datetime, grid: timedelta) -> datetime:
    """The first point of the grid (counted from 1970) at or after `instant`; a grid of zero is every instant."""
    if not grid:
        return instant
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch - ((epoch - instant) // grid) * grid
