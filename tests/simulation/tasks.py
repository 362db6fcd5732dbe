"""Invocations that run at once: each is a greenlet that stands still at every AWS call until it is chosen again.

One thread, so nothing runs by chance: moto, which is not thread-safe, sees one call after the other.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from greenlet import getcurrent, greenlet

from infra.local.aws_calls import AwsCalls
from infra.local.functions import Functions, FunctionSpec, InvocationError, LambdaContext, UnknownFunctionError
from infra.local.log_sink import logging_to


class Crash(BaseException):
    """The process is killed here. No `except Exception` sees it, as none sees a kill."""


@dataclass(slots=True, eq=False)
class Task:
    """One thing under way. `function`: the function that it runs at the moment; `calls`: AWS calls that the running
    invocation has made; `doomed_at`: the call at which its time-out kills it; `ends_at`: when it does, if it may not
    outlive that."""

    name: str
    body: greenlet
    function: str = ""
    calls: int = 0
    doomed_at: int | None = None
    ends_at: datetime | None = None
    fate: Any = None
    """What is decided for the call that it is about to make."""

    def is_over(self, now: datetime) -> bool:
        """Whether the running invocation's time is over."""
        at_its_call = self.doomed_at is not None and self.calls >= self.doomed_at
        return at_its_call or (self.ends_at is not None and now > self.ends_at)


class Tasks:
    """What is under way, and the one that runs now."""

    def __init__(self, calls: AwsCalls) -> None:
        self.ready: list[Task] = []
        self.current: Task | None = None
        self._calls = calls
        self._main = getcurrent()
        self._number = 0

    def start(self, kind: str, work: Callable[[], None]) -> None:
        """Add a task; it does nothing until it is resumed."""
        self._number += 1
        self.ready.append(Task(f"{kind}-{self._number}", greenlet(work, parent=self._main)))

    def resume(self, task: Task) -> None:
        """Let a task run to its next AWS call, or to its end."""
        self.current, self._calls.function = task, task.function
        try:
            task.body.switch()
        finally:
            self.current, self._calls.function = None, ""
        if task.body.dead:
            self.ready.remove(task)

    def pause(self) -> None:
        """Called by the running task: stand still until resumed."""
        self._main.switch()


@dataclass(slots=True)
class Containers:
    """Functions as Lambda runs many at once: every invocation has a container to itself, a warm one where one is free.

    A killed container is gone; one whose handler raised stays warm. Stands in for `Functions` of the local cloud.
    """

    functions: Functions
    tasks: Tasks
    doom: Callable[[str], int | None] = lambda _function: None
    """The AWS call at which the time-out kills an invocation of a function, if it does."""
    ends: Callable[[FunctionSpec], datetime | None] = lambda _spec: None
    """When the time of an invocation that begins now is over; None: it may take as long as it likes."""
    kills: int = 0
    _idle: dict[str, list[Callable[[Any, Any], Any]]] = field(default_factory=lambda: defaultdict(list))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.functions, name)

    def invoke(self, name: str, event: Any) -> Any:
        """As `Functions.invoke`; a killed invocation raises InvocationError, too."""
        spec = self.functions.specs.get(name)
        if spec is None:
            raise UnknownFunctionError(name)
        payload = orjson.dumps(event)
        self.functions.invocations[name] += 1
        handler = self._idle[name].pop() if self._idle[name] else self._cold(spec)
        task = self.tasks.current
        doomed_at, ends_at = (self.doom(name), self.ends(spec)) if task else (None, None)
        context = LambdaContext(spec.deployed_name, spec.memory_mb, spec.timeout_seconds)
        try:
            with _inside(task, name, doomed_at, ends_at, self.tasks):
                reply = handler(orjson.loads(payload), context)
        except Crash as crash:
            self.kills += 1
            raise InvocationError(name, "Runtime.ExitError", "killed") from crash
        except Exception as error:  # Lambda's runtime reports whatever a handler raises
            self.functions.failures[name] += 1
            self._idle[name].append(handler)
            raise InvocationError(name, type(error).__name__, str(error)) from error
        self._idle[name].append(handler)
        return orjson.loads(orjson.dumps(reply))

    def _cold(self, spec: FunctionSpec) -> Callable[[Any, Any], Any]:
        """A new container. Composing makes no AWS call, so nobody else runs meanwhile."""
        with environment(spec.environment):
            handler = self.functions._load(spec)
        self.functions.forget(spec.name)
        return handler


@contextmanager
def _inside(
    task: Task | None, function: str, doomed_at: int | None, ends_at: datetime | None, tasks: Tasks
) -> Iterator[None]:
    """The running task runs this function meanwhile (an HTTP request's task and a batch's have one at a time)."""
    calls = tasks._calls
    before = calls.function
    calls.function = function
    if task:
        task.function, task.calls, task.doomed_at, task.ends_at = function, 0, doomed_at, ends_at
    try:
        yield
    finally:
        calls.function = before
        if task:
            task.function, task.doomed_at, task.ends_at = before, None, None


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def quiet(functions: Functions) -> Iterator[None]:
    """What all functions print goes to the cloud's log: whose line it is does not matter here."""
    with logging_to(functions.log):
        yield
