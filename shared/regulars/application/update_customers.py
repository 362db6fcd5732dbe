"""Update customers: what landed in the lake is folded into the nodes that it names, one write per node and batch.

Routing is a pure function of each event (ADR 1), so nothing here depends on the order of delivery. A node is written
after the nodes that it links to: should we die in between, the link is not yet known at home and is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from regulars.application.catalogue import keep_products
from regulars.domain.errors import PermanentError, TransientError, VersionConflictError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import PRODUCT, BadRow, Event, event_to_doc
from regulars.domain.facts import Fact, fact_of, link_fact, others_of, told_to_all
from regulars.domain.identity import by_weakness
from regulars.domain.links import linked, says_more
from regulars.domain.orders import OrderBook
from regulars.domain.products import listings_of
from regulars.domain.profile import MAX_SEEN, Profile, fold
from regulars.domain.stored import Head, applied_of
from regulars.ports import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.domain.plan import FeaturePlan
    from regulars.domain.program import CompiledProgram
    from regulars.ports import CatalogueStore, CustomerStore, EventLog, Ids, ProgramStore

STAGE = "update_customers"
TOO_MANY_EVENTS = "too_many_events"
TOO_MANY_ORDERS = "too_many_orders"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What became of a batch. `failed`: ids of the records that must come again; `products`: items of the catalogue
    that were written."""

    failed: frozenset[str]
    events: int
    written: int
    refused: int
    products: int = 0


@dataclass(slots=True)
class _Work:
    """What one node is to take in: facts by event id (each once), with their events, from these records."""

    facts: dict[str, tuple[Fact, Event | None]] = field(default_factory=dict)
    records: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Batch:
    """What was read: the work of each node, the product events with their records, the records whose objects could not
    be read, and the number of events."""

    works: dict[str, _Work] = field(default_factory=dict)
    products: list[tuple[str, Event]] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    events: int = 0


