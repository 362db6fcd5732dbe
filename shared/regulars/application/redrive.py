"""Redrive: dead letters back to where they came from, after what killed them was mended.

Nothing is removed before it has been dealt with, so whatever a crash interrupts is done twice and not lost; all who
receive it are idempotent. What each dead-letter queue needs:

- `events`, `due`, `changes`, `messages`, `feedback`, `fetches`: the body goes back to its queue, unchanged. A message
  that is too late to be sent is withheld by its own `not_after`.
- `landed`: the same, while the ids of what landed are still remembered by the profiles (SEEN_DAYS). What is older would
  be counted twice where it had been folded in part, so the customers that it names are rebuilt from the log instead.
- `stream`: the letter holds a position, not the change. The changes are read from the stream again, and who changed is
  decided anew as a whole; when the stream keeps them no longer (a day), everybody is.
- `schedules`: dropped. Each slot of a schedule does all that earlier ones left undone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from regulars.domain.engine import BULK, IMPORT, REBUILD
from regulars.domain.errors import PermanentError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.profile import SEEN_DAYS
from regulars.domain.stored import Change, OutboxChange
from regulars.ports import QueueMessage, StreamPosition

if TYPE_CHECKING:
    from regulars.application.rebuild import RebuildReport
    from regulars.ports import Clock, CustomerStore, DeadLetter, DeadLetterQueue, EventLog, Queue, TableStream

LANDED, STREAM, SCHEDULES = "landed", "stream", "schedules"
QUEUES = ("events", LANDED, "due", "changes", "messages", "feedback", STREAM, SCHEDULES)
"""The dead-letter queues of a stack, without the stack's name and `-dlq`."""
FETCHES = "fetches"
"""One that only a stack for a shop on BigCommerce has."""
REMEMBERED = timedelta(days=SEEN_DAYS - 1)
_EMPTY_RECEIVES = 3
"""A queue of many servers may show nothing though it holds something; after so many looks it is taken for empty."""
_AT_ONCE = 500
_LOUDEST = (BULK, IMPORT, REBUILD, None)
"""Of two changes of one customer the one that may start campaigns counts."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a redrive works on. `queues`: each dead-letter queue by its name, with the queue that it serves (None: there
    is none). `keys_of`: the lake objects that a `landed` body names; raises ValueError when it is none."""

    queues: Mapping[str, tuple[DeadLetterQueue, Queue | None]]
    due: Queue
    stream: TableStream
    log: EventLog
    store: CustomerStore
    clock: Clock
    keys_of: Callable[[str], Sequence[str]]


@dataclass(slots=True)
class RedriveReport:
    """By queue: letters `waiting` at the start, and how many were `moved` back, `rebuilt` (their customers were),
    `decided` (their customers will be), `dropped`; those `left` cannot be read. `customers`: brought up or rebuilt."""

    waiting: dict[str, int] = field(default_factory=dict)
    done: dict[str, Counter[str]] = field(default_factory=dict)
    customers: int = 0


