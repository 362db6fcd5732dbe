"""Events and bad rows as messages of the events queue (ADR 1, "Queue messages")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from regulars.domain.events import BadRow, Event, bad_row_to_doc, event_to_doc
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BODY_BYTES = 240_000
"""Under SQS's 1 MiB, so that a Lambda batch of ten stays under its 6 MB whatever happens."""

_ENVELOPE_BYTES = 32
_SURELY_FITS = MAX_BODY_BYTES - _ENVELOPE_BYTES
"""Nearly every request does, and is written in one go."""
_LONGEST_ORIGINAL = 200_000
_SHORT_ORIGINAL = 36_000
"""JSON makes at most six bytes of one, so an original of this length always fits."""

# XML 1.0 has no U+FFFE and U+FFFF, and SQS refuses a message with one. In JSON text they can only stand inside a
# string, where the escape means the same.
_NOT_IN_SQS = ((b"\xef\xbf\xbe", b"\\ufffe"), (b"\xef\xbf\xbf", b"\\uffff"))
_START_OF_THEM = b"\xef\xbf"


def messages_of(events: Sequence[Event], bad: Sequence[BadRow] = ()) -> list[QueueMessage]:
    """The fewest messages, in order, that hold all events and bad rows, each body at most MAX_BODY_BYTES."""
    event_docs = [event_to_doc(event) for event in events]
    if event_docs and not bad:
        body = _dumped({"v": 1, "events": event_docs, "bad": []})
        if len(body) <= _SURELY_FITS:
            return [QueueMessage(body.decode())]
    messages: list[QueueMessage] = []
    held: dict[str, list[bytes]] = {"events": [], "bad": []}
    size = _ENVELOPE_BYTES
    documents = [("events", _dumped(doc)) for doc in event_docs]
    documents += [("bad", _bad_row(row)) for row in bad]
    for part, document in documents:
        if size + len(document) + 1 > MAX_BODY_BYTES and size > _ENVELOPE_BYTES:
            messages.append(_message(held))
            held, size = {"events": [], "bad": []}, _ENVELOPE_BYTES
        held[part].append(document)
        size += len(document) + 1
    if documents:
        messages.append(_message(held))
    return messages


def body_of(document: dict[str, Any]) -> str:
    """A message of one document of another kind, as SQS takes it."""
    return _dumped(document).decode()


def _message(held: dict[str, list[bytes]]) -> QueueMessage:
    body = b'{"v":1,"events":[%b],"bad":[%b]}' % (b",".join(held["events"]), b",".join(held["bad"]))
    return QueueMessage(body.decode())


def _dumped(document: dict[str, Any]) -> bytes:
    text = orjson.dumps(document)
    if not text.isascii() and _START_OF_THEM in text:  # nearly all are, and that is seen at once
        for raw, escaped in _NOT_IN_SQS:
            text = text.replace(raw, escaped)
    return text


def _bad_row(row: BadRow) -> bytes:
    """A bad row's document. An original that fits into no message is cut, and the detail says so."""
    document = bad_row_to_doc(row)
    text = _dumped(document)
    for longest in (_LONGEST_ORIGINAL, _SHORT_ORIGINAL):
        if len(text) + _ENVELOPE_BYTES + 1 <= MAX_BODY_BYTES:
            break
        # Cut in bytes (in groups of four, which is also whole base64) and drop a character that the cut goes through.
        document["original"] = row.original.encode()[: longest // 4 * 4].decode(errors="ignore")
        document["detail"] = f"{row.detail} (original cut to {longest} bytes)"
        text = _dumped(document)
    return text
