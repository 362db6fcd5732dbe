"""moto and botocore, faster, and closer to AWS in one detail.

A demonstration makes tens of thousands of calls and a test suite hundreds of clouds, so what gives the same result each
time is done once: finding a URL's handler among all of moto's services, listing a handler's methods, parsing botocore's
JSON models for each new session, and asking for the time once per message of a queue. And S3 leaves the slashes of a
key as they are in its notifications.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote_plus

import botocore.loaders
import moto.backend_index
import moto.backends
import moto.core.responses
import moto.s3.notifications
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.request import normalize_request
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import get_equivalent_url_in_aws_domain, unix_time_millis
from moto.sqs.models import Message, Queue
from werkzeug.exceptions import HTTPException

from infra.local.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

_load_json_file = botocore.loaders.JSONFileLoader.load_file
_moto_process_request = BotocoreStubber.process_request
_moto_structure = BaseJSONSerializer._serialize_type_structure
_SCALARS = frozenset({"S", "N", "BOOL", "NULL"})


@lru_cache(maxsize=4096)
def _handler(url: str) -> Callable[[Any, str, Any], Any] | None:
    """What answers a URL (without its query) in moto: handlers are plain functions, so they hold for every cloud."""
    for service, pattern in moto.backend_index.backend_url_patterns:
        if not pattern.match(url):
            continue
        found = cast("Any", moto.backends).get_backend(service)
        if not isinstance(found, BackendDict):
            return None
        regions = found[ACCOUNT]
        backend = regions[REGION] if REGION in regions else regions["aws"]
        for path, answer in backend.urls.items():
            if re.match(path, url):
                return cast("Callable[[Any, str, Any], Any]", answer)
    return None


def _process_request(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
    address, _changed = get_equivalent_url_in_aws_domain(request.url)
    answer = _handler(f"{address.scheme}://{address.netloc}{address.path}")
    if answer is None:
        return _moto_process_request(stubber, request)
    normalized = normalize_request(request)
    try:
        return answer(normalized, normalized.raw_url, normalized.headers)
    except HTTPException as error:
        return error.code, error.get_headers(), error.get_body()


@lru_cache(maxsize=256)
def _json_file(path: str) -> Any:
    """One of botocore's model files; None where there is none."""
    return _load_json_file(botocore.loaders.JSONFileLoader(), path)


def _structure(serializer: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """DynamoDB's scalars are in their wire form already; moto would look for each possible type in each of them."""
    if shape.name == "AttributeValue" and type(value) is dict and not _SCALARS.isdisjoint(value):
        serialized[key] = value
    else:
        _moto_structure(serializer, serialized, value, shape, key)


def _seen(message: Message, now: float) -> bool:
    return now > message.visible_at


def _messages(queue: Queue) -> list[Message]:
    now = unix_time_millis()
    return [message for message in queue._messages if _seen(message, now) and now >= message.delayed_until]


def _delayed(queue: Queue) -> int:
    now = unix_time_millis()
    return sum(now < message.delayed_until for message in queue._messages)


def _not_visible(queue: Queue) -> int:
    now = unix_time_millis()
    return sum(not _seen(message, now) for message in queue._messages)


def install() -> None:
    """Put these in place of moto's and botocore's own; once is enough."""
    responses = cast("Any", moto.core.responses)
    replacements: tuple[tuple[Any, str, Any], ...] = (
        (BotocoreStubber, "process_request", _process_request),
        (BaseJSONSerializer, "_serialize_type_structure", _structure),
        (Queue, "messages", property(_messages)),
        (Queue, "approximate_number_of_messages_delayed", property(_delayed)),
        (Queue, "approximate_number_of_messages_not_visible", property(_not_visible)),
        (responses, "method_names_from_class", lru_cache(responses.method_names_from_class)),
        (botocore.loaders.JSONFileLoader, "load_file", lambda _loader, path: _json_file(path)),
        (moto.s3.notifications, "quote_plus", partial(quote_plus, safe="/")),
    )
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)
