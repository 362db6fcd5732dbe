"""Evaluate customers: what changed, and who is due, through `step`; then relay what it put in the outbox.

One conditional write per customer and batch, and none where nothing but the clock moved. What `step` decided leaves
by the outbox of that very write (ADR 1), so a crash anywhere loses nothing and repeats nothing that is not
deduplicated by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import TYPE_CHECKING

from regulars.application.due_notes import notes_of
from regulars.application.neighbourhood import Neighbourhood, let_go, links_of
from regulars.application.outbox import Relay
from regulars.domain.customer import Customer, Fragment, customer_of
from regulars.domain.engine import BULK, IMPORT, MERGE, OUTBOX_RETRY, REBUILD, SPLIT, next_state, step
from regulars.domain.errors import PermanentError, TransientError, VersionConflictError, computing
from regulars.domain.facts import Fact
from regulars.domain.fragments import shared_fragments
from regulars.domain.identity import strongest
from regulars.domain.orders import OrderBook
from regulars.domain.profile import Profile
from regulars.domain.state import CustomerState, revived, states_merged, taken_over, tombstone
from regulars.domain.stored import Change, FragmentChange, Head, OutboxChange, Stored
from regulars.ports import Part

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.domain.program import CompiledProgram
    from regulars.ports import Clock, CustomerStore, Ids, ProgramStore

_PROFILE, _ORDERS = Part.PROFILE, Part.ORDERS
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What became of a batch. `failed`: ids of the changes or due messages that must come again; `beyond`: the
    customers of whom that is no use, as they cannot be evaluated."""

    failed: frozenset[str]
    evaluated: int = 0
    written: int = 0
    relayed: int = 0
    beyond: tuple[str, ...] = ()


@dataclass(slots=True)
class _Task:
    """One customer to evaluate: the changes of its nodes, in order, and the ids that fail with it.

    `addresses`: the address nodes that it names and that are not its own (`Neighbourhood.addresses`).
    `whole`: decide whatever the clock says, because a change may never have been looked at, and call it this.
    `nobody`: the program says that the identifier stands for nobody. `later`: changes that are told and whose turn is
    another run's.
    """

    members: frozenset[str]
    addresses: frozenset[str]
    changes: list[FragmentChange] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    due: bool = False
    whole: str | None = None
    nobody: bool = False
    later: Sequence[FragmentChange] = ()

    def runs(self) -> list[_Task]:
        """Rebuilds apart from what came before and after: what they change is silent, and nothing else may be."""
        if len(self.changes) <= 1:
            return [self]
        groups = [list(group) for _, group in groupby(self.changes, key=lambda change: change.rebuilt)]
        return [
            replace(self, changes=group, later=list(chain.from_iterable(groups[at + 1 :])))
            for at, group in enumerate(groups)
        ]


@dataclass(slots=True)
class _Ran:
    """What became of some tasks: ids to come again, writes, and who cannot be evaluated."""

    failed: set[str] = field(default_factory=set)
    written: int = 0
    beyond: list[str] = field(default_factory=list)


