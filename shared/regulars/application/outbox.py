"""Relay: from the outboxes of states to the queues, then out of the outboxes.

A crash in between relays again: the ledger takes a send key once, and the lake an event id once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from regulars.application.queue_messages import body_of, messages_of
from regulars.domain.engine import relayed
from regulars.domain.errors import PermanentError, TransientError, VersionConflictError
from regulars.domain.events import event_from_doc
from regulars.domain.state import OutboxEntry, OutboxKind
from regulars.ports import Part, QueueMessage

if TYPE_CHECKING:
    from regulars.domain.stored import Head
    from regulars.ports import CustomerStore, Ids, Queue

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
        heads = self._store.heads(nodes, parts=(Part.STATE,))
        entries = {node: list(head.state.value.outbox) if head.state else [] for node, head in heads.items()}
        stuck = self._handed_over(entries)
        stuck |= {node for node in nodes if node not in stuck and not self._clear(node, heads[node])}
        relayed = sum(len(entries[node]) for node in nodes if node not in stuck)
        return relayed, {id_ for id_, node in outboxes if node in stuck}

    def _handed_over(self, entries: dict[str, list[OutboxEntry]]) -> set[str]:
        """Hand all entries over, and return the nodes whose could not be: all together, or, where a queue refuses
        something, node by node, so that one customer does not hold up the others."""
        try:
            self._send([entry for of_node in entries.values() for entry in of_node])
        except TransientError:
            return set(entries)
        except PermanentError:
            return {node for node, of_node in entries.items() if not self._sent(of_node)}
        return set()

    def _sent(self, entries: list[OutboxEntry]) -> bool:
        try:
            self._send(entries)
        except (TransientError, PermanentError):
            return False
        return True

    def _send(self, entries: list[OutboxEntry]) -> None:
        sends = [entry.doc for entry in entries if entry.kind is OutboxKind.SEND]
        self._messages.send([QueueMessage(body_of({"v": 1, "send": doc})) for doc in sends])
        events = [event_from_doc(dict(entry.doc)) for entry in entries if entry.kind is OutboxKind.EVENT]
        self._events.send(messages_of(events))

    def _clear(self, node: str, head: Head) -> bool:
        """Take what was relayed out of the outbox; what came in meanwhile stays. False when it could not be done."""
        stored = head.state
        ids = frozenset(entry.id for entry in stored.value.outbox) if stored else frozenset[str]()
        for attempt in range(_ATTEMPTS):
            if attempt:
                stored = self._store.heads([node], parts=(Part.STATE,))[node].state
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
