"""Relay: from the outboxes of states to the queues, then out of the outboxes.

A crash in between relays again: the ledger takes a send key once, and the lake an event id once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from regulars.domain.engine import relayed
from regulars.domain.errors import PermanentError, TransientError, VersionConflictError
from regulars.domain.state import OutboxKind
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from regulars.domain.stored import Head
    from regulars.ports import CustomerStore, Ids, Queue

MAX_BODY_BYTES = 240_000
_MAX_EVENTS = 200
_ATTEMPTS = 5


class Relay:
    """Call it with (record id, node): (entries relayed, ids that must come again)."""

    def __init__(self, *, store: CustomerStore, messages: Queue, events: Queue, ids: Ids) -> None:
        self._store = store
        self._messages = messages
        self._events = events
        self._ids = ids

    def __call__(self, outboxes: Sequence[tuple[str, str]]) -> tuple[int, set[str]]:
        nodes = list(dict.fromkeys(node for _, node in outboxes))
        if not nodes:
            return 0, set()
        heads = self._store.heads(nodes)
        entries = [entry for head in heads.values() if head.state for entry in head.state.value.outbox]
        try:
            sends = [entry.doc for entry in entries if entry.kind is OutboxKind.SEND]
            self._messages.send([QueueMessage(_text({"v": 1, "send": doc})) for doc in sends])
            events = [entry.doc for entry in entries if entry.kind is OutboxKind.EVENT]
            self._events.send([QueueMessage(body) for body in _event_bodies(events)])
        except (TransientError, PermanentError):
            return 0, {id_ for id_, _ in outboxes}
        stuck = {node for node, head in heads.items() if not self._clear(node, head)}
        return len(entries), {id_ for id_, node in outboxes if node in stuck}

    def _clear(self, node: str, head: Head) -> bool:
        """Take what was relayed out of the outbox; what came in meanwhile stays. False when it could not be done."""
        stored = head.state
        ids = frozenset(entry.id for entry in stored.value.outbox) if stored else frozenset[str]()
        for attempt in range(_ATTEMPTS):
            if attempt:
                stored = self._store.heads([node])[node].state
            if stored is None or not any(entry.id in ids for entry in stored.value.outbox):
                return True
            try:
                state = relayed(stored.value, ids)
                self._store.put_state(node, state, expected=stored.version, owner=self._ids.new())
            except VersionConflictError:
                continue
            except (TransientError, PermanentError):
                return False
            return True
        return False


def _event_bodies(docs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Messages of the events queue, as many events in each as it may carry."""
    batch: list[bytes] = []
    size = 0
    for doc in docs:
        text = orjson.dumps(doc)
        if batch and (size + len(text) > MAX_BODY_BYTES or len(batch) == _MAX_EVENTS):
            yield _body(batch)
            batch, size = [], 0
        batch.append(text)
        size += len(text) + 1
    if batch:
        yield _body(batch)


def _body(events: Sequence[bytes]) -> str:
    return (b'{"v":1,"events":[' + b",".join(events) + b"]}").decode()


def _text(doc: Any) -> str:
    return orjson.dumps(doc).decode()
