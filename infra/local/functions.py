"""Running functions in this process as Lambda does: their environment, JSON in, JSON out, an exception is a failure."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from uuid import uuid4

import orjson

from infra.local.aws_calls import AwsCalls
from infra.local.log_sink import logging_to, new_log
from infra.local.template import REGION, Stack

REPOSITORY: Final = Path(__file__).parents[2]
PAYLOAD_LIMIT: Final = 6 * 1024 * 1024
"""Bytes of one synchronous invocation, request or response."""

_cloud_numbers = count(1)


class InvocationError(Exception):
    """An invocation failed. `__cause__` is what the function raised; `kind` its type's name."""

    def __init__(self, function: str, kind: str, text: str) -> None:
        super().__init__(f"{function}: {kind}: {text}")
        self.function = function
        self.kind = kind
        self.text = text


class UnknownFunctionError(LookupError):
    """The template has no such function."""


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """What Lambda passes beside the event."""

    function_name: str
    memory_limit_in_mb: int
    timeout_seconds: int
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None
    _started: float = field(default_factory=time.perf_counter)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:123456789012:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        return "local"

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds of real time until the template's timeout."""
        return max(0, int((self.timeout_seconds - (time.perf_counter() - self._started)) * 1000))


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function as the template describes it. `name` is its folder's name, `logical` its logical id."""

    name: str
    logical: str
    deployed_name: str
    handler: str
    timeout_seconds: int
    memory_mb: int
    environment: dict[str, str]


class _Failure:
    """Takes what a function raises the way Lambda's runtime does. What is not an Exception (a kill) goes through."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __enter__(self) -> _Failure:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
            return True
        return False


class Functions:
    """The functions of a stack. Each is loaded at its first invocation, once per cloud: a cold start of its own."""

    def __init__(self, stack: Stack, calls: AwsCalls, *, folder: Path, environment: Mapping[str, str]) -> None:
        self._calls = calls
        self._folder = folder
        self._number = next(_cloud_numbers)
        self._loaded: dict[str, Callable[[Any, Any], Any]] = {}
        self.specs = {spec.name: spec for spec in _specs(stack, environment)}
        self.by_logical = {spec.logical: spec for spec in self.specs.values()}
        self.invocations: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.log: deque[str] = new_log()
        self.observer: Callable[[str, bytes, bytes], None] | None = None
        """Told of each finished invocation: function, event and reply as JSON."""

    def invoke(self, name: str, event: Any) -> Any:
        """The function's reply. Raises InvocationError where it fails, UnknownFunctionError where there is none."""
        spec = self.specs.get(name)
        if spec is None:
            raise UnknownFunctionError(f"no function {name}; there are {', '.join(sorted(self.specs))}")
        payload = orjson.dumps(event)
        if len(payload) > PAYLOAD_LIMIT:
            raise InvocationError(name, "RequestEntityTooLarge", f"{len(payload)} bytes")
        self.invocations[name] += 1
        reply = b"null"
        with _Failure() as failure:
            reply = self._run(spec, payload)
        if failure.error is not None:
            self.failures[name] += 1
            error = failure.error
            self.log.extend("".join(traceback.format_exception(error)).splitlines())  # as Lambda's runtime does
            raise InvocationError(name, type(error).__name__, str(error)) from error
        if self.observer is not None:
            self.observer(name, payload, reply)
        return orjson.loads(reply)

    def configure(self, name: str, **variables: str) -> None:
        """Change a function's environment, as an operator may: its next invocation is a cold start."""
        self.specs[name].environment.update(variables)
        self.forget(name)

    def forget(self, name: str) -> None:
        """Throw the warm container away: the next invocation is a cold start."""
        self._loaded.pop(name, None)

    def close(self) -> None:
        """Drop the loaded modules."""
        for name in self.specs:
            sys.modules.pop(self._module_name(name), None)
        self._loaded.clear()

    def _run(self, spec: FunctionSpec, payload: bytes) -> bytes:
        before, caller = dict(os.environ), self._calls.function
        os.environ.update(spec.environment)
        self._calls.function = spec.name
        try:
            with logging_to(self.log):
                handler = self._loaded.get(spec.name) or self._load(spec)
                context = LambdaContext(spec.deployed_name, spec.memory_mb, spec.timeout_seconds)
                reply = handler(orjson.loads(payload), context)
        finally:
            self._calls.function = caller
            for key in spec.environment:
                if key in before:
                    os.environ[key] = before[key]
                else:
                    os.environ.pop(key, None)
        return orjson.dumps(reply)

    def _load(self, spec: FunctionSpec) -> Callable[[Any, Any], Any]:
        module_name, attribute = spec.handler.rsplit(".", 1)
        path = self._folder / spec.name / f"{module_name}.py"
        loading = spec_from_file_location(self._module_name(spec.name), path)
        if loading is None or loading.loader is None or not path.is_file():
            raise ImportError(f"there is no {path.name} for function {spec.name}")
        module = module_from_spec(loading)
        sys.modules[loading.name] = module
        loading.loader.exec_module(module)
        handler: Callable[[Any, Any], Any] = getattr(module, attribute)
        self._loaded[spec.name] = handler
        return handler

    def _module_name(self, name: str) -> str:
        return f"_local_cloud_{self._number}_{name}"


def _specs(stack: Stack, environment: Mapping[str, str]) -> list[FunctionSpec]:
    specs = []
    for logical, properties in stack.of_type("AWS::Lambda::Function"):
        variables = properties.get("Environment", {}).get("Variables", {})
        specs.append(
            FunctionSpec(
                name=stack.metadata(logical)["CodeFolder"],
                logical=logical,
                deployed_name=stack.ref(logical),
                handler=properties["Handler"],
                timeout_seconds=int(properties.get("Timeout", 3)),
                memory_mb=int(properties.get("MemorySize", 128)),
                environment={
                    **{key: str(value) for key, value in variables.items()},
                    "AWS_LAMBDA_FUNCTION_NAME": stack.ref(logical),
                    "AWS_REGION": REGION,
                    **environment,
                },
            )
        )
    return specs
