"""Every AWS call on its way to moto: counted, and open to whoever wants to disturb it.

moto answers botocore's `before-send` event with one stubber shared by all clients. It is replaced here, once, by one
that knows the cloud in use; without one it is the stubber that moto made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.botocore_stubber import BotocoreStubber

from infra.local import moto_patches


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call. `function` is the function that makes it (empty: the local cloud or a test); `number` counts from 1."""

    service: str
    operation: str
    function: str
    number: int
    request: AWSPreparedRequest


Proceed = Callable[[], AWSResponse | None]
Interceptor = Callable[[AwsCall, Proceed], AWSResponse | None]


class AwsCalls:
    """Counters by (service, operation, function), and the place to inject faults.

    `interceptor(call, proceed)` stands round each call: `proceed()` lets moto do it and gives its answer. Not calling
    it is "failed, nothing happened"; raising after it is "done, answer lost"; calling it twice is a duplicate.
    `direct`: calls to tables and queues go straight to moto (infra/local/direct.py). Faults are injected into requests,
    so with an interceptor that is done only for the calls, by service, operation and parameters, that `spares` names.
    """

    active: ClassVar[AwsCalls | None] = None

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.interceptor: Interceptor | None = None
        self.spares: Callable[[str, str, dict[str, Any]], bool] | None = None
        self.function = ""
        self.total = 0
        self.direct = False

    def start(self) -> None:
        """Make this the one that counts. Raises RuntimeError while another local cloud is open."""
        if AwsCalls.active is not None:
            raise RuntimeError("one local cloud at a time: close the other one first")
        AwsCalls.active = self

    def stop(self) -> None:
        AwsCalls.active = None

    def add(self, service: str, operation: str, function: str, calls: int = 1) -> None:
        """Count calls that AWS itself makes for an event source, and bills."""
        self.counts[service, operation, function] += calls

    def by_operation(self) -> Counter[str]:
        """Calls as `service.Operation`, over all functions."""
        result: Counter[str] = Counter()
        for (service, operation, _function), calls in self.counts.items():
            result[f"{service}.{operation}"] += calls
        return result

    def count(self, service: str, operation: str) -> None:
        """Count one call of the function that runs."""
        self.total += 1
        self.counts[service, operation, self.function] += 1

    def spared(self, service: str, operation: str, parameters: dict[str, Any]) -> bool:
        """Whether nobody wants to disturb this call."""
        if self.interceptor is None:
            return True
        return self.spares is not None and self.spares(service, operation, parameters)

    def through(self, event_name: str, request: AWSPreparedRequest, proceed: Proceed) -> AWSResponse | None:
        """Count one call and let it pass."""
        _before_send, service, operation = event_name.split(".", 2)
        self.count(service, operation)
        if self.interceptor is None:
            return proceed()
        return self.interceptor(AwsCall(service, operation, self.function, self.total, request), proceed)


_moto_answers = BotocoreStubber.__call__


def _answer(
    stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **kwargs: Any
) -> AWSResponse | None:
    calls = AwsCalls.active
    if calls is None or not stubber.enabled:
        return _moto_answers(stubber, event_name, request, **kwargs)
    return calls.through(event_name, request, lambda: _moto_answers(stubber, event_name, request, **kwargs))


BotocoreStubber.__call__ = _answer  # type: ignore[assignment,method-assign]
moto_patches.install()