class UpdateCustomers:
    """Call it with (record id, keys of the lake objects that the record names)."""

    def __init__(
        self, *, log: EventLog, store: CustomerStore, catalogue: CatalogueStore, programs: ProgramStore, ids: Ids
    ) -> None:
        self._log = log
        self._store = store
        self._catalogue = catalogue
        self._programs = programs
        self._ids = ids

    def __call__(self, landed: Iterable[tuple[str, Sequence[str]]]) -> UpdateReport:
        program = self._programs.current().compiled
        batch = self._read(landed, program)
        works, failed = batch.works, batch.failed
        heads = self._heads(works)
        _add_link_facts(works, heads)
        heads |= self._heads({node: work for node, work in works.items() if node not in heads})
        written, refused, stuck = 0, list[BadRow](), set[str]()
        for node in by_weakness(works):
            work = works[node]
            done = None if work.links & stuck else self._tried(node, work, heads[node], program.plan)
            if done is None:
                stuck.add(node)
                failed |= work.records
                continue
            written += done[0]
            refused += done[1]
        if refused:
            self._log.append_bad(refused)
        products = self._keep(batch)
        return UpdateReport(frozenset(failed), batch.events, written, len(refused), products)

    def _read(self, landed: Iterable[tuple[str, Sequence[str]]], program: CompiledProgram) -> _Batch:
        """What landed, by whom it concerns."""
        batch = _Batch()
        works, currency, plan = batch.works, program.currency, program.plan
        for record, keys in landed:
            try:
                events = [event for key in keys for event in self._log.read(key)]
            except (TransientError, PermanentError):
                batch.failed.add(record)
                continue
            batch.events += len(events)
            for event in events:
                nodes = nodes_of(event)
                fact = fact_of(event, currency=currency, nodes=nodes, plan=plan) if nodes else None
                if fact is None:
                    if event.type is PRODUCT:
                        batch.products.append((record, event))
                    continue
                work = works.get(nodes[0])
                if work is None:
                    work = works[nodes[0]] = _Work()
                work.facts.setdefault(event.event_id, (fact, event))
                work.records.add(record)
        return batch

    def _keep(self, batch: _Batch) -> int:
        """Take products into the catalogue; records whose products could not be written are added to the failed."""
        if not batch.products:
            return 0
        told = listings_of(event for _, event in batch.products)
        written, stuck = keep_products(told, catalogue=self._catalogue, ids=self._ids)
        batch.failed |= {record for record, event in batch.products if event.properties["product_id"] in stuck}
        return written

    def _heads(self, works: Mapping[str, _Work]) -> dict[str, Head]:
        """The profiles, and the order books where orders came: this function looks at nothing else."""
        with_orders = {node for node, work in works.items() if any(fact.order for fact, _ in work.facts.values())}
        others = [node for node in works if node not in with_orders]
        heads = self._store.heads(others, parts=(Part.PROFILE,)) if others else {}
        if with_orders:
            heads |= self._store.heads(sorted(with_orders), parts=(Part.PROFILE, Part.ORDERS))
        return heads

    def _tried(self, node: str, work: _Work, head: Head, plan: FeaturePlan) -> tuple[int, list[BadRow]] | None:
        """As `_fold`; None when the node could not be written, so that its records come again."""
        try:
            return self._fold(node, work, head, plan)
        except (TransientError, PermanentError):
            return None

    def _fold(self, node: str, work: _Work, head: Head, plan: FeaturePlan) -> tuple[int, list[BadRow]]:
        """Write a node's two items where they change: (writes, refused events). A lost race is run again."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                head = self._heads({node: work})[node]
            try:
                return self._fold_once(node, work, head, plan)
            except VersionConflictError:
                continue
        raise TransientError("lost the race for a customer too often")

    def _fold_once(self, node: str, work: _Work, head: Head, plan: FeaturePlan) -> tuple[int, list[BadRow]]:
        profile = head.profile.value if head.profile else Profile()
        book = head.orders.value if head.orders else OrderBook()
        fresh, refused = _fresh(work, profile)
        new_book, full = book.with_entries([fact.order for fact, _ in fresh if fact.order])
        if full:
            refused += [
                _bad_row(event, TOO_MANY_ORDERS) for fact, event in fresh if fact.order and fact.order[0] in full
            ]
            fresh = [(fact, event) for fact, event in fresh if not (fact.order and fact.order[0] in full)]
        facts = [fact for fact, _ in fresh]
        new_profile = fold(profile, facts, plan)
        owner = self._ids.new()
        writes = 0
        if new_book is not book:
            orders = [fact for fact in facts if fact.order]
            expected = head.orders.version if head.orders else 0
            self._store.put_orders(node, new_book, applied=applied_of(orders), expected=expected, owner=owner)
            writes += 1
        if new_profile != profile:
            consents = [record for fact in facts for record in fact.consents]
            if consents:
                self._store.append_consents(node, consents)
            expected = head.profile.version if head.profile else 0
            self._store.put_profile(node, new_profile, applied=applied_of(facts), expected=expected, owner=owner)
            writes += 1
        return writes, refused


def _add_link_facts(works: dict[str, _Work], heads: Mapping[str, Head]) -> None:
    """For everything that an event says of another node too, the fact that the other end must learn first: a link that
    says more than is known here, a cut, a statement of consent."""
    for home, work in list(works.items()):
        head = heads[home]
        known = head.links
        for event_id, (fact, _) in list(work.facts.items()):
            for other in others_of(fact):
                if not (
                    fact.cuts or told_to_all(fact) or says_more(known, other, fact.at, fact.id, verified=fact.verified)
                ):
                    continue
                if fact.links:
                    known = linked(known, (other,), fact.at, fact.id, verified=fact.verified)
                work.links.add(other)
                target = works.setdefault(other, _Work())
                target.facts[f"{event_id} {home}"] = (link_fact(fact, home, other), None)
                target.records |= work.records


def _fresh(work: _Work, profile: Profile) -> tuple[list[tuple[Fact, Event | None]], list[BadRow]]:
    """The facts that the profile has not seen, in order of receipt, and those that a machine-like sender has too many
    of."""
    seen = profile.seen_ids()
    room = MAX_SEEN - len(seen)
    fresh, refused = [], []
    for fact, event in sorted(work.facts.values(), key=lambda pair: (pair[0].received_at, pair[0].id)):
        if fact.is_idempotent:
            fresh.append((fact, event))
        elif fact.id not in seen:
            if room > 0:
                fresh.append((fact, event))
            else:
                refused.append(_bad_row(event, TOO_MANY_EVENTS))
            room -= 1
    return fresh, refused


def _bad_row(event: Event | None, code: str) -> BadRow:
    """The bad row of an event that a customer's item has no room for; its original is the event's document."""
    if event is None:
        raise ValueError("only events are refused")
    return BadRow(
        row_id=hashlib.sha256(f"{code}:{event.event_id}".encode()).hexdigest()[:32],
        source=event.source,
        stage=STAGE,
        code=code,
        detail="more than one customer's item holds; a machine?",
        received_at=event.received_at,
        original=orjson.dumps(event_to_doc(event)).decode(),
        event_id=event.event_id,
        message_id=event.message_id,
    )
