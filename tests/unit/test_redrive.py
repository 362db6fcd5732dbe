"""Redrive: dead letters go back, nothing is removed before it was dealt with, and what they held is not lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from regulars.adapters.memory.dead_letters import MemoryDeadLetters, MemoryTableStream
from regulars.adapters.memory.queue import MemoryQueue
from regulars.application.redrive import SCHEDULES, STREAM, Deployment, Redrive, RedriveReport
from regulars.domain.errors import TransientError
from regulars.domain.events import Event
from regulars.domain.stored import Change
from tests.recovering import break_profile, projection, rebuilt
from tests.world import World, user

DAY = timedelta(days=1)
NAMES = ("events", "landed", "due", "messages", "feedback", STREAM, SCHEDULES)


class Stack:
    """A world with dead-letter queues; `queues` are what they serve."""

    def __init__(self) -> None:
        self.world = World()
        self.letters = {name: MemoryDeadLetters() for name in NAMES}
        self.queues = {name: MemoryQueue() for name in NAMES if name not in (STREAM, SCHEDULES)}
        self.stream = MemoryTableStream({})

    def redrive(self, *names: str, dry_run: bool = False) -> RedriveReport:
        deployment = Deployment(
            queues={name: (letters, self.queues.get(name)) for name, letters in self.letters.items()},
            due=self.world.due,
            stream=self.stream,
            log=self.world.log,
            store=self.world.store,
            clock=self.world.clock,
            keys_of=keys_of,
        )
        return Redrive(deployment, lambda nodes: rebuilt(self.world, nodes))(names or None, dry_run=dry_run)

    def die(self, name: str, body: str, *, age: timedelta = timedelta()) -> None:
        """A message ends as a dead letter, sent so long ago."""
        self.letters[name].put(body, self.world.clock.instant - age)

    def lose_changes(self) -> list[Change]:
        """The evaluation fails for good on everything that waits in the stream: one dead letter for each."""
        changes = self.world.store.changes()
        for change in changes:
            batch = {
                "streamArn": "arn", "shardId": "shard", "batchSize": 1,
                "startSequenceNumber": change.id, "endSequenceNumber": change.id,
            }  # fmt: skip
            self.die(STREAM, orjson.dumps({"DDBStreamBatchInfo": batch}).decode())
            self.stream.kept[change.id] = change
        return changes

    def work_off_due(self) -> None:
        batch = self.world.due.receive()
        report = self.world.evaluate.due([(str(number), message.body) for number, message in enumerate(batch)])
        assert not report.failed
        self.world.settle()


def keys_of(body: str) -> Sequence[str]:
    keys: list[str] = orjson.loads(body)
    return keys


def land(world: World, *events: Event) -> str:
    """Into the lake; the notification's body."""
    return orjson.dumps(world.log.append(events)).decode()


def test_letters_go_back_unchanged_and_leave_the_dead() -> None:
    stack = Stack()
    for number in range(25):
        stack.die("events", f"body {number}")
    stack.die("messages", "a send")
    report = stack.redrive()
    assert Counter(message.body for message in stack.queues["events"].messages) == Counter(
        f"body {number}" for number in range(25)
    )
    assert [message.body for message in stack.queues["messages"].messages] == ["a send"]
    assert (report.waiting["events"], report.done["events"]) == (25, Counter(moved=25))
    assert all(letters.waiting() == 0 for letters in stack.letters.values())
    assert stack.redrive().done["events"] == Counter()


def test_only_the_queues_that_are_named() -> None:
    stack = Stack()
    stack.die("events", "one")
    stack.die("due", "two")
    stack.redrive("due")
    assert (stack.letters["events"].bodies, stack.letters["due"].bodies) == (["one"], [])


def test_a_dry_run_counts_and_does_nothing() -> None:
    stack = Stack()
    stack.die("events", "one")
    stack.die(SCHEDULES, "{}")
    report = stack.redrive(dry_run=True)
    assert report.waiting == dict.fromkeys(NAMES, 0) | {"events": 1, SCHEDULES: 1}
    assert (stack.letters["events"].bodies, stack.queues["events"].messages) == (["one"], [])


def test_nothing_is_removed_that_could_not_be_sent() -> None:
    stack = Stack()
    stack.die("events", "one")
    stack.queues["events"].available = False
    with pytest.raises(TransientError):
        stack.redrive("events")
    assert stack.letters["events"].bodies == ["one"]


