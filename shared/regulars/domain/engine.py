"""`step`: the one place where anything is decided.

    outcome = step(customer, state, facts, now, program)      pure: new state, with what is to be sent and told in its
    outbox

Facts are taken one by one in the order in which they were applied, and due instants in between are fired first, so
one step with ten facts equals ten steps with one. The same function runs live, in the nightly refresh, in a backtest
and in tests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from regulars.domain.customer import Customer
from regulars.domain.errors import PermanentError
from regulars.domain.events import event_to_doc
from regulars.domain.facts import Fact
from regulars.domain.instants import iso, to_millis
from regulars.domain.marks import BANDS
from regulars.domain.message_events import own_event
from regulars.domain.messaging import decide_message
from regulars.domain.program import CompiledProgram
from regulars.domain.state import MAX_DECIDED, CustomerState, Membership, OutboxEntry, OutboxKind, Pending

DUE, IMPORT, BULK, MERGE, SPLIT, REBUILD = "due", "import", "bulk", "merge", "split", "rebuild"
NEW_RULES, NEW_VALUES = "new rules", "new values"
_SILENT = frozenset({IMPORT, REBUILD, NEW_RULES})
"""What is found because of these was so before: nobody hears of it."""
MAX_STEPPED = 200
"""More facts at once than a shopper makes are taken as a whole: their log would outgrow the state's item."""
OUTBOX_RETRY = timedelta(minutes=5)
_MAX_FIRINGS = 10_000


def step(
    customer: Customer,
    state: CustomerState,
    facts: Sequence[Fact],
    *,
    now: datetime,
    program: CompiledProgram,
    whole: str | None = None,
) -> tuple[Customer, CustomerState]:
    """The customer with `facts` folded in, and the state at `now` (or at the last fact's receipt, if that is later).

    `customer` is before the facts, but after a change that is taken as a whole: `whole` says which (IMPORT, BULK,
    MERGE, SPLIT, REBUILD). What an imported fact or change makes the customer enter is history and starts no campaign;
    nor does what a rebuild or new rules find, but campaigns that wait go on waiting. Raises PermanentError if due
    instants do not run dry, which would be a bug in a rule.
    """
    run = _ran(customer, state, facts, now, program, whole)
    return run.folded(), run.state


def next_state(
    customer: Customer,
    state: CustomerState,
    facts: Sequence[Fact],
    *,
    now: datetime,
    program: CompiledProgram,
    whole: str | None = None,
) -> CustomerState:
    """The state that `step` gives, for callers that need no customer: facts that no rule reads are not folded in."""
    return _ran(customer, state, facts, now, program, whole).state


def _ran(  # noqa: PLR0917 - the arguments of `step`
    customer: Customer,
    state: CustomerState,
    facts: Sequence[Fact],
    now: datetime,
    program: CompiledProgram,
    whole: str | None,
) -> _Run:
    run = _Run(customer, state.copied(), program)
    if whole in _SILENT:
        run.state.known_rules = program.known_rules
    elif state.known_rules != program.known_rules:
        # First, so that nothing which happens now is taken for the cause of what the new rules say of before.
        run.adopt(run.clock(facts[0].received_at if facts else now), whole)
    if whole:
        run.decide(run.clock(now), whole)
    if len(facts) > MAX_STEPPED:
        run.take_all(facts)
        facts = ()
    for fact in facts:
        told = run.clock(fact.received_at)
        run.fire_due(told)
        run.take(fact, told)
    now = run.clock(now)
    run.fire_due(now)
    if run.state.program_version != program.version:
        run.decide(now, NEW_VALUES)
    run.finish(now)
    return run


