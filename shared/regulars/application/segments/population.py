"""Everybody, one customer after the other; and what a segment would be among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from heapq import nsmallest
from typing import TYPE_CHECKING, Protocol, TypeVar

from regulars.domain.components import partition
from regulars.domain.errors import PermanentError, computing
from regulars.domain.found import Found
from regulars.domain.people import ADDRESSES, Person, person_of

if TYPE_CHECKING:
    from regulars.domain.links import Links
    from regulars.domain.program import CompiledProgram, Program
    from regulars.domain.stored import Head
    from regulars.ports import Clock, CustomerStore

T = TypeVar("T")


def each(
    asked: Callable[[Person], T], store: CustomerStore, program: CompiledProgram, now: datetime, *, left_out: list[str]
) -> Iterator[T]:
    """What is asked of every customer as of `now`. Who cannot be computed is left out, and named in `left_out`:
    whatever somebody sent, it is one customer's trouble and not everybody's."""
    for root, made in _everybody(store, program, now):
        try:
            with computing():
                found = asked(made())
        except PermanentError:
            left_out.append(root)
            continue
        yield found


def _everybody(
    store: CustomerStore, program: CompiledProgram, now: datetime
) -> Iterator[tuple[str, Callable[[], Person]]]:
    """Every customer's root, and what makes it. Nodes without links, which are most, are customers by themselves and
    are not kept; the others are put together once all are read."""
    linked: dict[str, Head] = {}
    links: dict[str, Links] = {}
    for node, head in store.scan():
        if head.links:
            linked[node], links[node] = head.unparsed(), head.links
        elif head.profile or head.orders:
            yield node, partial(person_of, node, frozenset({node}), frozenset(), {node: head}, program, now)
    addresses = frozenset(node for node in linked if node[0] in ADDRESSES)
    for root, nodes in partition(links, program.identity).items():
        yield root, partial(person_of, root, nodes, addresses, linked, program, now)
        for node in nodes:
            linked[node] = linked[node].unparsed()


class Population(Protocol):
    """Whoever can say what a segment is among all customers, under a program that need not be in force."""

    def find(self, program: Program, segment: str, *, sample: int) -> Found:
        """The segment, with the smallest ids as its sample."""


class ScannedPopulation:
    """The population as the table has it, customer by customer, by the very evaluator that decides."""

    def __init__(self, store: CustomerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, program: Program, segment: str, *, sample: int) -> Found:
        """One scan; the sample are the smallest ids, so that it is the same each time."""
        now, compiled = self._clock.now(), program.compiled
        customers, sizes, both, chosen = 0, Counter[str](), Counter[str](), list[str]()
        left_out: list[str] = []

        def asked(person: Person) -> tuple[str, frozenset[str]]:
            return person.customer.root, compiled.memberships(person.customer, now)

        for root, members in each(asked, self._store, compiled, now, left_out=left_out):
            customers += 1
            sizes.update(members)
            if segment in members:
                both.update(members)
                chosen = nsmallest(sample, (*chosen, root))
        others = [other.name for other in program.segments if other.name != segment]
        return Found(
            customers,
            sizes[segment],
            tuple(chosen),
            {name: sizes[name] for name in others},
            {name: both[name] for name in others},
            now,
            "table",
            not_computed=len(left_out),
        )
