"""Faults at the boundary to AWS: what a request and its answer can suffer, exactly at the call that a plan names.

A fake answer alone would let moto carry the call out, so "failed, nothing happened" does not call moto at all, and
"done, answer lost" raises after it did.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse

from tests.simulation.tasks import Crash, Task, Tasks

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from infra.local.aws_calls import AwsCall, Proceed


class Fault(StrEnum):
    """What can happen to one AWS call."""

    THROTTLE = "throttle"  # refused by AWS, no effect
    REFUSE = "refuse"  # no connection, no effect
    UNAVAILABLE = "unavailable"  # a server error, no effect
    LOST = "lost"  # done, the answer never comes
    LOST_5XX = "lost_5xx"  # done, answered with a server error
    DUPLICATE = "duplicate"  # the network delivers the request twice
    PARTIAL = "partial"  # a batch of which some entries fail
    STALE = "stale"  # the index has not caught up, and knows of nobody
    CRASH_BEFORE = "crash_before"
    CRASH_AFTER = "crash_after"
    TIMEOUT = "timeout"  # the invocation's time is over: not a plan's, the containers' choice


Plan = dict[tuple[str, str, int], Fault]
"""(function, `service.Operation`, which of its calls, from 1) to what happens to it."""

_THROTTLED: dict[str, tuple[int, str]] = {
    "dynamodb": (400, "ProvisionedThroughputExceededException"),
    "sqs": (400, "RequestThrottled"),
    "sesv2": (429, "TooManyRequestsException"),
    "secretsmanager": (400, "ThrottlingException"),
    "secrets-manager": (400, "ThrottlingException"),
}
_JSON = {"content-type": "application/x-amz-json-1.0"}
_BURST = 12
"""A throttle lasts for up to so many calls: more than a client's own attempts."""
CHANGING = ("Put", "Update", "Delete", "Send", "Publish")


@dataclass(slots=True)
class Faults:
    """Stands round each AWS call: lets others run first, then does to it what the plan, or chance, says.

    `rate`: share of calls that suffer something by chance. `injected`: what was done, to be replayed as a plan.
    """

    tasks: Tasks
    now: Callable[[], datetime]
    plan: Plan = field(default_factory=dict)
    rate: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 no secret
    trace: list[tuple[str, str, str, int, str]] = field(default_factory=list)
    injected: Plan = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    marks: dict[str, int] = field(default_factory=dict)
    on: bool = True
    _burst: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __call__(self, call: AwsCall, proceed: Proceed) -> AWSResponse | None:
        """The interceptor of the local cloud's calls."""
        task = self.tasks.current
        if task is None or not call.function:
            return proceed()
        fault, task.fate = task.fate, None
        if fault is None:
            fault = self._met(task, call.service, call.operation)
            if call.operation == "PutItem":
                self._mark(orjson.loads(call.request.body))
        return self._suffer(call, proceed, fault)

    def spares(self, service: str, operation: str, parameters: dict[str, Any]) -> bool:
        """Whether nothing happens to a call: then it need not be a real request, and costs a quarter."""
        task = self.tasks.current
        if task is None or not task.function:
            return True
        task.fate = self._met(task, service, operation)
        if operation == "PutItem":
            self._mark(parameters)
        return task.fate is None

    def _met(self, task: Task, service: str, operation: str) -> Fault | None:
        """Let others run first; then what happens to this call."""
        self.tasks.pause()
        where = f"{service}.{operation}"
        function = task.function
        self.counts[function, where] += 1
        number = self.counts[function, where]
        task.calls += 1
        fault = self._fault(function, where, number)
        if task.is_over(self.now()):
            fault = Fault.TIMEOUT
        if fault is not None:
            self.injected[function, where, number] = fault
        self.trace.append((task.name, function, where, number, fault.value if fault else ""))
        return fault

    def _fault(self, function: str, operation: str, number: int) -> Fault | None:
        planned = self.plan.get((function, operation, number))
        if planned is not None or not self.on:
            return planned
        if self._burst[function, operation] > 0:
            self._burst[function, operation] -= 1
            return Fault.THROTTLE
        if self.chance.random() >= self.rate:
            return None
        fault = self.chance.choice(possible(operation))
        if fault is Fault.THROTTLE:
            self._burst[function, operation] = self.chance.randrange(_BURST)
        return fault

    def _mark(self, parameters: dict[str, Any]) -> None:
        """When, counted in calls, a message was claimed: the checker compares it with when its reader opted out."""
        item = parameters["Item"]
        if item.get("status", {}).get("S") == "SENDING":
            self.marks.setdefault(f"{item['pk']['S']} {item['sk']['S']}", len(self.trace))

    def _suffer(self, call: AwsCall, proceed: Proceed, fault: Fault | None) -> AWSResponse | None:
        if fault in (Fault.CRASH_BEFORE, Fault.TIMEOUT):
            raise Crash(call.operation)
        if fault is Fault.REFUSE:
            raise EndpointConnectionError(endpoint_url=call.request.url)
        if fault in _INSTEAD:
            return _INSTEAD[fault](call)
        if fault is Fault.PARTIAL:
            return _partial(call, proceed)
        answer = proceed()
        match fault:
            case Fault.DUPLICATE:
                proceed()
            case Fault.LOST:
                raise ReadTimeoutError(endpoint_url=call.request.url)
            case Fault.LOST_5XX:
                return _failed(call)
            case Fault.CRASH_AFTER:
                raise Crash(call.operation)
        return answer


