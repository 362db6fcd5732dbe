"""The send protocol under every fault: lost answers, refusals and crashes at any call, repeated and concurrent
delivery.

Whatever happens, at most one message goes out for a send key, none after a confirmed opt-out, and none is lost: after
the last delivery each is sent, withheld, or counted as unknown, and unknown only where a fault made it so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.adapters.memory.catalogue import MemoryCatalogue
from regulars.adapters.memory.ledger import MemoryLedger
from regulars.adapters.memory.providers import MemoryMailer
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.adapters.tokens import SignedSurveys, SignedTokens
from regulars.application.send_messages import SendMessages
from regulars.domain.errors import TransientError, UnknownOutcomeError
from regulars.domain.sends import CLAIM_LEASE, EmailMessage, SendRecord, SendStatus
from tests.send_samples import NOON, a_send
from tests.unit.test_send_messages import SECRETS, SHOP, TEMPLATES, body_of

FAULTS = ("none", "refused", "lost", "crash_before", "crash_after")
KEYS = ("one", "two", "three")
VISIBILITY = timedelta(minutes=6)


class Crash(BaseException):
    """The process ends here; nothing but the runtime catches it."""


class Faults:
    """Meets the calls of the ports with planned faults, the n-th call with the n-th of the plan; then with none."""

    def __init__(self, plan: list[str]) -> None:
        self._plan = iter(plan)
        self.met: Counter[str] = Counter()

    def call(self, operation: Callable[[], Any], lost: type[Exception]) -> Any:
        """`lost` is what a lost answer looks like to the caller."""
        fault = next(self._plan, "none")
        self.met[fault] += 1
        if fault == "refused":
            raise TransientError("refused")
        if fault == "crash_before":
            raise Crash
        answer = operation()
        if fault == "lost":
            raise lost("lost")
        if fault == "crash_after":
            raise Crash
        return answer


class FaultyPort:
    """A port whose calls meet faults."""

    def __init__(self, port: Any, faults: Faults, lost: type[Exception] = TransientError) -> None:
        self._port, self._faults, self._lost = port, faults, lost

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = getattr(self._port, name)
        return lambda *args, **kwargs: self._faults.call(lambda: operation(*args, **kwargs), self._lost)


class World:
    """One send function, its queue and its provider. Reality is in `ledger`, `mailer` and `events`; faults are
    between."""

    def __init__(self, plan: list[str], *, name: str = "one") -> None:
        self.ledger, self.mailer, self.events = MemoryLedger(), MemoryMailer(), MemoryQueue()
        self.faults = Faults(plan)
        self.clock = FixedClock(NOON)
        self.use_case = SendMessages(
            ledger=FaultyPort(self.ledger, self.faults),
            mailer=FaultyPort(self.mailer, self.faults, UnknownOutcomeError),
            texter=FaultyPort(self.mailer, self.faults, UnknownOutcomeError),
            templates=TEMPLATES,
            tokens=SignedTokens(SECRETS, "tokens"),
            surveys=SignedSurveys(SECRETS, "tokens"),
            catalogue=MemoryCatalogue(),
            events=FaultyPort(self.events, self.faults),
            clock=self.clock,
            ids=CountedIds(f"{name}-"),
            shop=SHOP,
        )

    def deliver(self, sends: list[SendRecord]) -> list[SendRecord]:
        """Invoke with a batch; what must come again."""
        try:
            report = self.use_case([(send.send_key, body_of(send)) for send in sends], has_time=lambda: True)
        except Crash:
            return sends
        return [send for send in sends if send.send_key in report.failed]

    def settle(self, sends: list[SendRecord]) -> None:
        """Deliver until nothing comes back, a visibility time between deliveries."""
        for _ in range(60):  # more than a plan holds faults
            if not sends:
                return
            sends = self.deliver(sends)
            self.clock.instant += VISIBILITY
        raise AssertionError("does not come to rest")

    def sent(self) -> Counter[str]:
        """Send keys by how often a message left for them."""
        return Counter(message.tags["send_id"].partition("-")[2] for message in self.mailer.sent)


def check(world: World, sends: list[SendRecord]) -> None:
    """At most once; nothing lost; every record tells the truth."""
    sent = world.sent()
    assert not [key for key, times in sent.items() if times > 1]
    for send in sends:
        record = next(r for r in world.ledger.sends(send.address_node) if r.send_key == send.send_key)
        assert record.status in (SendStatus.SENT, SendStatus.UNKNOWN)
        if record.status is SendStatus.SENT:
            assert sent[send.send_key] == 1
        else:
            assert world.faults.met.total() > world.faults.met["none"]


@settings(max_examples=150, deadline=None)
@given(plan=st.lists(st.sampled_from(FAULTS), max_size=25), again=st.lists(st.sampled_from(KEYS), max_size=4))
def test_at_most_one_message_for_a_key_and_none_lost_under_any_faults(plan: list[str], again: list[str]) -> None:
    world = World(plan)
    sends = [a_send(key, not_after=NOON + timedelta(days=9)) for key in KEYS]
    world.settle(sends)
    world.settle([a_send(key, not_after=NOON + timedelta(days=9)) for key in again])
    check(world, sends)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "none"])
def test_a_fault_at_any_single_call_leaves_one_message_at_most(fault: str) -> None:
    sends = [a_send(key, not_after=NOON + timedelta(days=9)) for key in KEYS]
    clean = World([])
    clean.settle(sends)
    assert clean.sent().total() == len(KEYS)
    for call in range(clean.faults.met.total()):
        world = World(["none"] * call + [fault])
        world.settle(sends)
        check(world, sends)
        assert world.sent().total() >= len(KEYS) - 1


@settings(max_examples=100, deadline=None)
@given(plan=st.lists(st.sampled_from(FAULTS), max_size=15), opt_out_before=st.integers(0, 5))
def test_nothing_is_sent_after_a_confirmed_opt_out(plan: list[str], opt_out_before: int) -> None:
    world = World(plan)
    sends = [a_send(key, not_after=NOON + timedelta(days=9)) for key in KEYS]
    waiting = sends
    for delivery in range(20):
        if delivery == opt_out_before:
            world.ledger.opt_out(sends[0].address_node, channel="email", at=world.clock.instant, source="page")
            before = len(world.mailer.sent)
        waiting = world.deliver(waiting) if waiting else []
        world.clock.instant += VISIBILITY
    assert len(world.mailer.sent) == before
    assert not waiting


class Reentrant(MemoryMailer):
    """While it sends, the same queue message is delivered to another instance of the function."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.came_again: list[SendRecord] = []

    def send(self, message: EmailMessage) -> str:
        """Send, after the other instance had its turn."""
        self.came_again += self._world.deliver([a_send("one")])
        return super().send(message)


def test_two_instances_with_the_same_message_send_it_once() -> None:
    world, other = World([], name="one"), World([], name="other")
    other.use_case = SendMessages(
        **{**{name: getattr(other.use_case, name) for name in SendMessages.__slots__}, "ledger": world.ledger}
    )
    mailer = Reentrant(other)
    world.use_case = SendMessages(
        **{**{name: getattr(world.use_case, name) for name in SendMessages.__slots__}, "mailer": mailer}
    )
    assert world.deliver([a_send("one")]) == []
    assert mailer.came_again == [a_send("one")]
    assert (len(mailer.sent), other.mailer.sent) == (1, [])
    assert other.deliver([a_send("one")]) == []
    assert other.mailer.sent == []


def test_the_lease_outlives_the_longest_run_of_a_function() -> None:
    """Lambda ends a function after 15 minutes at most; ours, after the 60 seconds that infra/template.yaml gives it."""
    assert timedelta(seconds=60) < CLAIM_LEASE
