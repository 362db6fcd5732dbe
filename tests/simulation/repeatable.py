"""One process, many schedules: what must be the same each time, and what need not be made anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from typing import Any
from unittest import mock

import boto3
import botocore.session
from botocore.retries.quota import RetryQuota
from botocore.session import Session

from regulars.adapters.aws import dynamo
from regulars.adapters.aws.queue import SqsQueue
from regulars.adapters.system import RandomIds

_clients: dict[tuple[str, str], Any] = {}
_quotas: list[Any] = []
_create_client, _make_quota = Session.create_client, RetryQuota.__init__


def _client(_session: Session, service_name: str, *values: Any, **named: Any) -> Any:
    """One client a service and configuration for all containers of this process: making one costs 50 ms."""
    options = named.get("config")
    key = service_name, repr(sorted((options._user_provided_options if options else {}).items(), key=repr))
    if key not in _clients:
        # Of a session of its own: boto3 adds to the one that all share, more than once.
        _clients[key] = _create_client(Session(), service_name, *values, **named)
    return _clients[key]


@cache
def _session() -> Session:
    return Session()


def _counted_quota(quota: RetryQuota, *values: Any, **named: Any) -> None:
    _make_quota(quota, *values, **named)
    _quotas.append(quota)


def _no_pause(_seconds: float) -> None:
    """Time stands still between the calls of a simulation."""


@contextmanager
def repeatable() -> Iterator[None]:
    """Nobody waits in real time, and ids are counted: the same schedule gives the same trace."""
    boto3._get_default_session()
    for quota in _quotas:  # what a client remembers of its retries
        quota._available_capacity = quota._max_capacity
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(Session, "create_client", _client))
        patches.enter_context(mock.patch.object(botocore.session, "get_session", _session))
        patches.enter_context(mock.patch.object(RetryQuota, "__init__", _counted_quota))
        patches.enter_context(mock.patch.object(time, "sleep"))
        for function in (SqsQueue.__init__, dynamo.batch_get):
            patches.enter_context(mock.patch.dict(function.__kwdefaults__, pause=_no_pause))
        patches.enter_context(
            mock.patch.object(RandomIds, "new", side_effect=(f"{number:032x}" for number in count(1)))
        )
        yield
