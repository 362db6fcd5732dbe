"""moto and botocore, faster, and closer to AWS in one detail.

A demonstration makes tens of thousands of calls and a test suite hundreds of clouds, so what gives the same result each
time is done once: finding a URL's handler among all of moto's services, listing a handler's methods, parsing botocore's
JSON models for each new session, asking for the time once per message of a queue. A query looks at the items that can
match, and comparing two texts does not convert them. And S3 leaves the slashes of a key in its notifications.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

import botocore.loaders
import moto.backend_index
import moto.backends
import moto.core.responses
import moto.dynamodb.models.table
import moto.dynamodb.models.utilities
import moto.dynamodb.responses
import moto.s3.notifications
import moto.sqs.models
import orjson
from botocore.hooks import EVENT_ALIASES, EventAliaser
from botocore.signers import RequestSigner
from botocore.useragent import UserAgentString
from moto.core.base_backend import BackendDict
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.exceptions import JsonRESTError
from moto.core.models import MockAWS
from moto.core.request import normalize_request
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import get_equivalent_url_in_aws_domain, unix_time_millis
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import StreamShard, Table
from moto.sqs.models import Message, Queue, SQSBackend
from werkzeug.exceptions import HTTPException

from infra.local.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

_load_json_file = botocore.loaders.JSONFileLoader.load_file
_cast_any_value = cast("Any", DynamoType.cast_value).fget
_deep_copy, _any_size = DynamoType.__deepcopy__, DynamoType.size
_moto_as_dict = moto.dynamodb.models.utilities.dynamo_to_dict
_moto_query = Table.query
_moto_comes_before = Table._item_comes_before_dct
_moto_lex = ConditionExpressionParser._lex_condition_expression
_moto_process_request = BotocoreStubber.process_request
_moto_structure = BaseJSONSerializer._serialize_type_structure
_aliases: dict[str, str] = {}
_find_alias = EventAliaser._alias_event_name
_moto_records = StreamShard.get
_known_services: dict[tuple[tuple[str, ...], str], list[str]] = {}
_list_services = botocore.loaders.Loader.list_available_services
_really_sign = RequestSigner.sign
READS = frozenset({"Query", "GetItem", "BatchGetItem", "Scan", "DescribeTable"})
_journal: list[str | None] = []
"""What calls may have written, in order: the partition with that key (of any table), or None for anything."""
_indexes: WeakKeyDictionary[Table, dict[str, _Index]] = WeakKeyDictionary()
_in_order: WeakKeyDictionary[Table, tuple[Any, int, list[Item]]] = WeakKeyDictionary()
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
    target = request.headers.get("X-Amz-Target", b"")
    operation = target.decode() if isinstance(target, bytes) else target
    if operation.startswith("DynamoDB_") and operation.partition(".")[2] not in READS:
        table_written()
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


def _alias(aliaser: EventAliaser, name: str) -> str:
    """An event's other name is always the same."""
    if aliaser._event_aliases is not EVENT_ALIASES:
        return str(_find_alias(aliaser, name))
    if name not in _aliases:
        _aliases[name] = str(_find_alias(aliaser, name))
    return _aliases[name]


def _records(shard: StreamShard, start: int, quantity: int) -> list[dict[str, Any]]:
    """Records that were taken out are gone, and DynamoDB says so; moto fails."""
    if start < shard.starting_sequence_number:
        raise JsonRESTError("TrimmedDataAccessException", "The requested records are no longer available")
    return _moto_records(shard, start, quantity)


def _services(loader: botocore.loaders.Loader, type_name: str) -> list[str]:
    """What services there are: a walk through hundreds of folders, the same for each new session."""
    key = (tuple(loader.search_paths), type_name)
    if key not in _known_services:
        _known_services[key] = _list_services(loader, type_name)
    return list(_known_services[key])


def _sign(signer: RequestSigner, operation_name: str, request: Any, *values: Any, **named: Any) -> None:
    """moto checks no signature, but wants to see one: who calls which service where. (S3's says how a body is sent.)"""
    if not MockAWS._mocks_active or signer._signing_name == "s3":
        _really_sign(signer, operation_name, request, *values, **named)
        return
    scope = f"local/20000101/{signer._region_name or REGION}/{signer._signing_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


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


