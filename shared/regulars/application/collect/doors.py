"""The protocols that collect understands: one normaliser each, from bytes to canonical events and bad rows.

A new protocol is one more function of the type `Door` and one more line in `DOORS` (and, where its path is new, a
route).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from regulars.application.bad_rows import original_bytes
from regulars.application.collect import snowplow
from regulars.application.collect.normalised import STAGE, Normalised, rejected
from regulars.application.collect.pixel import call_of, parameters
from regulars.application.collect.receipt import Receipt
from regulars.application.collect.segment import CALLS, event_of
from regulars.application.collect.shape import checked
from regulars.application.collect.survey import SURVEY, survey
from regulars.application.collect.wire import MAX_EVENT_BYTES, parsed_object, reject_duplicate_keys, reject_large
from regulars.domain.errors import BadInputError
from regulars.domain.privacy import masked
from regulars.domain.times import parse_instant

if TYPE_CHECKING:
    from regulars.domain.events import BadRow, EventType
    from regulars.ports import Ids

BATCH, MEMBER, PIXEL = "batch", "member", "pixel"
SNOWPLOW, SNOWPLOW_EVENT, SNOWPLOW_PIXEL = "snowplow", "snowplow-event", "snowplow-pixel"
_OF_A_QUERY = frozenset({PIXEL, SNOWPLOW_PIXEL})
MAX_MEMBERS = 10_000
"""Of a batch. SDKs send a hundred; a batch of nothing but braces would be hundreds of thousands of bad rows."""
_KEPT_LEVELS = 100
"""Of a member that is too deep to be written out whole: many times what an event may have."""


Door = Callable[[bytes, dict[str, Any], Receipt, "Ids"], Normalised]
"""(the bytes, what was read from them, receipt, ids). Raises BadInputError when the whole request is bad."""


def single(call: EventType, raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """One Segment call in one body."""
    reject_large(len(raw))
    reject_duplicate_keys(raw, checked(body))
    normalised = Normalised()
    normalised.take(event_of(body, call, receipt, ids), receipt)
    return normalised


def batch(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """Segment's batch: each member by itself, so that a bad one costs only itself."""
    members = _members(body, BATCH)
    envelope = {name: value for name, value in body.items() if name != "batch"}
    keys = checked(envelope) + 1
    context, sent_at = envelope.get("context"), envelope.get("sentAt")
    if context is not None and not isinstance(context, dict):
        raise BadInputError("bad_shape", "context must be an object")
    sent = parse_instant(sent_at) or sent_at  # read once for all members; what cannot be read counts against each
    normalised = Normalised()
    for index, member in enumerate(members):
        try:
            keys += _member(raw, member, context, sent, receipt, ids, normalised)
        except BadInputError as error:
            original = _original(member, context, sent_at)
            message_id = member.get("messageId") if isinstance(member, dict) else None
            normalised.reject(rejected(receipt, MEMBER, error, original, message_id, index=index), index)
    reject_duplicate_keys(raw, keys)
    return normalised


def _members(body: dict[str, Any], name: str) -> list[Any]:
    members = body.get(name)
    if not isinstance(members, list):
        raise BadInputError("bad_shape", f"{name} must be an array of events")
    if len(members) > MAX_MEMBERS:
        raise BadInputError("too_many_events", f"{name} has at most {MAX_MEMBERS} events")
    return members


def _member(  # noqa: PLR0917 - a step of `batch`
    raw: bytes, member: object, context: dict[str, Any] | None, sent_at: object, receipt: Receipt, ids: Ids,
    normalised: Normalised,
) -> int:  # fmt: skip
    """Take one member; its number of keys."""
    if not isinstance(member, dict):
        raise BadInputError("bad_shape", "a member of a batch must be an object")
    keys = checked(member)  # its depth, too: what is read may be too deep to be written
    _reject_large_member(raw, member)
    item = _with_context(member, context)
    normalised.take(event_of(item, _call(item), receipt, ids, sent_at), receipt)
    return keys


def _reject_large_member(raw: bytes, member: dict[str, Any]) -> None:
    """Only a request larger than an event can hold an event that is too large."""
    if len(raw) > MAX_EVENT_BYTES:
        reject_large(len(orjson.dumps(member)))


def _call(item: dict[str, Any]) -> EventType:
    kind = item.get("type")
    call = CALLS.get(kind) if isinstance(kind, str) else None
    if call is None:
        raise BadInputError("unknown_type", f"type must be one of {', '.join(CALLS)}")
    return call


def _with_context(member: dict[str, Any], context: dict[str, Any] | None) -> dict[str, Any]:
    """A member with the batch's context where it says nothing itself."""
    if not context:
        return member
    own = member.get("context")
    if own is not None and not isinstance(own, dict):
        return member
    return {**member, "context": {**context, **(own or {})}}