class Redrive:
    """Call it with names of queues."""

    def __init__(self, deployment: Deployment, rebuild: Callable[[frozenset[str]], RebuildReport]) -> None:
        self._to = deployment
        self._rebuild = rebuild

    def __call__(self, names: Iterable[str] | None = None, *, dry_run: bool = False) -> RedriveReport:
        """Empty the dead-letter queues `names` (all of them without any). `dry_run` only counts.

        Raises PermanentError on a queue that is not there, TransientError when something does not answer: run it again.
        """
        report = RedriveReport()
        for name in self._to.queues if names is None else names:
            if name not in self._to.queues:
                raise PermanentError(f"this deployment has no queue {name}")
            letters, source = self._to.queues[name]
            report.waiting[name] = letters.waiting()
            done = report.done[name] = Counter()
            if dry_run:
                continue
            if name == LANDED:
                self._landed(letters, source, done, report)
            elif name == STREAM:
                self._stream(letters, done, report)
            else:
                for batch in _received(letters):
                    if source is not None:
                        source.send([QueueMessage(letter.body) for letter in batch])
                    letters.remove(batch)
                    done["dropped" if source is None else "moved"] += len(batch)
        return report

    def _landed(
        self, letters: DeadLetterQueue, source: Queue | None, done: Counter[str], report: RedriveReport
    ) -> None:
        """Young ones to their queue; the nodes of old ones are rebuilt together, at the end."""
        oldest = self._to.clock.now() - REMEMBERED
        nodes: set[str] = set()
        old: list[DeadLetter] = []
        for batch in _received(letters):
            young = [letter for letter in batch if letter.sent_at >= oldest]
            if young and source is not None:
                source.send([QueueMessage(letter.body) for letter in young])
                letters.remove(young)
                done["moved"] += len(young)
            for letter in batch:
                if letter.sent_at >= oldest:
                    continue
                named = self._nodes(letter.body)
                if named is None:
                    done["left"] += 1
                else:
                    nodes |= named
                    old.append(letter)
        if old:
            self._rebuild(frozenset(nodes))
            letters.remove(old)
            done["rebuilt"] += len(old)
            report.customers += len(nodes)

    def _nodes(self, body: str) -> set[str] | None:
        """The nodes of the events in the objects that a body names; None when it cannot be read."""
        try:
            keys = self._to.keys_of(body)
            return {node for key in keys for event in self._to.log.read(key) for node in nodes_of(event)}
        except (ValueError, PermanentError):
            return None

    def _stream(self, letters: DeadLetterQueue, done: Counter[str], report: RedriveReport) -> None:
        gone: list[DeadLetter] = []
        for batch in _received(letters):
            handled = []
            for letter in batch:
                position = _position(letter.body)
                if position is None:
                    done["left"] += 1
                    continue
                try:
                    changes = self._to.stream.changes(position)
                except PermanentError:
                    gone.append(letter)
                    continue
                report.customers += self._bring_up(_loudest(changes))
                handled.append(letter)
            letters.remove(handled)
            done["decided"] += len(handled)
        if gone:
            report.customers += self._bring_up((node, BULK) for node, _ in self._to.store.scan())
            letters.remove(gone)
            done["decided"] += len(gone)

    def _bring_up(self, nodes: Iterable[tuple[str, str | None]]) -> int:
        """Send nodes to the due queue, each with what is to be decided of it at any rate; how many."""
        messages: list[QueueMessage] = []
        count = 0
        for node, whole in nodes:
            note = {"v": 1, "node": node} | ({"whole": whole} if whole else {})
            messages.append(QueueMessage(orjson.dumps(note).decode()))
            count += 1
            if len(messages) == _AT_ONCE:
                self._to.due.send(messages)
                messages = []
        self._to.due.send(messages)
        return count


def _received(queue: DeadLetterQueue) -> Iterable[list[DeadLetter]]:
    """Batches until the queue shows nothing any more."""
    empty = 0
    while empty < _EMPTY_RECEIVES:
        batch = queue.receive()
        empty = 0 if batch else empty + 1
        if batch:
            yield batch


def _loudest(changes: Iterable[Change]) -> list[tuple[str, str | None]]:
    """Each node that changed once, with what its change is as a whole; None where only its outbox waits."""
    found: dict[str, str | None] = {}
    for change in changes:
        if isinstance(change, OutboxChange):
            whole = None
        else:
            whole = REBUILD if change.rebuilt else IMPORT if change.imported else BULK
        known = found.setdefault(change.node, whole)
        found[change.node] = min(known, whole, key=_LOUDEST.index)
    return list(found.items())


def _position(body: str) -> StreamPosition | None:
    """What Lambda's failure record names; None when it is none."""
    try:
        batch = orjson.loads(body)["DDBStreamBatchInfo"]
        return StreamPosition(
            stream=batch["streamArn"],
            shard=batch["shardId"],
            first=batch["startSequenceNumber"],
            last=batch["endSequenceNumber"],
        )
    except (ValueError, KeyError, TypeError):
        return None
