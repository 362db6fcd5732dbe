"""Event sources with an adversary's freedom: batches of any size, out of order, twice, at once, cut short.

They do only what AWS may do. What they hold is given back when the adversary stops, so nothing is lost by them.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from infra.local.queues import QueueSource
from infra.local.streams import StreamSource, _Batch

if TYPE_CHECKING:
    from moto.sqs.models import Message

LANES = 2
"""Batches of the stream that run at once; all changes of one partition are in one lane (ParallelizationFactor)."""
_UNDELETED = 0.08
_AGAIN = 0.1


class Adversary:
    """Chance for the sources. `on`: whether it plays at all; `counts`: what it did."""

    def __init__(self, seed: int, *, on: bool = True) -> None:
        self.chance = random.Random(seed)  # noqa: S311 no secret
        self.on = on
        self.counts: Counter[str] = Counter()

    def does(self, what: str, share: float) -> bool:
        """Whether it does this now."""
        if not self.on or self.chance.random() >= share:
            return False
        self.counts[what] += 1
        return True

    def size(self, most: int) -> int:
        """How much of what there is goes into one batch."""
        return self.chance.randint(1, most) if self.on and most > 1 else most


class HostileQueue(QueueSource):
    """A standard queue: no order, at least once."""

    adversary: Adversary

    def has_work(self) -> bool:
        """Whether a delivery could start now."""
        return bool(self._queue().messages)

    def _receive(self) -> list[Message]:
        if not self.adversary.on:
            return super()._receive()
        whole, waiting = self._batch_size, self._queue()._messages
        self.adversary.chance.shuffle(waiting)
        self._batch_size = min(whole, self.adversary.size(max(len(waiting), 1)))
        try:
            return super()._receive()
        finally:
            self._batch_size = whole

    def _delete(self, messages: list[Message]) -> None:
        """Now and then a deletion is lost, and the message comes once more."""
        kept = [message for message in messages if not self.adversary.does("delivered twice", _UNDELETED)]
        super()._delete(kept)


class Lane(StreamSource):
    """One lane of the table's stream: its partitions in order, one batch at a time."""

    adversary: Adversary
    reader: Callable[[], None]
    arrived: list[dict[str, Any]]

    def has_work(self) -> bool:
        """Whether a delivery could start now."""
        self.reader()
        return bool(self._waiting or self.arrived)

    def pump(self) -> bool:
        """One delivery, from its start to its end."""
        self.reader()
        return super().pump()

    def _read(self) -> list[dict[str, Any]]:
        count = self.adversary.size(len(self.arrived))
        taken, self.arrived = self.arrived[:count], self.arrived[count:]
        return taken

    def _deliver(self, batch: _Batch) -> None:
        super()._deliver(batch)
        if batch.failures == 0 and self.adversary.does("stream batch again", _AGAIN):
            self._put_back(_Batch(batch.records, 1))  # its checkpoint was lost


def hostile(sources: list[QueueSource | StreamSource], adversary: Adversary) -> list[HostileQueue | Lane]:
    """The cloud's own sources with the adversary in them; each stream becomes some lanes."""
    made: list[HostileQueue | Lane] = []
    for source in sources:
        if isinstance(source, QueueSource):
            queue = HostileQueue.__new__(HostileQueue)
            queue.__dict__.update(source.__dict__)
            queue.adversary = adversary
            made.append(queue)
        else:
            made += _lanes(source, adversary)
    return made


def _lanes(source: StreamSource, adversary: Adversary) -> list[Lane]:
    lanes: list[Lane] = []
    read = source._read

    def share() -> None:
        for record in read():
            node = record["dynamodb"]["Keys"]["pk"]["S"]
            lanes[zlib.crc32(node.encode()) % LANES].arrived.append(record)

    for _ in range(LANES):
        lane = Lane.__new__(Lane)
        lane.__dict__.update(source.__dict__)
        lane._waiting, lane.arrived = deque(), []
        lane.adversary, lane.reader = adversary, share
        lanes.append(lane)
    return lanes


def ses_event(kind: str, mail: Any) -> dict[str, Any]:
    """What SES tells of a mail."""
    send_id = mail.headers["X-Regulars-Send"]
    document = {
        "timestamp": mail.sent_at.isoformat(),
        "messageId": mail.message_id,
        "destination": list(mail.recipients),
        "tags": {"send_id": [send_id]},
        "headers": [{"name": "X-Regulars-Send", "value": send_id}],
    }
    return {"eventType": kind, "mail": document, kind.lower(): {"timestamp": mail.sent_at.isoformat()}}
