"""Identity: why identifiers are one customer's or not, and an operator's word against it or for it."""

from __future__ import annotations

import hashlib
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from regulars.application.neighbourhood import Neighbourhood
from regulars.application.queue_messages import messages_of
from regulars.domain.event_nodes import JOINED, SPLIT, nodes_of
from regulars.domain.events import Event
from regulars.domain.identity import WEAK
from regulars.domain.instants import to_millis
from regulars.domain.message_events import own_event

if TYPE_CHECKING:
    from regulars.domain.links import Link
    from regulars.ports import Clock, CustomerStore, EventLog, ProgramStore, Queue

LATEST_RECEIPT = timedelta(days=7)
"""How long after it happened an event is looked for in the log, unless it is said otherwise."""
_WEAK_APART = "a browser or device of two people, or more identifiers than a customer has"
_CLAIM_APART = (
    "claimed with a public write key only, and with all that is claimed it would make two people one, or more "
    "identifiers than a customer has"
)


@dataclass(frozen=True, slots=True)
class Tie:
    """Two nodes that an event named together. `event`: that event, None when it is not found in the log.
    `objection`: why the tie does not count, None when it does. `is_one`: the two are one customer's, by this tie or by
    others."""

    one: str
    other: str
    at: datetime
    event: Event | None
    objection: str | None
    is_one: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The customer of an identifier: its nodes, the root first, and all ties of theirs, those that count first."""

    root: str
    members: frozenset[str]
    ties: tuple[Tie, ...]


class Identity:
    """`explain` reads the table and the log; `split` and `join` put a word into the log, through the queue."""

    def __init__(
        self, *, store: CustomerStore, programs: ProgramStore, log: EventLog, events: Queue, clock: Clock
    ) -> None:
        self._store = store
        self._programs = programs
        self._log = log
        self._events = events
        self._clock = clock

    def explain(self, node: str, *, latest_receipt: timedelta = LATEST_RECEIPT) -> Explanation:
        """Which identifiers are one customer with `node`, because of which event, and which are not, and why.

        `latest_receipt`: how long after it happened an event may have come; what was imported came later.
        """
        rules = self._programs.current().identity
        nearby = Neighbourhood(self._store, [node], {}, rules)
        members = nearby.members(node)
        edges: dict[tuple[str, str], Link] = {}
        for member in sorted(members):
            for other, link in nearby.heads[member].links.known.items():
                edges[min(member, other), max(member, other)] = link
        outside = sorted({node for edge in edges for node in edge} - nearby.heads.keys())
        heads = nearby.heads | (self._store.heads(outside) if outside else {})
        found = self._events_of(edges, latest_receipt)
        ties = []
        for (one, other), link in sorted(edges.items()):
            objection = rules.objection(one, heads[one].links, other) or rules.objection(other, heads[other].links, one)
            is_one = {one, other} <= members
            if objection is None and not is_one:
                objection = _WEAK_APART if {one[0], other[0]} & {*WEAK} else _CLAIM_APART
            ties.append(Tie(one, other, link.at, found.get(link.event), objection, is_one))
        ties.sort(key=lambda tie: (tie.objection is not None, tie.at))
        return Explanation(nearby.root(node), members, tuple(ties))

    def besides(self, one: str, other: str) -> tuple[str, ...]:
        """The chain of identifiers by which two are one customer's even if they are split; empty when a split parts
        them, or when they are two customers' anyway."""
        return Neighbourhood(self._store, [one, other], {}, self._programs.current().identity).besides(one, other)

    def split(self, one: str, other: str) -> Event:
        """Say that two identifiers are not one person's, whatever events said or will say."""
        return self._say(SPLIT, one, other)

    def join(self, one: str, other: str) -> Event:
        """Take a split back: what events said of the two counts again."""
        return self._say(JOINED, one, other)

    def _say(self, name: str, one: str, other: str) -> Event:
        now = self._clock.now()
        pair = sorted((one, other))
        message_id = hashlib.sha256(f"{name}\n{pair}\n{to_millis(now)}".encode()).hexdigest()[:32]
        event = own_event(name=name, message_id=message_id, at=now, properties={"nodes": pair})
        self._events.send(messages_of([event], []))
        return event

    def _events_of(self, edges: Mapping[tuple[str, str], Link], latest_receipt: timedelta) -> dict[str, Event]:
        """The events that made links, by the 48 bits of their ids that links keep."""
        wanted = {link.event: link.at for link in edges.values()}
        prefixes = {a2b_base64(short).hex(): short for short in wanted}
        found: dict[str, Event] = {}
        read: set[str] = set()
        for at in sorted(wanted.values()):
            for key in self._log.keys(first_day=at, last_day=at + latest_receipt):
                if wanted.keys() <= found.keys():
                    return found
                if key in read:
                    continue
                read.add(key)
                for event in self._log.read(key):
                    short = prefixes.get(event.event_id[:12])
                    if short is not None and nodes_of(event):
                        found[short] = event
        return found
