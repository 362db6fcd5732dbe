"""Replay: what the engine would have decided of a few people, from all facts of the log about them.

The facts come in the order in which they were received, each is folded into its node, and the customers that the nodes
make at that moment take their steps (`engine.step`), joined and parted as the live evaluation does it
(application/evaluate_customers.py). So who was in a segment when is what the live run decided, or would have.

History that was imported happened when it says, not when it was imported: its facts count as received when they
happened.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from regulars.domain.components import Neighbours, component
from regulars.domain.customer import Customer, Fragment, customer_of
from regulars.domain.engine import BULK, MERGE, SPLIT, step
from regulars.domain.facts import Fact, link_fact, others_of, told_to_all
from regulars.domain.identity import NodeKind, node_id, strongest
from regulars.domain.instants import from_millis
from regulars.domain.links import Links, says_more
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile, address_nodes, fold, links_after
from regulars.domain.program import CompiledProgram
from regulars.domain.refusals import refused_at
from regulars.domain.state import CustomerState, OutboxEntry, OutboxKind, revived, states_merged, tombstone

MOST_AT_ONCE = 100
"""Facts that a customer takes in one step: fewer than what `step` would take as a whole."""
_MILLISECOND = timedelta(milliseconds=1)
_ENTERED, _EXITED = "Segment Entered", "Segment Exited"


class Move(NamedTuple):
    """A customer entered a segment (1) or left it (-1); or turned out to be one with other members, or to be parted
    from them, so that there are fewer or more without anybody's coming or going (`merged`, by how many)."""

    at: datetime
    customer: str
    segment: str
    change: int
    merged: bool = False


def as_received(fact: Fact) -> Fact:
    """A fact with the instant from which on it is taken to be known."""
    return replace(fact, received_at=fact.at, imported=False) if fact.imported else fact


def addresses_of(fact: Fact) -> list[str]:
    """The nodes of the addresses that a fact tells as traits: what is refused there matters to whoever has them."""
    kinds = (("email", NodeKind.EMAIL), ("phone", NodeKind.PHONE))
    return [node_id(kind, str(fact.traits[name])) for name, kind in kinds if name in fact.traits]


@dataclass(slots=True)
class _Node:
    """One identifier: its fold, what is to be folded in yet, and its links, which are always up to date."""

    profile: Profile = field(default_factory=Profile)
    book: OrderBook = field(default_factory=OrderBook)
    waiting: list[Fact] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def fold(self, program: CompiledProgram) -> None:
        """Fold in what waits."""
        if self.waiting:
            self.book, _ = self.book.with_entries([fact.order for fact in self.waiting if fact.order])
            self.profile = fold(self.profile, self.waiting, program.plan)
            self.waiting = []


@dataclass(slots=True)
class _Live:
    """A customer between two steps, and the facts that it takes in the next one."""

    members: frozenset[str]
    customer: Customer | None = None
    queue: list[Fact] = field(default_factory=list)