def _is_retained(backend: SQSBackend, name: str, message: Message) -> bool:
    """moto would put together all of the queue's attributes, and count its messages for that, for each message."""
    retained_for: int = backend.get_queue(name).message_retention_period  # type: ignore[attr-defined] # set by name
    return message.sent_timestamp / 1000 + retained_for > unix_time_millis() / 1000  # type: ignore[operator] # typed None


def _cast_value(value: DynamoType) -> Any:
    return value.value if value.type == "S" else _cast_any_value(value)


def _equal(one: DynamoType, other: DynamoType) -> bool:
    return one.type == other.type and _cast_value(one) == _cast_value(other)


def _copied(value: DynamoType, memo: dict[int, Any]) -> DynamoType:
    """A text or number is replaced, never changed, so it need not be copied."""
    return value if value.type in ("S", "N") else _deep_copy(value, memo)


def _size(value: DynamoType) -> int:
    return len(value.value.encode()) if value.type == "S" else _any_size(value)


def _as_dict(value: Any) -> Any:
    if type(value) is DynamoType and value.type in ("S", "N"):
        return {value.type: value.value}
    return _moto_as_dict(value)


@lru_cache(maxsize=256)
def _nodes(expression: str) -> tuple[Any, ...]:
    return tuple(_moto_lex(ConditionExpressionParser(expression, None, None)))


def _lex(parser: ConditionExpressionParser) -> deque[Any]:
    """A condition's words; its text says all about them."""
    return deque(_nodes(parser.condition_expression or ""))


def _as_json(document: Any) -> bytes:
    return orjson.dumps(document, default=lambda value: value.to_json())


def _place(item: Item) -> tuple[Any, Any]:
    return _cast_value(item.hash_key), item.range_key and _cast_value(item.range_key)


def _all_items(table: Table) -> list[Item]:
    """All items in order; one scan of many pages asks for each of them."""
    known = _in_order.get(table)
    if known is None or known[0] is not table.items or known[1] != len(_journal):
        items = sorted((item for rows in table.items.values() for item in rows.values()), key=_place)
        known = _in_order[table] = (table.items, len(_journal), items)
    return known[2]


def _comes_before(  # noqa: PLR0917 moto's own signature
    table: Table,
    item: Item,
    start: dict[str, Any],
    hashes: list[str],
    ranges: list[str | None],
    forward: bool,  # noqa: FBT001
) -> bool:
    """moto takes the keys apart for each item; those of the table itself are plain texts."""
    if not forward or len(hashes) > 1 or ranges != [table.range_key_attr]:
        return _moto_comes_before(table, item, start, hashes, ranges, forward)
    (hash_name,), (range_name,) = hashes, ranges
    to = start[hash_name].get("S"), range_name and start[range_name].get("S")
    if None in to:
        return _moto_comes_before(table, item, start, hashes, ranges, forward)
    return _place(item) <= to


def _query(  # noqa: PLR0917 moto's own signature
    table: Table,
    hash_key: DynamoType | None,
    comparison: str | None,
    objects: list[DynamoType],
    limit: int,
    start: dict[str, Any],
    forward: bool,  # noqa: FBT001
    projection: list[list[str]] | None,
    index: str | None = None,
    *values: Any,
    **named: Any,
) -> Any:
    """moto's query over the items that can match, instead of over the whole table."""
    whole = table.items
    table.items = _candidates(table, hash_key, index, named)
    try:
        return _moto_query(
            table, hash_key, comparison, objects, limit, start, forward, projection, index, *values, **named
        )
    finally:
        table.items = whole


def _candidates(table: Table, hash_key: DynamoType | None, index: str | None, given: dict[str, Any]) -> Any:
    if index is None:
        return {hash_key: table.items[hash_key]} if hash_key in table.items else {}
    hashes, ranges = given.get("hash_key_conditions"), given.get("range_key_conditions") or ()
    if index not in {known.name for known in table.all_indexes()} or not hashes:
        return table.items  # moto says what is wrong with the query
    name, wanted = hashes[0]
    found: dict[Any, dict[Any, Item]] = {}
    for partition, key, item in indexed(table, name).get(wanted.value, {}).values():
        if all(attribute in item.attrs and item.attrs[attribute].compare(how, to) for attribute, how, to in ranges):
            found.setdefault(partition, {})[key] = item
    return found


