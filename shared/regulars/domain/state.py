"""What the engine remembers of a customer between two evaluations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from regulars.domain.instants import from_millis, to_millis
from regulars.domain.marks import joined, parted
from regulars.domain.values import value

MAX_DECIDED = 200


@value(frozen=True, slots=True)
class Membership:
    """In a segment since when, because of what (a fact's id, `due`, `import`...), under which program, and why leaf by
    leaf."""

    since: datetime
    trigger: str
    program_version: str
    why: Mapping[str, Any] = field(default_factory=dict)


@value(frozen=True, slots=True)
class Pending:
    """A campaign that waits: it was started by entering its segment, and is decided at `decide_at`."""

    entered_at: datetime
    decide_at: datetime


class OutboxKind(StrEnum):
    SEND = "send"
    EVENT = "event"


@value(frozen=True, slots=True)
class OutboxEntry:
    """Something to relay: a send record's document to `messages`, or a system event's document to `events`."""

    id: str
    kind: OutboxKind
    doc: Mapping[str, Any]


@dataclass(slots=True)
class CustomerState:
    """One customer's state. Treat as a value: the engine works on a copy.

    `clock` is the last instant decided; `flips_at` the earliest at which a verdict could change or a wait ends with
    nothing new happening; `relay_by` is when the outbox is looked after if the stream lost it; `decided` maps
    occasions (messaging.occasion_of) to when they were decided (newest MAX_DECIDED); `sends` lists (instant, channel)
    of decided sends as far back as the frequency cap looks; `evaluated` maps `node:PROFILE|ORDERS` to the item version
    taken in; `merged_into` names the root that took this state over. `known_rules`: the marks of the segments' rules
    that it was decided by (CompiledProgram.known_rules).
    """

    clock: datetime | None = None
    churn_band: str | None = None
    memberships: dict[str, Membership] = field(default_factory=dict)
    pending: dict[str, Pending] = field(default_factory=dict)
    decided: dict[str, datetime] = field(default_factory=dict)
    sends: list[tuple[datetime, str]] = field(default_factory=list)
    outbox: list[OutboxEntry] = field(default_factory=list)
    evaluated: dict[str, int] = field(default_factory=dict)
    flips_at: datetime | None = None
    relay_by: datetime | None = None
    program_version: str | None = None
    merged_into: str | None = None
    known_rules: str = ""

    @property
    def next_due(self) -> datetime | None:
        """When the tick must bring this customer up again."""
        return _earlier(self.flips_at, self.relay_by)

    def copied(self) -> CustomerState:
        """A copy whose containers may be changed without changing this one."""
        return CustomerState(  # in order of declaration: this runs for every evaluation, and `replace` is slow
            self.clock,
            self.churn_band,
            dict(self.memberships),
            dict(self.pending),
            dict(self.decided),
            list(self.sends),
            list(self.outbox),
            dict(self.evaluated),
            self.flips_at,
            self.relay_by,
            self.program_version,
            self.merged_into,
            self.known_rules,
        )

    def differs_from(self, stored: CustomerState) -> bool:
        """Whether it is worth a write: anything but the clock and the versions seen changed, or the next due instant
        came nearer. (A later due instant may wait: the earlier one fires, finds nothing, and re-arms.)"""
        # Each by itself: the end of the outbox would else uncover an instant that was never written.
        if _comes_nearer(self.flips_at, stored.flips_at) or _comes_nearer(self.relay_by, stored.relay_by):
            return True
        return (
            self.churn_band != stored.churn_band
            or self.memberships != stored.memberships
            or self.pending != stored.pending
            or self.decided != stored.decided
            or self.outbox != stored.outbox
            or self.merged_into != stored.merged_into
            or stored.known_rules not in ("", self.known_rules)
        )


def tombstone(state: CustomerState, root: str, at: datetime) -> CustomerState:
    """What is left where a customer was taken over by `root` at an instant: all that it was, should the two be parted
    again, but for what was to be done."""
    left = replace(state.copied(), outbox=[], evaluated={}, flips_at=None, relay_by=None, merged_into=root)
    left.clock = at if state.clock is None else max(state.clock, at)
    return left


def taken_over(state: CustomerState | None, known: Callable[[str], CustomerState | None]) -> Iterator[CustomerState]:
    """The states that have taken one over, one after the other, as far as they are `known`."""
    seen = set[str]()
    while state is not None and (root := state.merged_into) is not None and root not in seen:
        seen.add(root)
        state = known(root)
        if state is not None:
            yield state


def revived(state: CustomerState | None, takers: Iterable[CustomerState] = ()) -> CustomerState:
    """Where a node that stands alone begins: as it is; or where it was taken over, as it was then, and with what the
    states of its `takers` since have decided and sent since: it may have been about it."""
    if state is None or state.merged_into is None:
        return state or CustomerState()
    result, since = replace(state.copied(), merged_into=None), state.clock
    if since is None:
        return result
    for other in takers:
        result.decided = {key: at for key, at in other.decided.items() if at >= since} | result.decided
        result.sends = _sends_of_both(result.sends, [sent for sent in other.sends if sent[0] >= since])
    return result


def _sends_of_both(
    one: Iterable[tuple[datetime, str]], other: Iterable[tuple[datetime, str]]
) -> list[tuple[datetime, str]]:
    """The more of each: two may have been decided at one instant."""
    return sorted((Counter(one) | Counter(other)).elements())


def _known_to_both(one: CustomerState, other: CustomerState) -> str:
    """What only one of two was decided by is new to both together; who never was decided does not count."""
    if one.known_rules and other.known_rules:
        return joined(parted(one.known_rules) & parted(other.known_rules))
    return one.known_rules or other.known_rules


def _comes_nearer(instant: datetime | None, stored: datetime | None) -> bool:
    return instant is not None and (stored is None or instant < stored)


def states_merged(one: CustomerState, other: CustomerState) -> CustomerState:
    """The state of a customer that was two: the earlier of each membership, everything decided, both outboxes.

    Idempotent, so an interrupted merge can be done again.
    """
    result = one.copied()
    result.churn_band = one.churn_band or other.churn_band
    result.program_version = one.program_version or other.program_version
    result.known_rules = _known_to_both(one, other)
    result.flips_at = _earlier(one.flips_at, other.flips_at)
    result.relay_by = _earlier(one.relay_by, other.relay_by)
    for name, membership in other.memberships.items():
        known = result.memberships.get(name)
        if known is None or (membership.since, membership.trigger) < (known.since, known.trigger):
            result.memberships[name] = membership
    for campaign, waiting in other.pending.items():
        known_wait = result.pending.get(campaign)
        if known_wait is None or waiting.decide_at < known_wait.decide_at:
            result.pending[campaign] = waiting
    for key, at in other.decided.items():
        result.decided[key] = min(at, result.decided.get(key, at))
    for part, version in other.evaluated.items():
        result.evaluated[part] = max(version, result.evaluated.get(part, 0))
    result.sends = _sends_of_both(result.sends, other.sends)
    ids = {entry.id for entry in result.outbox}
    result.outbox.extend(entry for entry in other.outbox if entry.id not in ids)
    if other.clock and (result.clock is None or other.clock > result.clock):
        result.clock = other.clock
    return result


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or (other is not None and other < one):
        return other
    return one


def state_to_doc(state: CustomerState) -> dict[str, Any]:
    """The JSON document of a state, empty parts left out; instants as epoch milliseconds."""
    doc: dict[str, Any] = {}
    for name in ("clock", "flips_at", "relay_by"):
        if (instant := getattr(state, name)) is not None:
            doc[name] = to_millis(instant)
    for name in ("churn_band", "program_version", "merged_into", "known_rules"):
        if text := getattr(state, name):
            doc[name] = text
    parts: dict[str, Any] = {
        "memberships": {name: _membership_to_doc(known) for name, known in state.memberships.items()},
        "pending": {
            name: [to_millis(wait.entered_at), to_millis(wait.decide_at)] for name, wait in state.pending.items()
        },
        "decided": {key: to_millis(at) for key, at in state.decided.items()},
        "sends": [[to_millis(at), channel] for at, channel in state.sends],
        "outbox": [[entry.id, entry.kind.value, dict(entry.doc)] for entry in state.outbox],
        "evaluated": state.evaluated,
    }
    return doc | {name: part for name, part in parts.items() if part}


def _membership_to_doc(known: Membership) -> list[Any]:
    return [to_millis(known.since), known.trigger, known.program_version, dict(known.why)]


def state_from_doc(doc: Mapping[str, Any]) -> CustomerState:
    """The inverse of `state_to_doc`."""
    return CustomerState(
        clock=from_millis(doc["clock"]) if "clock" in doc else None,
        churn_band=doc.get("churn_band"),
        memberships={
            name: Membership(from_millis(since), trigger, version, why)
            for name, (since, trigger, version, why) in doc.get("memberships", {}).items()
        },
        pending={
            name: Pending(from_millis(entered), from_millis(decide))
            for name, (entered, decide) in doc.get("pending", {}).items()
        },
        decided={key: from_millis(at) for key, at in doc.get("decided", {}).items()},
        sends=[(from_millis(at), channel) for at, channel in doc.get("sends", ())],
        outbox=[OutboxEntry(id_, OutboxKind(kind), entry) for id_, kind, entry in doc.get("outbox", ())],
        evaluated=dict(doc.get("evaluated", {})),
        flips_at=from_millis(doc["flips_at"]) if "flips_at" in doc else None,
        relay_by=from_millis(doc["relay_by"]) if "relay_by" in doc else None,
        program_version=doc.get("program_version"),
        merged_into=doc.get("merged_into"),
        known_rules=doc.get("known_rules", ""),
    )