class _Run:
    """One step's working copy."""

    def __init__(self, customer: Customer, state: CustomerState, program: CompiledProgram) -> None:
        self.customer = customer
        self.state = state
        self.program = program
        self._waiting: list[Fact] = []

    def take(self, fact: Fact, now: datetime) -> None:
        """Take a fact in, and decide. One that no rule reads changes no verdict and no due instant: it waits to be
        folded in with others."""
        self._waiting.append(fact)
        if self.state.program_version != self.program.version or self.program.concerns(fact):
            self.decide(now, IMPORT if fact.imported else fact.id)
        else:
            self.state.clock = now

    def take_all(self, facts: Sequence[Fact]) -> None:
        """Take a flood in as one."""
        told = self.clock(max(fact.received_at for fact in facts))
        self.fire_due(told)
        self._waiting.extend(facts)
        self.decide(told, IMPORT if all(fact.imported for fact in facts) else BULK)

    def folded(self) -> Customer:
        """The customer with everything that was taken in."""
        if self._waiting:
            self.customer = self.customer.after(self._waiting)
            self._waiting = []
        return self.customer

    def clock(self, instant: datetime) -> datetime:
        """A customer's clock never goes back, whatever clock the sender of a fact had."""
        return instant if self.state.clock is None else max(instant, self.state.clock)

    def fire_due(self, until: datetime) -> None:
        """Decide at every due instant up to `until`, each at its own time."""
        for _ in range(_MAX_FIRINGS):
            due = self.state.flips_at
            if due is None or due > until:
                return
            self.decide(self.clock(due), DUE)
        raise PermanentError("due instants do not advance")

    def decide(self, now: datetime, trigger: str) -> None:
        """Membership, churn band, campaigns and the next due instant as of `now`."""
        customer, state, program = self.folded(), self.state, self.program
        if trigger == IMPORT:
            state.pending.clear()  # whatever waits may have been started by a part of the history that came first
        customer.now = state.clock = now
        verdict = program.evaluate(customer, now)
        members = verdict.memberships
        if program.waiting:
            members |= state.memberships.keys() & program.waiting
        if verdict.churn_band != state.churn_band and not program.bands_wait:
            self.move_band(verdict.churn_band, now, trigger)
        customer.churn_band = state.churn_band
        if members != state.memberships.keys():
            self.move(members, now, trigger)
        self.decide_campaigns(now)
        state.program_version = program.version
        flips = [verdict.next_flip, customer.next_consent_expiry()]
        flips += [pending.decide_at for name, pending in state.pending.items() if name not in program.held]
        state.flips_at = min([instant for instant in flips if instant is not None], default=None)

    def adopt(self, now: datetime, whole: str | None) -> None:
        """Take in the segments whose rules are new to this customer: silently what they said when they came into force.
        What they say since, and everything else, is decided as ever.

        Whom a look at everybody did not move has a state that does not say so, and none where no rule ever said
        anything: such a customer was decided by the rules of that look.
        """
        state, program, customer = self.state, self.program, self.customer
        known: str | None = state.known_rules
        look = program.told(now)
        if not known:
            was_here = customer.profile.first_seen is not None or bool(customer.book.entries)
            known = look.rules if look and was_here and whole is None else None
        elif look and look.at and state.clock and state.clock < look.at:
            known = look.rules
        new = program.new_to(known) if known is not None else frozenset()
        since: dict[datetime, set[str]] = {}
        for name in new:
            since.setdefault(self._new_at(name, now), set()).add(name)
        for at, names in sorted(since.items()):
            self._adopt_as_of(at, names, until=now)
        state.known_rules = program.known_rules

    def _new_at(self, name: str, now: datetime) -> datetime:
        """As of when new rules are taken in: not before what the customer did last, which may be what they look at."""
        since, seen = self.program.in_force_since(name), self.customer.profile.last_seen
        if since is None:
            return now
        return min(now, self.clock(since if seen is None else max(since, seen)))

    def _adopt_as_of(self, at: datetime, new: set[str], *, until: datetime) -> None:
        state, customer = self.state, self.folded()
        customer.now = state.clock = at
        verdict = self.program.evaluate(customer, at)
        if BANDS in new and verdict.churn_band != state.churn_band:
            self.move_band(verdict.churn_band, at, NEW_RULES)
        self.move(frozenset(state.memberships.keys() - new) | (verdict.memberships & new), at, NEW_RULES)
        if at < until and verdict.next_flip is not None:
            state.flips_at = min(verdict.next_flip, state.flips_at or verdict.next_flip)

    def move_band(self, band: str | None, now: datetime, trigger: str) -> None:
        """Another churn band, told to the log."""
        self.tell("Churn Band Changed", now, {"from": self.state.churn_band, "to": band, "trigger": trigger})
        self.state.churn_band = band

    def move(self, members: frozenset[str], now: datetime, trigger: str) -> None:
        """Exits, then entries, each told to the log with its reason; an entry starts the campaigns of its segment."""
        state = self.state
        for name in sorted(state.memberships.keys() - members):
            since = state.memberships.pop(name).since
            self.tell("Segment Exited", now, {"segment": name, "since": iso(since), "trigger": trigger})
            for campaign in self.program.campaigns_of(name):
                state.pending.pop(campaign.name, None)
        for name in sorted(members - state.memberships.keys()):
            why = self.program.explain(name, self.customer, now)
            state.memberships[name] = Membership(now, trigger, self.program.version, why)
            self.tell("Segment Entered", now, {"segment": name, "trigger": trigger, "why": why})
            if trigger in _SILENT:
                continue
            for campaign in self.program.campaigns_of(name):
                state.pending[campaign.name] = Pending(now, now + campaign.wait)

    def decide_campaigns(self, now: datetime) -> None:
        """Campaigns whose wait is over, the most important first (they compete for the frequency cap)."""
        state = self.state
        held = self.program.held
        over = [name for name, pending in state.pending.items() if pending.decide_at <= now and name not in held]
        if over:
            self._decide_messages(over, now)
        while len(state.decided) > MAX_DECIDED:
            del state.decided[min(state.decided, key=lambda key: (state.decided[key], key))]

    def _decide_messages(self, over: Sequence[str], now: datetime) -> None:
        state = self.state
        waited = {name: state.pending.pop(name) for name in over}  # also those that the program no longer has
        for campaign in self.program.by_priority(over):
            record = decide_message(campaign, waited[campaign.name], self.customer, state, program=self.program)
            if record is None:
                continue
            state.outbox.append(OutboxEntry(record["send_key"], OutboxKind.SEND, record))
            if "withheld" not in record:
                state.sends.append((now, record["channel"]))

    def finish(self, now: datetime) -> None:
        """Forget sends that no cap looks at any more; an outbox that is not empty is looked after within minutes."""
        state = self.state
        if state.sends:
            horizon = now - self.program.cap_window
            state.sends = [send for send in state.sends if send[0] > horizon]
        if state.outbox and state.relay_by is None:
            state.relay_by = now + OUTBOX_RETRY

    def tell(self, name: str, now: datetime, properties: Mapping[str, Any]) -> None:
        """Put a fact about the customer in the outbox; its id is made of what it says, so saying it twice is once."""
        customer = self.customer.root
        said = f"{customer}\n{name}\n{properties.get('segment', properties.get('to'))}\n{to_millis(now)}"
        message_id = hashlib.sha256(said.encode()).hexdigest()[:32]
        event = own_event(
            name=name,
            message_id=message_id,
            at=now,
            properties={"customer": customer, "program_version": self.program.version, **properties},
            payload_hash="",  # of two that say this of one instant, for two reasons, either will do
        )
        self.state.outbox.append(OutboxEntry(event.event_id, OutboxKind.EVENT, event_to_doc(event)))


def relayed(state: CustomerState, ids: frozenset[str]) -> CustomerState:
    """The state once the outbox entries `ids` have been handed over."""
    left = [entry for entry in state.outbox if entry.id not in ids]
    return replace(state.copied(), outbox=left, relay_by=state.relay_by if left else None)