def table_written(partition: str | None = None) -> None:
    """Somebody may have written to this partition (None: to anything), so what was found out about it holds no more."""
    _journal.append(partition)


class _Index:
    """A table's items by the value of one attribute, brought up to date by what the journal says was written."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self._seen: int | None = None
        self._values: dict[str, list[tuple[Any, Any]]] = {}
        self._by_value: dict[Any, dict[Any, tuple[Any, Any, Item]]] = {}

    def up_to_date(self, items: Any) -> dict[Any, dict[Any, tuple[Any, Any, Item]]]:
        written = {None} if self._seen is None else set(_journal[self._seen :])
        if None in written:
            self._by_value, self._values = {}, {}
            written = {partition.value for partition in items}
        for partition in written:
            self._read(DynamoType({"S": partition}), items)
        self._seen = len(_journal)
        return self._by_value

    def _read(self, partition: DynamoType, items: Any) -> None:
        for value, name in self._values.pop(partition.value, ()):
            rows = self._by_value[value]
            del rows[name]
            if not rows:
                del self._by_value[value]
        for key, item in items.get(partition, {}).items():
            if (found := item.attrs.get(self._attribute)) is not None:
                name = partition.value, key.value
                self._by_value.setdefault(found.value, {})[name] = (partition, key, item)
                self._values.setdefault(partition.value, []).append((found.value, name))


def indexed(table: Table, attribute: str) -> dict[Any, dict[Any, tuple[Any, Any, Item]]]:
    """(partition, key, item) of the items that have an attribute, by its value and their key."""
    of_table = _indexes.setdefault(table, {})
    if attribute not in of_table:
        of_table[attribute] = _Index(attribute)
    return of_table[attribute].up_to_date(table.items)


def install() -> None:
    """Put these in place of moto's and botocore's own; once is enough."""
    responses, sqs = cast("Any", moto.core.responses), cast("Any", moto.sqs.models)
    replacements: tuple[tuple[Any, str, Any], ...] = (
        (BotocoreStubber, "process_request", _process_request),
        (BaseJSONSerializer, "_serialize_type_structure", _structure),
        (RequestSigner, "sign", _sign),
        (StreamShard, "get", _records),
        (EventAliaser, "_alias_event_name", _alias),
        (UserAgentString, "to_string", lambda _agent: "local-cloud"),
        (SQSBackend, "is_message_valid_based_on_retention_period", _is_retained),
        (Queue, "messages", property(_messages)),
        (Queue, "approximate_number_of_messages_delayed", property(_delayed)),
        (Queue, "approximate_number_of_messages_not_visible", property(_not_visible)),
        (sqs, "generate_receipt_handle", partial(secrets.token_hex, 92)),
        (sqs, "camelcase_to_underscores", lru_cache(sqs.camelcase_to_underscores)),
        (DynamoType, "cast_value", property(_cast_value)),
        (DynamoType, "__eq__", _equal),
        (DynamoType, "__deepcopy__", _copied),
        (DynamoType, "size", _size),
        (moto.dynamodb.models.utilities, "dynamo_to_dict", _as_dict),
        (moto.dynamodb.responses, "dynamo_to_dict", _as_dict),
        (Table, "all_items", _all_items),
        (Table, "query", _query),
        (Table, "_item_comes_before_dct", _comes_before),
        (ConditionExpressionParser, "_lex_condition_expression", _lex),
        (moto.dynamodb.models.table, "dynamo_json_dump", _as_json),
        (responses, "method_names_from_class", lru_cache(responses.method_names_from_class)),
        (responses, "camelcase_to_underscores", lru_cache(responses.camelcase_to_underscores)),
        (botocore.loaders.Loader, "list_available_services", _services),
        (botocore.loaders.JSONFileLoader, "load_file", lambda _loader, path: _json_file(path)),
        (moto.s3.notifications, "quote_plus", partial(quote_plus, safe="/")),
    )
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)