class Replay:
    """People whom some link ever joined, or who might have been one: nobody outside matters to them. `tell` hears every
    move, those of one customer in order."""

    def __init__(self, program: CompiledProgram, tell: Callable[[Move], None]) -> None:
        self._program = program
        self._tell = tell
        self._nodes: dict[str, _Node] = {}
        self._neighbours: dict[str, Neighbours] = {}
        self._members: dict[str, frozenset[str]] = {}
        self._live: dict[str, _Live] = {}
        self._quiet = False
        self.states: dict[str, CustomerState] = {}

    def run(self, facts: Iterable[tuple[str, Fact]], until: datetime, *, since: datetime | None = None) -> None:
        """Take (home, fact) pairs, as `as_received` gives them, in whatever order; then let time pass up to `until`.

        What came before `since` is taken as a whole: who is in a segment is decided just before, and when people turn
        out to be one (a verdict does not depend on earlier ones), which saves the decisions that nobody asks for.
        """
        ordered = sorted(facts, key=lambda pair: (pair[1].received_at, pair[1].id))
        first = 0 if since is None else bisect_left(ordered, since, key=lambda pair: pair[1].received_at)
        if since is not None and first:
            self._quiet = True
            for home, fact in ordered[:first]:
                self._take(home, fact)
            self._step_all(since - _MILLISECOND)
            self._quiet = False
        for home, fact in ordered[first:]:
            self._take(home, fact)
        for root in list(self._live):
            self._flush(root)
        self._step_all(until)

    def _step_all(self, now: datetime) -> None:
        """Bring every customer up to an instant."""
        for root in sorted({strongest(self._members_of(name)) for name in self._nodes}):
            self._bring_up(root, now)

    def _bring_up(self, root: str, now: datetime) -> None:
        members = self._members_of(root)
        live = self._live.get(root)
        customer = live.customer if live and live.members == members else None
        self._step(root, members, (), now=now, customer=customer, whole=BULK if self._quiet else None)

    def _news(self, node: _Node, home: str, fact: Fact) -> dict[str, Fact] | None:
        """What other nodes must learn of a fact; None of one that is known."""
        if not fact.is_idempotent:
            if fact.id in node.ids:
                return None
            node.ids.add(fact.id)
        known = node.profile.links
        return {other: link_fact(fact, home, other) for other in others_of(fact) if _is_told(fact, other, known)}

    def _take(self, home: str, fact: Fact) -> None:
        node = self._node(home)
        told = self._news(node, home, fact)
        if told is None:
            return
        if told:
            self._join({home: fact, **told}, fact.received_at)
            return
        node.waiting.append(fact)
        if self._quiet:
            return
        live = self._live_of(home)
        if live.customer is None or live.queue or self._program.concerns(fact):
            live.queue.append(replace(fact, node=home) if fact.consents or fact.links else fact)
        if len(live.queue) >= MOST_AT_ONCE:
            self._flush(strongest(live.members))

    def _node(self, name: str) -> _Node:
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = _Node()
            self._neighbours[name] = {}
        return node

    def _live_of(self, name: str) -> _Live:
        members = self._members_of(name)
        root = strongest(members)
        live = self._live.get(root)
        if live is None or live.members != members:
            live = self._live[root] = _Live(members)
        return live

    def _members_of(self, name: str) -> frozenset[str]:
        found = self._members.get(name)
        if found is None:
            found, _ = component(name, self._neighbours)
            self._members.update(dict.fromkeys(found, found))
        return found

    def _join(self, told: Mapping[str, Fact], now: datetime) -> None:
        """Take an event that tells several nodes of each other, or of consent; whoever is parted is looked at, too."""
        for name in told:
            self._node(name)
        fresh = self._fresh(told)
        concerned = set(told).union(*({*theirs, *self._neighbours[name]} for name, theirs in fresh.items()))
        for name in concerned:
            self._node(name)
        self._settle(concerned, now)
        gone = self._rewire(fresh, concerned)
        tasks: dict[str, list[Fact]] = {}
        for name, fact in told.items():
            self._nodes[name].fold(self._program)
            tasks.setdefault(strongest(self._members_of(name)), []).append(replace(fact, node=name))
        parted = {strongest(self._members_of(name)) for name in gone}
        for root in sorted(tasks.keys() | parted):
            facts = sorted(tasks.get(root, ()), key=lambda fact: (fact.received_at, fact.id))
            self._step(root, self._members_of(root), facts, now=now, whole=SPLIT if root in parted else None)
            self._live.pop(root, None)
        for name, fact in told.items():
            self._nodes[name].waiting.append(fact)
            self._nodes[name].fold(self._program)

    def _fresh(self, told: Mapping[str, Fact]) -> dict[str, Neighbours]:
        """The neighbours, once the facts are folded in, of the nodes that get others by it."""
        rules = self._program.identity
        found = {
            name: rules.neighbours(name, links_after(self._nodes[name].profile.links, fact))
            for name, fact in told.items()
        }
        return {name: theirs for name, theirs in found.items() if theirs != self._neighbours[name]}

    def _settle(self, concerned: Iterable[str], now: datetime) -> None:
        """Bring the customers as they were up to now: what was due before is decided on what was known then."""
        for root in list(self._live):
            self._flush(root)
        for root in sorted({strongest(self._members_of(name)) for name in concerned}):
            state = self.states.get(root)
            due = state is not None and state.flips_at is not None and state.flips_at <= now
            if due or (self._quiet and self._is_known(root)):
                self._bring_up(root, now)
                self._live.pop(root, None)

    def _is_known(self, root: str) -> bool:
        """Whether any fact was taken in about a customer."""
        nodes = [self._nodes[name] for name in self._members_of(root)]
        return any(node.ids or node.waiting or node.book.entries or node.profile.links for node in nodes)

    def _rewire(self, fresh: Mapping[str, Neighbours], concerned: Iterable[str]) -> set[str]:
        """Let links count from now on; who is parted from somebody by that, and whoever stays."""
        if not fresh:
            return set()
        before = {name: self._members_of(name) for name in concerned}
        gone = {one for name, theirs in fresh.items() for one in self._let_go(name, theirs)}
        self._neighbours.update(fresh)
        self._members.clear()
        self._live.clear()  # what was known of a customer may be of others' nodes from now on
        for name in concerned:
            if left := before[name] - self._members_of(name):
                gone |= {name, *left}
        return gone

    def _let_go(self, name: str, theirs: Neighbours) -> set[str]:
        """A node and those that it does not want any more."""
        cut = self._neighbours[name].keys() - theirs.keys()
        return {name, *cut} if cut else set()

    def _flush(self, root: str) -> None:
        live = self._live.get(root)
        if live is None or not live.queue:
            return
        facts, live.queue = live.queue, []
        customer = self._step(root, live.members, facts, now=facts[-1].received_at, customer=live.customer)
        # Refusals of an address that others have, too, may change without this customer's knowing.
        live.customer = None if self._shared(live.members) else customer

    def _step(
        self,
        root: str,
        members: frozenset[str],
        facts: Iterable[Fact],
        *,
        now: datetime,
        whole: str | None = None,
        customer: Customer | None = None,
    ) -> Customer | None:
        """One evaluation; None of somebody who is nobody (a blocked value) and never was anybody. Without `customer` it
        is made of what is folded in, which must not hold the facts."""
        facts = list(facts)
        if root in self._program.identity.blocked and root not in self.states:
            return None
        state, absorbed = self._state_of(root, members)
        if customer is None:
            customer = self._customer(root, members, {fact.id for fact in facts}, now)
        self._tell_merged(root, state, absorbed, now)
        whole = whole or (MERGE if absorbed else None)
        customer, after = step(customer, state, facts, now=now, program=self._program, whole=whole)
        for entry in after.outbox:
            self._tell_entry(root, entry)
        after.outbox, after.relay_by = [], None
        self.states[root] = after
        for name in absorbed:
            self.states[name] = tombstone(self.states[name], root, after.clock or now)
        return customer

    def _customer(self, root: str, members: frozenset[str], new: set[str], now: datetime) -> Customer:
        program, fragments = self._program, []
        for name in sorted(members):
            node = self._nodes[name]
            late = [fact for fact in node.waiting if fact.id in new]
            node.waiting = [fact for fact in node.waiting if fact.id not in new]
            node.fold(program)
            node.waiting = late
            fragments.append(Fragment(node.profile, node.book, name))
        fragments += [
            Fragment(refused_at(self._nodes[name].profile), node=name, own=False) for name in self._shared(members)
        ]
        return customer_of(root, fragments, program.terms, now=now)

    def _shared(self, members: frozenset[str]) -> list[str]:
        """Addresses that the customer names and that are not its own, as too many others have them, or just claims."""
        named = set[str]().union(*(address_nodes(self._nodes[name].profile) for name in members))
        return sorted(name for name in named - members if name in self._nodes)

    def _state_of(self, root: str, members: frozenset[str]) -> tuple[CustomerState, list[str]]:
        own = self.states.get(root)
        state = revived(own, self._taken_over(own))
        absorbed = []
        for name in sorted(members - {root}):
            other = self.states.get(name)
            if other is not None and other.merged_into is None:
                state = states_merged(state, other)
                absorbed.append(name)
        return state, absorbed

    def _taken_over(self, state: CustomerState | None) -> Iterator[CustomerState]:
        """The states that have taken one over, one after the other."""
        seen = set[str]()
        while state is not None and (root := state.merged_into) is not None and root not in seen:
            seen.add(root)
            state = self.states.get(root)
            if state is not None:
                yield state

    def _tell_merged(self, root: str, state: CustomerState, absorbed: Iterable[str], now: datetime) -> None:
        """Of members that become one customer, one stays; who is parted goes on as a member, where it was one."""
        counted = Counter[str]()
        for name in (root, *absorbed):
            known = self.states.get(name)
            if known is not None and known.merged_into is None:
                counted.update(known.memberships.keys())
        for segment in sorted(counted.keys() | state.memberships.keys()):
            change = (segment in state.memberships) - counted[segment]
            if change:
                self._tell(Move(now, root, segment, change, merged=True))

    def _tell_entry(self, root: str, entry: OutboxEntry) -> None:
        if entry.kind is not OutboxKind.EVENT or entry.doc.get("name") not in (_ENTERED, _EXITED):
            return
        change = 1 if entry.doc["name"] == _ENTERED else -1
        self._tell(Move(from_millis(entry.doc["timestamp"]), root, entry.doc["properties"]["segment"], change))


def _is_told(fact: Fact, other: str, known: Links) -> bool:
    """Whether the other end of what an event says must learn of it, as update_customers has it."""
    return bool(fact.cuts or told_to_all(fact) or says_more(known, other, fact.at, fact.id, verified=fact.verified))