def possible(where: str) -> list[Fault]:
    """What can happen to a call of `service.Operation`."""
    service, _, operation = where.partition(".")
    faults = [Fault.THROTTLE, Fault.REFUSE, Fault.UNAVAILABLE, Fault.LOST, Fault.CRASH_BEFORE, Fault.CRASH_AFTER]
    if operation.startswith(CHANGING):
        faults.append(Fault.LOST_5XX)
        # The network may repeat an HTTP request to SES or SNS; nobody behind it could tell, so no system can promise.
        if service not in ("sesv2", "sns"):
            faults.append(Fault.DUPLICATE)
    if operation == "SendMessageBatch":
        faults += [Fault.PARTIAL] * 2
    if operation == "Query":
        faults += [Fault.STALE] * 3
    return faults


def _throttled(call: AwsCall) -> AWSResponse:
    if call.service == "s3":
        return _error(call, 503, "SlowDown")
    if call.service == "sns":
        return _error(call, 400, "Throttling")
    status, code = _THROTTLED[call.service]
    return _error(call, status, code)


def _failed(call: AwsCall) -> AWSResponse:
    return _error(call, 503 if call.service == "s3" else 500, "InternalServerError")


def _nobody(call: AwsCall) -> AWSResponse:
    return _answer(call, 200, _JSON, b'{"Count":0,"Items":[],"ScannedCount":0}')


_INSTEAD = {Fault.THROTTLE: _throttled, Fault.UNAVAILABLE: _failed, Fault.STALE: _nobody}
"""What is answered in place of the call."""


def _error(call: AwsCall, status: int, code: str) -> AWSResponse:
    """An error in the service's own form."""
    if call.service == "s3":
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>simulated</Message></Error>".encode()
        return _answer(call, status, {"content-type": "application/xml"}, body)
    if call.service == "sns":
        body = (
            "<ErrorResponse xmlns='http://sns.amazonaws.com/doc/2010-03-31/'><Error><Type>Sender</Type>"
            f"<Code>{code}</Code><Message>simulated</Message></Error><RequestId>0</RequestId></ErrorResponse>"
        ).encode()
        return _answer(call, status, {"content-type": "text/xml"}, body)
    headers = {**_JSON, "x-amzn-errortype": code}
    return _answer(call, status, headers, orjson.dumps({"__type": code, "message": "simulated"}))


def _answer(call: AwsCall, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    return AWSResponse(call.request.url, status, headers, MockRawResponse(body))


def _partial(call: AwsCall, proceed: Proceed) -> AWSResponse | None:
    """SQS takes all entries of a batch but the last."""
    document: dict[str, Any] = orjson.loads(call.request.body)
    *taken, refused = document["Entries"]
    failed = [{"Id": refused["Id"], "SenderFault": False, "Code": "InternalError", "Message": "simulated"}]
    if not taken:
        return _answer(call, 200, _JSON, orjson.dumps({"Successful": [], "Failed": failed}))
    call.request.body = orjson.dumps(document | {"Entries": taken})
    answer = proceed()
    if answer is None or answer.status_code != 200:
        return answer
    said = orjson.loads(answer.content) | {"Failed": failed}
    return _answer(call, 200, _JSON, orjson.dumps(said))
