"""The protocols that collect understands: one normaliser each, from bytes to canonical events and bad rows.

A new protocol is one more function of the type `Door` and one more line in `DOORS` (and, where its path is new, a
route).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from regulars.application.bad_rows import original_bytes, row_of
from regulars.application.collect.pixel import call_of, parameters
from regulars.application.collect.receipt import Receipt
from regulars.application.collect.segment import CALLS, event_of, refusal
from regulars.application.collect.shape import checked
from regulars.application.collect.wire import MAX_EVENT_BYTES, parsed_object, reject_duplicate_keys
from regulars.domain.errors import BadInputError
from regulars.domain.times import parse_instant

if TYPE_CHECKING:
    from regulars.domain.events import BadRow, Event, EventType
    from regulars.ports import Ids

STAGE = "collect"
"""A bad row's stage is `collect/<door>`: the normaliser that reads its original again."""

BATCH, MEMBER, PIXEL = "batch", "member", "pixel"
_KEPT_LEVELS = 100
"""Of a member that is too deep to be written out whole: many times what an event may have."""


@dataclass(slots=True)
class Normalised:
    """What became of one request. `refused`: reason to number of good events that must not be stored.

    `errors`: (index in the batch, code) of each bad row, in order.
    """

    events: list[Event] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)

    def take(self, event: Event, receipt: Receipt) -> None:
        """Keep a good event, or count why it must not be kept."""
        reason = refusal(event, receipt)
        if reason is None:
            self.events.append(event)
        else:
            self.refused[reason] = self.refused.get(reason, 0) + 1

    def reject(self, row: BadRow, index: int) -> None:
        """Keep a bad row."""
        self.bad.append(row)
        self.errors.append((index, row.code))


def rejected(
    receipt: Receipt, door: str, error: BadInputError, original: bytes, message_id: object = None, *, index: int = 0
) -> BadRow:
    """The bad row of one payload of an authenticated request."""
    return row_of(
        error,
        original,
        source=receipt.source,
        stage=f"{STAGE}/{door}",
        received_at=receipt.received_at,
        request_id=receipt.request_id,
        index=index,
        message_id=message_id,
    )


Door = Callable[[bytes, dict[str, Any], Receipt, "Ids"], Normalised]
"""(the bytes, what was read from them, receipt, ids). Raises BadInputError when the whole request is bad."""


def single(call: EventType, raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """One Segment call in one body."""
    if len(raw) > MAX_EVENT_BYTES:
        raise BadInputError("too_large", f"an event has at most {MAX_EVENT_BYTES} bytes")
    reject_duplicate_keys(raw, checked(body))
    normalised = Normalised()
    normalised.take(event_of(body, call, receipt, ids), receipt)
    return normalised


def batch(raw: bytes, body: dict[str, Any], receipt: Receipt, ids: Ids) -> Normalised:
    """Segment's batch: each member by itself, so that a bad one costs only itself."""
    members = body.get("batch")
    if not isinstance(members, list):
        raise BadInputError("bad_shape", "batch must be an array of calls")
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


def _member(  # noqa: PLR0917 - a step of `batch`
    raw: bytes, member: object, context: dict[str, Any] | None, sent_at: object, receipt: Receipt, ids: Ids,
    normalised: Normalised,
) -> int:  # fmt: skip
    """Take one member; its number of keys."""
    if not isinstance(member, dict):
        raise BadInputError("bad_shape", "a member of a batch must be an object")
    keys = checked(member)  # its depth, too: what is read may be too deep to be written
    # Only a request larger than an event can hold an event that is too large.
    if len(raw) > MAX_EVENT_BYTES and len(orjson.dumps(member)) > MAX_EVENT_BYTES:
        raise BadInputError("too_large", f"an event has at most {MAX_EVENT_BYTES} bytes")
    item = _with_context(member, context)
    normalised.take(event_of(item, _call(item), receipt, ids, sent_at), receipt)
    return keys


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
    if len(raw) > MAX_EVENT_BYTES:
        raise BadInputError("too_large", f"an event has at most {MAX_EVENT_BYTES} bytes")
    item = call_of(body)
    checked(item)
    normalised = Normalised()
    normalised.take(event_of(item, _call(item), receipt, ids), receipt)
    return normalised


DOORS: dict[str, Door] = {
    **{name: partial(single, call) for name, call in CALLS.items()},
    BATCH: batch,
    MEMBER: member,
    PIXEL: pixel,
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
    body = parameters(raw.decode(errors="replace")) if door == PIXEL else parsed_object(raw)
    return DOORS[door](raw, body, receipt, ids)