class EvaluateCustomers:
    """`changed` takes a batch of the table's stream, `due` a batch of the due queue."""

    def __init__(self, *, store: CustomerStore, programs: ProgramStore, relay: Relay, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._programs = programs
        self._relay = relay
        self._clock = clock
        self._ids = ids

    def changed(self, changes: Sequence[Change]) -> EvaluationReport:
        """Evaluate the customers whose fragments changed; relay the outboxes that a state's write brought back."""
        fragments = [change for change in changes if isinstance(change, FragmentChange)]
        outboxes = [(change.id, change.node) for change in changes if isinstance(change, OutboxChange)]
        rules = self._programs.current().identity
        nearby = Neighbourhood(self._store, {change.node for change in fragments}, links_of(fragments), rules)
        lost = let_go(fragments, nearby, rules)
        tasks: dict[str, _Task] = {}
        for change in fragments:
            task = _task_of(change.node, tasks, nearby)
            task.changes.append(change)
            task.ids.append(change.id)
        for change in fragments:
            for node in sorted(lost.get(change.node, ())):
                task = _task_of(node, tasks, nearby)
                task.whole = task.whole or SPLIT
                task.ids.append(change.id)
        ran = self._run(tasks, nearby)
        relayed, unrelayed = self._relay(outboxes)
        return EvaluationReport(frozenset(ran.failed | unrelayed), len(tasks), ran.written, relayed, tuple(ran.beyond))

    def due(self, messages: Iterable[tuple[str, str]]) -> EvaluationReport:
        """Evaluate the customers of (message id, body) as of now, and relay what an earlier evaluation left behind."""
        notes, poison = notes_of(messages)
        rules = self._programs.current().identity
        nearby = Neighbourhood(self._store, {note.node for note in notes}, {}, rules)
        tasks: dict[str, _Task] = {}
        waiting = []
        for note in notes:
            root = nearby.root(note.node)
            task = _task_of(note.node, tasks, nearby)
            task.due = True
            task.ids.append(note.id)
            task.whole = task.whole or note.whole
            state = nearby.heads[root].state
            if state and state.value.outbox:
                waiting.append((note.id, root))
        version = max((note.parameters for note in notes), default=0)
        ran = self._run(tasks, nearby, parameters_version=version)
        relayed, unrelayed = self._relay(waiting)
        failed = frozenset(ran.failed | unrelayed | poison)
        return EvaluationReport(failed, len(tasks), ran.written, relayed, tuple(ran.beyond))

    def _run(self, tasks: dict[str, _Task], nearby: Neighbourhood, *, parameters_version: int = 0) -> _Ran:
        """Evaluate each customer. One customer's trouble does not hold up the others."""
        program = self._programs.current(parameters_version=parameters_version).compiled
        ran = _Ran()
        for root, task in tasks.items():
            try:
                for number, run in enumerate(task.runs()):
                    if number:
                        nearby.reread(task.members)
                    ran.written += self._evaluate(root, run, nearby, program)
            except (TransientError, PermanentError) as error:
                ran.failed.update(task.ids)
                if isinstance(error, PermanentError):
                    ran.beyond.append(root)
        return ran

    def _evaluate(self, root: str, task: _Task, nearby: Neighbourhood, program: CompiledProgram) -> int:
        """One customer, its lost races run again; the number of writes."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                nearby.reread(task.members)
            try:
                with computing():
                    return self._evaluate_once(root, task, nearby.heads, program)
            except VersionConflictError:
                continue
        raise TransientError("lost the race for a customer's state too often")

    def _evaluate_once(self, root: str, task: _Task, heads: dict[str, Head], program: CompiledProgram) -> int:
        stored = heads[root].state
        if task.nobody and stored is None:
            return 0
        before, absorbed = _state_of(root, task.members, heads)
        changes = [change for change in task.changes if change.version > before.evaluated.get(_part(change), 0)]
        fragments, facts, whole = _taken(task, changes, heads)
        now = self._clock.now()
        if facts and _is_behind(changes, heads):
            # More about this customer is on its way: do not let time pass for it before that has come.
            now = max(fact.received_at for fact in facts)
        rebuilt = _rebuilt(task, changes, heads, before)
        if changes and changes[0].rebuilt and all(change.before is not None for change in changes):
            # What was due before the rebuild is decided on what was known then, and is not silent.
            customer = customer_of(root, _before(task, changes, heads), program.terms, now=now)
            before = next_state(customer, before, (), now=now, program=program)
        untold = any(not stored.rebuilt for _, stored in _untold(task, changes, heads, before))
        postponed = bool(rebuilt and changes and untold and not absorbed)
        if postponed:
            if not facts:
                return self._postpone(root, before, stored, now)
            rebuilt = {}
        customer = customer_of(root, fragments, program.terms, now=now)
        if rebuilt:
            customer, before = _with_rebuild(customer, before, facts, told=bool(changes), now=now, program=program)
        after = next_state(customer, before, facts, now=now, program=program, whole=_whole(whole, task, absorbed))
        if not after.outbox and not postponed:
            after.relay_by = None  # what was postponed is taken in, or was overwritten
        after.evaluated |= rebuilt | {_part(change): change.version for change in changes}
        due_passed = task.due and stored is not None and after.next_due != stored.value.next_due
        if not (absorbed or due_passed or rebuilt or after.differs_from(stored.value if stored else CustomerState())):
            return 0
        self._store.put_state(root, after, expected=stored.version if stored else 0, owner=self._ids.new())
        for node in absorbed:
            old = heads[node].state
            left = tombstone(old.value if old else CustomerState(), root, after.clock or now)
            self._store.put_state(node, left, expected=old.version if old else 0, owner=self._ids.new())
        return 1 + len(absorbed)

    def _postpone(self, root: str, before: CustomerState, stored: Stored[CustomerState] | None, now: datetime) -> int:
        """Look at a rebuild some minutes later: what it made is silent, and what else the stream has yet to tell of the
        customer must not be. It stays unnoted until then, whatever is told meanwhile."""
        soon = now + OUTBOX_RETRY
        if before.relay_by is None or before.relay_by > soon:
            before = replace(before.copied(), relay_by=soon)
        self._store.put_state(root, before, expected=stored.version if stored else 0, owner=self._ids.new())
        return 1


def _task_of(node: str, tasks: dict[str, _Task], nearby: Neighbourhood) -> _Task:
    """The task of the customer that a node belongs to; a new one where there is none yet."""
    members = nearby.members(node)
    root = strongest(members)
    if root not in tasks:
        tasks[root] = _Task(members, nearby.addresses(members), nobody=nearby.is_blocked(root))
    return tasks[root]


def _is_orders(change: FragmentChange) -> bool:
    return isinstance(change.after if change.after is not None else change.before, OrderBook)


def _part(change: FragmentChange) -> str:
    return f"{change.node}:{'ORDERS' if _is_orders(change) else 'PROFILE'}"


def _state_of(root: str, members: frozenset[str], heads: dict[str, Head]) -> tuple[CustomerState, list[str]]:
    """The customer's state, with the states of nodes that were customers of their own until now, and which those are.

    A root that was merged into another and now stands alone again (a link was ruled out) goes on where it was, and has
    heard of what was decided meanwhile.
    """
    head = heads[root].state
    own = head.value if head else None
    state = revived(own, taken_over(own, lambda node: _state_in(heads, node)))
    absorbed = []
    for node in sorted(members - {root}):
        other = heads[node].state
        if other is not None and other.value.merged_into is None:
            state = states_merged(state, other.value)
            absorbed.append(node)
    return state, absorbed


def _state_in(heads: Mapping[str, Head], node: str) -> CustomerState | None:
    """A node's state as far as it was read; of whoever is parted it was, because they were linked until now."""
    head = heads.get(node)
    return head.state.value if head and head.state else None


def _taken(
    task: _Task, changes: Sequence[FragmentChange], heads: dict[str, Head]
) -> tuple[list[Fragment], list[Fact], str | None]:
    """The fragments of all members, the facts to take one by one, and what a change in bulk was, if one was.

    Changed fragments are as they were before the first of their changes, with its facts and the later ones to follow
    (each once: an order's fact comes with both its items); after a change in bulk as it left them, and nothing before
    it is to follow.
    """
    parts: dict[tuple[str, bool], Profile | OrderBook] = {}
    facts: dict[tuple[str, bool], list[Fact]] = {}
    bulk = []
    for change in changes:
        value = change.before if change.applied is not None else change.after
        if value is None:
            raise ValueError("a change holds the value before its facts, or after")
        key = (change.node, isinstance(value, OrderBook))
        if change.applied is None:
            bulk.append(change)
            parts[key], facts[key] = value, []
        else:
            parts.setdefault(key, value)
            facts.setdefault(key, []).extend(_at_home(change.applied, change.node))
    if task.nobody:  # whatever was decided before the program said so is undone
        return [], [], SPLIT
    once = {(fact.id, fact.name, fact.node): fact for of_part in facts.values() for fact in of_part}
    ordered = sorted(once.values(), key=lambda fact: (fact.received_at, fact.id))
    bulk = [change for change in bulk if not change.rebuilt]
    whole = (IMPORT if all(change.imported for change in bulk) else BULK) if bulk else None
    return _fragments(task, parts, heads), ordered, whole


def _at_home(facts: Sequence[Fact], node: str) -> list[Fact]:
    """The facts, with where they were folded wherever that matters."""
    return [replace(fact, node=node) if fact.consents or fact.links or fact.cuts else fact for fact in facts]


def _whole(whole: str | None, task: _Task, absorbed: list[str]) -> str | None:
    """What the changes are as a whole, or why to decide without any."""
    return whole or task.whole or (MERGE if absorbed else None)


def _with_rebuild(
    customer: Customer,
    before: CustomerState,
    facts: Sequence[Fact],
    *,
    told: bool,
    now: datetime,
    program: CompiledProgram,
) -> tuple[Customer, CustomerState]:
    """The customer and the state once a rebuild is taken in: silently, but for what fell due before it was looked at.
    (Where it was `told` just now, that is decided already.)"""
    if not told and before.flips_at is not None and before.flips_at <= now:
        before = next_state(customer, before, (), now=now, program=program)
    return step(customer, before, (), now=_start(facts, now), program=program, whole=REBUILD)


def _start(facts: Sequence[Fact], now: datetime) -> datetime:
    return min((fact.received_at for fact in facts), default=now)


def _rebuilt(
    task: _Task, changes: Sequence[FragmentChange], heads: dict[str, Head], state: CustomerState
) -> dict[str, int]:
    """Parts whose last write was a rebuild that no evaluation has taken in, with their versions: those of `changes`,
    and those that the stream has yet to tell of but whose values are looked at all the same."""
    found = {_part(change): change.version for change in changes if change.rebuilt}
    return found | {part: stored.version for part, stored in _untold(task, changes, heads, state) if stored.rebuilt}


def _untold(
    task: _Task, changes: Sequence[FragmentChange], heads: dict[str, Head], state: CustomerState
) -> Iterator[tuple[str, Stored[Profile] | Stored[OrderBook]]]:
    """The parts of which the stream may have yet to tell: no change says so, and no evaluation noted them. (One that
    found nothing to write did not note what it had seen: then they are told of for nothing.)"""
    told = {_part(change) for change in (*changes, *task.later)}
    for node in task.members:
        for kind, stored in ((_PROFILE, heads[node].profile), (_ORDERS, heads[node].orders)):
            part = f"{node}:{kind}"
            if stored is not None and part not in told and stored.version > state.evaluated.get(part, 0):
                yield part, stored


def _before(task: _Task, changes: Sequence[FragmentChange], heads: dict[str, Head]) -> list[Fragment]:
    """The fragments as they were before the first of these changes, where there was anything."""
    parts: dict[tuple[str, bool], Profile | OrderBook] = {}
    for change in changes:
        empty = OrderBook() if _is_orders(change) else Profile()
        parts.setdefault((change.node, _is_orders(change)), change.before or empty)
    return _fragments(task, parts, heads)


def _is_behind(changes: Sequence[FragmentChange], heads: dict[str, Head]) -> bool:
    """Whether the stream will tell of later writes to what changed."""
    for change in changes:
        head = heads[change.node]
        stored = head.orders if _is_orders(change) else head.profile
        if stored is None or stored.version <= change.version:
            continue
        if stored.version > max(c.version for c in changes if _part(c) == _part(change)):
            return True
    return False


def _fragments(
    task: _Task, parts: dict[tuple[str, bool], Profile | OrderBook], heads: dict[str, Head]
) -> list[Fragment]:
    """`parts` where there is one for a node's profile (False) or orders (True), else what is stored: as it was before
    the first change that is to come in a later run."""
    parts, fragments = dict(parts), []
    for change in task.later:
        if change.before is not None:
            parts.setdefault((change.node, _is_orders(change)), change.before)
    for node in sorted(task.members):
        profile, orders = parts.get((node, False)), parts.get((node, True))
        head = heads[node]
        if profile is None:
            profile = head.profile.value if head.profile else Profile()
        if orders is None:
            orders = head.orders.value if head.orders else OrderBook()
        if not isinstance(profile, Profile) or not isinstance(orders, OrderBook):
            raise TypeError("a profile change holds profiles, an orders change order books")
        fragments.append(Fragment(profile, orders, node))
    return fragments + shared_fragments(task.addresses, heads)