def test_what_landed_lately_is_folded_after_all() -> None:
    stack = Stack()
    stack.die("landed", land(stack.world, stack.world.event("Product Viewed")), age=DAY)
    report = stack.redrive("landed")
    assert report.done["landed"] == Counter(moved=1)
    (message,) = stack.queues["landed"].receive()
    stack.world.update([("r", keys_of(message.body))])
    assert stack.world.customer().profile.events == 1


def test_what_landed_long_ago_is_rebuilt_and_does_not_count_twice() -> None:
    """Folded in part before it died, and older than the ids that profiles remember: sent again it would count again."""
    stack = Stack()
    world = stack.world
    body = land(world, world.event("Product Viewed"), world.event("Product Viewed", user_id="bob"))
    world.update([("r", keys_of(body))])
    break_profile(world, user("bob"))
    world.advance(world.clock.instant + 9 * DAY)
    world.send(world.event("Product Viewed"))
    stack.die("landed", body, age=9 * DAY)
    report = stack.redrive("landed")
    assert report.done["landed"] == Counter(rebuilt=1)
    assert stack.queues["landed"].messages == []
    assert (world.customer("ann").profile.events, world.customer("bob").profile.events) == (2, 1)
    assert stack.letters["landed"].bodies == []


@pytest.mark.parametrize("name", ["landed", STREAM])
def test_a_letter_that_nobody_can_read_stays(name: str) -> None:
    stack = Stack()
    stack.die(name, "[", age=9 * DAY)
    assert stack.redrive(name).done[name] == Counter(left=1)
    assert stack.letters[name].bodies == ["["]


def test_a_change_that_was_never_evaluated_is_decided_after_all() -> None:
    """A subscription's change died in the stream; the welcome goes out once it is redriven, once."""
    stack = Stack()
    world = stack.world
    world.update([("r", world.log.append(world.sign_up()))])
    stack.lose_changes()
    world.advance(world.clock.instant + timedelta(hours=1))
    assert world.segments() == set()
    report = stack.redrive(STREAM)
    assert report.done[STREAM]["decided"] == report.waiting[STREAM]
    stack.work_off_due()
    assert world.segments() == {"new_subscriber"}
    world.advance(world.clock.instant + DAY)
    assert world.sent() == ["welcome"]
    stack.redrive(STREAM)
    stack.work_off_due()
    assert world.sent() == ["welcome"]


def test_changes_that_the_stream_keeps_no_longer_bring_everybody_up() -> None:
    stack = Stack()
    world = stack.world
    world.send(world.event("Product Viewed", user_id="bob"))
    world.update([("r", world.log.append(world.sign_up()))])
    stack.lose_changes()
    stack.stream.kept.clear()
    assert stack.redrive(STREAM).customers == len(projection(world.store))
    assert stack.letters[STREAM].bodies == []
    stack.work_off_due()
    world.advance(world.clock.instant + DAY)
    assert world.sent() == ["welcome"]


def test_a_rebuild_that_died_in_the_stream_stays_silent() -> None:
    stack = Stack()
    world = stack.world
    world.update([("r", world.log.append(world.sign_up()))])
    break_profile(world, user("ann"), lambda profile: replace(profile, consents={}))
    assert rebuilt(world, settle=False).rebuilt == 1
    stack.lose_changes()
    stack.redrive(STREAM)
    stack.work_off_due()
    assert world.segments() == {"new_subscriber"}
    world.advance(world.clock.instant + DAY)
    assert world.sent() == []


def test_an_outbox_whose_relay_died_is_relayed() -> None:
    stack = Stack()
    world = stack.world
    world.update([("r", world.log.append(world.sign_up()))])
    world.evaluate.changed(world.store.changes())
    stack.lose_changes()
    assert world.state().outbox
    stack.redrive(STREAM)
    stack.work_off_due()
    assert not world.state().outbox
    assert [said["name"] for said in world.told] == ["Segment Entered"]


def test_a_slot_of_a_schedule_is_dropped() -> None:
    """The next one does all that it left undone."""
    stack = Stack()
    stack.die(SCHEDULES, '{"requestPayload": {}}')
    assert stack.redrive().done[SCHEDULES] == Counter(dropped=1)
    assert stack.letters[SCHEDULES].bodies == []