def _original(member: object, context: dict[str, Any] | None, sent_at: object) -> bytes:
    """A member as it can be read again without its batch."""
    if isinstance(member, dict):
        member = _with_context(member, context)
        if sent_at is not None:
            member = {**member, "sentAt": sent_at}
    return _written(member)


def _written(member: object) -> bytes:
    try:
        return orjson.dumps(member)
    except orjson.JSONEncodeError:  # reads 1,024 levels and writes 254
        return orjson.dumps(_cut_off(member, _KEPT_LEVELS))


def _cut_off(value: object, levels: int) -> object:
    """A copy with null in the place of what lies deeper."""
    if isinstance(value, dict):
        return {key: _cut_off(inner, levels - 1) for key, inner in value.items()} if levels else None
    if isinstance(value, list):
        return [_cut_off(inner, levels - 1) for inner in value] if levels else None
    return value


def member(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """One member of a batch by itself, as a bad row keeps it."""
    return single(_call(body), raw, body, receipt, ids)


def pixel(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """The call that a query string spells; `body` are its parameters."""
    reject_large(len(raw))
    item = call_of(body)
    checked(item)
    normalised = Normalised()
    normalised.take(event_of(item, _call(item), receipt, ids), receipt)
    return normalised


def snowplow_batch(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """Snowplow's payload_data: each payload by itself, so that a bad one costs only itself."""
    payloads = _members(body, "data")
    normalised = Normalised()
    keys = len(body)
    for index, payload in enumerate(payloads):
        keys += len(payload) if isinstance(payload, dict) else 0
        try:
            _snowplow_payload(raw, payload, receipt, ids, normalised)
        except BadInputError as error:
            message_id = payload.get("eid") if isinstance(payload, dict) else None
            row = rejected(receipt, SNOWPLOW_EVENT, error, _written(payload), message_id, index=index)
            normalised.reject(row, index)
    reject_duplicate_keys(raw, keys)
    return normalised


def _snowplow_payload(raw: bytes, payload: object, receipt: Receipt, ids: Ids, normalised: Normalised) -> None:
    if not isinstance(payload, dict):
        raise BadInputError("bad_shape", "a member of data must be an object")
    _mask_addresses(payload)  # first, so that a bad row has none either
    if any(isinstance(value, dict | list) for value in payload.values()):
        raise BadInputError("bad_shape", "the parameters of a payload must be text")
    _reject_large_member(raw, payload)
    _take_snowplow(payload, receipt, ids, normalised)


def _mask_addresses(payload: dict[str, Any]) -> None:
    """The page's address, its title and its referrer; what a self-describing event says is masked when it is read."""
    for name in ("url", "refr", "page"):
        if isinstance(payload.get(name), str):
            payload[name] = masked(payload[name])


def _take_snowplow(payload: dict[str, Any], receipt: Receipt, ids: Ids, normalised: Normalised) -> None:
    item = snowplow.call_of(payload)
    checked(item)
    normalised.take(event_of(item, _call(item), receipt, ids), receipt)


def snowplow_event(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """One payload by itself, as a bad row keeps it."""
    normalised = Normalised()
    _snowplow_payload(raw, body, receipt, ids, normalised)
    return normalised


def snowplow_pixel(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """The payload that a query string spells; `body` are its parameters."""
    reject_large(len(raw))
    _mask_addresses(body)
    normalised = Normalised()
    _take_snowplow(body, receipt, ids, normalised)
    return normalised


DOORS: dict[str, Door] = {
    **{name: partial(single, call) for name, call in CALLS.items()},
    BATCH: batch,
    MEMBER: member,
    PIXEL: pixel,
    SNOWPLOW: snowplow_batch,
    SNOWPLOW_EVENT: snowplow_event,
    SNOWPLOW_PIXEL: snowplow_pixel,
    SURVEY: survey,
}


def read_again(row: BadRow, ids: Ids) -> Normalised:
    """A bad row of collect through the normaliser that rejected it, as of its own receipt.

    The address and agent of the request are not known any more. A message without an id should get the same one each
    time: make `ids` from `row.row_id`. Raises BadInputError when it is still bad, KeyError when the row is not of
    this stage.
    """
    stage, _, door = row.stage.partition("/")
    if stage != STAGE:
        raise KeyError(row.stage)
    raw = original_bytes(row)
    receipt = Receipt(source=row.source, received_at=row.received_at, request_id=row.row_id)
    body = parameters(raw.decode(errors="replace")) if door in _OF_A_QUERY else parsed_object(raw)
    return DOORS[door](raw, body, receipt, ids)
